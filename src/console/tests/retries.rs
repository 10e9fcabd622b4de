//! Retries: which hosts each key means, what is asked before, and what is sent after.

use super::fixture::{OLD_DIGEST, host_id, region, rollout_name};
use super::harness::{Harness, actions};
use super::keys::finished;
use super::screens::rolling;
use crate::engine::{Action, MovedTag, Update};
use crate::names::{Digest, Token};
use crate::problem::{Kind, Problem};
use crate::state::{Fact, RetrySet, SendTo};

fn set(hosts: &[(usize, usize, &[usize])], unknown: usize) -> RetrySet {
    let ids = |lane, rollout, hosts: &[usize]| hosts.iter().map(|host| host_id(lane, rollout, *host)).collect();
    RetrySet {
        hosts: hosts
            .iter()
            .map(|(lane, rollout, hosts)| ((region(*lane), rollout_name(*rollout)), ids(*lane, *rollout, hosts)))
            .collect(),
        unknown,
    }
}

/// Presses keys that lead to one question about a retry, and returns the hosts that it is about.
pub fn asked(harness: &mut Harness, keys: &str) -> RetrySet {
    match actions(harness.press(keys)).pop() {
        Some(Action::CheckRetry(set)) => set,
        other => panic!("{keys} asked for {other:?}"),
    }
}

fn everything() -> RetrySet {
    set(&[(0, 0, &[2, 5, 13]), (1, 0, &[5, 13]), (1, 1, &[13])], 3)
}

#[test]
fn each_retry_goes_to_exactly_its_hosts() {
    for (keys, wanted) in [
        ("R", everything()),
        ("F", set(&[(0, 0, &[2, 5]), (1, 0, &[5])], 0)),
        ("r", set(&[(0, 0, &[2, 5])], 0)),
        ("tab r", set(&[(1, 0, &[5])], 0)),
        ("z r", set(&[(0, 0, &[2, 5])], 0)),
        // The list in the plan's order: the third row is web-03.
        ("a j j r", set(&[(0, 0, &[2])], 0)),
        // Trouble first: failed, timed out, timed out, not delivered, not delivered, no report.
        ("a o j j space space r", set(&[(0, 0, &[13]), (1, 0, &[5])], 1)),
        // Marks of hosts that succeeded do not make them part of it.
        ("a space j space r", set(&[(0, 0, &[2])], 0)),
        ("a e * r", everything()),
        ("a o j j f", set(&[(1, 0, &[5])], 0)),
        ("a j j enter r", set(&[(0, 0, &[2])], 0)),
        ("a j j enter R", everything()),
    ] {
        let mut harness = finished();
        let asked = asked(&mut harness, keys);
        assert_eq!(asked, wanted, "{keys}");
        assert_eq!(actions(harness.press("y")), [], "{keys}: the engine has not looked yet");
        harness.told(Update::RetryChecked {
            set: asked,
            moved: Vec::new(),
        });
        let retry = Action::Retry {
            set: wanted,
            despite_moved: Vec::new(),
        };
        assert_eq!(actions(harness.press("y")), [retry], "{keys}");
        assert!(harness.view.dialog.is_none());
    }
}

#[test]
fn a_host_that_succeeded_or_is_at_work_is_never_retried() {
    for keys in ["a r", "a enter r"] {
        let mut harness = finished();
        let asked = actions(harness.press(keys));
        assert!(
            !asked.iter().any(|action| matches!(action, Action::CheckRetry(_))),
            "{asked:?}"
        );
        assert!(harness.view.dialog.is_none());
    }
    let mut green = Harness::new(rolling().finished().retried(), 80, 24);
    for key in ["r", "R", "F"] {
        assert_eq!(green.press(key), [], "{key}");
        assert!(green.text().contains("retr") || green.view.notice.is_some());
    }
}

#[test]
fn a_retry_says_how_many_hosts_and_what_unknown_means() {
    let mut harness = finished();
    let set = asked(&mut harness, "R");
    let text = harness.text();
    assert!(text.contains("Send again to 6 hosts in 2 regions:"), "{text}");
    assert!(
        text.contains("On 3 hosts it is unknown whether the script ran"),
        "{text}"
    );
    assert!(text.contains("run a second time"), "{text}");
    assert!(text.contains("looking whether the tags still point"), "{text}");
    assert_eq!(actions(harness.press("y")), []);
    assert!(harness.text().contains("not yet"), "{}", harness.text());
    harness.told(Update::RetryChecked { set, moved: Vec::new() });
    let text = harness.text();
    assert!(text.contains("still point at this deployment's image."), "{text}");
    assert!(!text.contains("not yet"), "it can be answered now: {text}");
    let mut harmless = finished();
    asked(&mut harmless, "r");
    assert!(!harmless.text().contains("unknown whether"), "{}", harmless.text());
}

fn moved() -> Vec<MovedTag> {
    vec![MovedTag {
        region: region(1),
        tag: "latest".into(),
        now: Some(Digest::new(OLD_DIGEST)),
        problem: None,
    }]
}

#[test]
fn a_moved_tag_is_said_first_and_enter_is_not_enough_for_it() {
    let mut harness = finished();
    let set = asked(&mut harness, "R");
    harness.told(Update::RetryChecked {
        set: set.clone(),
        moved: moved(),
    });
    let text = harness.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in\n{text}"));
    assert!(
        at("us-east-2 latest points at sha256:0b1a2f4e6c8d now") < at("Send again to 6 hosts"),
        "{text}"
    );
    assert_eq!(
        actions(harness.press("enter")),
        [],
        "not by the key that everybody presses"
    );
    let retry = Action::Retry {
        despite_moved: vec![crate::names::Region::new("us-east-2")],
        set,
    };
    assert_eq!(actions(harness.press("y")), [retry]);
}

#[test]
fn the_smallest_screen_still_says_what_a_retry_is_about() {
    let mut harness = Harness::new(rolling().finished(), 40, 12);
    let set = asked(&mut harness, "R");
    harness.told(Update::RetryChecked { set, moved: moved() });
    let text = harness.text();
    for said in ["latest points at", "Send again to 6 hosts", "y yes"] {
        assert!(text.contains(said), "{said:?} is missing in\n{text}");
    }
}

#[test]
fn the_answer_to_a_question_that_was_given_up_changes_no_other_question() {
    let mut harness = finished();
    let all = asked(&mut harness, "R");
    harness.press("esc");
    let lane = asked(&mut harness, "r");
    harness.told(Update::RetryChecked {
        set: all,
        moved: Vec::new(),
    });
    assert_eq!(
        actions(harness.press("y")),
        [],
        "that was the answer to the other question"
    );
    harness.told(Update::RetryChecked {
        set: lane.clone(),
        moved: Vec::new(),
    });
    let retry = Action::Retry {
        set: lane,
        despite_moved: Vec::new(),
    };
    assert_eq!(actions(harness.press("y")), [retry]);
}

#[test]
fn a_refused_retry_does_not_offer_to_send_the_first_command_again() {
    let mut story = rolling().finished();
    let token = Token::new("qd:a1b2c3d4:again");
    story.tell(Fact::SendIntended {
        region: region(0),
        rollout: rollout_name(0),
        token: token.clone(),
        to: SendTo::Hosts(vec![host_id(0, 0, 2)]),
    });
    let problem = Problem::new(Kind::Unexpected, "SSM said no", "look in the SSM console");
    story.tell(Fact::SendRefused {
        token,
        problem,
        stopped: false,
    });
    let mut harness = Harness::new(story, 80, 24);
    assert_eq!(
        harness.press("down down s"),
        [],
        "the whole fleet would run the script again"
    );
    harness.press("z");
    assert!(harness.text().contains("R retries its hosts"), "{}", harness.text());
}

/// A region that could not be asked what another machine sent there leaves nothing to be retried, and says so itself.
#[test]
fn a_question_that_comes_to_nothing_leaves_what_the_engine_said_of_it() {
    use crate::problem::{Kind, Problem};
    for (said, left) in [(true, "could not be asked"), (false, "nothing is left to retry")] {
        let mut harness = finished();
        let mut set = asked(&mut harness, "R");
        if said {
            let problem = Problem::new(Kind::Unexpected, "us-east-2: could not be asked", "a retry asks again");
            harness.told(Update::Notice(problem));
        }
        set.hosts.clear();
        harness.told(Update::RetryChecked { set, moved: Vec::new() });
        assert!(harness.view.dialog.is_none());
        assert!(harness.text().contains(left), "{}", harness.text());
    }
}
