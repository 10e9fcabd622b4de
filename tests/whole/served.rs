//! Stand-ins that a process serves, and other processes that deploy to them: what the README's second shell does.

use std::path::PathBuf;

use rustix::process::Signal;

use crate::shell::{Place, Running};

/// A fleet without trouble: three Ubuntu hosts and two Amazon Linux hosts in each of two regions.
pub const CALM: &str = "hosts = 10\n[trouble]\n";
/// The same hosts, each of which restarts in the middle: at the speed that goes with it they take some five seconds.
pub const SLOW: (&str, u32) = ("timeouts = 10.0\nhosts = 10\n[trouble]\nreboot = 5\n", 4);
/// The same, and a host of the first region fails once.
pub const ONE_FAILS: &str = "timeouts = 10.0\nhosts = 10\n[trouble]\nreboot = 5\n[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n";

/// The stand-ins of a scenario, served until this is dropped.
pub struct Served {
    server: Running,
    /// The sample repository, with the way to the stand-ins in the environment.
    pub place: Place,
    _home: tempfile::TempDir,
}

impl Served {
    /// Serves a scenario at a speed.
    pub fn start(story: &str, speed: u32) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(home.path().join("scenario.toml"), story).expect("it can be written");
        let place = Place::new(home.path());
        let line = format!("rehearse --serve --docker stand-in --speed {speed} --scenario scenario.toml");
        let mut server = place.start(&line);
        let mut environment = Vec::new();
        let folder = loop {
            let line = server.says("");
            if let Some(folder) = line.strip_prefix("cd ") {
                break PathBuf::from(folder);
            }
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|set| set.split_once('=')) {
                environment.push((name.to_owned(), value.to_owned()));
            }
        };
        Self {
            server,
            place: place.with(&folder, environment),
            _home: home,
        }
    }

    /// Changes the repository's config.toml, and commits that.
    pub fn reconfigure(&self, old: &str, new: &str) {
        self.change("config.toml", |text| {
            assert!(text.contains(old), "the sample has `{old}`");
            text.replace(old, new)
        });
    }

    /// Changes a file of the repository, and pushes a commit of it.
    pub fn change(&self, file: &str, change: impl FnOnce(&str) -> String) {
        let path = self.place.folder().join(file);
        let text = std::fs::read_to_string(&path).expect("the sample has it");
        std::fs::write(path, change(&text)).expect("it can be written");
        for line in [
            "-c user.name=ada -c user.email=ada@localhost commit --quiet --all --message=Change",
            "push --quiet",
        ] {
            let output = self.place.wrapped("git", line).output().expect("git runs");
            assert!(output.status.success(), "{output:?}");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // In order, so that it removes its files.
        self.server.signal(Signal::TERM);
        let _ = self.server.end();
    }
}
