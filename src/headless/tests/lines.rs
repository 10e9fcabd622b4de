//! What stands on the lines.

use serde_json::Value;

use crate::again::Again;
use crate::console::tests::fixture::{Story, at, checks, host_id, plan};
use crate::engine::Update;
use crate::headless::{Format, Summary, Voice, replay};
use crate::names::{CommitId, Millis, Region, RolloutName};
use crate::plan::UNKNOWN;
use crate::plan::check::{Check, CheckState, Subject};
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Fact, HostStatus, SendTo, State};
use crate::text::Clean;

/// Everything that an output says about a story.
fn told(format: Format, story: &Story) -> String {
    let (lines, _) = replay(format, &story.facts);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Tells a voice all of a story.
fn hear(voice: &mut dyn Voice, story: &Story) {
    let mut state = State::default();
    for fact in &story.facts {
        state.apply(fact);
        voice.told(&Update::Fact(fact.clone()), &state, fact.at);
    }
}

fn finished(lanes: usize, hosts: usize) -> Story {
    Story::start(plan(lanes, hosts))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling()
        .finished()
}

fn summary(story: &Story, format: Format) -> String {
    let exit = story.state.settled.map_or(Exit::Left, |(outcome, _)| outcome.exit());
    let summary = Summary {
        state: &story.state,
        exit,
        problems: &[],
        rehearsal: false,
        plan_only: false,
        watched: false,
        passing: false,
        again: &Again::default(),
    };
    format.summary(&summary).join("\n")
}

#[test]
fn a_small_deployment_reads_like_a_story() {
    let story = finished(2, 6);
    let text = told(Format::Plain, &story);
    insta::assert_snapshot!("plain_finished", text);
    insta::assert_snapshot!("summary_finished", summary(&story, Format::Plain));
}

#[test]
fn a_failed_build_shows_the_end_of_its_log() {
    let story = Story::start(plan(1, 4)).build_half().build_failed();
    insta::assert_snapshot!("plain_build_failed", told(Format::Plain, &story));
}

#[test]
fn a_warning_is_told_once() {
    let offline = Subject::Hosts(Region::new("us-east-1"), RolloutName::new("linux"));
    let checks = vec![Check {
        subject: offline,
        state: CheckState::Warned(Clean::block("1 of 6 hosts is offline: web-03\nmax_errors 0")),
    }];
    let mut plan = plan(1, 6);
    plan.warnings = vec![
        Clean::line("us-east-1 linux hosts: 1 of 6 hosts is offline: web-03"),
        Clean::line("the regions belong to two accounts"),
    ];
    let mut voice = Format::Plain.voice();
    let mut lines = Vec::new();
    for update in [Update::Checks(checks), Update::Ready(Box::new(plan))] {
        lines.extend(voice.told(&update, &State::default(), at(0)));
    }
    let text = lines.join("\n");
    assert_eq!(text.matches("is offline").count(), 1, "{text}");
    assert!(text.contains("note: the regions belong to two accounts"), "{text}");
}

#[test]
fn how_long_a_deployment_took_that_was_found_in_ssm_is_not_made_up() {
    let mut found = plan(1, 6);
    found.commit.id = CommitId::new(UNKNOWN);
    found.app = Clean::line(UNKNOWN);
    found.made_at = at(-3600);
    let story = Story::start(found).rolling().finished();
    assert_eq!(
        story.state.started_at,
        Some(at(-3600)),
        "it began with its first command"
    );
    let text = summary(&story, Format::Plain);
    let first = text.lines().next().expect("it has lines");
    assert!(
        first.starts_with("deployment a1b2c3d4, found in SSM: hosts failed,"),
        "{first}"
    );
    assert!(first.ends_with("hosts succeeded"), "{first}");
    assert!(text.contains("only what was sent in us-east-1 is shown"), "{text}");
}

#[test]
fn an_exit_code_that_comes_later_is_no_second_failure() {
    let mut story = Story::start(plan(1, 20)).build_half().built().push_half().pushed();
    story.send(0, 0, 1, SendTo::Targets);
    for exit_code in [None, Some(7)] {
        story.tell(Fact::HostChanged {
            command: Story::command(0, 0, 1),
            host: host_id(0, 0, 2),
            status: HostStatus::Failed,
            exit_code,
        });
    }
    let text = told(Format::Plain, &story);
    assert_eq!(text.matches("web-03").count(), 1, "{text}");
}

#[test]
fn a_retry_is_told_with_its_tries() {
    let story = finished(2, 6).retried();
    insta::assert_snapshot!("summary_retried", summary(&story, Format::Plain));
}

#[test]
fn what_still_runs_is_in_the_last_line() {
    let story = Story::start(plan(2, 20))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling();
    let text = summary(&story, Format::Quiet);
    let last = text.lines().last().expect("there is a last line");
    assert!(last.contains("go on in us-east-1, us-east-2"), "{last}");
    assert!(last.contains("quarterdeck attach a1b2c3d4"), "{last}");
}

/// SSM has both commands, and of one nobody has seen a host yet.
#[test]
fn what_was_just_sent_goes_on_too() {
    let mut story = Story::start(plan(2, 8)).built().pushed();
    story.send(0, 0, 1, SendTo::Targets);
    story.host(0, 0, 1, 0, HostStatus::InProgress);
    story.send(1, 0, 1, SendTo::Targets);
    let text = summary(&story, Format::Quiet);
    let last = text.lines().last().expect("there is a last line");
    assert!(last.starts_with("16 hosts go on in us-east-1, us-east-2"), "{last}");
}

#[test]
fn a_large_rollout_names_those_that_did_not_succeed_and_counts_the_others() {
    let story = finished(1, 200);
    let text = told(Format::Plain, &story);
    let lines = text.lines().count();
    assert!(lines < 80, "{lines} lines:\n{text}");
    let state = &story.state;
    let failed = state
        .lanes
        .iter()
        .flat_map(|lane| &lane.rollouts)
        .flat_map(|rollout| &rollout.hosts);
    for host in failed.filter(|host| host.can_be_retried()) {
        assert!(
            text.contains(&format!("{} ({})", host.name, host.id)),
            "{} is not named",
            host.name
        );
    }
}

#[test]
fn silence_is_broken_by_what_is_under_way() {
    let mut voice = Format::Plain.voice();
    let story = Story::start(plan(2, 60))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling();
    hear(&mut *voice, &story);
    let tick = |voice: &mut dyn Voice, secs| voice.tick(&story.state, &story.live, at(secs));
    // What was held back to be told together comes first.
    tick(&mut *voice, 112);
    assert_eq!(tick(&mut *voice, 113), Vec::<String>::new());
    insta::assert_snapshot!("plain_silence_rolling", tick(&mut *voice, 150).join("\n"));
    assert_eq!(tick(&mut *voice, 160), Vec::<String>::new());

    let mut voice = Format::Plain.voice();
    let story = Story::start(plan(2, 60)).build_half();
    hear(&mut *voice, &story);
    insta::assert_snapshot!(
        "plain_silence_building",
        voice.tick(&story.state, &story.live, at(200)).join("\n")
    );
    let story = story.built().push_half();
    hear(&mut *voice, &story);
    // What holds a push up is not left for the next silence, and told once.
    insta::assert_snapshot!(
        "plain_push_held_up",
        voice.tick(&story.state, &story.live, at(200)).join("\n")
    );
    assert_eq!(voice.tick(&story.state, &story.live, at(201)), Vec::<String>::new());
    insta::assert_snapshot!(
        "plain_silence_pushing",
        voice.tick(&story.state, &story.live, at(300)).join("\n")
    );
}

#[test]
fn a_watcher_is_told_how_long_the_driver_has_been_silent() {
    let mut voice = Format::Plain.voice();
    let story = Story::start(plan(1, 6)).build_half();
    hear(&mut *voice, &story);
    let last = story.state.last_at.expect("something happened");
    let (late, later) = (Millis(last.0 + 130_000), Millis(last.0 + 200_000));
    let driver = Problem::new(Kind::Locked, "noor on bridge drives it", "wait");
    voice.told(&Update::Watching(driver), &story.state, last);
    let text = voice.tick(&story.state, &story.live, late).join("\n");
    assert!(
        text.contains("no word for 2m10s from the process that drives it"),
        "{text}"
    );
    voice.told(&Update::Driving, &story.state, late);
    let text = voice.tick(&story.state, &story.live, later).join("\n");
    assert!(!text.is_empty() && !text.contains("no word"), "{text}");
}

#[test]
fn a_check_is_told_once_when_it_has_a_result() {
    let mut voice = Format::Plain.voice();
    let plan = plan(2, 6);
    let state = State::default();
    let count = checks(&plan, 0).len();
    let mut lines = Vec::new();
    for done in 0..=count {
        lines.extend(voice.told(&Update::Checks(checks(&plan, done)), &state, at(0)));
    }
    assert_eq!(lines.len(), count);
    lines.extend(voice.told(&Update::Ready(Box::new(plan)), &state, at(1)));
    insta::assert_snapshot!("plain_checks", lines.join("\n"));
}

#[test]
fn json_lines_are_the_facts_of_the_journal() {
    let story = finished(2, 6).retried();
    let text = told(Format::Json, &story);
    assert_eq!(text.lines().count(), story.facts.len());
    for (line, recorded) in text.lines().zip(&story.facts) {
        let object: Value = serde_json::from_str(line).expect("a line is an object");
        assert_eq!(object["type"], "fact");
        assert_eq!(object["deployment"], "01935e00-0000-7000-8000-0000a1b2c3d4");
        assert_eq!(object["seq"], recorded.seq);
        assert_eq!(object["at"], recorded.at.0);
        let read: Fact = serde_json::from_value(object).expect("the fact is read back");
        assert_eq!(read, recorded.fact);
    }
}

#[test]
fn the_json_summary_names_every_host_that_did_not_succeed() {
    let story = finished(2, 6);
    let object: Value = serde_json::from_str(&summary(&story, Format::Json)).expect("the summary is an object");
    assert_eq!(object["type"], "summary");
    assert_eq!(object["outcome"], "hosts-failed");
    assert_eq!(object["exit"], 3);
    let failed = story.state.counts().unsuccessful();
    assert_eq!(object["unsuccessful"].as_array().map(Vec::len), Some(failed));
    insta::assert_snapshot!(
        "json_summary",
        serde_json::to_string_pretty(&object).expect("it was read before")
    );
}

#[test]
fn checks_and_words_of_the_engine_are_json_objects_of_their_own_type() {
    let mut voice = Format::Json.voice();
    let plan = plan(1, 2);
    let state = State::default();
    let problem = Problem::new(Kind::Credentials, "no credentials", "log in");
    let updates = [
        Update::Checks(checks(&plan, 100)),
        Update::Ready(Box::new(plan)),
        Update::Blocked(vec![problem.clone()]),
        Update::Notice(problem.clone()),
        Update::Stopped(Some(problem)),
    ];
    let lines: Vec<String> = updates
        .iter()
        .flat_map(|update| voice.told(update, &state, at(0)))
        .collect();
    let mut types: Vec<String> = lines
        .iter()
        .map(|line| {
            let object: Value = serde_json::from_str(line).expect("a line is an object");
            object["type"].as_str().expect("it has a type").to_owned()
        })
        .collect();
    types.dedup();
    assert_eq!(types, ["check", "plan", "blocked", "notice", "stopped"]);
}

#[test]
fn quiet_says_nothing_before_the_summary() {
    assert_eq!(told(Format::Quiet, &finished(2, 6)), "");
}
