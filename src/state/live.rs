//! Progress: what is only worth showing now. It is coalesced here, never journaled, and its memory is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::fact::Step;
use crate::names::{BuildId, Millis, Region};
use crate::text::Clean;

/// Lines of a build's log that the screen keeps; the whole log is in its file.
pub const LOG_TAIL: usize = 400;

/// Something worth showing now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Bytes of build context sent so far.
    Context {
        /// Which build.
        build: BuildId,
        /// Bytes.
        sent: u64,
    },
    /// A build step's state; one step is told many times, the last word counts.
    Step {
        /// Which build.
        build: BuildId,
        /// The builder's own key for the step: a vertex digest, or `step-7`.
        key: String,
        /// The step; its `millis` is final once it is done.
        step: Step,
        /// How it stands.
        phase: StepPhase,
    },
    /// Bytes moved within a build step: a base image's layers, an export.
    Transfer {
        /// Which build.
        build: BuildId,
        /// What, such as `downloading d963ae05a03c`.
        what: Clean,
        /// Bytes done.
        done: u64,
        /// Bytes in all; 0 when unknown.
        total: u64,
    },
    /// One line of a build's log.
    Log {
        /// Which build.
        build: BuildId,
        /// The line.
        line: Clean,
        /// Whether it came from standard error.
        stderr: bool,
    },
    /// A build begins (again): what was shown of its last attempt goes.
    BuildReset {
        /// Which build.
        build: BuildId,
    },
    /// A layer of a push.
    Layer {
        /// Whose push.
        region: Region,
        /// The layer's short id.
        layer: String,
        /// How it stands.
        phase: LayerPhase,
    },
    /// A push begins (again): what was shown of its last attempt goes.
    PushReset {
        /// Whose push.
        region: Region,
    },
    /// What a push is doing as a whole, such as `stalled: no progress for 60 s` or `waiting 8 s before try 2 of 3`.
    PushNote {
        /// Whose push.
        region: Region,
        /// The words; empty clears the note.
        note: Clean,
    },
    /// How a region is being polled.
    Poll {
        /// Which region.
        region: Region,
        /// The poller's own figures.
        poll: Poll,
    },
}

/// How a build step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepPhase {
    /// Known, not started.
    Pending,
    /// Under way since then.
    Running {
        /// When it started.
        since: Millis,
    },
    /// Ended well.
    Done,
    /// Ended badly.
    Failed,
}

/// How a layer of a push stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerPhase {
    /// The engine looks at it.
    Preparing,
    /// It waits for one of the engine's upload slots.
    Waiting,
    /// On its way. The bytes are the engine's own count, of the uncompressed layer on some stores.
    Pushing {
        /// Bytes done, never more than `total`.
        done: u64,
        /// Bytes in all; 0 when unknown.
        total: u64,
    },
    /// The engine tries again in that many seconds.
    RetryingIn(u32),
    /// The registry has it already.
    Exists,
    /// Taken from another repository of the registry.
    Mounted,
    /// Uploaded.
    Pushed,
}

/// How a region is being polled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Poll {
    /// The time between two looks.
    pub interval: Duration,
    /// When AWS last answered.
    pub answered_at: Option<Millis>,
    /// How many times in a row AWS asked to slow down.
    pub throttled: u32,
    /// Calls made for this deployment in this region.
    pub calls: u64,
    /// Why the last look failed, if it did.
    pub trouble: Option<Clean>,
}

/// The latest of everything that is only worth showing now.
///
/// What is large is shared: a copy costs as much as there are builds and regions, and only what changes after it is copied
/// in full, once.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// By build.
    pub builds: BTreeMap<BuildId, Arc<LiveBuild>>,
    /// By region.
    pub pushes: BTreeMap<Region, Arc<LivePush>>,
    /// By region.
    pub polls: BTreeMap<Region, Poll>,
}

/// A build in motion.
#[derive(Debug, Clone, Default)]
pub struct LiveBuild {
    /// Bytes of context sent.
    pub context_sent: u64,
    /// Steps in the order in which the builder named them.
    pub steps: Vec<LiveStep>,
    /// Transfers by what they are.
    pub transfers: BTreeMap<Clean, (u64, u64)>,
    /// The end of the log.
    pub log: VecDeque<Arc<LogLine>>,
    /// Lines seen in all, so that a reader knows what the tail leaves out.
    pub log_lines: u64,
}

/// A build step in motion.
#[derive(Debug, Clone)]
pub struct LiveStep {
    /// The builder's key.
    pub key: String,
    /// The step.
    pub step: Step,
    /// How it stands.
    pub phase: StepPhase,
}

/// One line of a build's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The line.
    pub line: Clean,
    /// Whether it came from standard error.
    pub stderr: bool,
}

/// A push in motion.
#[derive(Debug, Clone, Default)]
pub struct LivePush {
    /// Layers in the order in which the engine named them.
    pub layers: Vec<(String, LayerPhase)>,
    /// What the push is doing as a whole.
    pub note: Clean,
}

impl LivePush {
    /// Bytes done and in all, over the layers whose size is known.
    pub fn bytes(&self) -> (u64, u64) {
        self.layers
            .iter()
            .fold((0, 0), |(done, total), (_, phase)| match phase {
                LayerPhase::Pushing { done: d, total: t } => (done + d, total + t),
                LayerPhase::Preparing
                | LayerPhase::Waiting
                | LayerPhase::RetryingIn(_)
                | LayerPhase::Exists
                | LayerPhase::Mounted
                | LayerPhase::Pushed => (done, total),
            })
    }

    /// Layers that are in the registry, and all.
    pub fn layers_done(&self) -> (usize, usize) {
        let done = |phase: &LayerPhase| matches!(phase, LayerPhase::Exists | LayerPhase::Mounted | LayerPhase::Pushed);
        (
            self.layers.iter().filter(|(_, phase)| done(phase)).count(),
            self.layers.len(),
        )
    }
}

impl Live {
    /// Takes in one piece of progress.
    pub fn apply(&mut self, progress: Progress) {
        match progress {
            Progress::Context { build, sent } => self.build(build).context_sent = sent,
            Progress::Step {
                build,
                key,
                step,
                phase,
            } => {
                let steps = &mut self.build(build).steps;
                match steps.iter_mut().find(|live| live.key == key) {
                    Some(live) => (live.step, live.phase) = (step, phase),
                    None => steps.push(LiveStep { key, step, phase }),
                }
            }
            Progress::Transfer {
                build,
                what,
                done,
                total,
            } => {
                self.build(build).transfers.insert(what, (done, total));
            }
            Progress::Log { build, line, stderr } => {
                let build = self.build(build);
                build.log.push_back(Arc::new(LogLine { line, stderr }));
                build.log_lines += 1;
                if build.log.len() > LOG_TAIL {
                    build.log.pop_front();
                }
            }
            Progress::BuildReset { build } => *self.build(build) = LiveBuild::default(),
            Progress::Layer { region, layer, phase } => {
                let layers = &mut self.push(region).layers;
                match layers.iter_mut().find(|(id, _)| *id == layer) {
                    Some((_, live)) => *live = phase,
                    None => layers.push((layer, phase)),
                }
            }
            Progress::PushReset { region } => *self.push(region) = LivePush::default(),
            Progress::PushNote { region, note } => self.push(region).note = note,
            Progress::Poll { region, poll } => {
                self.polls.insert(region, poll);
            }
        }
    }

    fn build(&mut self, id: BuildId) -> &mut LiveBuild {
        Arc::make_mut(self.builds.entry(id).or_default())
    }

    fn push(&mut self, region: Region) -> &mut LivePush {
        Arc::make_mut(self.pushes.entry(region).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_it_saw_and_shares_what_has_not_changed() {
        let mut live = Live::default();
        let told = |region: &str, note: &str| Progress::PushNote {
            region: Region::new(region),
            note: Clean::line(note),
        };
        live.apply(told("us-east-1", "first"));
        live.apply(told("us-east-2", "first"));
        let copy = live.clone();
        live.apply(told("us-east-1", "second"));
        let [changed, same] = ["us-east-1", "us-east-2"].map(Region::new);
        assert_eq!(copy.pushes[&changed].note.as_str(), "first");
        assert_eq!(live.pushes[&changed].note.as_str(), "second");
        assert!(Arc::ptr_eq(&copy.pushes[&same], &live.pushes[&same]));
    }

    #[test]
    fn the_log_keeps_its_end_and_counts_what_it_dropped() {
        let mut live = Live::default();
        let build = BuildId::new("build-1");
        for n in 0..LOG_TAIL + 10 {
            live.apply(Progress::Log {
                build: build.clone(),
                line: Clean::line(&n.to_string()),
                stderr: false,
            });
        }
        let shown = &live.builds[&build];
        assert_eq!(shown.log.len(), LOG_TAIL);
        assert_eq!(shown.log_lines, LOG_TAIL as u64 + 10);
        assert_eq!(shown.log.front().map(|line| line.line.as_str()), Some("10"));
    }
}
