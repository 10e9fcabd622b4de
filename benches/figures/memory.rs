//! The most memory that the console ever has, in a terminal: with the stand-ins in a process of their own, and with them.

use std::path::Path;

use super::program::{Scene, Terminal};
use super::table::{Figure, megabytes};

pub fn measure() -> Vec<Figure> {
    vec![console(2, 60_000_000), console(30, 100_000_000), rehearsal()]
}

/// Every host runs: the usual story stops at its first failure, and its timeouts pass faster than ten thousand hosts do.
const CALM: &str = "timeouts = 0.005\n[trouble]\nfail = 0\nhang = 0\noffline = 0\nsilent = 0\nreboot = 0\n";

fn console(regions: usize, bound: u64) -> Figure {
    let state = tempfile::tempdir().expect("a folder for the journal");
    let options = options(regions, state.path());
    let scene = Scene::serve(&options.each_ref().map(String::as_str));
    let mut terminal = Terminal::start(&["deploy", "--yes"], state.path(), Some(&scene));
    let name = format!("memory of the console, {regions} regions and 10,000 hosts");
    Figure::at_most(name, peak(&mut terminal), bound, megabytes)
}

fn rehearsal() -> Figure {
    let state = tempfile::tempdir().expect("a folder for the journal");
    let options = options(30, state.path());
    let options = options.each_ref().map(String::as_str);
    let arguments = [&["rehearse", "--yes", "--docker", "stand-in"], options.as_slice()].concat();
    let mut terminal = Terminal::start(&arguments, state.path(), None);
    let name = "memory of a rehearsal, its stand-ins included, 30 regions and 10,000 hosts".to_owned();
    Figure::at_most(name, peak(&mut terminal), 100_000_000, megabytes)
}

/// The most memory of a deployment that ends well and whose hosts have been looked at.
fn peak(terminal: &mut Terminal) -> u64 {
    terminal.wait_for("the end", |screen| screen.contains("✓ succeeded"));
    // The host list is made when it is opened.
    terminal.type_keys("a");
    terminal.wait_for("the host list", |screen| screen.contains("ip-"));
    terminal.peak()
}

/// A fleet of ten thousand on which all goes well, for `rehearse`.
fn options(regions: usize, folder: &Path) -> [String; 8] {
    let scenario = folder.join("calm.toml");
    std::fs::write(&scenario, CALM).expect("write the scenario");
    let (regions, scenario) = (regions.to_string(), scenario.display().to_string());
    [
        "--regions",
        &regions,
        "--hosts",
        "10000",
        "--speed",
        "200",
        "--scenario",
        &scenario,
    ]
    .map(str::to_owned)
}
