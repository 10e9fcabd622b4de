//! Several processes, one after the other and at once: whoever takes a deployment up finds it as it was left.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use quarterdeck::engine::{Action, Clock, Connect};
use quarterdeck::names::{Millis, Region};
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::{Fact, Outcome, Selection, SendPhase};

use tokio::sync::OnceCell;

use crate::scene::{EAST, OHIO, Process, SMALL, Scene, TINY, phase, rows};

/// One host of each region fails at its first attempt.
const FAIL: &str = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n\
                    [[host]]\nregion = \"us-east-2\"\nnumber = 4\nfates = [\"unhealthy\", \"success\"]\n";
const TOLERANT: (&str, &str) = ("max_errors = 0", "max_errors = \"100%\"");

/// Both regions' fleets, of which two hosts fail.
async fn scene() -> Arc<Scene> {
    Arc::new(Scene::set_with(&format!("{SMALL}{FAIL}"), &[TOLERANT]).await)
}

/// Waits until the outputs of both failed hosts are read, which come after their states.
async fn outputs(process: &mut Process) {
    process
        .until("both outputs", |process| {
            process.count(|fact| matches!(fact, Fact::OutputRead { .. })) == 2
        })
        .await;
}

/// The rows of a deployment that nobody disturbed.
async fn undisturbed() -> &'static [String] {
    static ROWS: OnceCell<Vec<String>> = OnceCell::const_new();
    let run = async || {
        let scene = scene().await;
        let mut process = scene.start().await;
        assert_eq!(process.settled().await, Outcome::HostsFailed);
        outputs(&mut process).await;
        rows(&process.state)
    };
    ROWS.get_or_init(run).await
}

/// Runs a first process on a runtime of its own until `moment`, and lets it die there without a last word.
async fn killed_at(scene: &Arc<Scene>, moment: impl Fn(&Process) -> bool + Send + 'static) {
    killed_by(scene, Clock::default(), moment).await;
}

/// The same on a machine with this clock.
async fn killed_by(scene: &Arc<Scene>, clock: Clock, moment: impl Fn(&Process) -> bool + Send + 'static) {
    let outside = scene.clone();
    let life = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        runtime.block_on(async {
            let mut process = outside.start_by(clock).await;
            process.until("the moment of its death", moment).await;
        });
    };
    tokio::task::spawn_blocking(life).await.expect("it dies in peace");
    let words = scene.facts();
    let last = words.last().expect("it began");
    assert!(
        !matches!(last.fact, Fact::DeploymentLeft { .. } | Fact::DeploymentSettled { .. }),
        "{last:?}"
    );
}

/// Takes it up and follows it to its end: the same rows, the same attempts, the same outcome.
async fn goes_on(scene: &Scene, when: &str) -> Process {
    let before = scene.facts();
    let mut process = scene.attach();
    assert_eq!(process.settled_again(1).await, Outcome::HostsFailed, "{when}");
    outputs(&mut process).await;
    assert_eq!(rows(&process.state), undisturbed().await, "{when}");
    assert_eq!(process.facts[..before.len()], before, "{when}: what was recorded stays");
    assert_eq!(scene.requests("SendCommand").len(), 4, "{when}");
    scene.sent_once(&process.state);
    process
}

fn is_running(process: &Process) -> bool {
    process.has_sent(EAST) && process.has_begun()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_left_while_hosts_ran_is_taken_up_as_it_is() {
    let scene = scene().await;
    let mut process = scene.start().await;
    process.until("hosts at work", is_running).await;
    process.leave().await;
    drop(process);
    let left = scene.facts();
    assert!(matches!(
        left.last().map(|last| &last.fact),
        Some(Fact::DeploymentLeft { .. })
    ));
    goes_on(&scene, "left while hosts ran").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_left_in_its_build_or_its_push_begins_that_again() {
    for build in [true, false] {
        let scene = scene().await;
        let (gate, begun) = if build {
            (&scene.hands.builds, "build begins")
        } else {
            (&scene.hands.pushes, "push to us-east-1 begins")
        };
        gate.close();
        let mut process = scene.start().await;
        process
            .until(begun, |_| scene.hands.told().iter().any(|told| told == begun))
            .await;
        process.leave().await;
        drop(process);
        gate.open();
        let process = goes_on(&scene, begun).await;
        let attempts = if build {
            process.state.builds[0].attempts
        } else {
            process.state.lanes[0].push_attempts
        };
        assert_eq!(attempts, 2, "{begun}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_killed_in_its_build_or_its_push_begins_that_again() {
    for build in [true, false] {
        let scene = scene().await;
        let gate = if build {
            &scene.hands.builds
        } else {
            &scene.hands.pushes
        };
        gate.close();
        killed_at(&scene, move |process| {
            process.count(|fact| match fact {
                Fact::BuildStarted { .. } => build,
                Fact::PushStarted { .. } => !build,
                _ => false,
            }) > 0
        })
        .await;
        let gate = if build {
            &scene.hands.builds
        } else {
            &scene.hands.pushes
        };
        gate.open();
        goes_on(&scene, "killed in its build or push").await;
    }
}

/// Its last fact is forty minutes old, and nobody left it long ago.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_killed_in_a_long_build_goes_on_with_it() {
    let in_minutes = |minutes: i64| Clock::new(move || Millis(Millis::now().0 + minutes * 60 * 1000));
    for signs in [true, false] {
        let scene = scene().await;
        scene.hands.builds.close();
        let lock = scene.state_dir().join("locks").join("sento@QA.lock");
        let look = lock.clone();
        let signed = move || {
            let changed = std::fs::metadata(&look).and_then(|lock| lock.modified());
            let ahead = changed.map(|changed| changed.duration_since(SystemTime::now()));
            matches!(ahead, Ok(Ok(ahead)) if ahead > Duration::from_secs(39 * 60))
        };
        let signed_by = signed.clone();
        let passed = Arc::new(AtomicI64::new(0));
        let passes = passed.clone();
        let clock = Clock::new(move || Millis(Millis::now().0 + passes.load(Ordering::Relaxed)));
        killed_by(&scene, clock, move |process| {
            if process.count(|fact| matches!(fact, Fact::BuildStarted { .. })) > 0 {
                passed.store(40 * 60 * 1000, Ordering::Relaxed);
            }
            signed_by()
        })
        .await;
        assert!(signed(), "its last sign stays");
        let name = std::fs::read(&lock).expect("the lock is there");
        assert!(!name.is_empty(), "and its name");
        if !signs {
            // As whoever leaves in order leaves it.
            std::fs::write(&lock, "").expect("the lock is there");
        }
        let refused = || Problem::new(Kind::Credentials, "the profile is gone", "");
        let nowhere: Connect = Arc::new(move || Box::pin(async move { Err(refused()) }));
        let mut vain = scene.attach_through(nowhere, in_minutes(41));
        vain.until("its end", |process| process.stopped.is_some()).await;
        assert_eq!(vain.stopped, Some(Some(refused())));
        let mut process = scene.attach_by(in_minutes(45));
        let again = if signs { 2 } else { 1 };
        process
            .until("its turn", |process| {
                process.count(|fact| matches!(fact, Fact::DeploymentResumed { .. })) == 1
                    && process.count(|fact| matches!(fact, Fact::BuildStarted { .. })) == again
                    && process.count(|fact| matches!(fact, Fact::LaneCancelled { .. })) == if signs { 0 } else { 2 }
            })
            .await;
        process.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_killed_while_hosts_ran_is_taken_up_as_it_is() {
    let scene = scene().await;
    killed_at(&scene, is_running).await;
    goes_on(&scene, "killed while hosts ran").await;
}

/// It went out, and nobody was there to hear the answer: found by its token, and not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_went_out_as_its_process_died_is_adopted() {
    let scene = scene().await;
    let slow = Rule::on("SendCommand", Act::Slow(Duration::from_secs(60)));
    let rule = scene.rehearsal.faults().add(slow.times(4));
    let watched = scene.clone();
    let all_out = move |_: &Process| watched.requests("SendCommand").len() == 4;
    // The board does not say that a request went out.
    let knock = scene.clone();
    let knocking = tokio::spawn(async move {
        while knock.requests("SendCommand").len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    killed_at(&scene, all_out).await;
    knocking.await.expect("it was seen");
    scene.rehearsal.faults().end(rule);
    let process = goes_on(&scene, "killed between intent and answer").await;
    let adopted = process.count(|fact| matches!(fact, Fact::SendAccepted { adopted: true, .. }));
    assert_eq!(adopted, 4);
}

/// It never went out, which nobody can know: it is asked about.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_which_only_the_intent_is_known_is_asked_about() {
    let scene = Arc::new(Scene::set(TINY).await);
    let rule = scene.rehearsal.faults().add(Rule::on("SendCommand", Act::ResetBefore));
    killed_at(&scene, |process| {
        process.count(|fact| matches!(fact, Fact::SendIntended { .. })) == 2
    })
    .await;
    scene.rehearsal.faults().end(rule);
    let mut process = scene.attach();
    assert_eq!(process.settled_again(1).await, Outcome::SendFailed);
    for name in ["ubuntu", "linux"] {
        let phase = phase(process.rollout(EAST, name));
        assert!(matches!(phase, Some(SendPhase::Unknown(_))), "{phase:?}");
    }
    assert_eq!(scene.commands(EAST).len(), 0);
}

/// Looking at it again sends nothing, and its hosts can be retried from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_settled_deployment_is_taken_up_for_a_retry() {
    let scene = scene().await;
    let mut process = scene.start().await;
    process.settled().await;
    outputs(&mut process).await;
    let before = rows(&process.state);
    process.leave().await;
    drop(process);
    let mut process = scene.attach();
    process.settled_again(2).await;
    assert_eq!(rows(&process.state), before);
    assert_eq!(scene.requests("SendCommand").len(), 4);
    let set = process.state.retry_set(&Selection::Failed(None));
    assert_eq!(set.len(), 2);
    process.act(Action::Retry {
        set,
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(3).await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 6);
}

/// The second one sees every fact as it comes and who drives; it can do nothing, until the first is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_watches_live_and_takes_over_when_the_first_is_gone() {
    let scene = scene().await;
    // Nobody sees a host of these regions move before this ends.
    let faults = scene.rehearsal.faults();
    let blind = |region| faults.add(Rule::on("ListCommandInvocations", Act::Throttle).within(region));
    let (blind_east, blind_ohio) = (blind(EAST), blind(OHIO));
    let mut third = scene.planned().await;
    let mut first = scene.start().await;
    first.until("the sends", |process| process.has_sent(EAST)).await;
    let mut second = scene.attach();
    second.until("the watch", |process| process.watching.is_some()).await;
    let driver = second.watching.clone().expect("it watches");
    assert_eq!(driver.kind, Kind::Locked);
    assert!(driver.what.as_str().contains("by ada on laptop, process 1"), "{driver}");
    second.act(Action::Cancel(quarterdeck::engine::Scope::All));
    second.until("a refusal", |process| !process.notices.is_empty()).await;
    assert!(
        second.notices[0].what.as_str().contains("only watched"),
        "{}",
        second.notices[0]
    );
    second.act(Action::TakeOver);
    second
        .until("another refusal", |process| process.notices.len() == 2)
        .await;
    assert_eq!(second.notices[1].kind, Kind::Locked);
    // A third cannot begin another one either, whenever its plan was made.
    third.act(Action::Start);
    let mut fourth = scene.launch();
    for other in [&mut third, &mut fourth] {
        other.until("the lock", |process| !process.blocked.is_empty()).await;
        assert_eq!(other.blocked[0].kind, Kind::Locked);
    }
    third.leave().await;
    fourth.leave().await;

    faults.end(blind_east);
    first.until("a host", Process::has_begun).await;
    let seen = first.state.seq;
    second
        .until("what the first one saw", |process| process.state.seq >= seen)
        .await;
    assert_eq!(second.facts[..10], first.facts[..10]);
    drop(first);
    second.until("the orphan", |process| process.orphaned).await;
    second.act(Action::TakeOver);
    second.until("the wheel", |process| process.watching.is_none()).await;
    faults.end(blind_ohio);
    assert_eq!(second.settled().await, Outcome::HostsFailed);
    outputs(&mut second).await;
    assert_eq!(rows(&second.state), undisturbed().await);
    let resumed = second.count(|fact| matches!(fact, Fact::DeploymentResumed { driver } if driver.pid == 2));
    assert_eq!(resumed, 1);
    assert_eq!(scene.requests("SendCommand").len(), 4);
}

/// A watch over a deployment that ends in the other process's hands sees the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_the_end_that_the_driver_sees() {
    let scene = scene().await;
    let mut first = scene.start().await;
    first.until("the sends", |process| process.has_sent(EAST)).await;
    let mut second = scene.attach();
    second.until("the watch", |process| process.watching.is_some()).await;
    let outcome = first.settled().await;
    outputs(&mut first).await;
    assert_eq!(second.settled().await, outcome);
    outputs(&mut second).await;
    assert_eq!(rows(&second.state), rows(&first.state));
    assert_eq!(second.count(|fact| matches!(fact, Fact::DeploymentResumed { .. })), 0);
}

/// While nobody drove it, somebody began another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_whose_turn_went_to_another_deployment_is_told_so_and_stops() {
    let scene = scene().await;
    let mut third = scene.planned().await;
    let mut first = scene.start().await;
    first.until("the sends", |process| process.has_sent(EAST)).await;
    let mut second = scene.attach();
    second.until("the watch", |process| process.watching.is_some()).await;
    first.leave().await;
    drop(first);
    third.act(Action::Start);
    third.until("its start", |process| process.state.plan.is_some()).await;
    second.until("the orphan", |process| process.orphaned).await;
    second.act(Action::TakeOver);
    second.until("its end", |process| process.stopped.is_some()).await;
    let stopped = second.stopped.flatten().expect("it says why");
    assert_eq!(stopped.kind, Kind::Locked);
    let other = third.state.plan.as_ref().expect("it has begun").id.short();
    assert!(stopped.what.as_str().contains(&other.to_string()), "{stopped}");
}

/// Its push failed, and it has waited for the operator's word ever since: there is nothing to stop.
#[tokio::test]
async fn a_lane_that_had_failed_is_not_cancelled_for_having_been_left_long_ago() {
    use quarterdeck::engine::ports::PushFailure;
    let scene = Scene::set(TINY).await;
    let failure = PushFailure::Final(Problem::new(Kind::Build, "the registry said no", "ask it"));
    *scene.hands.push_failure.lock().expect("nobody panics") = Some(failure);
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::BuildFailed);
    process.leave().await;
    drop(process);
    let mut process = scene.attach_by(Clock::new(|| Millis(Millis::now().0 + 45 * 60 * 1000)));
    assert_eq!(process.settled_again(2).await, Outcome::BuildFailed);
    assert_eq!(process.count(|fact| matches!(fact, Fact::LaneCancelled { .. })), 0);
    assert!(process.notices.is_empty(), "{:?}", process.notices);
    process.act(Action::RetryPush(Region::new(EAST)));
    process.until("the sends", |process| process.has_sent(EAST)).await;
}

/// A deployment that was left when SSM had taken all of its commands.
async fn left_at_work() -> Scene {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.start().await;
    process
        .until("the sends", |process| process.has_sent(EAST) && process.has_sent(OHIO))
        .await;
    process.leave().await;
    scene
}

/// Nobody could follow its commands, and it would never end.
#[tokio::test]
async fn a_deployment_is_not_taken_up_without_a_connection_to_a_region_where_hosts_run() {
    let scene = left_at_work().await;
    let whole = scene.connect();
    let without: Connect = Arc::new(move || {
        let outside = whole();
        Box::pin(async move {
            let mut outside = outside.await?;
            outside.regions.remove(&Region::new(OHIO));
            Ok(outside)
        })
    });
    let mut process = scene.attach_through(without, Clock::default());
    process.until("the end", |process| process.stopped.is_some()).await;
    let problem = process.stopped.clone().flatten().expect("it was refused");
    assert!(problem.what.as_str().starts_with("us-east-2: commands"), "{problem}");
    assert!(problem.remedy.as_str().contains("config.toml"), "{problem}");
    let mut process = scene.attach();
    assert_eq!(process.settled().await, Outcome::Succeeded);
}

#[tokio::test]
async fn whoever_leaves_while_a_region_does_not_answer_is_heard_at_once() {
    let scene = left_at_work().await;
    let faults = scene.rehearsal.faults();
    let silent = faults.add(Rule::always(Act::NoAnswer).within(OHIO));
    let mut process = scene.attach();
    process.until("the question", |_| faults.struck(silent) > 0).await;
    let begun = std::time::Instant::now();
    process.leave().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    faults.end(silent);
    let mut process = scene.attach();
    assert_eq!(process.settled().await, Outcome::Succeeded);
}
