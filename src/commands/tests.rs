//! Commands that look at the journal, over a deployment in a real one.

use std::io::Write;

use clap::Parser;
use serde_json::Value;

use super::{Failure, attach, history, journal, place, show, telling};
use crate::again::Again;
use crate::cli::{Cli, Command, Global};
use crate::console::tests::fixture::{self, Story};
use crate::headless::Format;
use crate::journal::{Archive, Journal};
use crate::problem::Exit;
use crate::state::Fact;
use crate::text::Clean;

/// A state folder with the story's facts in its journal.
fn state_of(story: &Story) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let id = story.state.plan.as_ref().expect("the story has begun").id;
    let facts = story.facts.iter().map(|recorded| recorded.fact.clone()).collect();
    let journal = Journal::open(dir.path()).expect("the journal can be made");
    journal.append_blocking(id, facts).expect("the facts are taken");
    dir
}

fn finished() -> Story {
    Story::start(fixture::plan(2, 6))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling()
        .finished()
}

fn typed(dir: &tempfile::TempDir, line: &str) -> (Global, Command) {
    let dir = dir.path().to_str().expect("the path is text");
    let words = ["quarterdeck", "--state-dir", dir].into_iter().chain(line.split(' '));
    Cli::try_parse_from(words).expect(line).into_parts()
}

/// What a printing command prints.
fn printed(dir: &tempfile::TempDir, line: &str) -> Result<(Exit, String), Failure> {
    let (global, command) = typed(dir, line);
    let mut out: Vec<u8> = Vec::new();
    let writer: &mut dyn Write = &mut out;
    let exit = match command {
        Command::History(args) => history::run(&global, &args, writer)?,
        Command::Journal(args) => journal::run(&global, &args, writer)?,
        other => panic!("{other:?} does not print"),
    };
    Ok((exit, String::from_utf8(out).expect("only text is printed")))
}

#[test]
fn the_latest_deployment_is_offered_to_be_taken_up_where_it_is_not_settled() {
    let running = Story::start(fixture::plan(2, 6))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling();
    let offered = |story: &Story, environment: &str| {
        let dir = state_of(story);
        let archive = Archive::open(dir.path()).expect("the journal can be read");
        attach::unfinished(&archive, &Clean::line("sento"), &Clean::line(environment)).expect("its facts can be read")
    };
    let unfinished = offered(&running, "qa").expect("nobody drives it any more");
    assert_eq!(unfinished.counts, running.state.counts());
    assert!(!unfinished.driven);
    assert_eq!(offered(&running, "prod"), None, "another environment");
    assert_eq!(offered(&finished(), "qa"), None, "it is settled");
}

#[test]
fn a_plan_tells_what_was_left() {
    let running = Story::start(fixture::plan(2, 6)).build_half();
    let dir = state_of(&running);
    let met = |environment: &str| {
        telling::obstacles(
            dir.path(),
            &Clean::line("sento"),
            &Clean::line(environment),
            &Again::default(),
        )
    };
    let [note] = met("qa").expect("nobody drives").try_into().expect("one line");
    assert!(
        note.as_str().contains("`quarterdeck attach a1b2c3d4` takes it up"),
        "{note}"
    );
    assert_eq!(met("prod"), Ok(Vec::new()), "another environment");
}

#[test]
fn the_history_has_a_line_for_each_deployment() {
    let dir = state_of(&finished());
    let (exit, text) = printed(&dir, "history").expect("the journal can be read");
    assert_eq!(exit, Exit::Success);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for part in [
        "a1b2c3d4",
        "sento/qa",
        "4f1c0a9",
        " 24 ",
        "hosts-failed",
        "noor@bridge",
        "Retry the processor",
    ] {
        assert!(lines[1].contains(part), "{part} is not in {text}");
    }
}

#[test]
fn what_was_left_is_offered() {
    let mut story = Story::start(fixture::plan(1, 4)).build_half();
    story.tell(Fact::DeploymentLeft {
        reason: "SIGHUP".into(),
    });
    let dir = state_of(&story);
    let (_, text) = printed(&dir, "history").expect("the journal can be read");
    // Without the folder that was named, the command would look into another journal.
    let command = format!("quarterdeck --state-dir {} attach a1b2c3d4", dir.path().display());
    assert!(
        text.ends_with(&format!("`{command}` takes up what was left\n")),
        "{text}"
    );
}

#[test]
fn what_was_typed_to_reach_it_is_typed_again() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let line =
        "attach --config it's.toml --command-id 01234567-89ab-4cde-8f01-23456789abcd --region us-east-1 --profile qa";
    let (global, command) = typed(&dir, line);
    let Command::Attach(args) = command else {
        panic!("{command:?} does not attach");
    };
    let id = fixture::plan(1, 1).id;
    let dir = dir.path().display();
    assert_eq!(
        place::again(&global, &args.reach).attach(id),
        format!(r"quarterdeck --state-dir {dir} --config 'it'\''s.toml' attach a1b2c3d4 --profile qa")
    );
}

#[test]
fn the_history_is_json_for_programs() {
    let dir = state_of(&finished());
    let (_, text) = printed(&dir, "history --progress json").expect("the journal can be read");
    let object: Value = serde_json::from_str(&text).expect("a line is an object");
    assert_eq!(object["short"], "a1b2c3d4");
    assert_eq!(object["standing"], "hosts-failed");
}

#[test]
fn a_whole_journal_passes_its_check() {
    let story = finished();
    let (exit, text) = printed(&state_of(&story), "journal check").expect("the journal can be read");
    assert_eq!(exit, Exit::Success);
    let count = format!("1 deployment with {} facts read", story.facts.len());
    assert!(text.starts_with(&count), "{text}");
}

#[test]
fn what_is_missing_fails_the_check_and_the_rest_is_exported() {
    let story = finished();
    let dir = state_of(&story);
    let connection = rusqlite::Connection::open(dir.path().join("journal.db")).expect("it is there");
    let sql = "DROP TRIGGER fact_is_never_deleted; DELETE FROM fact WHERE seq = 3;";
    connection.execute_batch(sql).expect("it can be damaged");
    let (exit, text) = printed(&dir, "journal check").expect("the journal can be read");
    assert_eq!(exit, Exit::Unexpected);
    assert!(text.contains("deployment a1b2c3d4: fact 3 is missing"), "{text}");
    let (exit, text) = printed(&dir, "journal export").expect("the rest can be read");
    assert_eq!((exit, text.lines().count()), (Exit::Unexpected, story.facts.len() - 1));
}

#[test]
fn an_export_holds_every_fact() {
    let story = finished();
    for line in ["journal export", "journal export a1b2c3d4"] {
        let (_, text) = printed(&state_of(&story), line).expect("the journal can be read");
        let read: Vec<Fact> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is a fact"))
            .collect();
        let told: Vec<Fact> = story.facts.iter().map(|recorded| recorded.fact.clone()).collect();
        assert_eq!(read, told);
    }
}

#[test]
fn a_deployment_is_shown_as_it_was_told() {
    let dir = state_of(&finished());
    let archive = Archive::open(dir.path()).expect("the journal can be read");
    let entry = archive.find("a1b2").expect("it is there");
    let facts = archive.facts(entry.id).expect("its facts can be read");
    let mut out = Vec::new();
    show::print(Format::Plain, &facts, &Again::default(), &mut out).expect("a vector takes everything");
    let text = String::from_utf8(out).expect("only text is printed");
    assert!(text.contains("web-03 ended with exit code 1 and printed:"), "{text}");
    assert!(text.contains("4 hosts did not succeed:"), "{text}");
}
