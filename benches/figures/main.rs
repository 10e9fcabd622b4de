//! The figures that README.md states, measured in one run and held to their bounds.
//!
//! `cargo bench` measures all of them; `cargo bench -- polling replay` only those. Each is a ratio or a count of this very
//! run, so that a slow machine changes none of them except where a bound is a time. The exit code is 1 when a bound is missed.
//!
//! ```text
//! voyage    whole deployments on virtual time: the real engine, SDK, journal and fold against the stand-in's fleets
//! program   the real binary, in a terminal or without one, and what the kernel says it costs
//! ```

mod clock;
mod context;
mod first_frame;
mod frames;
mod idle;
#[path = "../../tests/common/machine.rs"]
mod machine;
mod memory;
mod polling;
mod program;
mod replay;
mod settling;
mod table;
mod voyage;

mod wire;

use std::process::ExitCode;

use table::Figure;

/// A name to ask for, and what measures it.
type Measure = (&'static str, fn() -> Vec<Figure>);

const ALL: [Measure; 8] = [
    ("first-frame", first_frame::measure),
    ("frames", frames::measure),
    ("idle", idle::measure),
    ("memory", memory::measure),
    ("context", context::measure),
    ("polling", polling::measure),
    ("settling", settling::measure),
    ("replay", replay::measure),
];

fn main() -> ExitCode {
    // Cargo passes `--bench`; what does not begin with a dash is a name.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    if let [context::CHILD, folder, how] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        context::child(folder.as_ref(), how);
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = words.iter().find(|word| ALL.iter().all(|(name, _)| name != word)) {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no figure {unknown}, only {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut figures = Vec::new();
    for (name, measure) in ALL {
        if words.is_empty() || words.iter().any(|word| word == name) {
            eprintln!("measuring {name} …");
            figures.extend(measure());
        }
    }
    table::print(&figures);
    if figures.iter().all(Figure::holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
