//! One readable line for a fact. Hosts are not here: [`plain`](super::plain) tells them together where they are many.

use super::summary::problem_words;
use crate::names::{BuildId, CommandId, Region, RolloutName, Token};
use crate::plan::{Plan, UNKNOWN};
use crate::state::{Driver, Fact, SendTo, State, Step};
use crate::text::Clean;
use crate::words::{bytes, duration, plural};

/// A line in the making.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The region that it is about.
    pub region: Option<Region>,
    /// What is said.
    pub text: String,
    /// What belongs to it, on lines of its own.
    pub more: Vec<String>,
}

impl Said {
    pub fn new(region: Option<&Region>, text: impl Into<String>) -> Self {
        Self {
            region: region.cloned(),
            text: text.into(),
            more: Vec::new(),
        }
    }

    fn with(mut self, more: Vec<String>) -> Self {
        self.more = more;
        self
    }
}

/// What a fact says; `None` for the facts of hosts.
pub(super) fn said(fact: &Fact, state: &State) -> Option<Said> {
    let lane = |region: &Region, text: String| Some(Said::new(Some(region), text));
    match fact {
        Fact::DeploymentStarted { plan, driver } if plan.is_adopted() => Some(adopted(plan, driver)),
        Fact::DeploymentStarted { plan, driver } => Some(Said::new(None, started(plan, driver))),
        Fact::DeploymentResumed { driver } => Some(Said::new(None, format!("taken up by {}", by(driver)))),
        Fact::DeploymentLeft { reason } => Some(Said::new(None, format!("left: {reason}"))),
        Fact::DeploymentSettled { outcome } => Some(Said::new(
            None,
            format!("settled: {}", outcome.word().replace('-', " ")),
        )),

        Fact::BuildStarted { build, log } => of_build(build, format!("started, the whole log goes to {log}")),
        Fact::BuildStepEnded { build, step } => of_build(build, step_words(step)),
        Fact::BuildSucceeded {
            build,
            image,
            context_bytes,
        } => {
            let text = format!(
                "done, image sha256:{} from {} of context",
                image.short(),
                bytes(*context_bytes)
            );
            of_build(build, text)
        }
        Fact::BuildFailed {
            build,
            problem,
            step,
            exit_code,
            log_tail,
        } => build_failed(build, problem_words(problem), step.as_ref(), *exit_code, log_tail),
        Fact::BuildCancelled { build } => of_build(build, "cancelled".to_owned()),

        Fact::PushStarted { region } => lane(region, format!("push started{}", attempt_of_push(region, state))),
        // An adopted deployment's push is over, and nobody here knows what it was.
        Fact::PushSkipped { digest, .. } if digest.as_str() == UNKNOWN => None,
        Fact::PushSkipped { region, digest } => {
            lane(region, format!("push not needed, sha256:{} is there", digest.short()))
        }
        Fact::PushSucceeded {
            region,
            digest,
            layers_pushed,
            layers_present,
        } => {
            let layers = plural(*layers_pushed as usize, "layer");
            let text = format!(
                "pushed sha256:{}, {layers} sent, {layers_present} there already",
                digest.short()
            );
            lane(region, text)
        }
        Fact::PushFailed { region, problem } => {
            let (text, more) = problem_words(problem);
            Some(Said::new(Some(region), format!("push FAILED: {text}")).with(more))
        }
        Fact::PushCancelled { region } => lane(region, "push cancelled".to_owned()),
        Fact::TagMoved { region, tag, from, to } => {
            let text = match from {
                Some(from) if from == to => format!("{tag} points at sha256:{} already", to.short()),
                Some(from) => format!("{tag} moved from sha256:{} to sha256:{}", from.short(), to.short()),
                None => format!("{tag} points at sha256:{}", to.short()),
            };
            lane(region, text)
        }
        Fact::TagFailed { region, tag, problem } => {
            let (text, more) = problem_words(problem);
            Some(Said::new(Some(region), format!("{tag} NOT moved: {text}")).with(more))
        }

        Fact::SendIntended {
            region, rollout, to, ..
        } => lane(
            region,
            format!("{rollout}: a command to {}", recipients(to, region, rollout, state)),
        ),
        Fact::SendAccepted {
            token,
            command,
            adopted,
            ..
        } => {
            let how = if *adopted { "found in SSM" } else { "taken by SSM" };
            of_send(state, token, format!("command {how}: {command}"), Vec::new())
        }
        Fact::SendRefused {
            token,
            problem,
            stopped,
        } => {
            let (text, more) = problem_words(problem);
            let said = if *stopped {
                format!("command NOT SENT: {text}")
            } else {
                format!("command REFUSED: {text}")
            };
            of_send(state, token, said, more)
        }
        Fact::SendUnknown { token, problem } => {
            let (text, more) = problem_words(problem);
            of_send(
                state,
                token,
                format!("UNKNOWN whether SSM has the command: {text}"),
                more,
            )
        }
        Fact::SendAbandoned { token } => of_send(state, token, "command taken as never sent".to_owned(), Vec::new()),

        Fact::RetryIntended {
            region, rollout, hosts, ..
        } => {
            let hosts = plural(hosts.len(), "host");
            lane(region, format!("{rollout}: {hosts} to be retried"))
        }
        Fact::RetryStopped { region, problem, .. } => {
            let (text, more) = problem_words(problem);
            Some(Said::new(Some(region), format!("retry STOPPED: {text}")).with(more))
        }

        Fact::HostChanged { .. } | Fact::OutputRead { .. } | Fact::CommandEnded { .. } => None,
        Fact::CancelIntended { token } => of_send(state, token, "is to be cancelled".to_owned(), Vec::new()),
        Fact::CancelAsked { command } => of_command(
            state,
            command,
            "cancel asked for; hosts follow, or finish first".to_owned(),
            Vec::new(),
        ),
        Fact::CancelFailed { command, problem } => {
            let (text, more) = problem_words(problem);
            of_command(state, command, format!("cancel REFUSED: {text}"), more)
        }

        Fact::LaneWaits { region, problem } => {
            let (text, more) = problem_words(problem);
            Some(Said::new(Some(region), format!("WAITS: {text}")).with(more))
        }
        Fact::LaneResumed { region } => lane(region, "goes on".to_owned()),
        Fact::LaneReopened { region } => lane(region, "started again".to_owned()),
        Fact::LaneCancelled { region } => lane(region, "cancelled before anything was sent".to_owned()),
    }
}

fn started(plan: &Plan, driver: &Driver) -> String {
    format!(
        "deployment {} started by {}: {} {} to {}, {} in {}",
        plan.id.short(),
        by(driver),
        plan.app,
        plan.commit.id.short(),
        plan.environment.name,
        plural(plan.host_count(), "host"),
        plural(plan.lanes.len(), "region"),
    )
}

/// A deployment that was found in SSM, with what SSM does not know.
fn adopted(plan: &Plan, driver: &Driver) -> Said {
    let text = format!(
        "deployment {} found in SSM by {}: {} in {}",
        plan.id.short(),
        by(driver),
        plural(plan.host_count(), "host"),
        plural(plan.lanes.len(), "region"),
    );
    let notes = plan.warnings.iter().map(|warning| format!("note: {warning}"));
    Said::new(None, text).with(notes.collect())
}

fn by(driver: &Driver) -> String {
    format!("{} on {}, process {}", driver.user, driver.machine, driver.pid)
}

fn of_build(build: &BuildId, text: String) -> Option<Said> {
    Some(Said::new(None, format!("{build}: {text}")))
}

fn of_send(state: &State, token: &Token, text: String, more: Vec<String>) -> Option<Said> {
    let (lane, rollout, _) = state.send(token)?;
    Some(Said::new(Some(&lane.region), format!("{}: {text}", rollout.name)).with(more))
}

fn of_command(state: &State, command: &CommandId, text: String, more: Vec<String>) -> Option<Said> {
    let (lane, rollout, _) = state.command(command)?;
    Some(Said::new(Some(&lane.region), format!("{}: {text}", rollout.name)).with(more))
}

/// `step 7 of 9, RUN cargo test: 16s`.
fn step_words(step: &Step) -> String {
    let place = if step.number == 0 {
        String::new()
    } else {
        format!("step {} of {}, ", step.number, step.of)
    };
    let stage = step
        .stage
        .as_ref()
        .map(|stage| format!("{stage}: "))
        .unwrap_or_default();
    let took = if step.cached {
        "cached".to_owned()
    } else {
        duration(std::time::Duration::from_millis(step.millis))
    };
    format!("{place}{stage}{}: {took}", step.name)
}

fn build_failed(
    build: &BuildId,
    (text, mut more): (String, Vec<String>),
    step: Option<&Step>,
    exit_code: Option<i64>,
    log_tail: &[Clean],
) -> Option<Said> {
    if let Some(step) = step {
        let code = exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        more.push(format!("{}{code}", step_words(step)));
    }
    more.extend(log_tail.iter().map(|line| format!("| {line}")));
    Some(Said::new(None, format!("{build}: FAILED: {text}")).with(more))
}

fn attempt_of_push(region: &Region, state: &State) -> String {
    match state.lane(region) {
        Some(lane) if lane.push_attempts > 1 => format!(", try {}", lane.push_attempts),
        Some(_) | None => String::new(),
    }
}

fn recipients(to: &SendTo, region: &Region, rollout: &RolloutName, state: &State) -> String {
    match to {
        SendTo::Hosts(hosts) => format!("{} again", plural(hosts.len(), "host")),
        SendTo::Targets => {
            let expected = state.lane(region).and_then(|lane| lane.rollout(rollout));
            let count = expected.map_or(0, |rollout| rollout.hosts.len());
            format!("its targets, {} expected", plural(count, "host"))
        }
    }
}
