//! Deployments made by folding facts, told step by step.

use std::time::Duration;

pub use super::planned::{checks, plan};
use crate::names::{BuildId, CommandId, Digest, HostId, Millis, Region, RolloutName, Token};
use crate::plan::Plan;
use crate::problem::{Kind, Problem};
use crate::state::live::{LayerPhase, Live, Poll, Progress, StepPhase};
use crate::state::{Driver, Fact, HostStatus, Outcome, Output, Recorded, SendTo, State, Step};
use crate::text::Clean;

/// When the plan was made: 2026-11-24 12:00:00 UTC.
pub const T0: Millis = Millis(1_795_521_600_000);
pub const DIGEST: &str = "sha256:7d5a3c1e9b8f4a2d6c0e1f3b5a7d9c8e2f4b6a8d0c1e3f5a7b9d8c6e4f2a1b0d";
pub const OLD_DIGEST: &str = "sha256:0b1a2f4e6c8d9b7a5f3e1c0d8a6b4f2e9c8d7a5b3f1e0c6d2a4e8b6f9d1c3a57";

pub fn at(secs: i64) -> Millis {
    Millis(T0.0 + secs * 1000)
}

pub fn region(n: usize) -> Region {
    const NAMES: [&str; 6] = [
        "us-east-1",
        "us-east-2",
        "us-west-2",
        "eu-west-1",
        "eu-central-1",
        "ap-southeast-1",
    ];
    Region::new(
        NAMES
            .get(n)
            .map_or_else(|| format!("xx-region-{n}"), |name| (*name).to_owned()),
    )
}

pub fn build_id() -> BuildId {
    BuildId::new("build-1")
}

pub fn rollout_name(n: usize) -> RolloutName {
    RolloutName::new(["ubuntu", "linux"][n])
}

pub fn host_id(lane: usize, rollout: usize, host: usize) -> HostId {
    HostId::new(format!("i-0{lane:x}{rollout}e4c0a7b8d{host:05x}"))
}

/// A deployment in the making.
#[derive(Default)]
pub struct Story {
    pub state: State,
    pub live: Live,
    /// What was told, as the journal would have it.
    pub facts: Vec<Recorded>,
    seq: u64,
    pub now: i64,
}

impl Story {
    /// Started at second 0.
    pub fn start(plan: Plan) -> Self {
        let mut story = Self::default();
        story.tell(Fact::DeploymentStarted {
            plan: Box::new(plan),
            driver: driver(),
        });
        story
    }

    pub fn tell(&mut self, fact: Fact) {
        self.seq += 1;
        let recorded = Recorded {
            seq: self.seq,
            at: at(self.now),
            fact,
        };
        self.state.apply(&recorded);
        self.facts.push(recorded);
    }

    pub fn lanes(&self) -> usize {
        self.state.lanes.len()
    }

    fn step(number: u32, name: &str, cached: bool, millis: u64) -> Step {
        Step {
            number,
            of: 9,
            stage: None,
            name: Clean::line(name),
            cached,
            millis,
        }
    }

    /// Six of nine steps are done, the seventh runs.
    pub fn build_half(mut self) -> Self {
        let build = build_id();
        let log = Clean::line("/home/noor/.local/state/quarterdeck/a1b2c3d4-build-1.log");
        self.tell(Fact::BuildStarted {
            build: build.clone(),
            log,
        });
        let steps = [
            ("FROM docker.io/library/rust:1.95", true, 0),
            ("WORKDIR /src", true, 0),
            ("COPY Cargo.toml Cargo.lock ./", true, 0),
            ("RUN cargo fetch --locked", true, 0),
            ("COPY src src", false, 240),
            ("RUN cargo build --release --locked", false, 41_300),
        ];
        for (number, (name, cached, millis)) in (1..).zip(steps) {
            let step = Self::step(number, name, cached, millis);
            self.live.apply(Progress::Step {
                build: build.clone(),
                key: format!("step-{number}"),
                step: step.clone(),
                phase: StepPhase::Done,
            });
            self.tell(Fact::BuildStepEnded {
                build: build.clone(),
                step,
            });
        }
        self.now = 44;
        self.live.apply(Progress::Context {
            build: build.clone(),
            sent: 12_400_000,
        });
        self.live.apply(Progress::Step {
            build: build.clone(),
            key: "step-7".to_owned(),
            step: Self::step(7, "RUN cargo test --release --locked", false, 0),
            phase: StepPhase::Running { since: at(42) },
        });
        for n in 1..=30 {
            self.live.apply(Progress::Log {
                build: build.clone(),
                line: Clean::line(&format!("test queue::case_{n:02} ... ok")),
                stderr: false,
            });
        }
        self.now = 51;
        self
    }

    /// The build is done.
    pub fn built(mut self) -> Self {
        self.now = 71;
        let build = build_id();
        for (number, name) in [
            (7, "RUN cargo test --release --locked"),
            (8, "COPY --from=build /src/target/release/sento /bin/"),
            (9, "CMD [\"sento\"]"),
        ] {
            self.tell(Fact::BuildStepEnded {
                build: build.clone(),
                step: Self::step(number, name, false, 900),
            });
        }
        self.tell(Fact::BuildSucceeded {
            build,
            image: Digest::new(DIGEST),
            context_bytes: 12_400_000,
        });
        self
    }

    /// The build failed at step 7.
    pub fn build_failed(mut self) -> Self {
        self.now = 58;
        let tail = [
            "running 31 tests",
            "test queue::drops_nothing ... FAILED",
            "thread 'queue::drops_nothing' panicked at src/queue.rs:88",
            "error: test failed, to rerun pass `--lib`",
        ];
        self.tell(Fact::BuildFailed {
            build: build_id(),
            problem: Problem::new(
                Kind::Build,
                "step 7 of 9 ended with exit code 101: RUN cargo test --release --locked",
                "read the log, mend the commit, or press b to build again",
            ),
            step: Some(Self::step(7, "RUN cargo test --release --locked", false, 16_000)),
            exit_code: Some(101),
            log_tail: tail.map(Clean::line).to_vec(),
        });
        self
    }

    /// Every lane pushes, each a little further than the one before.
    pub fn push_half(mut self) -> Self {
        for lane in 0..self.lanes() {
            let region = region(lane);
            self.tell(Fact::PushStarted { region: region.clone() });
            let lane = lane as u64;
            let layers = [
                ("d963ae05a03c", LayerPhase::Exists),
                ("5f70bf18a086", LayerPhase::Exists),
                ("a3ed95caeb02", LayerPhase::Mounted),
                ("8d4d1ab5ff74", LayerPhase::Pushed),
                (
                    "f0e1d2c3b4a5",
                    LayerPhase::Pushing {
                        done: 12_000_000 + lane * 9_000_000,
                        total: 48_200_000,
                    },
                ),
                (
                    "1a2b3c4d5e6f",
                    if lane == 1 {
                        LayerPhase::RetryingIn(4)
                    } else {
                        LayerPhase::Waiting
                    },
                ),
            ];
            for (layer, phase) in layers {
                self.live.apply(Progress::Layer {
                    region: region.clone(),
                    layer: layer.to_owned(),
                    phase,
                });
            }
        }
        if self.lanes() > 1 {
            self.live.apply(Progress::PushNote {
                region: region(1),
                note: Clean::line("no progress for 60 s: the engine tries again"),
            });
        }
        self.now = 79;
        self
    }

    /// Every lane has pushed and moved its tag.
    pub fn pushed(mut self) -> Self {
        self.now = 88;
        for lane in 0..self.lanes() {
            let region = region(lane);
            self.tell(Fact::PushSucceeded {
                region: region.clone(),
                digest: Digest::new(DIGEST),
                layers_pushed: 3,
                layers_present: 3,
            });
            self.tell(Fact::TagMoved {
                region,
                tag: Clean::line("latest"),
                from: Some(Digest::new(OLD_DIGEST)),
                to: Digest::new(DIGEST),
            });
        }
        self
    }

    pub fn command(lane: usize, rollout: usize, serial: usize) -> CommandId {
        CommandId::new(format!("8c4a9e1{serial}-3b2d-4f6a-9c8e-0{lane}{rollout}d5e7f9a1b3"))
    }

    /// A command goes out and SSM takes it.
    pub fn send(&mut self, lane: usize, rollout: usize, serial: usize, to: SendTo) {
        let (region, name) = (region(lane), rollout_name(rollout));
        let token = Token::new(format!("qd:a1b2c3d4:{region}:{name}:{serial}"));
        self.tell(Fact::SendIntended {
            region,
            rollout: name,
            token: token.clone(),
            to,
        });
        self.tell(Fact::SendAccepted {
            token,
            command: Self::command(lane, rollout, serial),
            expires_at: Some(at(self.now + 600)),
            adopted: false,
        });
    }

    pub fn host(&mut self, lane: usize, rollout: usize, serial: usize, host: usize, status: HostStatus) {
        let exit_code = match status {
            HostStatus::Success => Some(0),
            HostStatus::Failed => Some(1),
            _ => None,
        };
        let command = Self::command(lane, rollout, serial);
        self.tell(Fact::HostChanged {
            command,
            host: host_id(lane, rollout, host),
            status,
            exit_code,
        });
    }

    /// Commands are out; hosts are done, at work, failed and not yet reached.
    pub fn rolling(mut self) -> Self {
        self.now = 90;
        for lane in 0..self.lanes() {
            for rollout in 0..2 {
                self.send(lane, rollout, 1, SendTo::Targets);
            }
        }
        self.now = 104;
        for lane in 0..self.lanes() {
            let hosts = self.state.lanes[lane].rollouts[0].hosts.len();
            for rollout in 0..2 {
                for host in 0..hosts * 3 / 4 {
                    let status = match (host, rollout, lane) {
                        (2, 0, 0) => HostStatus::Failed,
                        (5, 0, _) => HostStatus::ExecutionTimedOut,
                        (n, ..) if n < hosts / 2 => HostStatus::Success,
                        _ => HostStatus::InProgress,
                    };
                    self.host(lane, rollout, 1, host, status);
                }
            }
            self.live.apply(Progress::Poll {
                region: region(lane),
                poll: Poll {
                    interval: Duration::from_secs(2),
                    answered_at: Some(at(110)),
                    throttled: if lane == 1 { 2 } else { 0 },
                    calls: 14,
                    trouble: None,
                },
            });
        }
        self.failed_output();
        self.now = 112;
        self
    }

    /// What the failed host printed.
    fn failed_output(&mut self) {
        let stdout = "pulling sento:latest\nlatest: Pulling from sento-us-east-1-processor-ecr\nd963ae05a03c: Already exists\nf0e1d2c3b4a5: Pulling fs layer\n";
        let stderr = "failed to register layer: write /bin/sento: no space left on device\nfailed to run commands: exit status 1\n";
        let output = Output {
            stdout: Clean::block(stdout),
            stderr: Clean::block(stderr),
            stdout_cut: false,
            stderr_cut: false,
        };
        self.tell(Fact::OutputRead {
            command: Self::command(0, 0, 1),
            host: host_id(0, 0, 2),
            output,
        });
    }

    /// Everything has ended: some failed, one was not reached, one never reported.
    pub fn finished(mut self) -> Self {
        self.now = 151;
        for lane in 0..self.lanes() {
            let hosts = self.state.lanes[lane].rollouts[0].hosts.len();
            for rollout in 0..2 {
                for host in 0..hosts {
                    let ended = self.state.lanes[lane].rollouts[rollout].hosts[host].status().is_end();
                    let missing = rollout == 1 && lane == 1 && host + 1 == hosts;
                    if ended || missing {
                        continue;
                    }
                    let offline = rollout == 0 && host + 1 == hosts;
                    self.host(
                        lane,
                        rollout,
                        1,
                        host,
                        if offline {
                            HostStatus::DeliveryTimedOut
                        } else {
                            HostStatus::Success
                        },
                    );
                }
                let missing = if rollout == 1 && lane == 1 {
                    vec![host_id(lane, rollout, hosts - 1)]
                } else {
                    Vec::new()
                };
                self.tell(Fact::CommandEnded {
                    command: Self::command(lane, rollout, 1),
                    details: Clean::line("Success"),
                    missing,
                });
            }
        }
        self.now = 152;
        let outcome = self.state.outcome();
        self.tell(Fact::DeploymentSettled { outcome });
        self.now = 200;
        self
    }

    /// What did not succeed was sent again and is green now.
    pub fn retried(mut self) -> Self {
        for lane in 0..self.lanes() {
            for rollout in 0..2 {
                let again: Vec<usize> = (0..self.state.lanes[lane].rollouts[rollout].hosts.len())
                    .filter(|host| self.state.lanes[lane].rollouts[rollout].hosts[*host].can_be_retried())
                    .collect();
                if again.is_empty() {
                    continue;
                }
                self.now = 240;
                let ids = again.iter().map(|host| host_id(lane, rollout, *host)).collect();
                self.send(lane, rollout, 2, SendTo::Hosts(ids));
                self.now = 255;
                for host in again {
                    self.host(lane, rollout, 2, host, HostStatus::Success);
                }
                self.tell(Fact::CommandEnded {
                    command: Self::command(lane, rollout, 2),
                    details: Clean::line("Success"),
                    missing: Vec::new(),
                });
            }
        }
        self.tell(Fact::DeploymentSettled {
            outcome: Outcome::Succeeded,
        });
        self.now = 260;
        self
    }
}

pub fn driver() -> Driver {
    Driver {
        user: Clean::line("noor"),
        machine: Clean::line("bridge"),
        pid: 4242,
        version: Clean::line("0.1.0"),
    }
}
