//! AWS slows down, breaks down, cannot be reached, or does not know the caller any more.

use quarterdeck::engine::Action;
use quarterdeck::names::{Region, RolloutName};
use quarterdeck::problem::Kind;
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::{Fact, Outcome, Selection};

use crate::scene::{EAST, OHIO, SMALL, Scene, TINY};

/// The operator sees that looks are further apart and why; nothing fails, and nothing is asked.
#[tokio::test]
async fn throttled_calls_slow_the_polls_down_visibly_and_fail_nothing() {
    let scene = Scene::set(TINY).await;
    let faults = scene.rehearsal.faults();
    let mut process = scene.planned().await;
    // Whatever is asked next, the login, the tags and the sends among it.
    let everything = faults.add(Rule::always(Act::Throttle).times(60));
    process.act(Action::Start);
    process.until("the sends", |process| process.has_sent(EAST)).await;
    faults.end(everything);
    let polls = faults.add(Rule::on("ListCommands", Act::Throttle));
    process
        .until("slower polls", |process| process.poll(EAST).throttled >= 3)
        .await;
    let slow = process.poll(EAST);
    let calm = crate::scene::PACE.early;
    assert!(slow.interval >= 4 * calm, "{slow:?}");
    let said = slow.trouble.expect("it says why");
    assert!(said.as_str().contains("was throttled"), "{said}");
    faults.end(polls);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    process
        .until("the trouble's end", |process| process.poll(EAST).trouble.is_none())
        .await;
    assert_eq!(process.poll(EAST).throttled, 0);
    let waited = process.count(|fact| matches!(fact, Fact::LaneWaits { .. }));
    assert_eq!((waited, process.notices.len()), (0, 0), "{:?}", process.notices);
    scene.sent_once(&process.state);
}

/// Every other call is throttled, from the first check to the last look.
#[tokio::test]
async fn a_deployment_whose_every_other_call_is_throttled_ends_well() {
    let scene = Scene::set(SMALL).await;
    let rule = scene.rehearsal.faults().add(Rule::always(Act::Throttle).every(2));
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert!(scene.rehearsal.faults().struck(rule) > 20);
    scene.sent_once(&process.state);
}

/// After three looks in a row without an answer the lane says that it waits, and what for; it goes on by itself.
#[tokio::test]
async fn server_errors_make_the_lane_wait_and_say_so_until_they_are_over() {
    for status in [500, 503] {
        let scene = Scene::set(TINY).await;
        let mut process = scene.planned().await;
        let rule = scene
            .rehearsal
            .faults()
            .add(Rule::on("ListCommands", Act::ServerError(status)));
        process.act(Action::Start);
        process.until("the wait", |process| process.waits(EAST).is_some()).await;
        let problem = process.waits(EAST).expect("it waits");
        assert!(
            problem.what.as_str().contains(&format!("answered with {status}")),
            "{problem}"
        );
        scene.rehearsal.faults().end(rule);
        assert_eq!(process.settled().await, Outcome::Succeeded);
        assert_eq!(process.waits(EAST), None);
        let resumed = process.count(|fact| matches!(fact, Fact::LaneResumed { .. }));
        assert_eq!(resumed, 1);
    }
}

/// The other region goes to its end meanwhile, and the lost one catches up without a word from the operator.
#[tokio::test]
async fn a_region_that_cannot_be_reached_waits_alone() {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.start().await;
    process.until("the sends", |process| process.has_sent(OHIO)).await;
    let rule = scene
        .rehearsal
        .faults()
        .add(Rule::always(Act::ResetBefore).within(OHIO));
    process.until("the wait", |process| process.waits(OHIO).is_some()).await;
    let problem = process.waits(OHIO).expect("it waits");
    assert!(problem.what.as_str().contains(OHIO), "{problem}");
    process
        .until("the other region's end", |process| {
            process.rollout(EAST, "ubuntu").is_over() && process.rollout(EAST, "linux").is_over()
        })
        .await;
    assert_eq!(process.state.settled, None, "the deployment is not over");
    assert_eq!(process.waits(EAST), None);
    scene.rehearsal.faults().end(rule);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    scene.sent_once(&process.state);
}

/// Before the start it forbids the start, by name; another look finds it mended.
#[tokio::test]
async fn a_region_that_cannot_be_reached_forbids_the_start_until_it_can() {
    let scene = Scene::set(SMALL).await;
    let rule = scene
        .rehearsal
        .faults()
        .add(Rule::always(Act::ResetBefore).within(OHIO));
    let mut process = scene.launch();
    process
        .until("the verdict", |process| !process.blocked.is_empty())
        .await;
    for problem in &process.blocked {
        assert!(problem.what.as_str().contains(OHIO), "{problem}");
    }
    process.act(Action::Start);
    scene.rehearsal.faults().end(rule);
    process.act(Action::Recheck);
    process.until("the plan", |process| process.ready.is_some()).await;
    process.act(Action::Start);
    assert_eq!(process.settled().await, Outcome::Succeeded);
}

/// The lane says that it waits for credentials. When fresh ones are there it goes on, with every host where it was.
#[tokio::test]
async fn credentials_that_expire_while_hosts_run_are_waited_for() {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.start().await;
    process.until("the sends", |process| process.has_sent(EAST)).await;
    let rule = scene.rehearsal.faults().add(Rule::always(Act::Expired).within(EAST));
    process.until("the wait", |process| process.waits(EAST).is_some()).await;
    let problem = process.waits(EAST).expect("it waits").clone();
    assert_eq!(problem.kind, Kind::Credentials, "{problem}");
    assert!(!problem.remedy.is_empty(), "it says what to do");
    process
        .until("the other region's end", |process| {
            process.rollout(OHIO, "ubuntu").is_over() && process.rollout(OHIO, "linux").is_over()
        })
        .await;
    assert_eq!(process.state.settled, None);
    scene.rehearsal.faults().end(rule);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    let waited = process.count(|fact| matches!(fact, Fact::LaneWaits { .. }));
    let resumed = process.count(|fact| matches!(fact, Fact::LaneResumed { .. }));
    assert_eq!((waited, resumed), (1, 1), "it says so once");
    scene.sent_once(&process.state);
}

/// A send that was refused for its credentials goes out when there are fresh ones; that it was refused is known, so nothing
/// is looked for.
#[tokio::test]
async fn a_send_waits_for_fresh_credentials_and_goes_out_once() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let rule = scene.rehearsal.faults().add(Rule::on("SendCommand", Act::Expired));
    process.act(Action::Start);
    process.until("the wait", |process| process.waits(EAST).is_some()).await;
    assert_eq!(scene.commands(EAST).len(), 0);
    scene.rehearsal.faults().end(rule);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(scene.commands(EAST).len(), 2);
    let adopted = process.count(|fact| matches!(fact, Fact::SendAccepted { adopted: true, .. }));
    assert_eq!(adopted, 0);
    scene.sent_once(&process.state);
}

/// A deployment is over when its hosts are. What a host printed can be read later, by opening it.
#[tokio::test]
async fn outputs_that_cannot_be_read_keep_nothing_from_its_end() {
    for act in [Act::Expired, Act::Throttle] {
        let story = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\"]\n\
                     [[host]]\nregion = \"us-east-1\"\nnumber = 2\nfates = [\"disk-full\"]\n";
        let scene = Scene::set_with(
            &format!("{TINY}{story}"),
            &[("max_errors = 0", "max_errors = \"100%\"")],
        )
        .await;
        let mut process = scene.planned().await;
        let rule = scene.rehearsal.faults().add(Rule::on("GetCommandInvocation", act));
        process.act(Action::Start);
        assert_eq!(process.settled().await, Outcome::HostsFailed);
        assert_eq!(process.count(|fact| matches!(fact, Fact::OutputRead { .. })), 0);
        let [said] = &process.notices[..] else {
            panic!("it is said once: {:?}", process.notices);
        };
        assert!(said.what.as_str().contains("what failed hosts printed"), "{said}");
        scene.rehearsal.faults().end(rule);
        let host = process.rollout(EAST, "ubuntu").hosts[0].id.clone();
        process.act(Action::ReadOutput {
            region: Region::new(EAST),
            rollout: RolloutName::new("ubuntu"),
            host,
        });
        process
            .until("what it printed", |process| {
                process.count(|fact| matches!(fact, Fact::OutputRead { .. })) == 1
            })
            .await;
    }
}

/// Every try was refused for want of credentials, so nobody has to wonder whether it went out: whoever is next sends it.
#[tokio::test]
async fn a_send_that_waits_for_credentials_when_its_process_leaves_is_known_not_to_have_gone_out() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let rule = scene.rehearsal.faults().add(Rule::on("SendCommand", Act::Expired));
    process.act(Action::Start);
    process
        .until("the wait of both", |process| {
            process.waits(EAST).is_some() && scene.requests("SendCommand").len() >= 2
        })
        .await;
    process.leave().await;
    let refused = process.count(|fact| matches!(fact, Fact::SendRefused { .. }));
    assert_eq!(refused, 2);
    drop(process);
    scene.rehearsal.faults().end(rule);
    let mut process = scene.attach();
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(scene.commands(EAST).len(), 2);
    scene.sent_once(&process.state);
}

/// A deployment whose one failed host is to be retried, and whose process left while that waited for credentials.
async fn left_with_a_retry() -> Scene {
    let story = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n";
    let everybody_runs = [("max_errors = 0", "max_errors = \"100%\"")];
    let scene = Scene::set_with(&format!("{TINY}{story}"), &everybody_runs).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let sent = scene.requests("SendCommand").len();
    let rule = scene.rehearsal.faults().add(Rule::on("SendCommand", Act::Expired));
    process.act(Action::Retry {
        set: process.state.retry_set(&Selection::Failed(None)),
        despite_moved: Vec::new(),
    });
    process
        .until("the wait", |process| {
            process.waits(EAST).is_some() && scene.requests("SendCommand").len() > sent
        })
        .await;
    process.leave().await;
    assert_eq!(process.state.waiting_for_retry(), 1);
    scene.rehearsal.faults().end(rule);
    scene
}

#[tokio::test]
async fn a_retry_that_waits_for_credentials_when_its_process_leaves_goes_out_from_the_next_one() {
    let scene = left_with_a_retry().await;
    let mut process = scene.attach();
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    assert_eq!(scene.commands(EAST).len(), 3);
    scene.sent_once(&process.state);
}

/// Another machine may have been quicker. Where that can't be asked it does not go out, and its host can be retried later.
#[tokio::test]
async fn a_retry_that_was_left_does_not_go_out_where_nobody_knows_what_another_machine_sent() {
    let scene = left_with_a_retry().await;
    let denied = scene.rehearsal.faults().add(Rule::on("ListCommands", Act::Denied));
    let mut process = scene.attach();
    process
        .until("the stop", |process| {
            process.count(|fact| matches!(fact, Fact::RetryStopped { .. })) == 1
        })
        .await;
    assert_eq!(process.settled_again(2).await, Outcome::SendFailed);
    assert_eq!(scene.commands(EAST).len(), 2);
    scene.rehearsal.faults().end(denied);
    process.act(Action::Retry {
        set: process.state.retry_set(&Selection::Failed(None)),
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(3).await, Outcome::Succeeded);
    assert_eq!(scene.commands(EAST).len(), 3);
    scene.sent_once(&process.state);
}
