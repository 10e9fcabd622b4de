//! Keys pressed, and what they ask for.

use super::fixture::{Story, checks, plan};
use super::harness::{Harness, actions};
use super::screens::rolling;
use crate::console::view::{Dialog, Screen};
use crate::engine::{Action, Update};

#[test]
fn enter_starts_a_plan_that_is_ready_and_nothing_before() {
    let mut harness = Harness::new(Story::default(), 80, 24);
    assert_eq!(actions(harness.press("enter")), []);
    let plan = plan(2, 14);
    harness.told(Update::Checks(checks(&plan, 99)));
    harness.told(Update::Ready(Box::new(plan)));
    assert_eq!(actions(harness.press("enter")), [Action::Start]);
}

#[test]
fn a_cursor_and_a_question_outlive_a_resize() {
    let mut harness = Harness::new(rolling().finished(), 120, 40);
    harness.press("a j j j R");
    harness.resize(40, 12);
    harness.draw();
    harness.resize(200, 50);
    harness.draw();
    assert!(matches!(harness.view.dialog, Some(Dialog::Retry { .. })));
    assert_eq!((harness.view.screen(), harness.view.hosts.cursor), (&Screen::Hosts, 3));
}
