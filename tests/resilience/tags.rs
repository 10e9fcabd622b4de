//! ECR's API fails at the push's ends: the login, the verification, and the move of `latest`.

use std::sync::PoisonError;

use quarterdeck::engine::Action;
use quarterdeck::engine::ports::PushFailure;
use quarterdeck::names::{Millis, Region};
use quarterdeck::plan::Mutability;
use quarterdeck::problem::{Exit, Kind, Problem};
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::rehearsal::sample::Sample;
use quarterdeck::state::{Fact, Outcome, PushPhase, TagPhase};

use crate::machine::COMMIT;
use crate::scene::{EAST, OHIO, Process, SMALL, Scene, TINY, tag};

fn tag_phase<'a>(process: &'a Process, region: &str) -> &'a TagPhase {
    let lane = process.state.lane(&Region::new(region)).expect("the lane is there");
    &lane.tags[0].phase
}

/// Throttled, reset and broken calls of the push's ends are made again, without a word.
#[tokio::test]
async fn throttled_and_unanswered_calls_to_ecr_are_made_again() {
    let scene = Scene::set(TINY).await;
    let faults = scene.rehearsal.faults();
    let mut process = scene.planned().await;
    for operation in ["GetAuthorizationToken", "DescribeImages", "BatchGetImage", "PutImage"] {
        faults.add(Rule::on(operation, Act::Throttle).times(7));
        faults.add(Rule::on(operation, Act::ServerError(500)).times(2));
        faults.add(Rule::on(operation, Act::ResetAfter).times(2));
    }
    process.act(Action::Start);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert!(process.notices.is_empty(), "{:?}", process.notices);
}

/// The lane stops before it tells a host; the other one goes on. Once it is allowed, pushing again goes on from there.
#[tokio::test]
async fn a_tag_that_may_not_be_moved_halts_its_lane_until_it_may() {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.planned().await;
    let rule = scene
        .rehearsal
        .faults()
        .add(Rule::on("PutImage", Act::Denied).within(OHIO));
    process.act(Action::Start);
    let outcome = process.settled().await;
    assert_eq!((outcome, outcome.exit()), (Outcome::NotAllowed, Exit::Credentials));
    let TagPhase::Failed(problem) = tag_phase(&process, OHIO) else {
        panic!("{:?}", tag_phase(&process, OHIO));
    };
    assert_eq!(problem.kind, Kind::Credentials);
    assert!(problem.remedy.as_str().contains("ecr:PutImage"), "{problem}");
    assert_eq!((scene.commands(EAST).len(), scene.commands(OHIO).len()), (2, 0));
    process.act(Action::RetryPush(Region::new(OHIO)));
    assert_eq!(
        process.settled_again(2).await,
        Outcome::NotAllowed,
        "it is tried, and fails again"
    );
    scene.rehearsal.faults().end(rule);
    process.act(Action::RetryPush(Region::new(OHIO)));
    assert_eq!(process.settled_again(3).await, Outcome::Succeeded);
    let pushes = scene
        .hands
        .told()
        .iter()
        .filter(|told| *told == "push to us-east-2 begins")
        .count();
    assert_eq!(pushes, 1, "the image was there");
    scene.sent_once(&process.state);
}

#[tokio::test]
async fn a_repository_that_became_immutable_keeps_latest_and_halts_its_lane() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let (region, name) = (Region::new(EAST), Sample::repository(&Region::new(EAST)));
    let before = tag(&scene, EAST, "latest");
    scene
        .rehearsal
        .ecr()
        .create_repository(&region, &name, Mutability::Immutable);
    process.act(Action::Start);
    let outcome = process.settled().await;
    assert_eq!((outcome, outcome.exit()), (Outcome::BuildFailed, Exit::Build));
    let TagPhase::Failed(problem) = tag_phase(&process, EAST) else {
        panic!("{:?}", tag_phase(&process, EAST));
    };
    assert!(
        problem.what.as_str().contains("is immutable, so latest cannot move"),
        "{problem}"
    );
    assert_eq!(tag(&scene, EAST, "latest"), before);
    assert_eq!(scene.commands(EAST).len(), 0);
    scene
        .rehearsal
        .ecr()
        .create_repository(&region, &name, Mutability::Mutable);
    process.act(Action::RetryPush(region));
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

#[tokio::test]
async fn a_login_that_is_denied_fails_the_push_by_name_and_the_push_can_be_retried() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let rule = scene
        .rehearsal
        .faults()
        .add(Rule::on("GetAuthorizationToken", Act::Denied));
    process.act(Action::Start);
    let outcome = process.settled().await;
    assert_eq!((outcome, outcome.exit()), (Outcome::NotAllowed, Exit::Credentials));
    let problem = process.state.problems().next().expect("it says why");
    assert!(problem.what.as_str().contains("GetAuthorizationToken"), "{problem}");
    scene.rehearsal.faults().end(rule);
    process.act(Action::RetryPush(Region::new(EAST)));
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

/// A broken push is tried again by itself; an expired token is renewed once.
#[tokio::test]
async fn a_push_that_breaks_off_or_finds_its_token_expired_is_tried_again() {
    for transient in [true, false] {
        let scene = Scene::set(TINY).await;
        let problem = Problem::new(Kind::Build, "the registry said no", "wait");
        let failure = if transient {
            PushFailure::Transient
        } else {
            PushFailure::Expired
        };
        let next = Some(failure(problem));
        *scene.hands.push_failure.lock().unwrap_or_else(PoisonError::into_inner) = next;
        let mut process = scene.start().await;
        assert_eq!(process.settled().await, Outcome::Succeeded);
        let lane = process.state.lane(&Region::new(EAST)).expect("the lane is there");
        assert_eq!(lane.push_attempts, 1, "to the operator it is one push");
        let pushes = scene
            .hands
            .told()
            .iter()
            .filter(|told| told.starts_with("push") && told.ends_with("begins"))
            .count();
        assert_eq!(pushes, 2);
    }
}

/// Somebody else pushed the same commit between plan and push, into an immutable repository: another image under the same
/// name is never taken for ours.
#[tokio::test]
async fn another_image_under_the_commits_tag_stops_the_lane() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    let (region, name) = (Region::new(EAST), Sample::repository(&Region::new(EAST)));
    let ecr = scene.rehearsal.ecr();
    ecr.preload(&region, &name, &[COMMIT], b"not ours", Millis::now())
        .expect("the repository is there");
    let problem = Problem::new(Kind::Build, "the tag is there and immutable", "plan again");
    *scene.hands.push_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(PushFailure::TagImmutable(problem));
    process.act(Action::Start);
    assert_eq!(process.settled().await, Outcome::BuildFailed);
    let lane = process.state.lane(&region).expect("the lane is there");
    assert!(matches!(lane.push, PushPhase::Failed(_)), "{:?}", lane.push);
    assert_eq!(process.count(|fact| matches!(fact, Fact::TagMoved { .. })), 0);
    assert_eq!(scene.commands(EAST).len(), 0);
}

/// With its last tag the engine forgets what it pushed, and a retry could not tell its own image in an immutable
/// repository any more.
#[tokio::test]
async fn the_engine_keeps_the_pushs_tag_until_the_push_is_verified_and_recorded() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.planned().await;
    scene.rehearsal.faults().add(Rule::on("DescribeImages", Act::Denied));
    process.act(Action::Start);
    process.settled().await;
    let taken = |scene: &Scene| scene.hands.told().iter().any(|told| told == "the tag is taken off");
    assert!(matches!(process.state.lanes[0].push, PushPhase::Failed(_)));
    assert!(!taken(&scene), "{:?}", scene.hands.told());
    let scene = Scene::set(TINY).await;
    let mut process = scene.start().await;
    process.until("the tag's end", |_| taken(&scene)).await;
    let pushed = process.first(|fact| matches!(fact, Fact::PushSucceeded { .. }));
    assert!(pushed.is_some());
}

#[tokio::test]
async fn a_tag_that_is_being_moved_is_not_moved_twice_at_once() {
    let scene = Scene::set(TINY).await;
    let faults = scene.rehearsal.faults();
    let mut process = scene.planned().await;
    let denied = faults.add(Rule::on("PutImage", Act::Denied));
    process.act(Action::Start);
    process.settled().await;
    faults.end(denied);
    let held = faults.add(Rule::on("PutImage", Act::Throttle));
    for _ in 0..2 {
        process.act(Action::RetryPush(Region::new(EAST)));
    }
    process.until("a refusal", |process| !process.notices.is_empty()).await;
    let refusal = &process.notices[0];
    assert!(refusal.what.as_str().contains("is under way"), "{refusal}");
    faults.end(held);
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    assert_eq!(process.count(|fact| matches!(fact, Fact::TagMoved { .. })), 1);
}
