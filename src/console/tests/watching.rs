//! Who drives: another process, nobody, or this console after it took over.

use super::fixture::{Story, at, checks, plan, region, rollout_name};
use super::harness::{Harness, actions};
use super::screens::{planned, rolling};
use crate::console::update::{Closing, Effect};
use crate::console::view::{Dialog, Look, Role, Unfinished, View};
use crate::engine::{Action, Update};
use crate::names::{DeploymentId, Token};
use crate::problem::{Kind, Problem};
use crate::state::{Fact, SendTo};

/// A console that took a deployment up, before it knows who drives.
fn attached(story: Story, width: u16, height: u16) -> Harness {
    let mut harness = Harness::new(story, width, height);
    harness.view = View::of(Look::default(), &harness.story.state, Role::Hears);
    harness.draw();
    harness
}

fn watching(story: Story) -> Harness {
    let mut harness = attached(story, 80, 24);
    let driver = Problem::new(Kind::Locked, "noor on bridge drives it", "wait");
    harness.told(Update::Watching(driver));
    harness
}

pub fn orphaned(story: Story) -> Harness {
    let mut harness = watching(story);
    harness.told(Update::Orphaned);
    harness
}

/// The keys that the footer offers.
fn footer(harness: &Harness) -> String {
    harness.text().lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_watcher_is_told_who_drives_and_since_when_on_every_screen() {
    let mut harness = watching(rolling());
    insta::assert_snapshot!("watching_80x24", harness.text());
    for keys in ["z", "esc a", "enter", "esc esc l", "?"] {
        harness.press(keys);
        let text = harness.text();
        for said in ["WATCHING", "noor on bridge drives it", "process 4242", "since 12:00:00"] {
            assert!(text.contains(said), "after {keys}, {said:?} is missing in\n{text}");
        }
    }
    harness.story.now += 2 * 86_400;
    harness.draw();
    assert!(harness.text().contains("since 2026-11-24 12:00"), "{}", harness.text());
}

#[test]
fn a_watcher_is_told_when_the_driver_has_not_said_a_word_for_long() {
    let mut harness = watching(rolling());
    let last = harness.story.state.last_at.expect("something happened");
    harness.story.now = last.since(at(0)).as_secs().cast_signed() + 59;
    harness.draw();
    assert!(!harness.text().contains("no word"), "{}", harness.text());
    harness.story.now += 71;
    harness.draw();
    let said = "no word for 2m10s from the process that drives it";
    assert!(harness.text().contains(said), "{}", harness.text());
    let mut driving = attached(rolling(), 80, 24);
    driving.told(Update::Driving);
    driving.story.now += 130;
    driving.draw();
    assert!(!driving.text().contains("no word"), "{}", driving.text());
}

#[test]
fn a_watcher_is_offered_what_looks_and_nothing_that_asks() {
    let mut harness = watching(rolling());
    let asks = [
        "retry",
        "cancel",
        "send again",
        "build again",
        "push again",
        "take over",
    ];
    for keys in ["", "down down", "z", "esc a", "enter"] {
        harness.press(keys);
        let footer = footer(&harness);
        assert!(!asks.iter().any(|word| footer.contains(word)), "after {keys}: {footer}");
    }
    for keys in ["R", "F", "X", "T"] {
        assert_eq!(harness.press(keys), [], "{keys}");
    }
    assert!(harness.text().contains("its driver is alive"), "{}", harness.text());
    harness.told(Update::Orphaned);
    assert!(!harness.text().contains("its driver is alive"), "{}", harness.text());
}

#[test]
fn a_watchers_help_has_no_key_that_is_refused() {
    let retry = "retry everything that did not succeed, in every lane";
    let mut drives = Harness::new(rolling(), 80, 50);
    drives.press("?");
    assert!(drives.text().contains(retry), "{}", drives.text());
    let mut watches = watching(rolling());
    watches.press("?");
    let text = watches.text();
    assert!(text.contains("This console does not drive the deployment"), "{text}");
    for refused in [
        retry,
        "cancel a rollout, a lane or everything",
        "push again in this lane",
    ] {
        assert!(!text.contains(refused), "{refused} is in {text}");
    }
    assert!(text.contains("list all hosts of all lanes"), "{text}");
}

#[test]
fn a_watcher_leaves_without_a_question_since_nothing_stops() {
    assert_eq!(watching(rolling()).press("q"), [Effect::Close(Closing::Quit)]);
    let interrupted = [Effect::Close(Closing::Interrupted)];
    assert_eq!(watching(rolling()).press("ctrl-c"), interrupted);
    assert_eq!(orphaned(rolling()).press("q"), [Effect::Close(Closing::Quit)]);
}

#[test]
fn a_deployment_without_a_driver_is_taken_over_after_a_question() {
    let mut harness = orphaned(rolling());
    insta::assert_snapshot!("orphaned_80x24", harness.text());
    assert!(
        footer(&harness).starts_with("enter open  T take over"),
        "{}",
        footer(&harness)
    );
    assert_eq!(actions(harness.press("T")), []);
    insta::assert_snapshot!("take_over_80x24", harness.text());
    assert_eq!(actions(harness.press("enter")), [], "enter is not enough for it");
    assert_eq!(actions(harness.press("n T y")), [Action::TakeOver]);
    harness.told(Update::Driving);
    let text = harness.text();
    assert!(text.contains("this console drives the deployment now"), "{text}");
    assert!(!text.contains("WATCHING") && !text.contains("nobody drives"), "{text}");
    assert!(harness.view.drives());
}

#[test]
fn a_deployment_that_its_driver_left_says_why() {
    let mut story = rolling();
    story.tell(Fact::DeploymentLeft {
        reason: "signal 15".into(),
    });
    let mut harness = orphaned(story);
    harness.resize(120, 24);
    harness.draw();
    let text = harness.text();
    assert!(text.contains("noor on bridge left it: signal 15"), "{text}");
    assert!(text.contains("? not followed"), "{text}");
}

#[test]
fn somebody_else_who_takes_over_first_ends_the_question() {
    let mut harness = orphaned(rolling());
    harness.press("T");
    harness.told(Update::Watching(Problem::new(Kind::Locked, "ada drives it", "")));
    assert!(harness.view.dialog.is_none());
    assert_eq!(harness.view.role, Role::Watches);
}

#[test]
fn taking_over_says_what_is_begun_again() {
    let asked = |story: Story| {
        let mut harness = orphaned(story);
        harness.press("T");
        assert!(matches!(harness.view.dialog, Some(Dialog::TakeOver)));
        harness.text()
    };
    let build = asked(Story::start(plan(2, 14)).build_half());
    for said in ["start the build again", "push in us-east-1, us-east-2", "56 hosts"] {
        assert!(build.contains(said), "{said:?} is missing in\n{build}");
    }
    let push = asked(Story::start(plan(2, 14)).build_half().built().push_half());
    assert!(push.contains("push again in us-east-1, us-east-2"), "{push}");
    let failed = asked(Story::start(plan(2, 14)).build_half().build_failed());
    assert!(failed.contains("nothing is under way"), "{failed}");
    let mut lost = Story::start(plan(2, 14)).build_half().built().push_half().pushed();
    lost.tell(Fact::SendIntended {
        region: region(0),
        rollout: rollout_name(0),
        token: Token::new("qd:a1b2c3d4:lost"),
        to: SendTo::Targets,
    });
    let lost = asked(lost);
    assert!(lost.contains("look for 1 command whose answer was lost"), "{lost}");
    assert!(
        lost.contains("42 hosts"),
        "the other three rollouts were not sent:\n{lost}"
    );
}

pub fn left(driven: bool) -> Unfinished {
    Unfinished {
        id: DeploymentId::from_u128(0x0193_5e00_0000_7000_8000_0000_dead_beef),
        started_at: at(-12 * 60),
        counts: rolling().state.counts(),
        driven,
    }
}

#[test]
fn a_deployment_that_was_left_is_offered_before_a_new_one_is_started() {
    let mut harness = planned(plan(2, 14), usize::MAX, 80, 24);
    harness.view.unfinished = Some(left(false));
    harness.draw();
    insta::assert_snapshot!("plan_unfinished_80x24", harness.text());
    assert!(footer(&harness).contains("a attach"), "{}", footer(&harness));
    let attach = Effect::Close(Closing::Attach(left(false).id));
    assert_eq!(harness.press("a"), [attach]);
    harness.view.unfinished = Some(left(true));
    harness.draw();
    assert!(
        harness.text().contains("under way elsewhere: deployment deadbeef"),
        "{}",
        harness.text()
    );
    assert_eq!(actions(harness.press("enter")), [Action::Start]);
    assert_eq!(harness.press("a"), [], "a new one is being started");
    let mut nothing = planned(plan(2, 14), usize::MAX, 80, 24);
    assert_eq!(nothing.press("a"), []);
    assert!(
        nothing.text().contains("no deployment was left here"),
        "{}",
        nothing.text()
    );
}

#[test]
fn a_plan_that_the_engine_makes_anew_cannot_be_started_meanwhile() {
    let mut harness = planned(plan(2, 14), usize::MAX, 80, 24);
    harness.told(Update::Checks(checks(&plan(2, 14), 3)));
    assert_eq!(actions(harness.press("enter")), []);
}

#[test]
fn who_took_a_deployment_up_sees_no_plan_and_asks_nothing_before_its_driver_is_known() {
    let mut harness = attached(Story::default(), 80, 24);
    assert!(!harness.text().contains("checking"), "{}", harness.text());
    harness.story = rolling();
    harness.draw();
    assert_eq!(harness.press("R"), []);
    assert!(harness.text().contains("is not known yet"), "{}", harness.text());
    harness.told(Update::Driving);
    assert!(
        !harness.text().contains("drives the deployment now"),
        "it is what was asked for"
    );
    assert_eq!(actions(harness.press("R")).len(), 1);
}
