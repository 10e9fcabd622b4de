//! Keys pressed and what they ask for: every key that is offered does what it says.

use crossterm::event::{Event, KeyEvent, KeyModifiers};

use super::fixture::{Story, checks, host_id, plan, region, rollout_name};
use super::harness::{Harness, actions};
use super::screens::{planned, rolling};
use crate::console::enabled::{asks, is_enabled};
use crate::console::keymap::{self, Command, Place};
use crate::console::update::{Closing, Effect};
use crate::console::view::{Dialog, Look, Role, Screen};
use crate::engine::{Action, Scope, Update};
use crate::names::Token;
use crate::problem::{Kind, Problem};
use crate::state::{Fact, SendTo};

pub fn finished() -> Harness {
    Harness::new(rolling().finished(), 80, 24)
}

pub fn running() -> Harness {
    Harness::new(rolling(), 80, 24)
}

fn ready() -> Harness {
    planned(plan(2, 14), usize::MAX, 80, 24)
}

/// A first command that SSM refused, and another one that nobody knows of.
fn unsent() -> Harness {
    let mut story = Story::start(plan(2, 14)).build_half().built().push_half().pushed();
    for (lane, name) in [(0, "refused"), (1, "unknown")] {
        let token = Token::new(format!("qd:a1b2c3d4:{name}"));
        story.tell(Fact::SendIntended {
            region: region(lane),
            rollout: rollout_name(0),
            token: token.clone(),
            to: SendTo::Targets,
        });
        let problem = Problem::new(Kind::Unexpected, "SSM said no", "look in the SSM console");
        story.tell(if lane == 0 {
            Fact::SendRefused {
                token,
                problem,
                stopped: false,
            }
        } else {
            Fact::SendUnknown { token, problem }
        });
    }
    Harness::new(story, 80, 24)
}

fn opened(mut harness: Harness, keys: &str) -> Harness {
    harness.press(keys);
    harness
}

type Context = (&'static str, fn() -> Harness);

/// A harness for each place where keys are pressed, in states in which much can be done.
fn contexts() -> Vec<Context> {
    vec![
        ("plan", ready),
        ("plan beside a deployment that was left", || {
            let mut harness = ready();
            harness.view.unfinished = Some(super::watching::left(false));
            harness
        }),
        ("lanes", finished),
        ("lanes at work", running),
        ("lanes of a failed build", || {
            Harness::new(Story::start(plan(2, 14)).build_half().build_failed(), 80, 24)
        }),
        ("lanes with a refused send", || opened(unsent(), "down down")),
        ("lanes with an unknown send", || opened(unsent(), "tab down down")),
        ("lane", || opened(finished(), "z")),
        ("hosts", || opened(finished(), "a o")),
        ("marked hosts", || opened(finished(), "a o space space")),
        ("host", || {
            opened(Harness::new(rolling().finished().retried(), 80, 24), "a j j enter")
        }),
        ("failed host", || opened(finished(), "a o enter")),
        ("log", || opened(running(), "l")),
        ("help", || opened(finished(), "?")),
        ("retry", || {
            let mut harness = finished();
            let set = super::retries::asked(&mut harness, "R");
            harness.told(Update::RetryChecked { set, moved: Vec::new() });
            harness
        }),
        ("cancel", || opened(running(), "down down X")),
        ("quit", || opened(running(), "q")),
        ("interrupted", || opened(running(), "ctrl-c")),
        ("lanes without a driver", || super::watching::orphaned(rolling())),
        ("taking over", || opened(super::watching::orphaned(rolling()), "T")),
        ("abandon", || opened(unsent(), "tab down down A")),
        ("filter", || opened(finished(), "a /")),
        ("search", || opened(running(), "l /")),
    ]
}

/// Moving may meet an end, where it rightly does nothing.
fn moves(command: Command) -> bool {
    use Command::{
        Down, First, HalfDown, HalfUp, Last, Left, NextAttempt, NextHit, PageDown, PageUp, Panel, PreviousAttempt,
        PreviousHit, Right, Up,
    };
    matches!(
        command,
        Up | Down
            | Left
            | Right
            | PageUp
            | PageDown
            | HalfUp
            | HalfDown
            | First
            | Last
            | Panel(_)
            | NextAttempt
            | PreviousAttempt
            | NextHit
            | PreviousHit
    )
}

#[test]
fn every_key_that_is_offered_does_something_and_every_other_says_why_not() {
    for (name, make) in contexts() {
        let place = make().view.place();
        for binding in keymap::of(place).filter(|binding| !moves(binding.command)) {
            for key in binding.keys {
                let mut harness = make();
                let enabled = is_enabled(binding.command, &harness.view, &harness.story.state);
                harness.view.notice = None;
                let before = format!("{:?}", harness.view);
                let effects = harness.event(&Event::Key(KeyEvent::new(key.0, key.1)));
                let what = format!("{} ({:?}) in {name}", key.name(), binding.command);
                if enabled {
                    assert!(
                        !effects.is_empty() || format!("{:?}", harness.view) != before,
                        "{what} is offered and does nothing"
                    );
                } else {
                    assert_eq!(effects, [], "{what} is not offered");
                    assert!(harness.view.notice.is_some(), "{what} does not say why it does nothing");
                }
            }
        }
    }
}

#[test]
fn the_contexts_of_these_tests_are_all_places() {
    let all = keymap::ANYWHERE;
    for place in all {
        assert!(
            contexts().iter().any(|(_, make)| make().view.place() == *place),
            "{place:?}"
        );
    }
}

#[test]
fn what_the_footer_offers_stands_in_the_help_and_the_help_has_every_key_that_is_not_refused() {
    for place in keymap::ANYWHERE {
        for binding in keymap::of(*place).filter(|binding| !binding.label.is_empty()) {
            assert!(
                !binding.help.is_empty(),
                "{:?} has a label and no help",
                binding.command
            );
        }
    }
    for (name, make) in contexts() {
        let mut harness = make();
        let place = harness.view.place();
        if !matches!(
            place,
            Place::Plan | Place::Lanes | Place::Lane | Place::Hosts | Place::Host | Place::Log
        ) {
            continue;
        }
        harness.resize(160, 120);
        harness.press("?");
        let text = harness.text();
        for binding in keymap::of(place).filter(|binding| !binding.help.is_empty()) {
            let refused = asks(binding.command) && !harness.view.drives();
            assert_eq!(
                text.contains(binding.help),
                !refused,
                "the help in {name} and {:?}:\n{text}",
                binding.command
            );
            assert!(refused || text.contains(&binding.keys[0].name()), "{:?}", binding.keys);
        }
    }
}

#[test]
fn a_footer_fits_its_line_and_always_has_quit_and_help() {
    for (name, make) in contexts() {
        for width in [40, 80, 200] {
            let mut harness = make();
            harness.resize(width, 24);
            harness.draw();
            let text = harness.text();
            let footer = text.lines().last().unwrap_or_default();
            if matches!(
                harness.view.place(),
                Place::Lanes | Place::Lane | Place::Hosts | Place::Host | Place::Log
            ) {
                assert!(footer.ends_with("q quit  ? help"), "{name} at {width}: {footer:?}");
            }
        }
    }
}

// What stopped before the fleet.

#[test]
fn a_failed_build_a_refused_and_an_unknown_send_each_have_their_key() {
    let mut build = Harness::new(Story::start(plan(2, 14)).build_half().build_failed(), 80, 24);
    assert!(matches!(actions(build.press("b"))[..], [Action::RetryBuild(_)]));
    let mut refused = unsent();
    let resend = Action::Resend(region(0), rollout_name(0));
    assert_eq!(actions(refused.press("down down s")), [resend]);
    let mut unknown = unsent();
    assert!(unknown.text().contains("1 lane needs you"), "{}", unknown.text());
    assert_eq!(actions(unknown.press("tab down down A")), []);
    assert!(unknown.text().contains("twice on its hosts"), "{}", unknown.text());
    assert_eq!(actions(unknown.press("enter")), [], "enter is not enough for it");
    let abandon = Action::Abandon(Token::new("qd:a1b2c3d4:unknown"));
    assert_eq!(actions(unknown.press("y")), [abandon]);
}

#[test]
fn a_lane_whose_build_was_cancelled_builds_again_before_it_pushes() {
    let mut story = Story::start(plan(2, 14)).build_half();
    story.tell(Fact::BuildCancelled {
        build: story.state.builds[0].id.clone(),
    });
    for lane in 0..2 {
        story.tell(Fact::LaneCancelled { region: region(lane) });
    }
    let mut harness = Harness::new(story, 80, 24);
    let text = harness.text();
    assert!(text.contains("b build again") && !text.contains("push again"), "{text}");
    assert!(text.contains("- cancelled before anything was sent "), "{text}");
    assert_eq!(harness.press("p"), []);
}

#[test]
fn an_image_that_the_engine_may_have_lost_is_built_again() {
    let failed = |lanes: usize| {
        let mut story = Story::start(plan(2, 14)).build_half().built().push_half();
        for lane in 0..lanes {
            story.tell(Fact::PushFailed {
                region: region(lane),
                problem: Problem::new(
                    Kind::Build,
                    "the engine does not have the image any more",
                    "build it again",
                ),
            });
        }
        Harness::new(story, 80, 24)
    };
    assert_eq!(failed(1).press("b"), [], "the other push goes on with it");
    let mut both = failed(2);
    let text = both.text();
    assert!(text.contains("b build again  p push again"), "{text}");
    assert!(matches!(actions(both.press("b"))[..], [Action::RetryBuild(_)]));
}

#[test]
fn a_retry_that_waits_for_credentials_can_be_taken_back() {
    let mut harness = finished();
    harness.press("X");
    assert!(harness.text().contains("nothing is under way"), "{}", harness.text());
    let mut story = rolling().finished();
    story.tell(Fact::LaneWaits {
        region: region(1),
        problem: Problem::new(Kind::Credentials, "the credentials are expired", "log in"),
    });
    let mut harness = Harness::new(story, 80, 24);
    harness.press("X down");
    assert_eq!(actions(harness.press("enter")), [Action::Cancel(Scope::All)]);
}

#[test]
fn an_unknown_send_stays_in_sight_after_a_later_one() {
    let mut story = rolling().finished();
    let token = Token::new("qd:a1b2c3d4:lost");
    let to = SendTo::Hosts(vec![host_id(0, 0, 2)]);
    story.tell(Fact::SendIntended {
        region: region(0),
        rollout: rollout_name(0),
        token: token.clone(),
        to,
    });
    let problem = Problem::new(Kind::Unexpected, "the answer was lost", "look in the SSM console");
    story.tell(Fact::SendUnknown { token, problem });
    story.send(0, 0, 3, SendTo::Hosts(vec![host_id(0, 0, 5)]));
    let harness = Harness::new(story, 80, 24);
    assert!(
        harness.text().contains("unknown whether SSM has it"),
        "{}",
        harness.text()
    );
}

#[test]
fn a_lane_that_waits_says_for_what_and_is_counted_in_the_header() {
    let mut story = rolling();
    story.tell(Fact::LaneWaits {
        region: region(1),
        problem: Problem::new(Kind::Credentials, "the credentials have expired", "run aws sso login"),
    });
    let text = Harness::new(story, 80, 24).text();
    for said in [
        "? 1 lane needs you",
        "? needs you",
        "the credentials have expired",
        "→ run aws sso login",
    ] {
        assert!(text.contains(said), "{said:?} is missing in\n{text}");
    }
}

// Starting.

#[test]
fn enter_starts_a_plan_that_is_ready_and_nothing_before() {
    let mut harness = Harness::new(Story::default(), 80, 24);
    assert_eq!(actions(harness.press("enter")), []);
    let plan = plan(2, 14);
    harness.told(Update::Checks(checks(&plan, 99)));
    harness.told(Update::Ready(Box::new(plan)));
    assert_eq!(actions(harness.press("enter")), [Action::Start]);
    assert_eq!(actions(harness.press("enter")), [], "once is enough");
}

#[test]
fn a_protected_environment_wants_its_name_typed() {
    let mut plan = plan(2, 14);
    plan.environment.protected = true;
    plan.environment.name = "prod".into();
    let mut harness = planned(plan, usize::MAX, 80, 24);
    assert_eq!(actions(harness.press("enter")), []);
    for wrong in ["pro", "x"] {
        harness.type_text(wrong);
        assert_eq!(actions(harness.press("enter")), [], "{wrong}");
    }
    assert!(harness.text().contains("that is not prod"), "{}", harness.text());
    harness.press("backspace");
    harness.type_text("d");
    assert!(harness.text().contains("56 hosts in 2 regions"), "{}", harness.text());
    assert_eq!(actions(harness.press("enter")), [Action::Start]);
}

#[test]
fn a_start_that_the_engine_refused_can_be_tried_again() {
    let mut harness = ready();
    harness.press("enter");
    let problem = Problem::new(Kind::Locked, "noor@bridge deploys to qa", "wait for it");
    harness.told(Update::Notice(problem));
    assert!(harness.text().contains("noor@bridge deploys to qa"));
    assert_eq!(actions(harness.press("enter")), [Action::Start]);
}

// Leaving and cancelling.

#[test]
fn quitting_asks_while_something_is_under_way_and_only_then() {
    let mut harness = running();
    assert_eq!(harness.press("q"), []);
    let text = harness.text();
    assert!(
        text.contains("SSM goes on without this console: 12 hosts at work, 16"),
        "{text}"
    );
    assert!(text.contains("quarterdeck attach a1b2c3d4"), "{text}");
    assert_eq!(harness.press("n"), []);
    assert_eq!(harness.press("q y"), [Effect::Close(Closing::Quit)]);
    assert_eq!(finished().press("q"), [Effect::Close(Closing::Quit)]);
    let mut build = Harness::new(Story::start(plan(2, 14)).build_half(), 80, 24);
    build.press("q");
    let text = build.text();
    assert!(text.contains("The build stops: this process runs it."), "{text}");
    assert!(
        text.contains("No host has been told in us-east-1, us-east-2."),
        "{text}"
    );
}

#[test]
fn ctrl_c_leaves_cancels_or_stays_and_the_second_one_leaves_at_once() {
    let close = |closing| vec![Effect::Close(closing)];
    assert_eq!(running().press("ctrl-c enter"), [], "the cursor starts on staying");
    assert_eq!(running().press("ctrl-c esc"), []);
    assert_eq!(running().press("ctrl-c ctrl-c"), close(Closing::Interrupted));
    assert_eq!(running().press("ctrl-c up up enter"), close(Closing::Quit));
    let cancel = Effect::Act(Action::Cancel(Scope::All));
    assert_eq!(running().press("ctrl-c k enter"), [cancel]);
    for keys in ["?", "a /", "l", "X", "q", "down down X", "a o enter"] {
        let mut harness = running();
        harness.press(keys);
        let effects = harness.press("ctrl-c ctrl-c");
        assert_eq!(effects, close(Closing::Interrupted), "after {keys}");
    }
    assert_eq!(finished().press("ctrl-c"), close(Closing::Interrupted));
    assert_eq!(ready().press("ctrl-c"), close(Closing::Interrupted));
}

#[test]
fn cancelling_asks_what_with_the_smallest_first() {
    let rollout = Scope::Rollout(region(0), rollout_name(0));
    for (keys, scope) in [
        ("down down X down enter", rollout.clone()),
        ("down down X down down enter", Scope::Lane(region(0))),
        ("down down X down down down enter", Scope::All),
        ("X down enter", Scope::Lane(region(0))),
        ("tab X down enter", Scope::Lane(region(1))),
        ("down down enter X down enter", rollout.clone()),
        ("down down enter enter X down enter", rollout),
    ] {
        let mut harness = running();
        assert_eq!(
            actions(harness.press(keys)).pop(),
            Some(Action::Cancel(scope)),
            "{keys}"
        );
    }
    assert_eq!(
        running().press("X enter"),
        [],
        "the cursor starts on cancelling nothing"
    );
    let mut harness = running();
    harness.press("down down X");
    let text = harness.text();
    assert!(
        text.contains("the rollout ubuntu in us-east-1: 7 hosts not done"),
        "{text}"
    );
    assert!(text.contains("they may have run part of"), "{text}");
    assert!(text.contains("nothing: everything goes on"), "{text}");
    assert_eq!(finished().press("X"), [], "nothing is under way");
    let mut one = Harness::new(Story::start(plan(1, 14)).build_half(), 80, 24);
    assert_eq!(
        actions(one.press("X down enter")),
        [Action::Cancel(Scope::All)],
        "one lane is everything"
    );
}

// Roles.

#[test]
fn who_watches_or_reviews_cannot_ask_for_anything() {
    for role in [Role::Hears, Role::Watches, Role::Orphaned, Role::Reviews] {
        for keys in ["r", "R", "F", "X", "down down s", "a o r", "a o enter r"] {
            let mut harness = finished();
            harness.view.role = role;
            assert_eq!(harness.press(keys), [], "{keys} for {role:?}");
        }
        let mut harness = running();
        harness.view.role = role;
        assert_eq!(harness.press("q"), [Effect::Close(Closing::Quit)], "{role:?}");
    }
    let mut harness = Harness::new(rolling(), 120, 40);
    harness.view.role = Role::Watches;
    harness.press("R");
    assert!(
        harness.text().contains("another process drives this deployment"),
        "{}",
        harness.text()
    );
}

#[test]
fn a_deployment_that_was_left_says_how_to_take_it_up() {
    let mut story = rolling();
    story.tell(Fact::DeploymentLeft {
        reason: "signal 15".into(),
    });
    let mut harness = Harness::new(story, 80, 24);
    harness.view.role = Role::Reviews;
    harness.draw();
    let text = harness.text();
    for said in [
        "nobody follows it (signal 15): 28 hosts had not ended",
        "quarterdeck attach a1b2c3d4",
        "? not followed",
    ] {
        assert!(text.contains(said), "{said:?} is missing in\n{text}");
    }
}

// Around all of it.

#[test]
fn a_cursor_and_a_question_outlive_a_resize() {
    let mut harness = Harness::new(rolling().finished(), 120, 40);
    harness.press("a j j j R");
    for (width, height) in [(40, 12), (10, 3), (200, 50)] {
        harness.resize(width, height);
        harness.draw();
    }
    assert!(matches!(harness.view.dialog, Some(Dialog::Retry { .. })));
    assert_eq!((harness.view.screen(), harness.view.hosts.cursor), (&Screen::Hosts, 3));
}

#[test]
fn a_released_key_is_not_pressed_again() {
    let mut harness = ready();
    let mut key = KeyEvent::new(crossterm::event::KeyCode::Enter, KeyModifiers::NONE);
    key.kind = crossterm::event::KeyEventKind::Release;
    assert_eq!(harness.event(&Event::Key(key)), []);
}

#[test]
fn what_is_pasted_goes_to_the_line_that_is_typed_and_nowhere_else() {
    let mut harness = finished();
    harness.event(&Event::Paste("R\u{1b}[2Jq".to_owned()));
    assert!(harness.view.dialog.is_none());
    harness.press("a /");
    harness.event(&Event::Paste("web\u{1b}[31m-0\n3".to_owned()));
    assert_eq!(harness.view.hosts.filter.value(), "web-0 3");
}

#[test]
fn the_end_rings_once() {
    let mut harness = running();
    let fact = crate::state::Recorded {
        seq: harness.story.state.seq + 1,
        at: super::fixture::at(200),
        fact: Fact::DeploymentSettled {
            outcome: crate::state::Outcome::HostsFailed,
        },
    };
    assert_eq!(harness.told(Update::Fact(fact)), [Effect::Bell]);
}

#[test]
fn nothing_ticks_where_nothing_moves() {
    let looks = |harness: &Harness| harness.view.tick(&harness.story.state);
    assert!(looks(&ready()).is_none(), "a plan that is ready");
    assert!(looks(&finished()).is_none(), "a deployment that has settled");
    let second = std::time::Duration::from_secs(1);
    assert_eq!(looks(&running()), Some(second), "seconds are counted");
    let build = Harness::new(Story::start(plan(2, 14)).build_half(), 80, 24);
    assert!(looks(&build).is_some_and(|tick| tick < second), "a spinner turns");
    let pending = Harness::looking(Story::default(), 80, 24, Look::default());
    assert!(looks(&pending).is_some_and(|tick| tick < second), "checks are pending");
}
