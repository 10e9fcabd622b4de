//! Cancelling, before, while and after a command goes out: what has not begun never does, and who has begun is followed to
//! their true end.

use std::sync::PoisonError;
use std::time::Duration;

use quarterdeck::engine::ports::{BuildFailure, PushFailure};
use quarterdeck::engine::{Action, Scope};
use quarterdeck::names::{Region, RolloutName};
use quarterdeck::problem::{Exit, Kind, Problem};
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::{BuildPhase, Fact, HostStatus, Outcome, PushPhase, Selection, Stage};

use crate::scene::{EAST, OHIO, Process, SMALL, Scene, TINY, hosts, rows, tag};

/// Two Ubuntu hosts of us-east-1 hang at their first attempt; the third does not.
const HANG: &str = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"hang\", \"success\"]\n\
                    [[host]]\nregion = \"us-east-1\"\nnumber = 2\nfates = [\"hang\", \"success\"]\n";

fn told(scene: &Scene, what: &str) -> bool {
    scene.hands.told().iter().any(|told| told == what)
}

fn cancelled(process: &Process, region: &str, name: &str) -> usize {
    hosts(process.rollout(region, name), |status| *status == HostStatus::Cancelled).len()
}

#[tokio::test]
async fn cancelling_everything_stops_the_build_and_nothing_goes_out() {
    let scene = Scene::set(SMALL).await;
    scene.hands.builds.close();
    let mut process = scene.start().await;
    process.until("the build", |_| told(&scene, "build begins")).await;
    process.act(Action::Cancel(Scope::All));
    let outcome = process.settled().await;
    assert_eq!((outcome, outcome.exit()), (Outcome::Cancelled, Exit::Cancelled));
    assert!(told(&scene, "build is stopped"), "{:?}", scene.hands.told());
    assert_eq!(process.state.builds[0].phase, BuildPhase::Cancelled);
    assert_eq!(scene.requests("SendCommand").len(), 0);
    // The operator thinks again. There is nothing that a push could begin with.
    process.act(Action::RetryPush(Region::new(EAST)));
    process.until("a refusal", |process| !process.notices.is_empty()).await;
    assert_eq!(process.notices[0].remedy.as_str(), "retry its build");
    scene.hands.builds.open();
    process.act(Action::RetryBuild(process.state.builds[0].id.clone()));
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

/// A region that does not answer keeps a login waiting for the better part of a minute.
#[tokio::test]
async fn cancelling_does_not_wait_for_the_logins_before_the_build() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let logins = || scene.requests("GetAuthorizationToken").len();
    let before = logins();
    scene
        .rehearsal
        .faults()
        .add(Rule::on("GetAuthorizationToken", Act::NoAnswer));
    process.act(Action::Start);
    process.until("the login", |_| logins() > before).await;
    process.act(Action::Cancel(Scope::All));
    assert_eq!(process.settled().await, Outcome::Cancelled);
    assert_eq!(process.state.builds[0].phase, BuildPhase::Cancelled);
    assert!(
        logins() < before + 4,
        "it was not tried to the end: {}",
        logins() - before
    );
    assert!(!told(&scene, "build begins"));
}

/// The other lane still wants the build, and goes to its end.
#[tokio::test]
async fn cancelling_a_lane_stops_its_push_and_leaves_the_other_alone() {
    let scene = Scene::set(SMALL).await;
    scene.hands.builds.close();
    scene.hands.pushes.close();
    let mut process = scene.start().await;
    process.until("the build", |_| told(&scene, "build begins")).await;
    process.act(Action::Cancel(Scope::Lane(Region::new(OHIO))));
    process
        .until("the lane's end", |process| {
            process.count(|fact| matches!(fact, Fact::LaneCancelled { .. })) == 1
        })
        .await;
    scene.hands.builds.open();
    process
        .until("the push", |_| told(&scene, "push to us-east-1 begins"))
        .await;
    scene.hands.pushes.open();
    assert_eq!(process.settled().await, Outcome::Cancelled);
    assert!(!told(&scene, "build is stopped"));
    assert!(!told(&scene, "push to us-east-2 begins"));
    assert_eq!((scene.commands(EAST).len(), scene.commands(OHIO).len()), (2, 0));
    assert!(
        process
            .rollout(EAST, "ubuntu")
            .hosts
            .iter()
            .all(|host| *host.status() == HostStatus::Success)
    );
    process.act(Action::RetryPush(Region::new(OHIO)));
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

#[tokio::test]
async fn a_push_is_stopped_and_can_be_done_again() {
    let scene = Scene::set(TINY).await;
    scene.hands.pushes.close();
    let mut process = scene.start().await;
    process
        .until("the push", |_| told(&scene, "push to us-east-1 begins"))
        .await;
    process.act(Action::Cancel(Scope::All));
    assert_eq!(process.settled().await, Outcome::Cancelled);
    assert!(told(&scene, "push to us-east-1 is stopped"));
    assert_eq!(process.state.lanes[0].push, PushPhase::Cancelled);
    scene.hands.pushes.open();
    process.act(Action::RetryPush(Region::new(EAST)));
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 2);
}

/// It cannot be called back, so it is cancelled the moment that SSM has it, and never sent anew.
#[tokio::test]
async fn a_command_that_is_going_out_is_cancelled_as_soon_as_ssm_has_it() {
    for act in [Act::Slow(Duration::from_millis(300)), Act::ResetAfter] {
        let lost = act == Act::ResetAfter;
        // Whoever begins hangs, so that there is something to cancel.
        let story: String = (1..=5)
            .map(|number| {
                format!("[[host]]\nregion = \"us-east-1\"\nnumber = {number}\nfates = [\"hang\", \"success\"]\n")
            })
            .collect();
        let scene = Scene::set(&format!("{TINY}{story}")).await;
        let faults = scene.rehearsal.faults();
        faults.add(Rule::on("SendCommand", act));
        if lost {
            // So that the command is not found before it is cancelled.
            faults.add(Rule::on("ListCommands", Act::EmptyLists).times(4));
        }
        let mut process = scene.start().await;
        process
            .until("both on their way", |_| scene.requests("SendCommand").len() == 2)
            .await;
        process.act(Action::Cancel(Scope::All));
        assert_eq!(
            process.settled().await,
            Outcome::Cancelled,
            "{:#?}",
            rows(&process.state)
        );
        assert_eq!(process.count(|fact| matches!(fact, Fact::CancelAsked { .. })), 2);
        assert_eq!(cancelled(&process, EAST, "ubuntu"), 3, "{:#?}", rows(&process.state));
        assert_eq!(
            (scene.requests("SendCommand").len(), scene.commands(EAST).len()),
            (2, 2)
        );
    }
}

/// Who was done stays done, who ran is cancelled, and the other rollouts and regions never hear of it.
#[tokio::test]
async fn cancelling_a_rollout_asks_its_unfinished_hosts_alone() {
    let scene = Scene::set(&format!("{SMALL}{HANG}")).await;
    let mut process = scene.start().await;
    process
        .until("the host that does not hang, and all others", |process| {
            process.state.counts().succeeded == 6
        })
        .await;
    let scope = Scope::Rollout(Region::new(EAST), RolloutName::new("ubuntu"));
    process.act(Action::Cancel(scope));
    let outcome = process.settled().await;
    assert_eq!((outcome, outcome.exit()), (Outcome::Cancelled, Exit::Cancelled));
    assert_eq!(cancelled(&process, EAST, "ubuntu"), 2);
    assert_eq!(process.state.counts().succeeded, 6);
    let asked = scene.requests("CancelCommand");
    assert_eq!(asked.len(), 1);
    let command = process.rollout(EAST, "ubuntu").sends[0].command().expect("SSM has it");
    assert_eq!(asked[0].body["CommandId"], command.as_str());
    // They may have run in part, and can be sent to again.
    let set = process.state.retry_set(&Selection::Unsuccessful(None));
    assert_eq!(set.len(), 2);
    process.act(Action::Retry {
        set,
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

#[tokio::test]
async fn cancelling_a_lane_leaves_the_other_lanes_hosts_running() {
    let scene = Scene::set(&format!("{SMALL}{HANG}")).await;
    let mut process = scene.start().await;
    process.until("the sends", |process| process.has_sent(OHIO)).await;
    process
        .until("the other lane's end", |process| {
            process.rollout(OHIO, "ubuntu").is_over() && process.rollout(OHIO, "linux").is_over()
        })
        .await;
    process.act(Action::Cancel(Scope::Lane(Region::new(OHIO))));
    process.until("a refusal", |process| !process.notices.is_empty()).await;
    assert!(
        process.notices[0].what.as_str().contains("nothing to cancel"),
        "{}",
        process.notices[0]
    );
    assert_eq!(process.state.settled, None, "the other lane is at work");
    process.act(Action::Cancel(Scope::Lane(Region::new(EAST))));
    assert_eq!(process.settled().await, Outcome::Cancelled);
    assert_eq!(cancelled(&process, EAST, "ubuntu"), 2);
}

/// The hosts finish while CancelCommand is throttled: their end is what it was, and so is the deployment's.
#[tokio::test]
async fn hosts_that_finish_before_the_cancel_arrives_are_shown_as_finished() {
    let scene = Scene::set(TINY).await;
    let faults = scene.rehearsal.faults();
    let rule = faults.add(Rule::on("CancelCommand", Act::Throttle));
    let mut process = scene.start().await;
    process.until("the sends", |process| process.has_sent(EAST)).await;
    process.act(Action::Cancel(Scope::All));
    process
        .until("the hosts' success", |process| process.state.counts().succeeded == 5)
        .await;
    assert!(faults.struck(rule) > 0);
    assert_eq!(process.state.settled, None, "the cancelling is still under way");
    faults.end(rule);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(process.count(|fact| matches!(fact, Fact::CancelAsked { .. })), 2);
}

/// The operator sees that it was refused and why; the hosts go on to their end.
#[tokio::test]
async fn a_cancel_that_is_denied_is_told_and_the_hosts_are_followed() {
    let scene = Scene::set(TINY).await;
    scene.rehearsal.faults().add(Rule::on("CancelCommand", Act::Denied));
    let mut process = scene.start().await;
    process.until("the sends", |process| process.has_sent(EAST)).await;
    process.act(Action::Cancel(Scope::All));
    assert_eq!(process.settled().await, Outcome::Succeeded);
    for name in ["ubuntu", "linux"] {
        let send = &process.rollout(EAST, name).sends[0];
        let problem = send.cancel_problem.as_ref().expect("it says why");
        assert!(problem.what.as_str().contains("ssm:CancelCommand"), "{problem}");
        assert!(!send.cancel_asked);
    }
}

/// What waits for its turn does not go out after a cancel.
#[tokio::test]
async fn cancelling_a_large_retry_forgets_the_chunks_that_wait() {
    let story = "regions = [\"us-east-1\"]\nhosts = 100\n[trouble]\nfail = 100\n";
    let tolerant = ("max_errors = 0", "max_errors = \"100%\"");
    let scene = Scene::set_with(story, &[tolerant]).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let mut set = process.state.retry_set(&Selection::Failed(None));
    set.hosts.retain(|(_, name), _| name.as_str() == "ubuntu");
    assert_eq!(set.len(), 60);
    process.act(Action::Retry {
        despite_moved: set.in_regions(),
        set,
    });
    process
        .until("the first chunk", |process| {
            process.rollout(EAST, "ubuntu").sends.len() == 2
        })
        .await;
    process.act(Action::Cancel(Scope::All));
    process.settled_again(2).await;
    assert_eq!(process.rollout(EAST, "ubuntu").sends.len(), 2);
    let once = process
        .rollout(EAST, "ubuntu")
        .hosts
        .iter()
        .filter(|host| host.attempts.len() == 1);
    assert_eq!(once.count(), 10, "as they were");
    let stopped = process
        .rollout(EAST, "ubuntu")
        .retry
        .stopped
        .as_ref()
        .expect("it is said");
    assert!(
        stopped
            .what
            .as_str()
            .contains("stopped before 10 hosts: it was cancelled"),
        "{stopped}"
    );
    let again = process.state.retry_set(&Selection::Unsuccessful(None));
    assert!(again.len() >= 10, "they can be retried again");
}

/// An image that the engine lost is built again for the one lane that could not push it.
#[tokio::test]
async fn cancelling_stops_a_build_that_only_a_cancelled_lane_waits_for() {
    let scene = Scene::set(SMALL).await;
    let lost = PushFailure::Final(Problem::new(Kind::Build, "there is no such image", "build it again"));
    *scene.hands.push_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::BuildFailed);
    let failed = |lane: &&quarterdeck::state::LaneState| matches!(lane.push, PushPhase::Failed(_));
    let (failed, done): (Vec<_>, Vec<_>) = process.state.lanes.iter().partition(failed);
    assert_eq!((failed.len(), done.len()), (1, 1));
    let (failed, done) = (failed[0].region.clone(), done[0].region.clone());
    scene.hands.builds.close();
    process.act(Action::RetryBuild(process.state.builds[0].id.clone()));
    process
        .until("the build", |process| process.state.builds[0].attempts == 2)
        .await;
    let lane = process.state.lane(&done).expect("it is there");
    assert_eq!(process.state.stage(lane), Stage::Done, "it has pushed and is over");
    process.act(Action::Cancel(Scope::All));
    assert_eq!(process.settled_again(2).await, Outcome::BuildFailed);
    assert!(told(&scene, "build is stopped"), "{:?}", scene.hands.told());
    // The operator thinks again.
    scene.hands.builds.open();
    process.act(Action::RetryBuild(process.state.builds[0].id.clone()));
    assert_eq!(process.settled_again(3).await, Outcome::BuildFailed);
    process.act(Action::RetryPush(failed));
    assert_eq!(process.settled_again(4).await, Outcome::Succeeded);
    scene.sent_once(&process.state);
}

/// Whom else would it be built for?
#[tokio::test]
async fn a_failed_build_whose_lanes_were_all_cancelled_is_built_again_for_them() {
    let scene = Scene::set(SMALL).await;
    let failure = BuildFailure::Failed {
        problem: Problem::new(Kind::Build, "the build failed", "mend it"),
        step: None,
        exit_code: Some(7),
        log_tail: Vec::new(),
        steps: Vec::new(),
    };
    *scene.hands.build_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::BuildFailed);
    process.act(Action::Cancel(Scope::All));
    process.act(Action::RetryBuild(process.state.builds[0].id.clone()));
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    assert_eq!(process.count(|fact| matches!(fact, Fact::LaneReopened { .. })), 2);
}

/// It has pushed, and was stopped before it told a host: a build for another lane is no word on that.
#[tokio::test]
async fn building_again_for_one_lane_does_not_start_another_that_has_pushed() {
    let scene = Scene::set(SMALL).await;
    let lost = PushFailure::Final(Problem::new(Kind::Build, "there is no such image", "build it again"));
    *scene.hands.push_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
    let mut process = scene.planned().await;
    scene.rehearsal.faults().add(Rule::on("PutImage", Act::Throttle));
    process.act(Action::Start);
    process
        .until("both pushes' ends", |process| {
            let over = |fact: &Fact| matches!(fact, Fact::PushSucceeded { .. } | Fact::PushFailed { .. });
            process.count(over) == 2
        })
        .await;
    process.act(Action::Cancel(Scope::All));
    assert_eq!(process.settled().await, Outcome::BuildFailed);
    process.act(Action::RetryBuild(process.state.builds[0].id.clone()));
    process.settled_again(2).await;
    let [pushed, failed] = [true, false].map(|pushed| {
        let mut lanes = process.state.lanes.iter();
        lanes
            .find(|lane| lane.digest().is_some() == pushed)
            .expect("it is there")
    });
    assert_eq!((pushed.cancelled, failed.cancelled), (true, false));
}

/// A region that only gets the image has nothing to cancel but the move of its tags.
#[tokio::test]
async fn a_cancelled_region_without_rollouts_does_not_move_its_tags() {
    let none = ("[environment]", "[region.us-east-1]\nrollout = []\n\n[environment]");
    let scene = Scene::set_with(TINY, &[none]).await;
    let region = Region::new(EAST);
    let before = tag(&scene, EAST, "latest");
    let faults = scene.rehearsal.faults();
    let expired = faults.add(Rule::on("PutImage", Act::Expired));
    let mut process = scene.start().await;
    process.until("the wait", |process| process.waits(EAST).is_some()).await;
    process.act(Action::Cancel(Scope::Lane(region)));
    assert_eq!(process.settled().await, Outcome::Cancelled);
    faults.end(expired);
    process.leave().await;
    let mut process = scene.attach();
    assert_eq!(process.settled_again(2).await, Outcome::Cancelled);
    assert_eq!(tag(&scene, EAST, "latest"), before);
}
