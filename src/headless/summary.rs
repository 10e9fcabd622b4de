//! How it ended: the outcome, every host that did not succeed by name, where the logs are, and what to type next.

use serde_json::{Value, json};

use super::retype;
use crate::again::Again;
use crate::plan::UNKNOWN;
use crate::problem::{Exit, Problem};
use crate::state::{HostState, LaneState, RolloutState, SendPhase, State, Verdict};
use crate::words::{names, plural, seconds};

/// What is said at the end, whoever says it.
pub struct Summary<'a> {
    /// Everything that is known.
    pub state: &'a State,
    /// How the process ends.
    pub exit: Exit,
    /// What kept the deployment from starting or going on. What stopped a build, a push or a send is in the state.
    pub problems: &'a [Problem],
    /// Whether everything is the rehearsal's, also where no plan came to be.
    pub rehearsal: bool,
    /// Whether only a plan was asked for.
    pub plan_only: bool,
    /// Whether another process goes on driving it.
    pub watched: bool,
    /// Whether the fleet ends with this process, as that of a rehearsal's own stand-ins does: nothing can be taken up then.
    pub passing: bool,
    /// How the commands are typed that come next.
    pub again: &'a Again,
}

impl Summary<'_> {
    /// The outcome's word, or why there is none.
    pub fn outcome(&self) -> &'static str {
        match (&self.state.settled, &self.state.plan) {
            (Some((outcome, _)), _) => outcome.word(),
            (None, None) if !self.plan_only => "not-started",
            (None, None) if self.exit == Exit::Success => "ready",
            (None, None) => "blocked",
            (None, Some(_)) if self.exit == Exit::Left => "left",
            (None, Some(_)) => "interrupted",
        }
    }

    /// Hosts whose latest attempt ended without success, in the plan's order.
    fn unsuccessful(&self) -> impl Iterator<Item = (&LaneState, &RolloutState, &HostState)> {
        self.hosts().filter(|(_, _, host)| host.can_be_retried())
    }

    fn hosts(&self) -> impl Iterator<Item = (&LaneState, &RolloutState, &HostState)> {
        let rollouts = self
            .state
            .lanes
            .iter()
            .flat_map(|lane| lane.rollouts.iter().map(move |rollout| (lane, rollout)));
        rollouts.flat_map(|(lane, rollout)| rollout.hosts.iter().map(move |host| (lane, rollout, host)))
    }

    /// Files with whole build logs.
    fn logs(&self) -> impl Iterator<Item = (&str, &str)> {
        let builds = self.state.builds.iter();
        builds.filter_map(|build| Some((build.id.as_str(), build.log.as_ref()?.as_str())))
    }

    /// The lines that close the plain and the quiet output.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for problem in self.problems {
            lines.extend(problem_lines(problem));
        }
        let Some(plan) = &self.state.plan else {
            lines.push(match self.outcome() {
                "ready" => {
                    "ready: nothing was changed; `quarterdeck deploy` with the same options starts it".to_owned()
                }
                "blocked" => format!("cannot start: {}", plural(self.problems.len(), "problem")),
                _ => "nothing was started".to_owned(),
            });
            return lines;
        };
        let counts = self.state.counts();
        // Without a configuration SSM's commands do not say of what they were.
        let of = if plan.app.as_str() == UNKNOWN {
            ", found in SSM".to_owned()
        } else {
            format!(" of {} to {}", plan.app, plan.environment.name)
        };
        let mut head = format!(
            "deployment {}{of}: {}, {} of {} succeeded",
            plan.id.short(),
            self.outcome().replace('-', " "),
            counts.succeeded,
            plural(counts.total(), "host"),
        );
        let ended = self.state.settled.map(|(_, at)| at).or(self.state.last_at);
        // SSM does not say when one that was found there had ended.
        if let (Some(started), Some(ended), false) = (self.state.started_at, ended, plan.is_adopted()) {
            head.push_str(&format!(" in {}", seconds(ended.since(started))));
        }
        lines.push(head);
        if let Some(digest) = self.state.digest() {
            lines.push(format!("image {} is {digest}", plan.commit.id.short()));
        }
        if let Some(elsewhere) = plan.elsewhere() {
            lines.push("commit and digest are unknown: it was found in SSM, which knows neither".to_owned());
            lines.push(format!("{}; {}", elsewhere.what, elsewhere.remedy));
        }
        self.host_lines(&mut lines);
        for problem in self.state.problems() {
            lines.extend(problem_lines(problem));
        }
        for (build, log) in self.logs() {
            lines.push(format!("log of {build}: {log}"));
        }
        self.next_lines(&mut lines);
        lines
    }

    fn host_lines(&self, lines: &mut Vec<String>) {
        let counts = self.state.counts();
        if counts.unsuccessful() > 0 {
            lines.push(format!("{} did not succeed:", plural(counts.unsuccessful(), "host")));
        }
        for (lane, rollout, host) in self.unsuccessful() {
            lines.push(format!("  {} {}: {}", lane.region, rollout.name, host_words(host)));
        }
        if self.state.settled.is_some() {
            let open = self.untold(true);
            if open > 0 {
                let hosts = plural(open, "host");
                lines.push(format!(
                    "nobody knows whether {hosts} were told to pull the image: do not deploy again before you have looked"
                ));
            }
            let untold = self.untold(false);
            if untold > 0 {
                lines.push(format!("{} not told to pull the image", were(untold)));
            }
        }
    }

    /// How many hosts wait in rollouts of which a send is unknown, or in the others.
    fn untold(&self, unknown: bool) -> usize {
        let rollouts = self.state.lanes.iter().flat_map(|lane| &lane.rollouts);
        let such = rollouts.filter(|rollout| rollout.has_unknown_send() == unknown);
        such.map(|rollout| rollout.counts.waiting).sum()
    }

    fn next_lines(&self, lines: &mut Vec<String>) {
        let next = self.next();
        if !next.is_empty() {
            lines.push("next:".to_owned());
            lines.extend(next.iter().map(|line| format!("  {line}")));
        }
        if let Some(last) = self.still_running() {
            lines.push(last);
        }
    }

    /// Commands that can be typed next.
    fn next(&self) -> Vec<String> {
        let Some(plan) = &self.state.plan else {
            return Vec::new();
        };
        if self.passing {
            return Vec::new();
        }
        let attach = self.again.attach(plan.id);
        if self.state.settled.is_none() {
            return vec![attach];
        }
        let mut rollouts = self.state.lanes.iter().flat_map(|lane| &lane.rollouts);
        let mut next = Vec::new();
        if rollouts.any(RolloutState::has_unknown_send) {
            next.push(attach.clone());
        }
        if self.state.counts().unsuccessful() == 0 {
            return next;
        }
        let name = if plan.environment.protected {
            format!("={}", plan.environment.name)
        } else {
            String::new()
        };
        next.push(self.again.show(plan.id));
        next.push(format!("{attach} --retry unsuccessful --yes{name}"));
        next.extend(retype::commands(self.state));
        next
    }

    /// What goes on without this process, and how to come back to it.
    fn still_running(&self) -> Option<String> {
        let plan = self.state.plan.as_ref()?;
        if self.state.settled.is_some() {
            return None;
        }
        let mut regions: Vec<&str> = Vec::new();
        let mut running = 0;
        for lane in &self.state.lanes {
            let hosts = lane.rollouts.iter().map(going_on).sum::<usize>();
            if hosts > 0 {
                regions.push(lane.region.as_str());
                running += hosts;
            }
        }
        let what = if running > 0 {
            let count = if running == 1 {
                "1 host goes".to_owned()
            } else {
                format!("{running} hosts go")
            };
            format!("{count} on in {}", names(&regions, regions.len(), 6))
        } else if super::was_sent(self.state) {
            "what was sent to the fleet goes on".to_owned()
        } else if self.passing {
            return Some("nothing was sent to the fleet".to_owned());
        } else {
            "nothing was sent to the fleet".to_owned()
        };
        if self.passing {
            return Some(format!("{what}, until this rehearsal's stand-ins end with it"));
        }
        let attach = self.again.attach(plan.id);
        Some(match &self.state.driver {
            Some(driver) if self.watched => format!(
                "{what}; {} on {} drives it, process {}; `{attach}` watches it again",
                driver.user, driver.machine, driver.pid
            ),
            Some(_) | None => format!("{what}; `{attach}` takes it up again"),
        })
    }

    /// The object that closes the JSON output.
    pub fn json(&self) -> Value {
        let plan = self.state.plan.as_deref();
        let counts = self.state.counts();
        let hosts: Vec<Value> = self
            .unsuccessful()
            .map(|(lane, rollout, host)| {
                let latest = host.latest();
                let command = latest.and_then(|attempt| rollout.sends.get(attempt.send)?.command());
                json!({
                    "region": lane.region,
                    "rollout": rollout.name,
                    "host": host.id,
                    "name": host.name,
                    "status": host.status().word(),
                    "verdict": verdict_word(host.status().verdict()),
                    "exit_code": latest.and_then(|attempt| attempt.exit_code),
                    "attempts": host.attempts.len(),
                    "command": command,
                })
            })
            .collect();
        let logs: Vec<Value> = self
            .logs()
            .map(|(build, log)| json!({"build": build, "log": log}))
            .collect();
        json!({
            "type": "summary",
            "deployment": plan.map(|plan| plan.id),
            "app": plan.map(|plan| &plan.app),
            "environment": plan.map(|plan| &plan.environment.name),
            "commit": plan.map(|plan| &plan.commit.id),
            "rehearsal": self.rehearsal,
            "digest": self.state.digest(),
            "outcome": self.outcome(),
            "exit": self.exit as u8,
            "started_at": self.state.started_at,
            "ended_at": self.state.settled.map(|(_, at)| at),
            "hosts": {
                "total": counts.total(),
                "waiting": counts.waiting,
                "running": counts.running,
                "succeeded": counts.succeeded,
                "failed": counts.failed,
                "unknown": counts.unknown,
                "not_run": counts.not_run,
            },
            "unsuccessful": hosts,
            "problems": self.problems.iter().chain(self.state.problems()).collect::<Vec<_>>(),
            "logs": logs,
            "next": self.next(),
        })
    }
}

/// A problem as the command line says it, a remedy on a line of its own.
pub fn problem_lines(problem: &Problem) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (at, line) in problem.what.as_str().lines().enumerate() {
        let start = if at == 0 { "error: " } else { "       " };
        lines.push(format!("{start}{line}"));
    }
    for (at, line) in problem.remedy.as_str().lines().enumerate() {
        let start = if at == 0 { "  -> " } else { "     " };
        lines.push(format!("{start}{line}"));
    }
    lines
}

/// A problem within a line of its own story: its first line, and the lines that belong to it.
pub(super) fn problem_words(problem: &Problem) -> (String, Vec<String>) {
    let mut what = problem.what.as_str().lines().map(str::to_owned);
    let first = what.next().unwrap_or_default();
    let mut more: Vec<String> = what.collect();
    more.extend(problem.remedy.as_str().lines().map(|line| format!("-> {line}")));
    (first, more)
}

/// A host and how it stands: `web-03 (i-0e4c…): failed, exit code 1, try 2`.
pub(super) fn host_words(host: &HostState) -> String {
    let mut said = if host.name.is_empty() {
        host.id.to_string()
    } else {
        format!("{} ({})", host.name, host.id)
    };
    said.push_str(&format!(": {}", host.status().word()));
    if let Some(code) = host.latest().and_then(|attempt| attempt.exit_code)
        && code != 0
    {
        said.push_str(&format!(", exit code {code}"));
    }
    if host.status().verdict() == Verdict::Unknown {
        said.push_str(", unknown whether it ran");
    }
    if host.attempts.len() > 1 {
        said.push_str(&format!(", try {}", host.attempts.len()));
    }
    said
}

/// Hosts of a rollout that a command goes on to, whether it was seen to run there or not: SSM has it, or may have it, and
/// reaches whom it has not reached yet.
fn going_on(rollout: &RolloutState) -> usize {
    let open = |host: &&HostState| {
        let attempt = host.latest().filter(|attempt| !attempt.status.is_end());
        let send = attempt.and_then(|attempt| rollout.sends.get(attempt.send));
        send.is_some_and(|send| match &send.phase {
            SendPhase::Intended | SendPhase::Unknown(_) => true,
            SendPhase::Accepted { ended, .. } => ended.is_none(),
            SendPhase::Refused(_) | SendPhase::Abandoned => false,
        })
    };
    rollout.hosts.iter().filter(open).count()
}

fn were(hosts: usize) -> String {
    if hosts == 1 {
        "1 host was".to_owned()
    } else {
        format!("{hosts} hosts were")
    }
}

/// A verdict's word in outputs for machines.
fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Waiting => "waiting",
        Verdict::Running => "running",
        Verdict::Succeeded => "succeeded",
        Verdict::Failed => "failed",
        Verdict::Unknown => "unknown",
        Verdict::NotRun => "not-run",
    }
}
