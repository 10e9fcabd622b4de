//! A build as it goes: what both builders tell, in one vocabulary, to the screen and to the log file.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::lines::Lines;
use super::log::LogFile;
use crate::engine::ports::Sink;
use crate::mask::Mask;
use crate::names::{BuildId, Millis};
use crate::state::Step;
use crate::state::live::{Progress, StepPhase};
use crate::text::Clean;
use crate::words;

/// Lines of a failed step's log that its failure carries.
const TAIL: usize = 20;

/// Which of a recorder's steps.
pub(super) type At = usize;

/// Takes in a build's steps and lines.
pub(super) struct Recorder {
    build: BuildId,
    sink: Sink,
    mask: Mask,
    log: LogFile,
    steps: Vec<Tracked>,
    by_key: HashMap<String, At>,
    /// Steps in the order in which they ended well.
    ended: Vec<At>,
    /// What belongs to no step.
    stray: Lines,
}

struct Tracked {
    key: String,
    step: Step,
    phase: StepPhase,
    /// The builder's own doings, such as reading the Dockerfile: in the log file, not on the screen.
    hidden: bool,
    tail: VecDeque<Clean>,
    out: Lines,
    err: Lines,
}

impl Recorder {
    pub fn new(build: BuildId, sink: Sink, mask: Mask, log: LogFile) -> Self {
        Self {
            build,
            sink,
            mask,
            log,
            steps: Vec::new(),
            by_key: HashMap::new(),
            ended: Vec::new(),
            stray: Lines::default(),
        }
    }

    /// The values that must not come out.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// The step of this key, made when it is new.
    pub fn step(&mut self, key: &str, step: impl FnOnce(&Mask) -> Step, hidden: bool) -> At {
        if let Some(at) = self.by_key.get(key) {
            return *at;
        }
        let at = self.steps.len();
        let step = step(&self.mask);
        let title = title(&step);
        self.by_key.insert(key.to_owned(), at);
        self.steps.push(Tracked {
            key: key.to_owned(),
            step,
            phase: StepPhase::Pending,
            hidden,
            tail: VecDeque::new(),
            out: Lines::default(),
            err: Lines::default(),
        });
        self.write(at + 1, &title);
        self.tell(at);
        at
    }

    /// The key's step, if there is one.
    pub fn find(&self, key: &str) -> Option<At> {
        self.by_key.get(key).copied()
    }

    pub fn is_hidden(&self, at: At) -> bool {
        self.steps[at].hidden
    }

    /// The step is under way since `now`, unless it was already.
    pub fn running(&mut self, at: At, now: Millis) {
        match self.steps[at].phase {
            StepPhase::Pending => {
                self.steps[at].phase = StepPhase::Running { since: now };
                self.tell(at);
            }
            StepPhase::Running { .. } | StepPhase::Done | StepPhase::Failed => {}
        }
    }

    /// The step ended well. A builder may say so again; what it said first of the cache stands, the longer time counts.
    pub fn done(&mut self, at: At, cached: bool, took: Duration) {
        self.finish_lines(at);
        let tracked = &mut self.steps[at];
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let again = match tracked.phase {
            StepPhase::Pending | StepPhase::Running { .. } => false,
            StepPhase::Done => true,
            StepPhase::Failed => return,
        };
        if again && tracked.step.millis >= millis {
            return;
        }
        tracked.step.millis = millis;
        if !again {
            tracked.step.cached = cached;
            tracked.phase = StepPhase::Done;
            self.ended.push(at);
            let word = if cached {
                "CACHED".to_owned()
            } else {
                format!("DONE {}", words::duration(took))
            };
            self.write(at + 1, &word);
        }
        self.tell(at);
    }

    /// The step ended badly.
    pub fn failed(&mut self, at: At, took: Duration, says: &str) {
        self.finish_lines(at);
        let tracked = &mut self.steps[at];
        if tracked.phase == StepPhase::Failed {
            return;
        }
        tracked.phase = StepPhase::Failed;
        tracked.step.millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let line = format!("ERROR {}", self.mask.line(says));
        self.write(at + 1, &line);
        self.tell(at);
    }

    /// A chunk of what a step's command printed.
    pub fn output(&mut self, at: At, chunk: &[u8], stderr: bool) {
        let tracked = &mut self.steps[at];
        let lines = if stderr { &mut tracked.err } else { &mut tracked.out };
        let mut ended = Vec::new();
        lines.push(chunk, &self.mask, |line| ended.push(line));
        for line in ended {
            self.line(Some(at), line, stderr);
        }
    }

    /// A whole line that a step's command printed, or the builder itself.
    pub fn line(&mut self, at: Option<At>, line: Clean, stderr: bool) {
        self.write(at.map_or(0, |at| at + 1), line.as_str());
        if let Some(at) = at {
            let tail = &mut self.steps[at].tail;
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line.clone());
        }
        (self.sink)(Progress::Log {
            build: self.build.clone(),
            line,
            stderr,
        });
    }

    /// A chunk of output that the builder tells of no step, for the log file alone.
    pub fn stray(&mut self, chunk: &[u8]) {
        let mut ended = Vec::new();
        self.stray.push(chunk, &self.mask, |line| ended.push(line));
        for line in ended {
            self.aside(None, &line);
        }
    }

    /// The builder's own words, for the log file alone.
    pub fn aside(&mut self, at: Option<At>, line: &Clean) {
        self.write(at.map_or(0, |at| at + 1), line.as_str());
    }

    /// Bytes moved within a step.
    pub fn transfer(&mut self, what: &str, done: i64, total: i64) {
        let total = u64::try_from(total).unwrap_or(0);
        let done = u64::try_from(done).unwrap_or(0);
        (self.sink)(Progress::Transfer {
            build: self.build.clone(),
            what: self.mask.line(what),
            // Engines count past the end.
            done: if total == 0 { done } else { done.min(total) },
            total,
        });
    }

    /// The stream has ended: what it left without a line break is a line too.
    pub fn end(&mut self) {
        let mut left = None;
        self.stray.finish(&self.mask, |line| left = Some(line));
        if let Some(line) = left {
            self.aside(None, &line);
        }
        (0..self.steps.len()).for_each(|at| self.finish_lines(at));
        self.flush();
    }

    /// Pushes the log file out.
    pub fn flush(&mut self) {
        let flushed = self.log.flush();
        self.tell_of_log(flushed);
    }

    /// The steps that ended well, in that order.
    pub fn ended(&self) -> Vec<Step> {
        let shown = self.ended.iter().filter(|at| !self.steps[**at].hidden);
        shown.map(|at| self.steps[*at].step.clone()).collect()
    }

    /// The step under way, the latest if there are several: where a build was that ended without a word.
    pub fn under_way(&self) -> Option<At> {
        let runs = |step: &Tracked| !step.hidden && matches!(step.phase, StepPhase::Running { .. });
        self.steps.iter().rposition(runs)
    }

    /// A step as it stands.
    pub fn get(&self, at: At) -> &Step {
        &self.steps[at].step
    }

    /// The end of what a step's command printed.
    pub fn tail(&self, at: At) -> Vec<Clean> {
        self.steps[at].tail.iter().cloned().collect()
    }

    fn finish_lines(&mut self, at: At) {
        let tracked = &mut self.steps[at];
        let mut ended = Vec::new();
        tracked.out.finish(&self.mask, |line| ended.push((line, false)));
        tracked.err.finish(&self.mask, |line| ended.push((line, true)));
        for (line, stderr) in ended {
            self.line(Some(at), line, stderr);
        }
    }

    fn tell(&self, at: At) {
        let tracked = &self.steps[at];
        if !tracked.hidden {
            (self.sink)(Progress::Step {
                build: self.build.clone(),
                key: tracked.key.clone(),
                step: tracked.step.clone(),
                phase: tracked.phase,
            });
        }
    }

    fn write(&mut self, number: usize, line: &str) {
        let written = self.log.line(number, line);
        self.tell_of_log(written);
    }

    fn tell_of_log(&self, written: Result<(), std::io::Error>) {
        if let Err(error) = written {
            (self.sink)(Progress::Log {
                build: self.build.clone(),
                line: Clean::line(&format!(
                    "the log file ends here, it can't be written any more: {error}"
                )),
                stderr: true,
            });
        }
    }
}

/// `[build 2/5] RUN make`, as docker prints it.
fn title(step: &Step) -> String {
    match (&step.stage, step.of) {
        (_, 0) => step.name.to_string(),
        (Some(stage), of) => format!("[{stage} {}/{of}] {}", step.number, step.name),
        (None, of) => format!("[{}/{of}] {}", step.number, step.name),
    }
}
