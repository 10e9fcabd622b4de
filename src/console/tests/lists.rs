//! Lists and texts: moving, filtering, marking, searching, copying, with keys and with the mouse.

use crossterm::event::{Event, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::fixture::{DIGEST, Story, host_id, plan, region, rollout_name};
use super::harness::{Harness, actions};
use super::keys::{finished, running};
use super::screens::rolling;
use crate::console::update::Effect;
use crate::console::view::{Dialog, HostAt, Screen};
use crate::engine::Action;
use crate::state::HostStatus;

#[test]
fn a_filter_takes_words_and_words_to_leave_out() {
    let rows = |harness: &Harness| harness.view.hosts.index.rows().len();
    let mut harness = finished();
    harness.press("a /");
    harness.type_text("web us-east-2");
    assert_eq!(rows(&harness), 14, "while it is typed");
    harness.press("enter");
    assert!(harness.text().contains("filter: web us-east-2"), "{}", harness.text());
    harness.press("/");
    harness.type_text(" !SUCCESS");
    harness.press("enter");
    assert_eq!(rows(&harness), 2);
    harness.press("esc");
    assert_eq!(
        (rows(&harness), harness.view.screen()),
        (56, &Screen::Hosts),
        "esc takes the filter first"
    );
    harness.press("esc");
    assert_eq!(harness.view.screen(), &Screen::Lanes);
    harness.press("a e");
    assert_eq!(rows(&harness), 6);
    harness.press("/");
    harness.type_text("nobody");
    harness.press("enter");
    assert!(harness.text().contains("no host fits"), "{}", harness.text());
    assert_eq!(
        harness.press("enter space * r y"),
        [],
        "an empty list has nothing to open, mark, retry or copy"
    );
}

#[test]
fn another_order_is_looked_at_from_its_first_row() {
    let under_cursor = |harness: &Harness| harness.view.hosts.index.rows()[harness.view.hosts.cursor].host;
    let mut harness = finished();
    harness.press("a j j j o");
    assert_eq!(
        (harness.view.hosts.cursor, under_cursor(&harness)),
        (0, 2),
        "the one that failed"
    );
    harness.press("o");
    assert_eq!((harness.view.hosts.cursor, under_cursor(&harness)), (0, 0));
}

#[test]
fn the_cursor_stays_on_its_host_while_the_fleet_moves() {
    let mut harness = running();
    harness.press("a o j j j j");
    let under_cursor = |harness: &Harness| harness.view.hosts.index.rows()[harness.view.hosts.cursor];
    let (before, row) = (under_cursor(&harness), harness.view.hosts.cursor);
    harness.story.host(0, 0, 1, 9, HostStatus::Failed);
    harness.draw();
    assert_eq!(under_cursor(&harness), before);
    assert_eq!(harness.view.hosts.cursor, row + 1, "another host went before it");
}

#[test]
fn marks_go_by_one_by_range_and_all_and_belong_to_their_list() {
    let mut harness = finished();
    harness.press("a space j j ctrl-space");
    assert_eq!(harness.view.marks.len(), 4, "from the first to the cursor");
    harness.press("space");
    assert_eq!(harness.view.marks.len(), 3);
    harness.press("*");
    assert_eq!(harness.view.marks.len(), 56);
    harness.press("u");
    assert!(harness.view.marks.is_empty());
    harness.press("space esc down down enter");
    assert!(harness.view.marks.is_empty(), "another list has none of them");
    harness.press("space ctrl-\\");
    assert!(harness.view.marks.is_empty());
}

#[test]
fn a_search_jumps_from_hit_to_hit_and_around() {
    let mut harness = running();
    harness.press("l g /");
    harness.type_text("case_1");
    harness.press("enter");
    let first = harness.view.window.hit.expect("there are such lines");
    harness.press("n");
    assert_eq!(harness.view.window.hit, Some(first + 1));
    harness.press("N N");
    let last = harness.view.window.hit.expect("around the end");
    assert!(last > first, "{last} follows {first}");
    assert!(!harness.view.window.follow, "it stays where the hit is");
    harness.press("/");
    harness.type_text("0 nonsense");
    harness.press("enter");
    assert!(harness.text().contains("no hit"), "{}", harness.text());
    harness.press("esc");
    assert_eq!(
        harness.view.screen(),
        &Screen::Log(super::fixture::build_id()),
        "esc ends the search first"
    );
}

#[test]
fn a_text_is_followed_until_it_is_scrolled_and_again_on_f() {
    let mut harness = running();
    harness.press("l");
    assert!(harness.view.window.follow && harness.text().contains("case_30"));
    harness.press("g");
    assert!(!harness.view.window.follow && harness.text().contains("case_01"));
    harness.press("f");
    assert!(harness.text().contains("case_30"));
    for (key, line) in [
        ("g", "case_01"),
        ("G", "case_30"),
        ("home", "case_01"),
        ("end", "case_30"),
    ] {
        harness.press(key);
        assert!(harness.text().contains(line), "{key}");
    }
}

#[test]
fn lists_move_by_line_page_half_page_and_ends() {
    let mut harness = finished();
    harness.press("a");
    for (key, row) in [
        ("j", 1),
        ("down", 2),
        ("k", 1),
        ("up", 0),
        ("pgdn", 20),
        ("ctrl-f", 40),
        ("ctrl-b", 20),
        ("pgup", 0),
        ("ctrl-d", 10),
        ("ctrl-u", 0),
        ("G", 55),
        ("g", 0),
        ("end", 55),
        ("home", 0),
    ] {
        harness.press(key);
        assert_eq!(harness.view.hosts.cursor, row, "{key}");
    }
}

#[test]
fn panels_are_reached_by_tab_arrows_and_numbers() {
    let mut harness = Harness::new(Story::start(plan(6, 8)).build_half(), 120, 40);
    for (key, lane) in [
        ("tab", 1),
        ("right", 2),
        ("left", 1),
        ("shift-tab", 0),
        ("shift-tab", 5),
        ("3", 2),
        ("9", 2),
        ("1", 0),
    ] {
        harness.press(key);
        assert_eq!(harness.view.focus.lane, lane, "{key}");
    }
    assert!(harness.press("9").is_empty() && harness.text().contains("there is no lane 9"));
    // Down from the last item of a panel goes to the panel below it.
    harness.press("1 down down down down");
    assert_eq!(harness.view.focus.lane, 3);
}

#[test]
fn attempts_are_kept_and_looked_through() {
    let mut harness = Harness::new(rolling().finished().retried(), 80, 24);
    harness.press("a j j enter");
    assert!(harness.text().contains("output of try 2"));
    harness.press("[");
    let text = harness.text();
    assert!(
        text.contains("output of try 1") && text.contains("no space left on device"),
        "{text}"
    );
    harness.press("]");
    assert!(harness.text().contains("output of try 2"));
}

#[test]
fn an_opened_host_has_its_output_read_once() {
    let mut harness = finished();
    let read = |host| Action::ReadOutput {
        region: region(0),
        rollout: rollout_name(0),
        host: host_id(0, 0, host),
    };
    assert_eq!(actions(harness.press("a enter")), [read(0)]);
    assert_eq!(actions(harness.press("down t w")), []);
    assert_eq!(
        actions(harness.press("esc j j enter")),
        [],
        "the failed one's is there already"
    );
    assert_eq!(
        actions(harness.press("esc k k enter")),
        [read(0)],
        "opened anew, it is asked for anew"
    );
    assert_eq!(actions(running().press("a G enter")), [], "it has not ended");
}

#[test]
fn copying_says_what_was_copied() {
    let copied = |keys: &str| match running().press(keys).pop() {
        Some(Effect::Copy(text)) => text,
        other => panic!("{keys} did {other:?}"),
    };
    assert_eq!(copied("y"), "/home/noor/.local/state/quarterdeck/a1b2c3d4-build-1.log");
    assert_eq!(copied("down y"), DIGEST);
    assert_eq!(copied("down down c"), Story::command(0, 0, 1).as_str());
    assert_eq!(copied("a y"), host_id(0, 0, 0).as_str());
    assert_eq!(
        copied("a space space y"),
        format!("{}\n{}", host_id(0, 0, 0), host_id(0, 0, 1))
    );
    assert!(copied("a j j enter y").contains("no space left on device"));
}

#[test]
fn a_text_is_saved_under_a_name_that_any_file_system_takes() {
    let mut harness = running();
    let Some(Effect::Save { name, text }) = harness.press("a j j enter ctrl-s").pop() else {
        panic!("nothing was saved");
    };
    assert_eq!(name, format!("quarterdeck-a1b2c3d4-{}-try1.txt", host_id(0, 0, 2)));
    assert!(text.contains("no space left on device"), "{text}");
}

// The mouse.

fn click(harness: &mut Harness, column: u16, row: u16) -> Vec<Effect> {
    harness.event(&Event::Mouse(MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column,
        row,
        modifiers: KeyModifiers::NONE,
    }))
}

#[test]
fn a_click_points_and_a_second_one_opens() {
    let mut harness = finished();
    assert_eq!(harness.press("m"), [Effect::Mouse(true)]);
    click(&mut harness, 60, 1);
    assert_eq!(harness.view.focus.lane, 1, "a click on a panel's frame");
    click(&mut harness, 5, 6);
    assert_eq!((harness.view.focus.lane, harness.view.focus.item), (0, 2), "on ubuntu");
    click(&mut harness, 5, 6);
    assert_eq!(harness.view.screen(), &Screen::Hosts);
    click(&mut harness, 5, 5);
    assert_eq!(harness.view.hosts.cursor, 2);
    click(&mut harness, 5, 5);
    assert!(matches!(harness.view.screen(), Screen::Host(HostAt { host: 2, .. })));
    harness.press("esc R");
    click(&mut harness, 5, 5);
    assert!(
        matches!(harness.view.dialog, Some(Dialog::Retry { .. })),
        "a question is answered by keys"
    );
    assert_eq!(harness.press("esc m"), [Effect::Mouse(false)]);
}

#[test]
fn the_wheel_scrolls_what_is_under_it() {
    let mut harness = finished();
    harness.press("a");
    let wheel = |kind| {
        Event::Mouse(MouseEvent {
            kind,
            column: 5,
            row: 5,
            modifiers: KeyModifiers::NONE,
        })
    };
    harness.event(&wheel(MouseEventKind::ScrollDown));
    assert_eq!(harness.view.hosts.cursor, 3);
    harness.event(&wheel(MouseEventKind::ScrollUp));
    assert_eq!(harness.view.hosts.cursor, 0);
}

#[test]
fn the_domain_of_a_private_name_gives_way_to_the_name() {
    for (name, short) in [
        ("ip-10-0-143-224.ec2.internal", "ip-10-0-143-224"),
        ("ip-10-0-143-224.us-east-2.compute.internal", "ip-10-0-143-224"),
        ("web-1.example.com", "web-1.example.com"),
    ] {
        let mut plan = plan(1, 4);
        plan.lanes[0].rollouts[0].expected[0].name = name.into();
        let mut harness = Harness::new(Story::start(plan).build_half(), 120, 24);
        harness.press("a");
        let text = harness.text();
        assert!(text.contains(&format!("{short} ")), "{text}");
        harness.press("enter");
        assert!(harness.text().contains(name), "the host's page says all of it");
    }
}
