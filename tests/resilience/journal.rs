//! A journal that cannot be written: nothing goes out that it does not know of, and what it has is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use quarterdeck::engine::{Action, Clock};
use quarterdeck::names::{Millis, Region};
use quarterdeck::problem::Kind;
use quarterdeck::state::{Fact, Outcome};
use rusqlite::Connection;

use crate::scene::{EAST, SMALL, Scene, TINY};

fn connection(scene: &Scene) -> Connection {
    Connection::open(scene.state_dir().join("journal.db")).expect("the journal is there")
}

/// The intent comes before the command: where it cannot be recorded, no command goes out.
#[tokio::test]
async fn a_command_whose_intent_cannot_be_recorded_does_not_go_out() {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.planned().await;
    let refuse = "CREATE TRIGGER refused BEFORE INSERT ON fact WHEN NEW.json LIKE '%send-intended%'
                  BEGIN SELECT raise(ABORT, 'no more of that'); END";
    connection(&scene).execute_batch(refuse).expect("the journal takes it");
    process.act(Action::Start);
    process
        .until("the engine's end", |process| process.stopped.is_some())
        .await;
    let problem = process.stopped.clone().flatten().expect("it says why");
    assert!(problem.what.as_str().contains("no more of that"), "{problem}");
    assert_eq!(scene.requests("SendCommand").len(), 0);
    // What came before is kept, and the deployment can be taken up once the journal is mended.
    let facts = scene.facts();
    assert!(facts.iter().any(|fact| matches!(fact.fact, Fact::PushSucceeded { .. })));
    connection(&scene)
        .execute_batch("DROP TRIGGER refused")
        .expect("it is mended");
    drop(process);
    let mut process = scene.attach();
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 4);
    scene.sent_once(&process.state);
}

/// Another process's transaction is waited for, and nothing is lost or said.
#[tokio::test]
async fn a_journal_that_is_locked_for_a_while_is_waited_for() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.start().await;
    process.until("the sends", |process| process.has_sent(EAST)).await;
    let other = connection(&scene);
    other.execute_batch("BEGIN IMMEDIATE").expect("it is free");
    let recorded = scene.facts().len() as u64;
    // While it is locked, time passes and hosts end.
    let until = std::time::Instant::now() + Duration::from_millis(600);
    process
        .until("the end of the lock", |process| {
            assert!(process.state.seq <= recorded, "nothing is shown that is not recorded");
            std::time::Instant::now() > until
        })
        .await;
    other.execute_batch("COMMIT").expect("it ends");
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert!(process.notices.is_empty(), "{:?}", process.notices);
    assert_eq!(process.facts, scene.facts());
}

/// One deployment's facts are damaged: that one is named, and the others are as they were.
#[tokio::test]
async fn a_damaged_fact_stops_its_deployment_alone() {
    let scene = Scene::set(TINY).await;
    for _ in 0..2 {
        let mut process = scene.start().await;
        assert_eq!(process.settled().await, Outcome::Succeeded);
        process.leave().await;
    }
    let archive = scene.journal().archive().expect("the journal can be read");
    let entries = archive.list(9).expect("the history can be read");
    let (damaged, whole) = (entries[0].id, entries[1].id);
    let harm =
        "DROP TRIGGER fact_is_never_changed; UPDATE fact SET json = '{\"fact\":\"' WHERE seq = 3 AND deployment = ";
    connection(&scene)
        .execute_batch(&format!("{harm}'{damaged}'"))
        .expect("whoever has the file can harm it");
    let problem = archive.facts(damaged).expect_err("it is damaged");
    assert_eq!(problem.kind, Kind::Config);
    assert!(problem.what.as_str().contains("fact 3"), "{problem}");
    let facts = archive.facts(whole).expect("the other is whole");
    assert!(matches!(
        facts.last().map(|last| &last.fact),
        Some(Fact::DeploymentSettled { .. })
    ));
    assert_eq!(archive.list(9).expect("the history is whole").len(), 2);
    // And the next one can be made.
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert!(process.state.lane(&Region::new(EAST)).is_some());
}

/// It drove until it could not record the end of its build: its last fact is forty minutes old, and nobody left it long ago.
#[tokio::test]
async fn a_deployment_whose_journal_failed_after_a_long_build_goes_on_with_it() {
    let scene = Scene::set(TINY).await;
    scene.hands.builds.close();
    let passed = Arc::new(AtomicI64::new(0));
    let passes = passed.clone();
    let clock = Clock::new(move || Millis(Millis::now().0 + passes.load(Ordering::Relaxed)));
    let mut process = scene.start_by(clock.clone()).await;
    process
        .until("the build", |process| {
            process.count(|fact| matches!(fact, Fact::BuildStarted { .. })) == 1
        })
        .await;
    passed.store(40 * 60 * 1000, Ordering::Relaxed);
    let lock = scene.state_dir().join("locks").join("sento@QA.lock");
    process
        .until("a sign of life", |_| {
            let changed = std::fs::metadata(&lock).and_then(|lock| lock.modified());
            changed.expect("it is dated") > SystemTime::now() + Duration::from_secs(39 * 60)
        })
        .await;
    let refuse = "CREATE TRIGGER refused BEFORE INSERT ON fact WHEN NEW.json LIKE '%build-succeeded%'
                  BEGIN SELECT raise(ABORT, 'no more of that'); END";
    connection(&scene).execute_batch(refuse).expect("the journal takes it");
    scene.hands.builds.open();
    process
        .until("the engine's end", |process| process.stopped.is_some())
        .await;
    drop(process);
    connection(&scene)
        .execute_batch("DROP TRIGGER refused")
        .expect("it is mended");
    let mut process = scene.attach_by(clock);
    process
        .until("the build again", |process| {
            process.count(|fact| matches!(fact, Fact::BuildStarted { .. })) == 2
        })
        .await;
    assert_eq!(process.count(|fact| matches!(fact, Fact::LaneCancelled { .. })), 0);
}
