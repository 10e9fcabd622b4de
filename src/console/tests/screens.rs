//! What stands on the screen, at the sizes that people have.

use super::fixture::{Story, checks, plan};
use super::harness::Harness;
use crate::console::view::Look;
use crate::engine::Update;
use crate::plan::Plan;
use crate::problem::{Kind, Problem};

type Named = (&'static str, fn() -> Story);

fn stories() -> Vec<Named> {
    vec![
        ("build", || Story::start(plan(2, 14)).build_half()),
        ("build_failed", || Story::start(plan(2, 14)).build_half().build_failed()),
        ("push", || Story::start(plan(2, 14)).build_half().built().push_half()),
        ("rolling", rolling),
        ("finished", || rolling().finished()),
        ("retried", || rolling().finished().retried()),
    ]
}

pub fn rolling() -> Story {
    Story::start(plan(2, 14))
        .build_half()
        .built()
        .push_half()
        .pushed()
        .rolling()
}

pub fn planned(plan: Plan, done: usize, width: u16, height: u16) -> Harness {
    let mut harness = Harness::new(Story::default(), width, height);
    let checks = checks(&plan, done);
    let all = checks.len();
    harness.told(Update::Checks(checks));
    if done >= all {
        harness.told(Update::Ready(Box::new(plan)));
    }
    harness
}

#[test]
fn the_overview_tells_each_stage_at_80x24() {
    for (name, story) in stories() {
        insta::assert_snapshot!(format!("lanes_{name}_80x24"), Harness::new(story(), 80, 24).text());
    }
}

#[test]
fn the_overview_uses_the_room_there_is() {
    for (width, height) in [(120, 40), (200, 50), (40, 12)] {
        for (name, story) in [
            ("push", stories()[2].1),
            ("rolling", stories()[3].1),
            ("finished", stories()[4].1),
        ] {
            insta::assert_snapshot!(
                format!("lanes_{name}_{width}x{height}"),
                Harness::new(story(), width, height).text()
            );
        }
    }
}

#[test]
fn six_regions_stand_in_a_grid_and_thirty_scroll() {
    let story = |lanes| {
        Story::start(plan(lanes, 8))
            .build_half()
            .built()
            .push_half()
            .pushed()
            .rolling()
    };
    insta::assert_snapshot!("lanes_six_120x40", Harness::new(story(6), 120, 40).text());
    let mut many = Harness::new(story(30), 80, 24);
    many.press("tab tab tab tab tab tab tab tab tab tab");
    insta::assert_snapshot!("lanes_thirty_80x24", many.text());
}

#[test]
fn a_zoomed_lane_says_everything() {
    let mut push = Harness::new(Story::start(plan(2, 14)).build_half().built().push_half(), 80, 24);
    push.press("2 z");
    insta::assert_snapshot!("lane_push_80x24", push.text());
    let mut rolling = Harness::new(rolling(), 120, 40);
    rolling.press("z");
    insta::assert_snapshot!("lane_rolling_120x40", rolling.text());
}

#[test]
fn a_short_page_of_a_lane_opens_where_its_trouble_is() {
    let mut harness = Harness::new(rolling().finished(), 60, 12);
    harness.press("z");
    let text = harness.text();
    let lane = text.lines().find(|line| line.contains("failed: web-03"));
    assert!(lane.is_some_and(|line| line.starts_with('┃')), "{text}");
}

#[test]
fn a_narrow_header_keeps_the_id_that_commands_take() {
    let harness = Harness::new(rolling().finished(), 60, 15);
    let text = harness.text();
    let first = text.lines().next().unwrap_or_default();
    assert!(first.contains("a1b2c3d4") && !first.contains("123456789012"), "{first}");
}

#[test]
fn the_plan_fits_one_screen() {
    let all = checks(&plan(2, 14), 0).len();
    insta::assert_snapshot!("plan_pending_80x24", planned(plan(2, 14), 6, 80, 24).text());
    insta::assert_snapshot!("plan_ready_80x24", planned(plan(2, 14), all, 80, 24).text());
    insta::assert_snapshot!("plan_ready_120x40", planned(plan(2, 14), all, 120, 40).text());
    insta::assert_snapshot!("plan_ready_200x50", planned(plan(2, 14), all, 200, 50).text());
    insta::assert_snapshot!("plan_ready_40x12", planned(plan(2, 14), all, 40, 12).text());
}

#[test]
fn a_blocked_plan_says_what_to_do() {
    let mut harness = planned(plan(2, 14), 6, 80, 24);
    harness.told(Update::Blocked(vec![
        Problem::new(
            Kind::Credentials,
            "the credentials of profile qa in us-east-1 have expired",
            "run `aws sso login --profile qa`, then press ctrl-r",
        ),
        Problem::new(
            Kind::NoHosts,
            "no host in us-east-2 has tag:Environment=QA and tag:OS=Linux",
            "check the targets of rollout linux in config.toml",
        ),
    ]));
    insta::assert_snapshot!("plan_blocked_80x24", harness.text());
}

#[test]
fn a_protected_environment_and_a_rehearsal_are_seen_in_every_frame() {
    let mut protected = plan(2, 14);
    protected.environment.protected = true;
    protected.environment.name = "prod".into();
    protected.rehearsal = true;
    let all = checks(&protected, 0).len();
    let mut harness = planned(protected.clone(), all, 80, 24);
    harness.press("enter");
    harness.type_text("pro");
    insta::assert_snapshot!("plan_protected_80x24", harness.text());
    let harness = Harness::new(Story::start(protected).build_half(), 80, 24);
    insta::assert_snapshot!("lanes_protected_80x24", harness.text());
    let look = Look {
        rehearsal: true,
        environment: "qa".into(),
        app: "sento".into(),
        ..Look::default()
    };
    assert!(
        Harness::looking(Story::default(), 40, 12, look)
            .text()
            .contains("REHEARSAL"),
        "before there is a plan"
    );
}

#[test]
fn hosts_are_listed_and_opened() {
    for (width, height) in [(80, 24), (120, 40), (40, 12)] {
        let mut harness = Harness::new(rolling().finished(), width, height);
        harness.press("a o space");
        insta::assert_snapshot!(format!("hosts_{width}x{height}"), harness.text());
        harness.press("up enter");
        insta::assert_snapshot!(format!("host_{width}x{height}"), harness.text());
    }
    let mut retried = Harness::new(rolling().finished().retried(), 80, 24);
    retried.press("a j j enter");
    insta::assert_snapshot!("host_retried_80x24", retried.text());
}

#[test]
fn the_log_says_where_the_rest_is() {
    let mut harness = Harness::new(Story::start(plan(2, 14)).build_half(), 80, 24);
    harness.press("l");
    insta::assert_snapshot!("log_80x24", harness.text());
    let mut failed = Harness::new(Story::start(plan(2, 14)).build_half().build_failed(), 80, 24);
    failed.press("z");
    insta::assert_snapshot!("lane_build_failed_80x24", failed.text());
}

#[test]
fn questions_say_what_will_happen() {
    let mut harness = Harness::new(rolling().finished(), 80, 24);
    harness.press("R");
    insta::assert_snapshot!("retry_asked_80x24", harness.text());
    let mut running = Harness::new(rolling(), 80, 24);
    running.press("q");
    insta::assert_snapshot!("quit_80x24", running.text());
    running.press("esc ctrl-c");
    insta::assert_snapshot!("interrupt_80x24", running.text());
    running.press("esc down down X");
    insta::assert_snapshot!("cancel_80x24", running.text());
    running.press("esc ?");
    insta::assert_snapshot!("help_80x24", running.text());
}

#[test]
fn without_colours_the_text_is_the_same() {
    for (_, story) in stories() {
        let plain = Look {
            colour: false,
            ..Look::default()
        };
        assert_eq!(
            Harness::new(story(), 80, 24).text(),
            Harness::looking(story(), 80, 24, plain).text()
        );
    }
}

#[test]
fn without_colours_the_cursor_is_still_seen() {
    let plain = Look {
        colour: false,
        ..Look::default()
    };
    let mut harness = Harness::looking(rolling(), 80, 24, plain);
    harness.press("a");
    let reversed = |harness: &Harness| {
        let cells = &harness.buffer().content;
        cells
            .iter()
            .filter(|cell| cell.modifier.contains(ratatui::style::Modifier::REVERSED))
            .count()
    };
    assert!(reversed(&harness) > 20, "the row under the cursor is reversed");
    let coloured = harness
        .buffer()
        .content
        .iter()
        .find(|cell| cell.fg != ratatui::style::Color::Reset);
    assert!(coloured.is_none(), "{coloured:?} has a colour");
}

#[test]
fn ascii_means_ascii() {
    for (_, story) in stories() {
        let look = Look {
            ascii: true,
            ..Look::default()
        };
        let mut harness = Harness::looking(story(), 80, 24, look);
        for keys in ["", "z", "esc a", "enter", "esc esc l", "esc ?"] {
            harness.press(keys);
            assert!(harness.text().is_ascii(), "after {keys}:\n{}", harness.text());
        }
    }
}

#[test]
fn in_ascii_an_arrow_is_not_named_like_another_key() {
    let look = Look {
        ascii: true,
        ..Look::default()
    };
    let mut harness = Harness::looking(rolling(), 80, 100, look);
    harness.press("X");
    assert!(harness.text().contains("up/down choose"), "{}", harness.text());
    harness.press("esc ?");
    let text = harness.text();
    assert!(text.contains("|up k ") && text.contains("|tab right "), "{text}");
    assert!(!text.contains("|v ") && !text.contains("|^ "), "{text}");
}

#[test]
fn a_terminal_that_is_too_small_is_told_the_size() {
    let harness = Harness::new(rolling(), 30, 8);
    assert!(
        harness.text().starts_with("needs 40x10\nhas 30x8"),
        "{}",
        harness.text()
    );
}

#[test]
fn the_styles_of_a_frame_are_these() {
    let harness = Harness::new(rolling(), 80, 24);
    insta::assert_snapshot!("styles_rolling_80x24", styles(harness.buffer()));
}

/// Runs of cells with a style other than the terminal's own, line by line.
fn styles(buffer: &ratatui::buffer::Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let style = buffer[(x, y)].style();
            let from = x;
            let mut text = String::new();
            while x < buffer.area.width && buffer[(x, y)].style() == style {
                text.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            let plain = style.fg.is_none_or(|fg| fg == ratatui::style::Color::Reset) && style.add_modifier.is_empty();
            if !plain && !text.trim().is_empty() {
                let fg = style
                    .fg
                    .filter(|fg| *fg != ratatui::style::Color::Reset)
                    .map(|fg| format!("{fg} "))
                    .unwrap_or_default();
                out.push_str(&format!(
                    "{y:2}:{from:<3} {fg}{:?} {:?}\n",
                    style.add_modifier,
                    text.trim()
                ));
            }
        }
    }
    out
}
