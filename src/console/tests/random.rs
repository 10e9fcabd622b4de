//! Whatever happens and whatever is pressed, in a terminal of whatever size: what always holds.

use std::collections::BTreeSet;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

use super::fixture::{Story, at, host_id, plan, region};
use super::harness::Harness;
use super::screens::{planned, rolling};
use crate::console::draw::draw;
use crate::console::host_index::HostIndex;
use crate::console::view::{HostList, Look, Screen, View};
use crate::engine::Update;
use crate::problem::{Kind, Problem};
use crate::state::{Counts, Fact, HostStatus, Output, SendTo};
use crate::text::Clean;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    Keys(&'static str),
    Type(String),
    Resize(u16, u16),
    Host(usize, usize, usize, HostStatus),
    Stranger(usize),
    Output(usize, String),
    Waits(usize, String),
    Retry(usize, usize, usize),
    Settled,
    Later(i64),
}

const KEYS: &[&str] = &[
    "j",
    "k",
    "g",
    "G",
    "pgdn",
    "pgup",
    "ctrl-d",
    "ctrl-u",
    "tab",
    "shift-tab",
    "left",
    "right",
    "up",
    "down",
    "1",
    "2",
    "enter",
    "esc",
    "z",
    "a",
    "l",
    "r",
    "R",
    "F",
    "f",
    "X",
    "q",
    "?",
    "y",
    "n",
    "N",
    "space",
    "ctrl-space",
    "*",
    "u",
    "e",
    "o",
    "t",
    "/",
    "w",
    "[",
    "]",
    "v",
    "m",
    "ctrl-s",
    "ctrl-c",
    "A",
    "s",
    "b",
    "p",
];

fn foreign() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("日本語のホスト".to_owned()),
        Just("\u{202e}gnihsup \u{1b}[31mred\u{1b}[0m \u{9b}2J e\u{301}\u{200d}".to_owned()),
        Just("🚢🚢 a very long line without any end to it that goes on and on and on and on and on".to_owned()),
        "\\PC{0,40}",
    ]
}

fn status() -> impl Strategy<Value = HostStatus> {
    use HostStatus::{
        AccessDenied, Cancelled, Cancelling, Delayed, DeliveryTimedOut, ExecutionTimedOut, Failed, InProgress,
        InvalidPlatform, Missing, NotSent, Pending, Success, Terminated, Undeliverable, Waiting,
    };
    let known = [
        Waiting,
        NotSent,
        Pending,
        InProgress,
        Delayed,
        Cancelling,
        Success,
        Failed,
        ExecutionTimedOut,
        DeliveryTimedOut,
        Undeliverable,
        Terminated,
        Cancelled,
        InvalidPlatform,
        AccessDenied,
        Missing,
    ];
    prop_oneof![
        9 => prop::sample::select(known.to_vec()),
        1 => foreign().prop_map(|word| HostStatus::read("Failed", &word)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => prop::sample::select(KEYS).prop_map(Event::Keys),
        1 => foreign().prop_map(Event::Type),
        2 => (1..220u16, 1..60u16).prop_map(|(width, height)| Event::Resize(width, height)),
        6 => (0..2usize, 0..2usize, 0..14usize, status()).prop_map(|(l, r, h, s)| Event::Host(l, r, h, s)),
        1 => (0..9usize).prop_map(Event::Stranger),
        1 => (0..14usize, foreign()).prop_map(|(host, text)| Event::Output(host, text)),
        1 => (0..2usize, foreign()).prop_map(|(lane, text)| Event::Waits(lane, text)),
        1 => (0..2usize, 0..2usize, 0..14usize).prop_map(|(l, r, h)| Event::Retry(l, r, h)),
        1 => Just(Event::Settled),
        1 => (0..100_000i64).prop_map(Event::Later),
    ]
}

fn happen(harness: &mut Harness, event: Event, serial: usize) {
    let command = Story::command(0, 0, 1);
    match event {
        Event::Keys(keys) => {
            harness.press(keys);
        }
        Event::Type(text) => harness.type_text(&text),
        Event::Resize(width, height) => harness.resize(width, height),
        Event::Host(lane, rollout, host, status) => harness.story.host(lane, rollout, 1, host, status),
        Event::Stranger(host) => harness.story.host(0, 1, 1, 100 + host, HostStatus::InProgress),
        Event::Output(host, text) => harness.story.tell(Fact::OutputRead {
            command,
            host: host_id(0, 0, host),
            output: Output {
                stdout: Clean::block(&text.repeat(20)),
                stderr: Clean::block(&text),
                stdout_cut: true,
                stderr_cut: false,
            },
        }),
        Event::Waits(lane, text) => harness.story.tell(Fact::LaneWaits {
            region: region(lane),
            problem: Problem::new(Kind::Credentials, &text, &text),
        }),
        Event::Retry(lane, rollout, host) => {
            let hosts = vec![host_id(lane, rollout, host)];
            harness.story.send(lane, rollout, 10 + serial, SendTo::Hosts(hosts));
        }
        Event::Settled => {
            let outcome = harness.story.state.outcome();
            harness.story.tell(Fact::DeploymentSettled { outcome });
        }
        Event::Later(seconds) => harness.story.now += seconds,
    }
    harness.draw();
}

/// The harness's frame, drawn anew with another look.
fn frame(harness: &Harness, look: Look) -> Buffer {
    let area = harness.buffer().area;
    let mut view = harness.view.clone();
    view.look = look;
    let mut terminal = Terminal::new(TestBackend::new(area.width, area.height)).expect("a test backend cannot fail");
    let Story { state, live, now, .. } = &harness.story;
    terminal
        .draw(|frame| drop(draw(frame, state, live, &view, at(*now))))
        .expect("a test backend cannot fail");
    terminal.backend().buffer().clone()
}

fn symbols(buffer: &Buffer) -> Vec<&str> {
    buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect()
}

/// What always holds.
fn holds(harness: &Harness) -> Result<(), TestCaseError> {
    let coloured = frame(harness, Look::default());
    prop_assert_eq!(
        &coloured,
        &frame(harness, Look::default()),
        "drawing is a pure function"
    );
    let plain = frame(
        harness,
        Look {
            colour: false,
            ..Look::default()
        },
    );
    prop_assert_eq!(
        symbols(&coloured),
        symbols(&plain),
        "without colours the text is the same"
    );
    let ascii = frame(
        harness,
        Look {
            ascii: true,
            ..Look::default()
        },
    );
    prop_assert!(
        symbols(&ascii).iter().all(|symbol| symbol.is_ascii()),
        "--ascii is ASCII"
    );
    for (at, cell) in coloured.content.iter().enumerate() {
        // Spacing marks widen a symbol to three columns and more; a terminal wraps what does not fit.
        let (symbol, (x, _)) = (cell.symbol(), coloured.pos_of(at));
        let fits = usize::from(x) + symbol.width() <= usize::from(coloured.area.width);
        prop_assert!(fits, "{:?} at column {} is wider than its row", symbol, x);
        let bad = |c: char| {
            c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
        };
        prop_assert!(!symbol.chars().any(bad), "{:?} would be obeyed by a terminal", symbol);
    }
    cursor_is_visible(harness, &coloured)?;
    rows_are_right(harness)?;
    counts_add_up(harness)
}

/// The row under the cursor is on the screen, and reversed.
fn cursor_is_visible(harness: &Harness, buffer: &Buffer) -> Result<(), TestCaseError> {
    let view: &View = &harness.view;
    let small = buffer.area.width < 40 || buffer.area.height < 10;
    if small || view.dialog.is_some() || view.help.is_some() || *view.screen() != Screen::Hosts {
        return Ok(());
    }
    let rows = view.hosts.index.rows().len();
    if rows == 0 {
        return Ok(());
    }
    let (cursor, painted) = (view.hosts.cursor, &view.painted);
    let seen = painted.offset..painted.offset + painted.page;
    prop_assert!(
        cursor < rows && seen.contains(&cursor),
        "row {} is not in {:?} of {}",
        cursor,
        seen,
        rows
    );
    let reversed = buffer
        .content
        .iter()
        .filter(|cell| cell.modifier.contains(ratatui::style::Modifier::REVERSED))
        .count();
    prop_assert!(reversed >= 30, "the row under the cursor does not stand out");
    Ok(())
}

/// The rows that followed every change are those that are made at once.
fn rows_are_right(harness: &Harness) -> Result<(), TestCaseError> {
    let mut list = harness.view.hosts.clone();
    list.refresh(&harness.story.state);
    let mut fresh = HostList {
        index: HostIndex::default(),
        ..list.clone()
    };
    fresh.refresh(&harness.story.state);
    prop_assert_eq!(list.index.rows(), fresh.index.rows());
    Ok(())
}

/// The fold's running counts and tallies are what a walk over the fleet finds.
fn counts_add_up(harness: &Harness) -> Result<(), TestCaseError> {
    for rollout in harness.story.state.lanes.iter().flat_map(|lane| &lane.rollouts) {
        let counted =
            |wanted: fn(&HostStatus) -> bool| rollout.hosts.iter().filter(|host| wanted(host.status())).count();
        let Counts {
            waiting,
            running,
            succeeded,
            ..
        } = rollout.counts;
        prop_assert_eq!(rollout.counts.total(), rollout.hosts.len());
        prop_assert_eq!(succeeded, counted(|status| *status == HostStatus::Success));
        prop_assert_eq!(waiting + running, counted(|status| !status.is_end()));
        prop_assert_eq!(rollout.tally.pending, counted(|status| *status == HostStatus::Pending));
        prop_assert_eq!(rollout.tally.delayed, counted(|status| *status == HostStatus::Delayed));
        let failed = |status: &HostStatus| matches!(status, HostStatus::Failed | HostStatus::ExecutionTimedOut);
        prop_assert_eq!(rollout.tally.failed, counted(failed));
        let told: BTreeSet<usize> = rollout
            .tally
            .trouble()
            .flat_map(|(_, _, hosts)| hosts)
            .copied()
            .collect();
        let hosts = rollout.hosts.iter().enumerate();
        let found: BTreeSet<usize> = hosts
            .filter(|(_, host)| host.can_be_retried())
            .map(|(at, _)| at)
            .collect();
        prop_assert_eq!(told, found);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_screen_holds_what_it_promises(events in prop::collection::vec(event(), 1..40)) {
        let mut harness = Harness::new(rolling(), 80, 24);
        for (serial, event) in events.into_iter().enumerate() {
            happen(&mut harness, event, serial);
        }
        holds(&harness)?;
    }

    #[test]
    fn a_plan_of_any_words_is_drawn_in_any_size(
        text in foreign(), width in 1..200u16, height in 1..60u16, protected: bool, done in 0..24usize,
    ) {
        let mut plan = plan(2, 14);
        plan.environment.name = Clean::line(&text);
        plan.environment.protected = protected;
        plan.commit.subject = Clean::line(&text);
        plan.lanes[0].rollouts[0].expected[0].name = Clean::line(&text);
        plan.warnings = vec![Clean::line(&text)];
        let mut harness = planned(plan, done, width, height);
        for keys in ["", "v", "j", "enter", "?"] {
            harness.press(keys);
            holds(&harness)?;
        }
        harness.told(Update::Blocked(vec![Problem::new(Kind::Config, &text, &text)]));
        holds(&harness)?;
    }
}

#[test]
fn no_size_is_too_small_to_be_drawn_in() {
    for width in 1..45 {
        for height in 1..14 {
            let mut harness = Harness::new(rolling().finished(), width, height);
            for keys in ["z", "esc a", "enter", "esc R", "esc l", "esc ?"] {
                harness.press(keys);
            }
        }
    }
}

#[test]
fn the_counts_of_every_panel_are_those_of_its_hosts() {
    let mut story = rolling();
    story.host(0, 0, 1, 13, HostStatus::Terminated);
    let text = Harness::new(story, 200, 50).text();
    assert!(
        text.contains("✓ 5 done  ✗ 2 failed  - 1 not run  ▸ 3 running  · 3 waiting"),
        "{text}"
    );
}
