//! What the console costs while nothing happens.

use std::time::Duration;

use super::program::{Scene, Terminal};
use super::table::{Figure, percent};

const WATCHED: Duration = Duration::from_secs(10);
/// Of one processor.
const BOUND: f64 = 0.005;

pub fn measure() -> Vec<Figure> {
    let scene = Scene::serve(&["--speed", "50"]);
    let state = tempfile::tempdir().expect("a folder for the journal");
    let mut terminal = Terminal::start(&["deploy"], state.path(), Some(&scene));
    terminal.wait_for("the plan", |screen| screen.contains("start"));
    let mut figures = vec![figure("on the plan", &mut terminal)];
    terminal.type_keys("\r");
    terminal.wait_for("the end", |screen| screen.contains("hosts failed"));
    figures.push(figure("when it has settled", &mut terminal));
    figures
}

fn figure(name: &str, terminal: &mut Terminal) -> Figure {
    // Whatever belongs to what was just shown.
    terminal.processor_share(Duration::from_secs(2));
    let share = terminal.processor_share(WATCHED);
    Figure::at_most(format!("processor time at rest {name}"), share, BOUND, percent)
}
