//! A frame with ten thousand hosts against a frame with a hundred, each after a fact that changed a host.

use std::time::{Duration, Instant};

use quarterdeck::console::draw::draw;
use quarterdeck::console::update;
use quarterdeck::console::view::{Look, Screen, View};
use quarterdeck::engine::Update;
use quarterdeck::rehearsal::fleet::story::Troubles;
use quarterdeck::state::live::Live;
use quarterdeck::state::{Fact, Recorded, State};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::table::{Figure, median, millis, times};
use super::voyage::{self, Fleet};

const FEW: usize = 100;
const MANY: usize = 10_000;
/// Frames of each measurement; the few hosts have hardly more facts.
const FRAMES: usize = 120;
/// Measurements by turns, so that what else the machine does strikes both alike.
const ROUNDS: usize = 9;
const BOUND: f64 = 2.0;

/// What is looked at.
type Looking = (&'static str, fn(&mut View));

const SCREENS: [Looking; 5] = [
    ("the overview", |_| ()),
    ("a lane", |view| view.open(Screen::Lane)),
    ("the host list", |view| view.open(Screen::Hosts)),
    ("the host list by state", |view| {
        view.hosts.by_state = true;
        view.open(Screen::Hosts);
    }),
    ("the filtered host list", |view| {
        view.hosts.filter = "ubuntu !success".into();
        view.open(Screen::Hosts);
    }),
];

pub fn measure() -> Vec<Figure> {
    let (few, many) = (facts(FEW), facts(MANY));
    let figures = SCREENS.map(|(name, look)| {
        let rounds = (0..ROUNDS).map(|_| (frame(&few, look), frame(&many, look)));
        let (small, large): (Vec<Duration>, Vec<Duration>) = rounds.unzip();
        let small = median(small).unwrap_or_default();
        let large = median(large).unwrap_or_default();
        let ratio = large.as_secs_f64() / small.as_secs_f64();
        let name = format!(
            "a fact and a frame of {name}, {MANY} hosts ({}) to {FEW} ({})",
            millis(large),
            millis(small)
        );
        Figure::at_most(name, ratio, BOUND, times)
    });
    figures.into()
}

fn facts(hosts: usize) -> Vec<Recorded> {
    let fleet = Fleet {
        regions: 2,
        hosts,
        rollouts: &[("ubuntu", &["Ubuntu"]), ("linux", &["Linux"])],
        concurrency: "50",
        troubles: Troubles::usual,
    };
    voyage::sail(1, &fleet).facts
}

/// The median of the frames in the middle of a deployment.
fn frame(facts: &[Recorded], look: fn(&mut View)) -> Duration {
    let changes = |recorded: &&Recorded| matches!(recorded.fact, Fact::HostChanged { .. });
    let middle = facts.len() / 2 - FRAMES / 2;
    let (before, after) = facts.split_at(middle);
    let mut state = State::replay(before);
    let live = Live::default();
    let mut view = View::new(Look::default());
    view.follow(&state);
    look(&mut view);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a test backend cannot fail");
    let times = after.iter().filter(changes).take(FRAMES).map(|recorded| {
        let begin = Instant::now();
        state.apply(recorded);
        update::told(&mut view, &state, Update::Fact(recorded.clone()));
        view.follow(&state);
        let mut painted = None;
        terminal
            .draw(|frame| painted = Some(draw(frame, &state, &live, &view, recorded.at)))
            .expect("a test backend cannot fail");
        view.absorb(painted.expect("the frame was drawn"));
        begin.elapsed()
    });
    median(times.collect()).unwrap_or_default()
}
