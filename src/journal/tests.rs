//! What the journal promises, on real files.

mod damage;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

use super::*;
use crate::console::tests::fixture::{Story, driver, plan};
use crate::names::Millis;
use crate::state::{Outcome, State};
use crate::text::Clean;

/// A deployment from its start to its end, as facts.
fn story() -> Story {
    Story::start(plan(2, 4))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling()
        .finished()
}

fn facts_of(story: &Story) -> Vec<Fact> {
    story.facts.iter().map(|recorded| recorded.fact.clone()).collect()
}

fn started(id: u128) -> (DeploymentId, Vec<Fact>) {
    let mut plan = plan(1, 2);
    plan.id = DeploymentId::from_u128(id);
    let fact = Fact::DeploymentStarted {
        plan: Box::new(plan),
        driver: driver(),
    };
    (DeploymentId::from_u128(id), vec![fact])
}

fn left() -> Fact {
    Fact::DeploymentLeft {
        reason: Clean::line("the operator left"),
    }
}

fn kind<T>(result: Result<T, Problem>) -> Kind {
    match result {
        Ok(_) => panic!("expected a problem"),
        Err(problem) => problem.kind,
    }
}

#[test]
fn what_is_appended_is_read_back_and_folds_to_the_same_state() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let story = story();
    let id = plan(2, 4).id;
    let journal = Journal::open(dir.path()).expect("opens");
    for chunk in facts_of(&story).chunks(7) {
        journal.append_blocking(id, chunk.to_vec()).expect("appends");
    }
    let facts = journal.archive().and_then(|archive| archive.facts(id)).expect("reads");
    assert_eq!(
        facts.iter().map(|recorded| recorded.seq).collect::<Vec<_>>(),
        (1..=story.facts.len() as u64).collect::<Vec<_>>(),
        "numbered from 1 without gaps"
    );
    let state = State::replay(&facts);
    assert_eq!(state.counts(), story.state.counts());
    assert_eq!(state.outcome(), story.state.outcome());
    let entry = journal
        .archive()
        .and_then(|archive| archive.find("latest"))
        .expect("is listed");
    assert_eq!(entry.standing, Standing::Settled(Outcome::HostsFailed));
    assert_eq!((entry.hosts, entry.app.as_str()), (16, "sento"));
}

#[tokio::test]
async fn facts_appended_together_by_many_are_each_numbered_once() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let (id, first) = started(7);
    journal.append(id, first).await.expect("starts");
    let appends = (0..100).map(|_| journal.append(id, vec![left(), left()]));
    let answers = futures_util::future::join_all(appends).await;
    let mut numbers: Vec<u64> = answers
        .into_iter()
        .flat_map(|answer| answer.expect("appends"))
        .map(|recorded| recorded.seq)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=201).collect::<Vec<_>>());
}

#[test]
fn a_retry_opens_a_settled_deployment_again_and_leaving_shows() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let (id, first) = started(7);
    let standing = |facts: Vec<Fact>| {
        journal.append_blocking(id, facts).expect("appends");
        journal
            .archive()
            .and_then(|archive| archive.find("latest"))
            .expect("is listed")
            .standing
    };
    assert_eq!(standing(first), Standing::Interrupted);
    let settled = Fact::DeploymentSettled {
        outcome: Outcome::BuildFailed,
    };
    assert_eq!(standing(vec![settled]), Standing::Settled(Outcome::BuildFailed));
    let again = Fact::BuildStarted {
        build: crate::console::tests::fixture::build_id(),
        log: Clean::default(),
    };
    assert_eq!(standing(vec![again]), Standing::Interrupted);
    assert_eq!(standing(vec![left()]), Standing::Left);
}

#[test]
fn only_the_owner_can_read_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let state = dir.path().join("quarterdeck");
    let journal = Journal::open(&state).expect("opens");
    let (id, first) = started(7);
    journal.append_blocking(id, first).expect("appends");
    let mode = |path: &Path| std::fs::metadata(path).expect("exists").permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    let files = ["journal.db", "journal.db-wal", "journal.db-shm"];
    assert_eq!(files.map(|file| mode(&state.join(file))), [0o600; 3]);
}

/// Not a test: the process that the next test kills.
#[test]
#[ignore = "run by a_killed_process_loses_nothing_it_was_told_is_recorded"]
fn append_until_killed() {
    let Some(dir) = std::env::var_os("QUARTERDECK_TEST_JOURNAL") else {
        return;
    };
    let journal = Journal::open(Path::new(&dir)).expect("opens");
    let (id, first) = started(7);
    journal.append_blocking(id, first).expect("starts");
    loop {
        let recorded = journal.append_blocking(id, vec![left(); 3]).expect("appends");
        println!("recorded {}", recorded[2].seq);
    }
}

#[test]
fn a_killed_process_loses_nothing_it_was_told_is_recorded() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(std::env::current_exe().expect("has a path"))
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "journal::tests::append_until_killed",
        ])
        .env("QUARTERDECK_TEST_JOURNAL", dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
    let told = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("recorded ")?.parse::<u64>().ok())
        .find(|seq| *seq > 60)
        .expect("says what it recorded");
    child.kill().expect("is killed");
    child.wait().expect("ends");

    let (id, _) = started(7);
    let kept = Archive::open(dir.path())
        .and_then(|archive| archive.facts(id))
        .expect("reads")
        .len() as u64;
    assert!(kept >= told, "{told} were recorded and {kept} are there");
    assert_eq!(
        kept % 3,
        1,
        "an append is there whole or not at all, but {kept} facts are"
    );
    let recorded = Journal::open(dir.path())
        .and_then(|journal| journal.append_blocking(id, vec![left()]))
        .expect("goes on");
    assert_eq!(recorded[0].seq, kept + 1);
}

#[test]
fn a_second_process_cannot_drive_the_same_environment_and_is_told_who_does() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let holder = Holder::of(&plan(1, 1), &driver());
    let claim = claim::Claim::take(dir.path(), &holder).expect("is free");
    let problem = claim::Claim::take(dir.path(), &holder).expect_err("is held");
    assert_eq!(problem.kind, Kind::Locked);
    for word in ["noor", "bridge", "4242", "a1b2c3d4", "sento", "qa"] {
        assert!(problem.what.as_str().contains(word), "{word} is missing: {problem}");
    }
    let elsewhere = Holder {
        environment: Clean::line("production"),
        ..holder.clone()
    };
    claim::Claim::take(dir.path(), &elsewhere).expect("another environment is free");
    drop(claim);
    claim::Claim::take(dir.path(), &holder).expect("is free again");
}

#[test]
fn a_deployment_that_is_done_is_not_told_as_under_way() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let story = story();
    let plan = plan(2, 4);
    let (last, before) = story.facts.split_last().expect("has facts");
    assert!(matches!(last.fact, Fact::DeploymentSettled { .. }));
    let facts = before.iter().map(|recorded| recorded.fact.clone()).collect();
    journal.append_blocking(plan.id, facts).expect("appends");
    let _claim = claim::Claim::take(dir.path(), &Holder::of(&plan, &driver())).expect("is free");
    let met = || obstacles(dir.path(), &plan.app, &plan.environment.name).expect_err("is held");
    assert!(
        met().what.as_str().contains("is being deployed to qa already"),
        "{}",
        met()
    );
    journal
        .append_blocking(plan.id, vec![last.fact.clone()])
        .expect("appends");
    let problem = met();
    assert_eq!(problem.kind, Kind::Locked);
    assert!(
        problem.what.as_str().contains("is done, and its screen is still open"),
        "{problem}"
    );
    assert!(
        problem.remedy.as_str().starts_with("close that screen with `q`"),
        "{problem}"
    );
    assert_eq!(obstacles(dir.path(), &plan.app, &Clean::line("prod")), Ok(Vec::new()));
}

/// A process that was killed leaves its name in the lock.
#[test]
fn a_look_at_a_lock_with_a_dead_name_takes_nobodys_turn() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let holder = Holder::of(&plan(1, 1), &driver());
    let claim = claim::Claim::take(dir.path(), &holder).expect("is free");
    let path = dir.path().join("locks").join("sento@qa.lock");
    let name = std::fs::read(&path).expect("has a name");
    drop(claim);
    std::fs::write(&path, name).expect("takes it again");
    let looks = std::fs::File::open(&path).expect("is there");
    looks.lock_shared().expect("nobody drives");
    std::thread::scope(|scope| {
        let claim = scope.spawn(|| claim::Claim::take(dir.path(), &holder).map(drop));
        std::thread::sleep(std::time::Duration::from_millis(30));
        drop(looks);
        claim.join().expect("ends").expect("is free");
    });
}

/// It may yet fail to connect, or be killed itself.
#[test]
fn a_dead_drivers_name_and_last_sign_stay_until_somebody_else_drives() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("locks").join("sento@qa.lock");
    let holder = Holder::of(&plan(1, 1), &driver());
    let name = |dead: &Holder| serde_json::to_vec(dead).expect("is JSON");
    let dead = Holder {
        pid: 17,
        ..holder.clone()
    };
    drop(claim::Claim::take(dir.path(), &holder).expect("is free"));
    std::fs::write(&path, name(&dead)).expect("is there");
    let died = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_800_000_000_123);
    let lock = std::fs::File::options().write(true).open(&path).expect("is there");
    lock.set_modified(died).expect("can be dated");
    let changed = || lock.metadata().and_then(|lock| lock.modified()).expect("is dated");

    let claim = claim::Claim::take(dir.path(), &holder).expect("is free");
    assert_eq!(claim.last_sign(), Some(Millis(1_800_000_000_123)));
    assert_eq!(changed(), died, "it shows no sign before it drives");
    drop(claim);
    assert_eq!(std::fs::read(&path).expect("is there"), name(&dead));
    assert_eq!(changed(), died);

    let mut other = holder.clone();
    other.deployment = DeploymentId::from_u128(7);
    let claim = claim::Claim::take(dir.path(), &other).expect("is free");
    assert_eq!(claim.last_sign(), None, "it was another deployment's driver");
    drop(claim);

    let mut claim = claim::Claim::take(dir.path(), &holder).expect("is free");
    claim.sign(Millis(1_800_000_060_000));
    let signed = died + std::time::Duration::from_millis(59_877);
    assert_eq!(changed(), signed);
    drop(claim);
    assert_eq!(changed(), signed, "it broke off");
    let mut claim = claim::Claim::take(dir.path(), &holder).expect("is free");
    assert_eq!(claim.last_sign(), Some(Millis(1_800_000_060_000)));
    claim.sign(Millis(1_800_000_120_000));
    claim.leave();
    drop(claim);
    assert_eq!(std::fs::read(&path).expect("is there"), b"", "it left");
    let claim = claim::Claim::take(dir.path(), &holder).expect("is free");
    assert_eq!(claim.last_sign(), None);
}

#[test]
fn a_driven_deployment_is_running_in_the_history() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let (id, first) = started(7);
    journal.append_blocking(id, first).expect("appends");
    let mut driven = plan(1, 2);
    driven.id = id;
    let claim = claim::Claim::take(dir.path(), &Holder::of(&driven, &driver())).expect("is free");
    let standing = || {
        journal
            .archive()
            .and_then(|archive| archive.find("latest"))
            .expect("is listed")
            .standing
    };
    assert_eq!(standing(), Standing::Running);
    drop(claim);
    assert_eq!(standing(), Standing::Interrupted);
}

#[test]
fn a_deployment_is_found_by_its_start_or_its_end_and_an_ambiguous_name_lists_candidates() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let ids = [
        0x0193_5e00_0000_7000_8000_0000_a1b2_c3d4_u128,
        0x0193_5e00_0000_7000_8000_0000_0000_c3d4,
    ];
    for id in ids {
        let (id, first) = started(id);
        journal.append_blocking(id, first).expect("appends");
    }
    let archive = journal.archive().expect("opens");
    let first = DeploymentId::from_u128(ids[0]);
    for name in [
        first.short(),
        first.to_string(),
        first.to_string().to_uppercase(),
        "b2c3d4".to_owned(),
    ] {
        assert_eq!(archive.find(&name).expect("is unique").id, first, "by {name}");
    }
    for name in ["c3d4", "01935e00", "01935e00-0000"] {
        let problem = archive.find(name).expect_err("is ambiguous");
        assert_eq!(problem.kind, Kind::Config);
        for id in ids {
            let short = DeploymentId::from_u128(id).short();
            assert!(
                problem.what.as_str().contains(&short),
                "{short} is not listed: {problem}"
            );
        }
    }
    for name in ["ffffff", "", "%", "d4", "zebra"] {
        assert_eq!(kind(archive.find(name)), Kind::Config, "{name:?}");
    }
}

#[test]
fn without_a_journal_the_history_is_empty_and_none_is_made() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let archive = Archive::open(dir.path()).expect("opens");
    assert_eq!(archive.list(10).expect("reads"), []);
    assert_eq!(kind(archive.find("latest")), Kind::Config);
    assert_eq!(std::fs::read_dir(dir.path()).expect("reads").count(), 0);
}

/// A folder that cannot be written, even by root: sysfs lets nobody make files.
fn unwritable(dir: &Path) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/sys/quarterdeck");
    }
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o500)).expect("is ours");
    dir.join("quarterdeck")
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_way_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let state = unwritable(dir.path());
    let problem = Journal::open(&state).err().expect("cannot be opened");
    assert_eq!(problem.kind, Kind::Config);
    assert!(
        problem.what.as_str().contains(&state.display().to_string()),
        "{problem}"
    );
    assert!(problem.remedy.as_str().contains("--state-dir"), "{problem}");
}

#[test]
fn a_full_disk_is_told_and_what_was_recorded_is_kept() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(FILE);
    let connection = schema::open_to_write(&path).expect("opens");
    // The same error as a full disk's, from the same place.
    connection
        .query_row("PRAGMA max_page_count = 24", [], |_| Ok(()))
        .expect("sets");
    let writer = writer::Writer::start(connection, path, Clock::default()).expect("starts");
    let append = |id, facts| {
        writer
            .append(id, facts)
            .expect("queues")
            .blocking_recv()
            .expect("answers")
    };
    let (id, first) = started(7);
    append(id, first).expect("fits");
    let mut kept = 1;
    let problem = loop {
        match append(id, vec![left(); 50]) {
            Ok(recorded) => kept += recorded.len(),
            Err(problem) => break problem,
        }
    };
    assert_eq!(problem.kind, Kind::Unexpected);
    assert!(problem.what.as_str().contains("disk is full"), "{problem}");
    drop(writer);
    let facts = Archive::open(dir.path())
        .and_then(|archive| archive.facts(id))
        .expect("reads");
    assert_eq!(facts.len(), kept);
}

#[test]
fn facts_cannot_be_changed_or_deleted() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let (id, first) = started(7);
    journal.append_blocking(id, first).expect("appends");
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    for sql in ["UPDATE fact SET seq = 2", "DELETE FROM fact"] {
        let error = connection.execute(sql, []).expect_err("is refused");
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[test]
fn a_journal_that_another_process_holds_is_told_as_locked() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(FILE);
    let connection = schema::open_to_write(&path).expect("opens");
    connection
        .busy_timeout(std::time::Duration::from_millis(20))
        .expect("sets");
    let writer = writer::Writer::start(connection, path.clone(), Clock::default()).expect("starts");
    let other = Connection::open(&path).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("is free");
    let (id, first) = started(7);
    let append = |facts| {
        let answer = writer.append(id, facts).expect("queues");
        answer.blocking_recv().expect("answers")
    };
    let problem = append(first.clone()).expect_err("is held");
    assert!(problem.what.as_str().contains("locked by another process"), "{problem}");
    other.execute_batch("ROLLBACK").expect("was held");
    append(first).expect("is free again");
}
