//! From the start of the process to the last byte of its first whole frame.

use std::time::Duration;

use super::program::{Scene, Terminal};
use super::table::{Figure, median, millis};

const STARTS: usize = 15;
const BOUND: Duration = Duration::from_millis(100);

pub fn measure() -> Vec<Figure> {
    let scene = Scene::serve(&[]);
    vec![
        figure("rehearse", &["rehearse", "--docker", "stand-in"], None),
        figure(
            "rehearse --regions 30 --hosts 10000",
            &[
                "rehearse",
                "--docker",
                "stand-in",
                "--regions",
                "30",
                "--hosts",
                "10000",
            ],
            None,
        ),
        figure("deploy", &["deploy"], Some(&scene)),
    ]
}

fn figure(name: &str, arguments: &[&str], scene: Option<&Scene>) -> Figure {
    let times = (0..STARTS).map(|_| {
        // A state folder that nobody has used: the slowest case.
        let state = tempfile::tempdir().expect("a folder for the journal");
        let mut terminal = Terminal::start(arguments, state.path(), scene);
        terminal.wait_for("a whole frame", is_whole) - terminal.started
    });
    let middle = median(times.collect()).unwrap_or_default();
    Figure::at_most(
        format!("first frame of {name}, median of {STARTS} starts"),
        middle,
        BOUND,
        millis,
    )
}

/// The first line is the header, the last one the footer.
fn is_whole(screen: &str) -> bool {
    let mut lines = screen.lines();
    lines.next().is_some_and(|line| line.contains("sento")) && lines.last().is_some_and(|line| line.contains("quit"))
}
