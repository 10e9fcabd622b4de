//! The most memory that the console ever has, in a terminal, with the stand-ins in a process of their own.

use std::path::Path;

use super::program::{Scene, Terminal};
use super::table::{Figure, megabytes};

pub fn measure() -> Vec<Figure> {
    vec![figure(2, 60_000_000), figure(30, 100_000_000)]
}

/// Every host runs: the usual story stops at its first failure, and its timeouts pass faster than ten thousand hosts do.
const CALM: &str = "timeouts = 0.005\n[trouble]\nfail = 0\nhang = 0\noffline = 0\nsilent = 0\nreboot = 0\n";

fn figure(regions: usize, bound: u64) -> Figure {
    let state = tempfile::tempdir().expect("a folder for the journal");
    let scenario = state.path().join("calm.toml");
    std::fs::write(&scenario, CALM).expect("write the scenario");
    let scene = serve(regions, &scenario);
    let mut terminal = Terminal::start(&["deploy", "--yes"], state.path(), Some(&scene));
    terminal.wait_for("the end", |screen| screen.contains("succeeded"));
    // The host list is made when it is opened.
    terminal.type_keys("l");
    terminal.wait_for("the host list", |screen| {
        screen.contains("sento-processor") || screen.contains("ip-")
    });
    let name = format!("memory of the console, {regions} regions and 10,000 hosts");
    Figure::at_most(name, terminal.peak(), bound, megabytes)
}

fn serve(regions: usize, scenario: &Path) -> Scene {
    let (regions, scenario) = (regions.to_string(), scenario.display().to_string());
    let options = [
        "--regions",
        &regions,
        "--hosts",
        "10000",
        "--speed",
        "200",
        "--scenario",
        &scenario,
    ];
    Scene::serve(&options)
}
