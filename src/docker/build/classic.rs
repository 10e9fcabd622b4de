//! The classic builder's account of a build, and Podman's, which is like it: text, and little else.

use std::sync::LazyLock;

use bollard::models::{BuildInfo, BuildInfoAux};
use regex_lite::Regex;

use super::lines::Lines;
use super::record::{At, Recorder};
use crate::names::Millis;
use crate::state::Step;
use crate::text::Clean;

/// What the classic builder wraps standard error in.
const STDERR: (&str, &str) = ("\u{1b}[91m", "\u{1b}[0m");

/// `Step 3/11 : RUN make`, and Podman's `[1/2] STEP 3/6: RUN make`.
static STEP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\[(\d+/\d+)\] )?(?:Step|STEP) (\d+)/(\d+) ?: (.*)$").expect("the pattern is constant and compiles")
});

/// Words of the builder itself.
static ASIDE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^( ---> ?((Running in )?[0-9a-f]{12})?|Removing intermediate container [0-9a-f]{12}|--> [0-9a-f]{10,64}|Successfully tagged .*|COMMIT .*|)$",
    )
    .expect("the pattern is constant and compiles")
});

/// How the builder's own messages begin. They follow a command's last line even where that has no end.
static OWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^( ---> |Removing intermediate container |Successfully (built|tagged) |--> |COMMIT |(\[\d+/\d+\] )?(Step|STEP) \d+/\d+ ?: )",
    )
    .expect("the pattern is constant and compiles")
});

/// The mark of a step that was not run.
static CACHED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^ ?-+> Using cache").expect("the pattern is constant and compiles"));

/// The builder's last word.
static BUILT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^Successfully built ([0-9a-f]{10,64})$").expect("the pattern is constant and compiles")
});

/// What has been told so far.
#[derive(Default)]
pub(super) struct Classic {
    lines: Lines,
    /// Whether the line that has not ended came from standard error.
    stderr: bool,
    current: Option<Current>,
    /// The last image named; a build with stages names one for each.
    named: Option<String>,
    /// The short id in the builder's last word.
    built: Option<String>,
}

/// The step under way.
struct Current {
    at: At,
    number: u32,
    of: u32,
    stage: Option<String>,
    since: Millis,
    cached: bool,
}

impl Classic {
    /// Takes in one message.
    pub fn take(&mut self, info: BuildInfo, record: &mut Recorder, now: Millis) {
        if let Some(text) = &info.stream {
            self.text(text, record, now);
        }
        if let Some(BuildInfoAux::Default(image)) = info.aux {
            self.named = image.id.or(self.named.take());
        }
        if let (Some(status), Some(layer)) = (&info.status, &info.id) {
            let moved = info.progress_detail.unwrap_or_default();
            if let Some(current) = moved.current {
                record.transfer(
                    &format!("{} {layer}", status.to_lowercase()),
                    current,
                    moved.total.unwrap_or(0),
                );
            }
        }
    }

    /// The image's id, once the build is complete: whole, or short where the builder names it in its last word only.
    pub fn image(&self) -> Option<&str> {
        let built = self.built.as_deref()?;
        let whole = self.named.as_deref().filter(|named| named.contains(built));
        Some(whole.unwrap_or(built))
    }

    /// The step under way, which is the one that failed when the build has.
    pub fn current(&self) -> Option<At> {
        self.current.as_ref().map(|current| current.at)
    }

    /// The build failed: its step did.
    pub fn fail(&mut self, says: &str, record: &mut Recorder, now: Millis) {
        self.finish_line(record);
        if let Some(current) = &self.current {
            record.failed(current.at, now.since(current.since), says);
        }
    }

    fn text(&mut self, text: &str, record: &mut Recorder, now: Millis) {
        if OWN.is_match(text) {
            self.finish_line(record);
        }
        let (text, stderr) = match text.strip_prefix(STDERR.0) {
            Some(wrapped) => (wrapped.strip_suffix(STDERR.1).unwrap_or(wrapped), true),
            None => (text, false),
        };
        self.stderr = stderr;
        let mut ended = Vec::new();
        self.lines.push_both(text.as_bytes(), record.mask(), |said, line| {
            ended.push((Clean::block(said), line));
        });
        for (said, line) in ended {
            self.line(said.as_str(), line, stderr, record, now);
        }
    }

    fn finish_line(&mut self, record: &mut Recorder) {
        let mut left = None;
        self.lines.finish(record.mask(), |line| left = Some(line));
        if let Some(line) = left {
            record.line(self.current(), line, self.stderr);
        }
    }

    /// What the line means is read from what was `said`: a secret may be a word of the builder's.
    fn line(&mut self, said: &str, line: Clean, stderr: bool, record: &mut Recorder, now: Millis) {
        if let Some(next) = self.next_step(said) {
            self.end(record, now);
            self.begin(next, record, now);
        } else if let Some(built) = self.last_word(said) {
            self.built = Some(built);
            self.end(record, now);
            record.aside(None, &line);
        } else if CACHED.is_match(said) {
            if let Some(current) = &mut self.current {
                current.cached = true;
            }
            record.aside(self.current(), &line);
        } else if ASIDE.is_match(said) {
            record.aside(self.current(), &line);
        } else {
            record.line(self.current(), line, stderr);
        }
    }

    /// The step that the line begins. A command may print such a line too: only the next number is believed.
    fn next_step(&self, line: &str) -> Option<(Option<String>, u32, u32, String)> {
        let found = STEP.captures(line)?;
        let part = |group: usize| found.get(group).map(|found| found.as_str());
        let stage = part(1).map(str::to_owned);
        let (number, of): (u32, u32) = (part(2)?.parse().ok()?, part(3)?.parse().ok()?);
        let follows = match &self.current {
            Some(current) if current.stage == stage => number == current.number + 1 && of == current.of,
            Some(_) | None => number == 1,
        };
        follows.then(|| (stage, number, of, part(4).unwrap_or_default().to_owned()))
    }

    /// The short id of the image, if the line is the builder's last word and comes at the end.
    fn last_word(&self, line: &str) -> Option<String> {
        let last = self
            .current
            .as_ref()
            .is_some_and(|current| current.number == current.of);
        let found = BUILT.captures(line).filter(|_| last)?;
        found.get(1).map(|id| id.as_str().to_owned())
    }

    fn begin(&mut self, next: (Option<String>, u32, u32, String), record: &mut Recorder, now: Millis) {
        let (stage, number, of, name) = next;
        let key = match &stage {
            Some(stage) => format!("step-{stage}-{number}"),
            None => format!("step-{number}"),
        };
        let step = Step {
            number,
            of,
            stage: stage.as_deref().map(Clean::line),
            name: record.mask().title(&name),
            cached: false,
            millis: 0,
        };
        let at = record.step(&key, |_| step, false);
        record.running(at, now);
        self.current = Some(Current {
            at,
            number,
            of,
            stage,
            since: now,
            cached: false,
        });
    }

    fn end(&mut self, record: &mut Recorder, now: Millis) {
        if let Some(current) = &self.current {
            record.done(current.at, current.cached, now.since(current.since));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builders_own_words_are_told_from_a_commands() {
        // The base `scratch` has no id to name.
        for own in [" ---> ", " --->", " ---> 0ce5fc85d684", " ---> Running in 25fe4e823570"] {
            assert!(ASIDE.is_match(own), "{own:?}");
        }
        for printed in [" ---> ready", "---> 0ce5fc85d684", " ---> Running in circles"] {
            assert!(!ASIDE.is_match(printed), "{printed:?}");
        }
    }
}
