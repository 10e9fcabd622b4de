//! Lists that lag, lack, lie or lead in circles.

use quarterdeck::engine::{Action, Clock};
use quarterdeck::names::Millis;
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::{Fact, HostStatus, Outcome, Selection};

use crate::scene::{EAST, SMALL, Scene, TINY, hosts, rows};

/// SSM's lists are eventually consistent. Empty is not over, and half a list is not the whole: nobody is called missing.
#[tokio::test]
async fn lists_that_are_empty_or_cut_short_right_after_sending_make_nobody_missing() {
    for act in [Act::EmptyLists, Act::HalfLists] {
        let scene = Scene::set(SMALL).await;
        let faults = scene.rehearsal.faults();
        let rules =
            ["ListCommands", "ListCommandInvocations"].map(|list| faults.add(Rule::on(list, act.clone()).times(6)));
        let mut process = scene.start().await;
        assert_eq!(process.settled().await, Outcome::Succeeded, "{act:?}");
        assert!(rules.iter().all(|rule| faults.struck(*rule) == 6), "{act:?}");
        let missing = process.count(|fact| matches!(fact, Fact::CommandEnded { missing, .. } if !missing.is_empty()));
        assert_eq!(missing, 0, "{act:?}");
        scene.sent_once(&process.state);
    }
}

/// The word is shown as it is, and means no end that SSM's Status does not say.
#[tokio::test]
async fn a_word_that_nobody_knows_is_shown_and_waited_out() {
    let scene = Scene::set(TINY).await;
    let word = "Quantum Flux".to_owned();
    scene
        .rehearsal
        .faults()
        .add(Rule::on("ListCommandInvocations", Act::UnknownWord(word.clone())).times(6));
    let mut process = scene.start().await;
    let is_odd = |fact: &Fact| matches!(fact, Fact::HostChanged { status, .. } if status.word() == word);
    process
        .until("the unknown word", |process| process.count(is_odd) > 0)
        .await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
}

/// It waits for its turn on the screen until SSM shows it.
#[tokio::test]
async fn a_host_that_appears_late_is_waited_for() {
    let late = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nappears = \"late\"\nafter = 30.0\n";
    let scene = Scene::set(&format!("{TINY}{late}")).await;
    let mut process = scene.start().await;
    process
        .until("the others' end", |process| process.state.counts().succeeded == 4)
        .await;
    let waiting = hosts(process.rollout(EAST, "ubuntu"), |status| *status == HostStatus::Waiting);
    assert_eq!(waiting.len(), 1, "{:#?}", rows(&process.state));
    assert_eq!(process.settled().await, Outcome::Succeeded);
}

/// It is named, its deployment is no success, and a retry says that it may have run the script already.
#[tokio::test]
async fn a_host_that_never_reports_is_named_missing_and_can_be_retried() {
    let never = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nappears = \"never\"\n";
    let scene = Scene::set(&format!("{TINY}{never}")).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let missing = hosts(process.rollout(EAST, "ubuntu"), |status| *status == HostStatus::Missing);
    assert_eq!(missing.len(), 1, "{:#?}", rows(&process.state));
    let named = process.count(|fact| matches!(fact, Fact::CommandEnded { missing: named, .. } if *named == missing));
    assert_eq!(named, 1);
    let set = process.state.retry_set(&Selection::Unsuccessful(None));
    assert_eq!((set.len(), set.unknown), (1, 1));
    process.act(Action::CheckRetry(set));
    process
        .until("the look at the tags", |process| process.checked.is_some())
        .await;
}

/// Pages that lead back to themselves end the look, not the deployment.
#[tokio::test]
async fn a_page_token_that_repeats_is_told_and_the_reading_starts_over() {
    // Two pages of Ubuntu hosts.
    let scene = Scene::set("regions = [\"us-east-1\"]\nhosts = 90\n").await;
    let faults = scene.rehearsal.faults();
    let mut process = scene.planned().await;
    let rule = faults.add(Rule::on("ListCommandInvocations", Act::SamePageToken).skip(1));
    process.act(Action::Start);
    process
        .until("trouble", |process| process.poll(EAST).trouble.is_some())
        .await;
    faults.end(rule);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    process
        .until("the trouble's end", |process| process.poll(EAST).trouble.is_none())
        .await;
    assert!(faults.struck(rule) > 0);
}

/// No reading of it comes to an end, and no waiting either: it is closed with what was read.
#[tokio::test]
async fn a_command_whose_pages_lead_in_circles_is_given_up_past_its_deadline() {
    let scene = Scene::set("regions = [\"us-east-1\"]\nhosts = 90\n").await;
    let faults = scene.rehearsal.faults();
    faults.add(Rule::on("ListCommandInvocations", Act::SamePageToken));
    let mut process = scene.start().await;
    process
        .until("a circle", |process| {
            let circles = |problem: &quarterdeck::problem::Problem| problem.what.as_str().contains("in circles");
            process.has_sent(EAST) && process.waits(EAST).is_some_and(circles)
        })
        .await;
    process.leave().await;
    let later = Clock::new(|| Millis(Millis::now().0 + 20 * 60 * 1000));
    let mut process = scene.attach_by(later);
    process.settled().await;
    assert_eq!(process.count(|fact| matches!(fact, Fact::CommandEnded { .. })), 2);
    assert_eq!(process.waits(EAST), None, "there is nothing left to wait for");
}

/// One page a look is progress, too.
#[tokio::test]
async fn a_reading_that_aws_breaks_off_at_every_page_comes_to_its_end() {
    let scene = Scene::set("regions = [\"us-east-1\"]\nhosts = 90\n").await;
    let faults = scene.rehearsal.faults();
    // One call is answered and the next is throttled, as often as the client makes it again, so that no two pages come
    // in one look.
    let list = || Rule::on("ListCommandInvocations", Act::Throttle);
    let rules = [list().every(3), list().every(2)].map(|rule| faults.add(rule));
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert!(rules.iter().all(|rule| faults.struck(*rule) > 1));
}

/// A machine that slept in the middle of a reading goes on with a token that SSM does not know any more, when the command's
/// deadline is long over: it reads anew, and gives nobody up.
#[tokio::test]
async fn a_reading_whose_token_is_refused_begins_anew() {
    use quarterdeck::engine::ports::Ledger as _;
    // Two pages of either rollout's hosts.
    let scene = Scene::set("regions = [\"us-east-1\"]\nhosts = 150\n").await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    let id = process.state.plan.as_ref().expect("it has begun").id;
    process.leave().await;
    let facts = scene.facts().into_iter().map(|recorded| recorded.fact);
    let slept = facts.filter(|fact| {
        !matches!(
            fact,
            Fact::HostChanged { .. } | Fact::CommandEnded { .. } | Fact::DeploymentSettled { .. }
        )
    });
    scene.forget();
    let kept = scene.journal().append(id, slept.collect()).await;
    kept.expect("the facts are taken");

    let faults = scene.rehearsal.faults();
    let list = |act| Rule::on("ListCommandInvocations", act).skip(1);
    // As often as the client asks for the second page again.
    let throttled = faults.add(list(Act::Throttle).times(2));
    let refused = faults.add(list(Act::Denied).times(1));
    let mut process = scene.attach_by(Clock::new(|| Millis(Millis::now().0 + 20 * 60 * 1000)));
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!((faults.struck(throttled), faults.struck(refused)), (2, 1));
}

/// Whoever attaches long after the end, from where AWS refuses to show hosts, knows nothing of them: they are waited for.
#[tokio::test]
async fn what_aws_refuses_to_show_past_the_deadline_is_waited_for() {
    let scene = Scene::set("regions = [\"us-east-1\"]\nhosts = 6\n").await;
    let mut process = scene.start().await;
    process.until("a command", |process| process.has_sent(EAST)).await;
    process.leave().await;
    let faults = scene.rehearsal.faults();
    let denied = faults.add(Rule::on("ListCommandInvocations", Act::Denied));
    let later = Clock::new(|| Millis(Millis::now().0 + 20 * 60 * 1000));
    let mut process = scene.attach_by(later);
    process
        .until("a wait", |process| {
            process.waits(EAST).is_some() && faults.struck(denied) > 2
        })
        .await;
    assert_eq!(process.count(|fact| matches!(fact, Fact::CommandEnded { .. })), 0);
    faults.end(denied);
    assert_eq!(process.settled().await, Outcome::Succeeded);
}
