//! What happens in a build that only plays: how fast it goes, what a `RUN` prints, and what fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How the engine plays.
#[derive(Debug, Clone)]
pub struct Story {
    /// How many times faster than life; 1 is life.
    speed: f64,
    failing: Arc<Mutex<Vec<FailingStep>>>,
}

/// A build step that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingStep {
    /// A part of the instruction's text.
    pub holds: String,
    /// The exit code, where it is a `RUN`.
    pub code: i64,
    /// How often it fails; it succeeds afterwards.
    pub times: u32,
}

impl Default for Story {
    fn default() -> Self {
        Self::at_speed(1.0)
    }
}

impl Story {
    /// Plays `speed` times as fast as life. What is not a positive number plays at once.
    pub fn at_speed(speed: f64) -> Self {
        Self {
            speed,
            failing: Arc::default(),
        }
    }

    /// Lets a step fail.
    pub fn fail(&self, step: FailingStep) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// How this instruction fails, if it does this time.
    pub(super) fn failure(&self, instruction: &str) -> Option<i64> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let step = failing
            .iter_mut()
            .find(|step| step.times > 0 && instruction.contains(&step.holds))?;
        step.times -= 1;
        Some(step.code)
    }

    /// Lets `life` pass at the story's speed.
    pub(super) async fn pause(&self, life: Duration) {
        if self.speed > 0.0 && self.speed.is_finite() {
            tokio::time::sleep(life.div_f64(self.speed.max(0.001))).await;
        }
    }
}

/// One line of a command's output, and how long it takes to come; an empty one is not printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub after: Duration,
    pub text: String,
}

/// What a `RUN` does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Act {
    pub lines: Vec<Line>,
    /// 0 is success.
    pub code: i64,
}

/// Plays a shell command: a list of simple ones, of which the first that fails ends it.
///
/// `echo`, `true`, `false` and `exit` do what they say. Of everything else only the talk is played.
pub(super) fn act(command: &str) -> Act {
    let mut act = Act::default();
    for simple in command.split("&&").flat_map(|part| part.split([';', '\n'])) {
        let words = super::dockerfile::words(simple);
        let Some((program, arguments)) = words.split_first() else {
            continue;
        };
        let program = program.rsplit('/').next().unwrap_or(program);
        match program {
            "true" | "cd" | "set" | ":" => {}
            "false" => act.code = 1,
            "exit" => {
                act.code = arguments.first().and_then(|code| code.parse().ok()).unwrap_or(0);
                return act;
            }
            "echo" => act.say(20, arguments.join(" ")),
            program => act.talk(program, arguments),
        }
        if act.code != 0 {
            return act;
        }
    }
    act
}

impl Act {
    fn say(&mut self, millis: u64, text: impl Into<String>) {
        self.lines.push(Line {
            after: Duration::from_millis(millis),
            text: text.into(),
        });
    }

    fn talk(&mut self, program: &str, arguments: &[String]) {
        let named = || arguments.iter().filter(|word| !word.starts_with('-')).skip(1);
        match (program, arguments.first().map(String::as_str)) {
            ("apt-get" | "apt", Some("update")) => {
                for (at, part) in ["InRelease [151 kB]", "main amd64 Packages [8787 kB]"]
                    .iter()
                    .enumerate()
                {
                    self.say(
                        350,
                        format!("Get:{} http://deb.debian.org/debian bookworm {part}", at + 1),
                    );
                }
                self.say(500, "Reading package lists...");
            }
            ("apt-get" | "apt", _) => {
                for package in named() {
                    self.say(250, format!("Selecting previously unselected package {package}."));
                    self.say(200, format!("Setting up {package} ..."));
                }
            }
            ("apk", _) => {
                for (at, package) in named().enumerate() {
                    self.say(180, format!("({}/{}) Installing {package}", at + 1, named().count()));
                }
                self.say(100, "OK: 14 MiB in 23 packages");
            }
            ("pip" | "pip3", _) => {
                for package in named() {
                    self.say(300, format!("Collecting {package}"));
                    self.say(200, format!("  Downloading {package} (1.2 MB)"));
                }
                self.say(600, "Successfully installed everything that was asked for");
            }
            ("npm" | "yarn" | "pnpm", _) => self.say(1800, "added 214 packages, and audited 215 packages in 4s"),
            ("cargo", _) => {
                for name in ["serde", "tokio", "sento-wire", "sento-processor"] {
                    self.say(450, format!("   Compiling {name} v1.0.0"));
                }
                self.say(300, "    Finished `release` profile [optimized] target(s) in 2.10s");
            }
            ("go", _) => self.say(1500, "go: downloading modules"),
            ("make", _) => {
                for unit in ["wire", "queue", "main"] {
                    self.say(400, format!("cc -O2 -c -o {unit}.o {unit}.c"));
                }
            }
            // A program that says nothing still takes its time.
            _ => self.say(300, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_at_the_first_failure() {
        let act = act("echo one && false && echo two");
        assert_eq!((act.lines.len(), act.lines[0].text.as_str(), act.code), (1, "one", 1));
        assert_eq!(super::act("exit 7").code, 7);
        assert_eq!(super::act("true; echo done").code, 0);
    }

    #[test]
    fn a_step_fails_as_often_as_it_is_told_to() {
        let story = Story::at_speed(0.0);
        story.fail(FailingStep {
            holds: "make".to_owned(),
            code: 2,
            times: 1,
        });
        assert_eq!(story.failure("RUN make all"), Some(2));
        assert_eq!(story.failure("RUN make all"), None);
    }
}
