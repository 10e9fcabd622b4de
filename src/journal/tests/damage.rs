//! What is told of a journal that is damaged, cut short or not ours, and what of it can still be read.

use super::*;

#[test]
fn a_new_deployment_is_told_of_a_damaged_journal() {
    for damage in [
        "DROP TRIGGER fact_is_never_deleted; DELETE FROM fact WHERE seq = 3",
        "DROP TRIGGER fact_is_never_changed; UPDATE fact SET json = 'nonsense' WHERE seq = 4",
    ] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = Journal::open(dir.path()).expect("opens");
        let plan = plan(2, 4);
        journal.append_blocking(plan.id, facts_of(&story())).expect("appends");
        let met = || obstacles(dir.path(), &plan.app, &plan.environment.name).expect("nobody drives");
        assert_eq!(met(), Vec::<Clean>::new(), "a whole one is no obstacle");
        let connection = Connection::open(dir.path().join(FILE)).expect("opens");
        connection.execute_batch(damage).expect("can be damaged");
        let [note] = met().try_into().expect("one line");
        for word in ["damaged", "journal check", "journal export", "attach --command-id"] {
            assert!(note.as_str().contains(word), "{word} is missing: {note}");
        }
    }
}

#[test]
fn of_a_large_history_the_newest_deployments_are_looked_at() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let ids = [1, 2, 3].map(DeploymentId::from_u128);
    for id in ids {
        let mut plan = plan(2, 4);
        plan.id = id;
        let mut facts = facts_of(&story());
        facts[0] = Fact::DeploymentStarted {
            plan: Box::new(plan),
            driver: driver(),
        };
        journal.append_blocking(id, facts).expect("appends");
    }
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    let lose = |id: DeploymentId| {
        let sql = format!("DELETE FROM fact WHERE seq = 3 AND deployment = '{id}'");
        connection.execute_batch(&sql).expect("can be damaged");
    };
    let triggers = "DROP TRIGGER fact_is_never_deleted; UPDATE deployment SET started_at = last_seq + substr(id, -1)";
    connection.execute_batch(triggers).expect("they have an order");
    let facts = i64::try_from(facts_of(&story()).len()).expect("a few");
    let archive = journal.archive().expect("opens");
    lose(ids[0]);
    // Two of them have more facts than one and a half.
    assert_eq!(archive.damage_within(0, facts * 3 / 2), None);
    assert!(archive.damage_within(0, facts * 5 / 2).is_some());
    assert!(
        archive.damage_within(i64::MAX, 1).is_some(),
        "a small file is looked at whole"
    );
    lose(ids[1]);
    assert!(archive.damage_within(0, facts * 3 / 2).is_some());
    assert_eq!(archive.health().troubles.len(), 2, "the check looks at everything");
}

#[test]
fn a_damaged_database_is_named_and_left_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(FILE);
    let garbage = b"this is not a database, and long enough to have a header: ".repeat(100);
    std::fs::write(&path, &garbage).expect("writes");
    for problem in [
        Journal::open(dir.path()).err().expect("cannot be opened"),
        Archive::open(dir.path()).err().expect("cannot be read"),
    ] {
        assert_eq!(problem.kind, Kind::Config);
        assert!(problem.what.as_str().contains("journal.db is damaged"), "{problem}");
    }
    assert_eq!(std::fs::read(&path).expect("reads"), garbage);
}

#[test]
fn a_damaged_row_of_the_history_hides_neither_its_deployment_nor_others() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let plan = plan(2, 4);
    journal.append_blocking(plan.id, facts_of(&story())).expect("appends");
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    let row = "UPDATE deployment SET subject = CAST(x'ff6669780a' AS TEXT)";
    connection.execute_batch(row).expect("can be damaged");
    let archive = journal.archive().expect("opens");
    let [entry] = archive.list(9).expect("it is listed").try_into().expect("one row");
    assert_eq!(entry.id, plan.id);
    assert!(entry.subject.as_str().starts_with("\u{fffd}fix"), "{}", entry.subject);
    assert_eq!(
        archive.facts(entry.id).expect("they are whole").len(),
        facts_of(&story()).len()
    );
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; DROP TABLE deployment")
        .expect("can be damaged");
    let problem = journal
        .archive()
        .and_then(|archive| archive.list(9))
        .expect_err("there is none");
    assert!(problem.what.as_str().contains("is damaged: no such table"), "{problem}");
    assert!(problem.remedy.as_str().contains("journal check"), "{problem}");
}

#[test]
fn a_folder_in_the_journals_place_is_told_as_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(dir.path().join(FILE)).expect("is made");
    for problem in [
        Journal::open(dir.path()).err().expect("cannot be opened"),
        Archive::open(dir.path()).err().expect("cannot be read"),
    ] {
        assert!(problem.what.as_str().contains("Is a directory"), "{problem}");
        assert!(problem.remedy.as_str().contains("move that folder aside"), "{problem}");
    }
}

#[test]
fn a_database_of_a_newer_version_is_not_touched() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    drop(Journal::open(dir.path()).expect("opens"));
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    connection.pragma_update(None, "user_version", 99).expect("writes");
    drop(connection);
    for problem in [
        Journal::open(dir.path()).err().expect("cannot be opened"),
        Archive::open(dir.path()).err().expect("cannot be read"),
    ] {
        assert!(problem.what.as_str().contains("newer Quarterdeck"), "{problem}");
    }
}

#[test]
fn a_fact_of_another_version_is_named_and_not_guessed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let journal = Journal::open(dir.path()).expect("opens");
    let (id, first) = started(7);
    journal.append_blocking(id, first).expect("appends");
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    let sql = "INSERT INTO fact SELECT id, 2, 0, '{\"fact\":\"sails-set\"}' FROM deployment";
    connection.execute(sql, []).expect("writes");
    let problem = journal
        .archive()
        .and_then(|archive| archive.facts(id))
        .expect_err("is unknown");
    assert!(problem.what.as_str().contains("fact 2"), "{problem}");
}

/// A journal of one deployment with many facts.
fn long(dir: &Path) -> (DeploymentId, usize) {
    let journal = Journal::open(dir).expect("opens");
    let (id, first) = started(7);
    let mut count = first.len();
    journal.append_blocking(id, first).expect("appends");
    for _ in 0..20 {
        count += journal.append_blocking(id, vec![left(); 50]).expect("appends").len();
    }
    (id, count)
}

#[test]
fn a_whole_journal_is_in_good_health() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (_, count) = long(dir.path());
    let health = Archive::open(dir.path()).expect("opens").health();
    assert_eq!((health.deployments, health.facts), (1, count));
    assert!(health.troubles.is_empty(), "{:?}", health.troubles);
}

#[test]
fn what_a_damaged_page_does_not_hold_is_read_from_both_ends() {
    const PAGE: usize = 4096;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (id, count) = long(dir.path());
    let path = dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).expect("reads");
    let page = bytes.len() / PAGE / 2;
    bytes[page * PAGE..(page + 1) * PAGE].fill(0xff);
    std::fs::write(&path, bytes).expect("writes");
    let archive = Archive::open(dir.path()).expect("its first pages are whole");
    let health = archive.health();
    let told: Vec<String> = health.troubles.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|told| told.contains("is damaged")), "{told:#?}");
    assert!(told.iter().any(|told| told.contains("are missing")), "{told:#?}");
    let salvaged = archive.salvage(id);
    let numbers: Vec<u64> = salvaged.facts.iter().map(|fact| fact.seq).collect();
    assert!(
        numbers.len() < count && numbers.len() > count / 2,
        "{} of {count}",
        numbers.len()
    );
    assert_eq!((numbers.first(), numbers.last()), (Some(&1), Some(&(count as u64))));
}

/// The end of a copy that broke off, or of a file system that did, is gone; the beginning is not.
#[test]
fn a_journal_that_was_cut_short_is_read_as_far_as_it_goes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (id, count) = long(dir.path());
    let path = dir.path().join(FILE);
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&path, &bytes).expect("writes");
    let problem = Journal::open(dir.path()).err().expect("nobody writes to it");
    assert!(problem.what.as_str().contains("is damaged"), "{problem}");
    assert!(problem.remedy.as_str().contains("journal export"), "{problem}");
    let archive = Archive::open(dir.path()).expect("its first pages are whole");
    let health = archive.health();
    let told: Vec<String> = health.troubles.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|told| told.contains("is damaged")), "{told:#?}");
    assert!(told.iter().any(|told| told.contains("are missing")), "{told:#?}");
    assert!(archive.damage().is_some());
    let facts = archive.salvage(id).facts;
    assert!(
        facts.len() < count && facts.len() > count / 4,
        "{} of {count}",
        facts.len()
    );
    assert!(facts.iter().map(|fact| fact.seq).eq(1..=facts.len() as u64));
    assert_eq!(std::fs::read(&path).expect("reads"), bytes, "it is left alone");
}

#[test]
fn a_lost_fact_and_one_of_another_version_are_told_as_such() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (id, count) = long(dir.path());
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    let sql = "DROP TRIGGER fact_is_never_changed; DROP TRIGGER fact_is_never_deleted;
               DELETE FROM fact WHERE seq IN (5, 6, 9);
               UPDATE fact SET json = '{\"fact\":\"sails-set\"}' WHERE seq = 12;";
    connection.execute_batch(sql).expect("writes");
    drop(connection);
    let salvaged = Archive::open(dir.path()).expect("opens").salvage(id);
    assert_eq!(salvaged.facts.len(), count - 4);
    let told: Vec<String> = salvaged.troubles.iter().map(ToString::to_string).collect();
    for part in [
        "facts 5 to 6 are missing",
        "fact 9 is missing",
        "fact 12 is not one that this version knows",
    ] {
        assert!(told.iter().any(|told| told.contains(part)), "{part}: {told:#?}");
    }
}

/// A number that was written over can be any number.
#[test]
fn a_gap_of_billions_is_told_as_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (_, count) = long(dir.path());
    let connection = Connection::open(dir.path().join(FILE)).expect("opens");
    let sql = "UPDATE deployment SET last_seq = 4294967295";
    connection.execute_batch(sql).expect("writes");
    drop(connection);
    let health = Archive::open(dir.path()).expect("opens").health();
    assert_eq!(health.facts, count);
    let told: Vec<String> = health.troubles.iter().map(ToString::to_string).collect();
    let part = format!("facts {} to 4294967295 are missing", count + 1);
    assert!(told.len() == 1 && told[0].contains(&part), "{told:#?}");
}
