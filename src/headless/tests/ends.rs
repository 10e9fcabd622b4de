//! How it decides and how it ends: actions that it sends, and exit codes.

use std::time::Duration;

use super::{Script, deploy, follow, options, rolling, wired};
use crate::console::tests::fixture::{DIGEST, Story, plan, region};
use crate::engine::{Action, MovedTag, Update};
use crate::headless::{Consent, Format, Interrupt, Options, Task, run};
use crate::names::Digest;
use crate::problem::{Exit, Kind, Problem};
use crate::state::{Outcome, Selection};
use crate::text::Clean;

async fn driven(mut script: Script, story: Story) {
    script.say(Update::Ready(Box::new(plan(2, 8))));
    assert_eq!(script.asked().await, Action::Start);
    script.facts(&story);
}

#[tokio::test]
async fn with_yes_the_plan_is_started_and_followed_to_its_end() {
    let (ended, text) = follow(Format::Plain, deploy(), |script| driven(script, rolling().finished())).await;
    assert_eq!(ended.exit, Exit::Hosts);
    assert!(text.contains("did not succeed:"), "{text}");
    assert!(text.contains("--retry unsuccessful"), "{text}");

    let (ended, text) = follow(Format::Quiet, deploy(), |script| driven(script, rolling().finished())).await;
    assert_eq!(ended.exit, Exit::Hosts);
    assert!(text.starts_with("deployment a1b2c3d4"), "{text}");
}

#[tokio::test]
async fn without_yes_nothing_is_started_and_the_flag_is_named() {
    let task = Task::Deploy(Consent::Absent);
    let (ended, text) = follow(Format::Plain, task, async |mut script: Script| {
        script.say(Update::Ready(Box::new(plan(1, 2))));
        assert_eq!(script.actions.recv().await, None);
    })
    .await;
    assert_eq!(ended.exit, Exit::Guard);
    assert!(text.contains("-> pass --yes to start"), "{text}");
}

#[tokio::test]
async fn a_plan_alone_is_never_started() {
    let (ended, text) = follow(Format::Plain, Task::Plan, async |mut script: Script| {
        script.say(Update::Ready(Box::new(plan(1, 2))));
        assert_eq!(script.actions.recv().await, None);
    })
    .await;
    assert_eq!(ended.exit, Exit::Success);
    assert!(
        text.ends_with("ready: nothing was changed; `quarterdeck deploy` with the same options starts it\n"),
        "{text}"
    );
}

#[tokio::test]
async fn what_has_to_be_mended_first_decides_the_exit_code_of_a_blocked_plan() {
    let problem = |kind| Problem::new(kind, "no", "");
    for (kinds, exit) in [
        (vec![Kind::NoHosts], Exit::NoHosts),
        (vec![Kind::Guard, Kind::NoHosts], Exit::NoHosts),
        (vec![Kind::NoHosts, Kind::Credentials], Exit::Credentials),
        (vec![Kind::Build, Kind::Config], Exit::Config),
        (vec![Kind::Build], Exit::Build),
        (vec![Kind::Guard], Exit::Guard),
        (vec![Kind::Unexpected], Exit::Unexpected),
    ] {
        let problems = kinds.into_iter().map(problem).collect();
        let (ended, _) = follow(Format::Plain, Task::Plan, async |script: Script| {
            script.say(Update::Blocked(problems));
        })
        .await;
        assert_eq!(ended.exit, exit);
    }
}

#[tokio::test]
async fn a_start_that_the_lock_refuses_ends_with_its_code() {
    let (ended, text) = follow(Format::Plain, deploy(), async |mut script: Script| {
        script.say(Update::Ready(Box::new(plan(1, 2))));
        assert_eq!(script.asked().await, Action::Start);
        script.say(Update::Blocked(vec![Problem::new(
            Kind::Locked,
            "held by noor",
            "wait",
        )]));
    })
    .await;
    assert_eq!(ended.exit, Exit::Locked);
    assert!(text.contains("error: held by noor\n  -> wait"), "{text}");
}

#[tokio::test]
async fn every_outcome_has_its_exit_code() {
    let codes = [
        (Outcome::Succeeded, 0),
        (Outcome::HostsFailed, 3),
        (Outcome::SendFailed, 3),
        (Outcome::NoHosts, 4),
        (Outcome::BuildFailed, 5),
        (Outcome::NotAllowed, 6),
        (Outcome::Cancelled, 10),
    ];
    for (outcome, code) in codes {
        let mut story = Story::start(plan(2, 8));
        story.tell(crate::state::Fact::DeploymentSettled { outcome });
        let (ended, _) = follow(Format::Json, deploy(), |script| driven(script, story)).await;
        assert_eq!(ended.exit as u8, code, "{outcome:?}");
    }
}

/// Interrupts a deployment after `story`, answers the leave, and returns how it ended.
async fn interrupted(story: Story, interrupt: Interrupt) -> (Exit, String) {
    let (ended, text) = follow(Format::Plain, deploy(), async |mut script: Script| {
        script.say(Update::Ready(Box::new(plan(2, 8))));
        assert_eq!(script.asked().await, Action::Start);
        script.facts(&story);
        script.interrupts.send(interrupt).expect("the output listens");
        let Action::Leave { reason } = script.asked().await else {
            panic!("it left without a word");
        };
        assert!(reason.as_str().starts_with("SIG"), "{reason}");
        script.say(Update::Stopped(None));
    })
    .await;
    (ended.exit, text)
}

#[tokio::test]
async fn a_signal_before_anything_was_sent_has_its_own_code() {
    let building = || Story::start(plan(2, 8)).build_half();
    assert_eq!(interrupted(building(), Interrupt::Int).await.0 as u8, 130);
    assert_eq!(interrupted(building(), Interrupt::Term).await.0 as u8, 143);
    assert_eq!(interrupted(Story::default(), Interrupt::Int).await.0 as u8, 130);
}

#[tokio::test]
async fn a_signal_while_hosts_are_running_leaves_them_and_says_how_to_come_back() {
    for interrupt in [Interrupt::Int, Interrupt::Term, Interrupt::Hup] {
        let (exit, text) = interrupted(rolling(), interrupt).await;
        assert_eq!(exit, Exit::Left);
        let last = text.lines().last().expect("something was said");
        assert!(last.contains("quarterdeck attach a1b2c3d4"), "{last}");
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_engine() {
    let (ended, _) = follow(Format::Plain, deploy(), async |mut script: Script| {
        driven_so_far(&mut script, &rolling()).await;
        script.interrupts.send(Interrupt::Int).expect("the output listens");
        assert!(matches!(script.asked().await, Action::Leave { .. }));
        script.interrupts.send(Interrupt::Int).expect("the output listens");
        // The engine says nothing any more; its end of the channel stays open until the output is gone.
        assert_eq!(script.actions.recv().await, None);
    })
    .await;
    assert_eq!(ended.exit, Exit::Left);
}

async fn driven_so_far(script: &mut Script, story: &Story) {
    script.say(Update::Ready(Box::new(plan(2, 8))));
    assert_eq!(script.asked().await, Action::Start);
    script.facts(story);
}

/// One code for a script: whatever was under way, `attach` takes it up.
#[tokio::test(start_paused = true)]
async fn waiting_ends_with_its_time_and_its_code() {
    for story in [rolling(), Story::start(plan(2, 8)).build_half()] {
        assert_eq!(waited_out(story).await, Exit::Left);
    }
}

async fn waited_out(story: Story) -> Exit {
    let (handle, from_outside, mut script) = wired();
    let wait = Some(Duration::from_secs(600));
    let options = Options {
        wait,
        ..options(Format::Quiet, deploy())
    };
    let mut out = Vec::new();
    let engine = async {
        driven_so_far(&mut script, &story).await;
        let reason = Clean::line("waited for 10m00s");
        assert_eq!(script.asked().await, Action::Leave { reason });
        script.say(Update::Stopped(None));
    };
    let (ended, ()) = tokio::join!(run(handle, options, from_outside, &mut out), engine);
    ended.expect("a vector takes everything").exit
}

fn attach(despite_moved_tag: bool, consent: Consent) -> Task {
    Task::Attach {
        retry: Some(Selection::Unsuccessful(None)),
        consent,
        despite_moved_tag,
    }
}

/// The engine has taken up what `story` left; nothing is under way.
fn resumed(script: &Script, story: &mut Story) {
    script.facts(story);
    let before = story.facts.len();
    script.say(Update::Driving);
    story.tell(crate::state::Fact::DeploymentResumed {
        driver: crate::console::tests::fixture::driver(),
    });
    let outcome = story.state.outcome();
    story.tell(crate::state::Fact::DeploymentSettled { outcome });
    for fact in &story.facts[before..] {
        script.say(Update::Fact(fact.clone()));
    }
}

#[tokio::test]
async fn what_another_process_drives_is_watched_to_its_end() {
    let task = Task::Attach {
        retry: None,
        consent: Consent::Absent,
        despite_moved_tag: false,
    };
    let (ended, text) = follow(Format::Plain, task, async |script: Script| {
        let story = rolling();
        script.facts(&story);
        script.say(Update::Watching(Problem::new(Kind::Locked, "driven by noor", "")));
        let told = story.facts.len();
        for fact in &story.finished().facts[told..] {
            script.say(Update::Fact(fact.clone()));
        }
    })
    .await;
    assert_eq!(ended.exit, Exit::Hosts);
    assert!(text.contains("watching: driven by noor"), "{text}");
}

#[tokio::test]
async fn what_its_driver_abandoned_is_taken_over() {
    let task = Task::Attach {
        retry: None,
        consent: Consent::Absent,
        despite_moved_tag: false,
    };
    let (ended, _) = follow(Format::Plain, task, async |mut script: Script| {
        let mut story = rolling();
        script.facts(&story);
        script.say(Update::Watching(Problem::new(Kind::Locked, "driven by noor", "")));
        script.say(Update::Orphaned);
        assert_eq!(script.asked().await, Action::TakeOver);
        resumed(&script, &mut story);
    })
    .await;
    assert_eq!(ended.exit, Exit::Hosts);
}

#[tokio::test]
async fn a_retry_of_what_another_process_drives_is_refused() {
    let (ended, _) = follow(
        Format::Plain,
        attach(false, Consent::Given),
        async |mut script: Script| {
            script.facts(&rolling().finished());
            script.say(Update::Watching(Problem::new(Kind::Locked, "driven by noor", "")));
            assert_eq!(script.actions.recv().await, None);
        },
    )
    .await;
    assert_eq!(ended.exit, Exit::Locked);
}

#[tokio::test]
async fn attach_retries_what_did_not_succeed_and_ends_with_the_new_outcome() {
    let mut story = rolling().finished();
    let task = attach(false, Consent::Given);
    let (ended, _) = follow(Format::Plain, task, async |mut script: Script| {
        resumed(&script, &mut story);
        let set = story.state.retry_set(&Selection::Unsuccessful(None));
        assert_eq!(script.asked().await, Action::CheckRetry(set.clone()));
        let moved = Vec::new();
        script.say(Update::RetryChecked {
            set: set.clone(),
            moved,
        });
        let despite_moved = Vec::new();
        assert_eq!(script.asked().await, Action::Retry { set, despite_moved });
        let told = story.facts.len();
        let story = story.retried();
        for fact in &story.facts[told..] {
            script.say(Update::Fact(fact.clone()));
        }
    })
    .await;
    assert_eq!(ended.exit, Exit::Success);
}

#[tokio::test]
async fn a_retry_that_nobody_consented_to_is_counted_and_refused() {
    let mut story = rolling().finished();
    let task = attach(false, Consent::Absent);
    let (ended, text) = follow(Format::Plain, task, async |mut script: Script| {
        resumed(&script, &mut story);
        assert_eq!(script.actions.recv().await, None);
    })
    .await;
    assert_eq!(ended.exit, Exit::Guard);
    assert!(text.contains("hosts in 2 regions can be retried"), "{text}");
}

#[tokio::test]
async fn a_moved_tag_stops_a_retry_until_it_is_allowed_for() {
    for (despite, exit) in [(false, Exit::Guard), (true, Exit::Left)] {
        let mut story = rolling().finished();
        let task = attach(despite, Consent::Given);
        let (ended, text) = follow(Format::Plain, task, async |mut script: Script| {
            resumed(&script, &mut story);
            let Action::CheckRetry(set) = script.asked().await else {
                panic!("it did not look at the tags first");
            };
            let moved = vec![MovedTag {
                region: region(0),
                tag: Clean::line("latest"),
                now: Some(Digest::new(DIGEST)),
                problem: None,
            }];
            script.say(Update::RetryChecked { set, moved });
            if despite {
                let Action::Retry { despite_moved, .. } = script.asked().await else {
                    panic!("it did not retry");
                };
                assert_eq!(despite_moved, [region(0)]);
                story.send(0, 0, 2, crate::state::SendTo::Hosts(Vec::new()));
                script.say(Update::Fact(story.facts[story.facts.len() - 2].clone()));
                script.interrupts.send(Interrupt::Int).expect("the output listens");
                script.asked().await;
                script.say(Update::Stopped(None));
            } else {
                assert_eq!(script.actions.recv().await, None);
            }
        })
        .await;
        assert_eq!(ended.exit, exit, "{text}");
        assert!(
            text.contains("latest in us-east-1 points at sha256:7d5a3c1e9b8f now"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_engine_that_stops_says_why_in_the_summary() {
    let (ended, text) = follow(Format::Quiet, deploy(), async |mut script: Script| {
        driven_so_far(&mut script, &rolling()).await;
        let full = Problem::new(Kind::Unexpected, "the disk is full", "free some space");
        script.say(Update::Stopped(Some(full)));
    })
    .await;
    assert_eq!(ended.exit, Exit::Unexpected);
    assert!(
        text.starts_with(
            "error: the disk is full
  -> free some space
"
        ),
        "{text}"
    );
    assert!(
        text.ends_with(
            "`quarterdeck attach a1b2c3d4` takes it up again
"
        ),
        "{text}"
    );
}

/// Another process holds the lock with another deployment, the profile is another account's, or the disk fills up when the
/// retry is recorded.
#[tokio::test]
async fn an_engine_that_stops_before_a_retry_is_no_success_of_what_was_settled_before() {
    let locked = || Problem::new(Kind::Locked, "sento is being deployed already", "");
    for stopped_early in [true, false] {
        let mut story = rolling().finished();
        let task = attach(false, Consent::Given);
        let (ended, text) = follow(Format::Quiet, task, async |mut script: Script| {
            if stopped_early {
                script.facts(&story);
            } else {
                resumed(&script, &mut story);
                assert!(matches!(script.asked().await, Action::CheckRetry(_)));
            }
            script.say(Update::Stopped(Some(locked())));
        })
        .await;
        assert_eq!(ended.exit, Exit::Locked, "{text}");
        assert!(text.starts_with("error: sento is being deployed already"), "{text}");
    }
}

#[tokio::test]
async fn what_keeps_the_last_facts_out_of_the_journal_is_in_the_summary() {
    let (ended, text) = follow(Format::Quiet, deploy(), async |mut script: Script| {
        driven_so_far(&mut script, &rolling()).await;
        script.interrupts.send(Interrupt::Term).expect("the output listens");
        assert!(matches!(script.asked().await, Action::Leave { .. }));
        let full = Problem::new(Kind::Unexpected, "the disk is full", "free some space");
        script.say(Update::Stopped(Some(full)));
    })
    .await;
    assert_eq!(ended.exit, Exit::Left);
    assert!(text.starts_with("error: the disk is full"), "{text}");
}
