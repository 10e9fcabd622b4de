//! The answer to a SendCommand is lost: the command is found by its token and never sent twice.

use quarterdeck::engine::Action;
use quarterdeck::names::{Region, RolloutName};
use quarterdeck::problem::Exit;
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::{Fact, Outcome, SendPhase};

use crate::scene::{EAST, Scene, TINY, phase, token};

/// The command took place and its answer did not arrive: it is adopted without a question.
async fn is_adopted(story: &str, act: Act) {
    let scene = Scene::set(&format!("{story}{TINY}")).await;
    let rule = scene
        .rehearsal
        .faults()
        .add(Rule::on("SendCommand", act.clone()).times(1));
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded, "{act:?}");
    assert_eq!(scene.rehearsal.faults().struck(rule), 1, "{act:?}");
    assert_eq!(scene.requests("SendCommand").len(), 2, "{act:?}: one for each rollout");
    assert_eq!(scene.commands(EAST).len(), 2, "{act:?}");
    let adopted = process.count(|fact| matches!(fact, Fact::SendAccepted { adopted: true, .. }));
    assert_eq!(adopted, 1, "{act:?}");
    assert!(process.notices.is_empty(), "{act:?}: {:?}", process.notices);
    scene.sent_once(&process.state);
}

#[tokio::test]
async fn a_command_whose_answer_was_reset_is_adopted_and_not_sent_again() {
    is_adopted("", Act::ResetAfter).await;
}

#[tokio::test]
async fn a_command_that_was_never_answered_is_adopted_and_not_sent_again() {
    is_adopted("", Act::NoAnswer).await;
}

#[tokio::test]
async fn a_command_that_was_answered_with_a_server_error_is_adopted_and_not_sent_again() {
    is_adopted("", Act::ServerErrorAfter(500)).await;
    is_adopted("", Act::ServerErrorAfter(503)).await;
}

/// AWS's clock may be some minutes off before it refuses signatures, either way: the search reaches back far enough.
#[tokio::test]
async fn a_command_is_found_though_the_clocks_differ() {
    is_adopted("clock-ahead = 280\n", Act::ResetAfter).await;
    is_adopted("clock-ahead = -280\n", Act::ResetAfter).await;
}

/// Reads that fail say nothing about whether the command is there: the search goes on.
#[tokio::test]
async fn a_search_that_is_throttled_and_shown_nothing_at_first_goes_on() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let faults = scene.rehearsal.faults();
    faults.add(Rule::on("SendCommand", Act::ResetAfter).times(1));
    faults.add(Rule::on("ListCommands", Act::Throttle).times(4));
    faults.add(Rule::on("ListCommands", Act::ServerError(500)).times(3));
    faults.add(Rule::on("ListCommands", Act::EmptyLists).times(4));
    process.act(Action::Start);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 2);
    scene.sent_once(&process.state);
}

/// A search that AWS refuses finds nothing out. It is said what is unknown, why, and who can find out; whoever takes the
/// deployment up looks again.
#[tokio::test]
async fn a_search_that_is_refused_leaves_the_send_unknown_until_the_next_one() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let faults = scene.rehearsal.faults();
    faults.add(Rule::on("SendCommand", Act::ResetAfter).times(1));
    // The other command is followed by the same list, and waits.
    let refused = faults.add(Rule::on("ListCommands", Act::Denied));
    process.act(Action::Start);
    let is_unknown = |fact: &Fact| matches!(fact, Fact::SendUnknown { .. });
    process
        .until("the unknown send", |process| process.count(is_unknown) == 1)
        .await;
    let problem = process.facts.iter().find_map(|recorded| match &recorded.fact {
        Fact::SendUnknown { token, problem } => Some((token.clone(), problem.clone())),
        _ => None,
    });
    let (lost, problem) = problem.expect("it was counted");
    for word in [
        "it is unknown whether SSM has the command",
        "SendCommand",
        "lost the connection",
        "cannot be looked for",
        "is not allowed",
        lost.as_str(),
    ] {
        assert!(problem.what.as_str().contains(word), "{word}: {problem}");
    }
    for word in ["allow it", "`quarterdeck attach`", "takes it as never sent"] {
        assert!(problem.remedy.as_str().contains(word), "{word}: {problem}");
    }
    process.leave().await;
    faults.end(refused);
    let mut process = scene.attach();
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 2, "nothing was sent again");
    scene.sent_once(&process.state);
}

/// Nobody knows whether it took place, so the operator is asked. It is not sent again before the operator says that it
/// never did; then it goes out under another token.
#[tokio::test]
async fn a_send_that_cannot_be_found_is_asked_about_abandoned_and_sent_again() {
    let scene = Scene::set(TINY).await;
    scene
        .rehearsal
        .faults()
        .add(Rule::on("SendCommand", Act::ResetBefore).times(1));
    let mut process = scene.start().await;
    let outcome = process.settled().await;
    assert_eq!((outcome, outcome.exit()), (Outcome::SendFailed, Exit::Hosts));
    let unknown = ["ubuntu", "linux"]
        .into_iter()
        .find(|name| matches!(phase(process.rollout(EAST, name)), Some(SendPhase::Unknown(_))));
    let name = unknown.expect("one of the two sends is unknown");
    let lost = token(process.rollout(EAST, name));
    let Some(SendPhase::Unknown(problem)) = phase(process.rollout(EAST, name)) else {
        unreachable!("it was found to be");
    };
    assert!(problem.what.as_str().contains(lost.as_str()), "{problem}");
    assert!(problem.remedy.as_str().contains("takes it as never sent"), "{problem}");

    let (region, rollout) = (Region::new(EAST), RolloutName::new(name));
    process.act(Action::Resend(region.clone(), rollout.clone()));
    process.until("a refusal", |process| !process.notices.is_empty()).await;
    let refusal = process.notices.remove(0);
    assert!(refusal.what.as_str().contains("not sent twice"), "{refusal}");
    assert_eq!(scene.requests("SendCommand").len(), 2, "nothing went out");

    process.act(Action::Abandon(lost.clone()));
    process.act(Action::Resend(region, rollout));
    process
        .until("the hosts' success", |process| {
            process
                .state
                .settled
                .is_some_and(|(outcome, _)| outcome == Outcome::Succeeded)
        })
        .await;
    assert_ne!(token(process.rollout(EAST, name)), lost);
    assert_eq!(scene.requests("SendCommand").len(), 3);
    assert_eq!(scene.commands(EAST).len(), 2);
    scene.sent_once(&process.state);
}
