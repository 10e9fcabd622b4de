//! `--progress plain`: one readable line for each thing that happened, with its time in UTC and its region in front.
//!
//! ```text
//! 12:01:28Z us-east-1  ubuntu: a command to its targets, 60 hosts expected
//! 12:01:44Z us-east-1  ubuntu: web-03 (i-0e4c…): failed, exit code 1
//! 12:01:49Z us-east-1  ubuntu: 31 of 60 done, 29 succeeded, 2 failed
//! ```

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::facts::{Said, said};
use super::news::News;
use super::summary::{host_words, problem_words};
use super::{Voice, heartbeat};
use crate::engine::Update;
use crate::names::{CommandId, HostId, Millis, Region, RolloutName};
use crate::plan::Plan;
use crate::plan::check::{Check, CheckState};
use crate::state::live::Live;
use crate::state::{Fact, HostState, HostStatus, LaneState, Output, Recorded, RolloutState, State, Verdict};
use crate::words::{clock, names, plural, seconds};

/// Silence after which a line says that it is still at work; shorter than the patience of a CI system or a reader.
const SILENCE: Duration = Duration::from_secs(30);
/// Successes of a large rollout are told together, at most this often.
const TOGETHER: Duration = Duration::from_secs(5);
/// A rollout of so many hosts has a line for each success.
const NAMED: usize = 10;
/// Lines of output that are shown for a host that failed: errors stand at the end.
const OUTPUT_LINES: usize = 5;
/// Hosts whose output is shown; `quarterdeck show` has the others'.
const OUTPUTS: usize = 10;

/// Says everything in lines for people.
#[derive(Default)]
pub(super) struct Plain {
    news: News,
    /// Titles of checks without a result.
    pending: Vec<String>,
    /// The longest region's name.
    width: usize,
    /// When something was last said.
    said_at: Option<Millis>,
    tallies: BTreeMap<(Region, RolloutName), Tally>,
    /// What was last said of a host that has a line of its own: the exit code comes after the state.
    named: HashMap<(CommandId, HostId), HostStatus>,
    outputs: usize,
    /// What holds up a push, as it was last said.
    held_up: BTreeMap<Region, String>,
    /// Another process drives.
    watching: bool,
}

/// Successes of one rollout that were not told yet.
#[derive(Default)]
struct Tally {
    untold: usize,
    told_at: Option<Millis>,
}

impl Voice for Plain {
    fn told(&mut self, update: &Update, state: &State, now: Millis) -> Vec<String> {
        let (at, said) = match update {
            Update::Checks(checks) => (now, self.checks(checks)),
            Update::Ready(plan) => (now, self.plan(plan)),
            Update::Blocked(problems) => {
                self.pending.clear();
                let text = format!("cannot start: {}", plural(problems.len(), "problem"));
                (now, vec![Said::new(None, text)])
            }
            Update::Fact(recorded) => (recorded.at, self.fact(recorded, state)),
            Update::RetryChecked { set, moved } => {
                let mut said = Said::new(
                    None,
                    format!(
                        "retry of {} in {}",
                        plural(set.len(), "host"),
                        plural(set.in_regions().len(), "region")
                    ),
                );
                if set.unknown > 0 {
                    said.more
                        .push(format!("{} may have run it already", plural(set.unknown, "host")));
                }
                said.more.extend(moved.iter().map(super::run::moved_words));
                (now, vec![said])
            }
            Update::Watching(driver) => {
                self.watching = true;
                (now, vec![Said::new(None, format!("watching: {}", driver.what))])
            }
            Update::Orphaned => {
                self.watching = false;
                let text = "the process that drove this deployment is gone".to_owned();
                (now, vec![Said::new(None, text)])
            }
            Update::Driving => {
                self.watching = false;
                let text = "this process drives the deployment".to_owned();
                (now, vec![Said::new(None, text)])
            }
            Update::Notice(problem) => (now, vec![of_problem(problem)]),
            Update::Stopped(Some(problem)) => (now, vec![of_problem(problem)]),
            Update::Stopped(None) => (now, Vec::new()),
        };
        self.print(at, said)
    }

    fn tick(&mut self, state: &State, live: &Live, now: Millis) -> Vec<String> {
        let mut said = self.pushes(live);
        for ((region, rollout), tally) in &mut self.tallies {
            let due = tally.told_at.is_none_or(|at| now.since(at) >= TOGETHER);
            if tally.untold > 0 && due {
                said.extend(tally.tell(region, rollout, state, now));
            }
        }
        if said.is_empty() && now.since(*self.said_at.get_or_insert(now)) >= SILENCE {
            said = if state.plan.is_some() {
                let mut lines = heartbeat::lines(state, live, now);
                if let Some(silence) = state.silence(now).filter(|_| self.watching) {
                    let text = format!("no word for {} from the process that drives it", seconds(silence));
                    lines.insert(0, Said::new(None, text));
                }
                lines
            } else if self.pending.is_empty() {
                Vec::new()
            } else {
                vec![Said::new(
                    None,
                    format!("still checking {}", names(&self.pending, self.pending.len(), 6)),
                )]
            };
        }
        self.print(now, said)
    }
}

impl Plain {
    /// What holds up pushes, each time that it is something else: for how long follows the colon and is not said every second.
    fn pushes(&mut self, live: &Live) -> Vec<Said> {
        let mut said = Vec::new();
        for (region, push) in &live.pushes {
            let note = push.note.as_str();
            let what = note.split(':').next().unwrap_or_default();
            let before = self.held_up.insert(region.clone(), what.to_owned());
            if !what.is_empty() && before.as_deref() != Some(what) {
                said.push(Said::new(Some(region), format!("push: {note}")));
            }
        }
        said
    }

    /// Puts time and region in front.
    fn print(&mut self, at: Millis, said: Vec<Said>) -> Vec<String> {
        if !said.is_empty() {
            self.said_at = self.said_at.max(Some(at));
        }
        let mut lines = Vec::new();
        for Said { region, text, more } in said {
            let region = region.as_ref().map_or("", Region::as_str);
            self.width = self.width.max(region.len());
            let mut texts = text.lines();
            let first = texts.next().unwrap_or_default();
            let width = self.width;
            lines.push(format!("{}Z {region:width$}  {first}", clock(at, &TimeZone::UTC)));
            let indent = " ".repeat("00:00:00Z ".len() + width + 4);
            let rest = texts.map(str::to_owned).chain(more);
            lines.extend(rest.map(|line| format!("{indent}{line}")));
        }
        lines
    }

    fn checks(&mut self, checks: &[Check]) -> Vec<Said> {
        let regions = checks.iter().filter_map(|check| check.subject.region());
        self.width = regions.map(|region| region.as_str().len()).fold(self.width, usize::max);
        self.pending = checks
            .iter()
            .filter(|check| check.state == CheckState::Pending)
            .map(|check| match check.subject.region() {
                Some(region) => format!("{region} {}", check.subject.title()),
                None => check.subject.title(),
            })
            .collect();
        self.news.of(checks).filter_map(check_words).collect()
    }

    fn plan(&mut self, plan: &Plan) -> Vec<Said> {
        self.pending.clear();
        let mut head = Said::new(
            None,
            format!(
                "plan: {} {} to {}{}",
                plan.app,
                plan.commit.id.short(),
                plan.environment.name,
                if plan.environment.protected {
                    ", which is protected"
                } else {
                    ""
                },
            ),
        );
        head.more
            .push(format!("{} by {}", plan.commit.subject, plan.commit.author));
        let untold = plan.warnings.iter().filter(|warning| !self.news.said(warning));
        head.more.extend(untold.map(|warning| format!("note: {warning}")));
        let mut said = vec![head];
        for lane in &plan.lanes {
            let mut words = Said::new(Some(&lane.region), format!("push to {}", lane.repository.uri));
            let tags: Vec<&str> = lane.moving_tags.iter().map(|tag| tag.as_str()).collect();
            if lane.build.is_none() {
                words.text.push_str(", nothing to build");
            }
            if !tags.is_empty() {
                words.text.push_str(&format!(", move {}", tags.join(", ")));
            }
            for rollout in &lane.rollouts {
                let hosts = rollout.expected.len();
                words.more.push(format!(
                    "{}: {} {} to {}, up to {} can fail before SSM stops",
                    rollout.name,
                    rollout.document,
                    rollout.document_version,
                    plural(hosts, "host"),
                    rollout.limits(hosts).worst_case,
                ));
            }
            said.push(words);
        }
        said
    }

    fn fact(&mut self, recorded: &Recorded, state: &State) -> Vec<Said> {
        match &recorded.fact {
            Fact::HostChanged { command, host, .. } => self.host(command, host, state, recorded.at),
            Fact::OutputRead { command, host, output } => self.output(command, host, output, state),
            Fact::CommandEnded { command, missing, .. } => self.command_ended(command, missing, state, recorded.at),
            Fact::DeploymentStarted { plan, .. } => {
                let regions = plan.lanes.iter().map(|lane| lane.region.as_str().len());
                self.width = regions.fold(self.width, usize::max);
                said(&recorded.fact, state).into_iter().collect()
            }
            other => said(other, state).into_iter().collect(),
        }
    }

    /// A host's line, if its state is worth one; successes of a large rollout are told together.
    fn host(&mut self, command: &CommandId, host: &HostId, state: &State, at: Millis) -> Vec<Said> {
        let Some((lane, rollout, _)) = state.command(command) else {
            return Vec::new();
        };
        let Some(host) = rollout.host(host) else {
            return Vec::new();
        };
        let status = host.status();
        if self.named.get(&(command.clone(), host.id.clone())) == Some(status) {
            return Vec::new();
        }
        let named = |names: &mut HashMap<_, _>| {
            names.insert((command.clone(), host.id.clone()), status.clone());
            vec![of_host(lane, rollout, host)]
        };
        match status.verdict() {
            Verdict::Failed | Verdict::Unknown | Verdict::NotRun => named(&mut self.named),
            Verdict::Succeeded if rollout.hosts.len() <= NAMED => named(&mut self.named),
            Verdict::Succeeded => {
                let tally = self
                    .tallies
                    .entry((lane.region.clone(), rollout.name.clone()))
                    .or_default();
                tally.untold += 1;
                if at.since(*tally.told_at.get_or_insert(at)) < TOGETHER {
                    return Vec::new();
                }
                tally.tell(&lane.region, &rollout.name, state, at).into_iter().collect()
            }
            Verdict::Running if *status == HostStatus::Delayed => named(&mut self.named),
            Verdict::Waiting | Verdict::Running => Vec::new(),
        }
    }

    fn command_ended(&mut self, command: &CommandId, missing: &[HostId], state: &State, at: Millis) -> Vec<Said> {
        let Some((lane, rollout, _)) = state.command(command) else {
            return Vec::new();
        };
        if let Some(tally) = self.tallies.get_mut(&(lane.region.clone(), rollout.name.clone())) {
            (tally.untold, tally.told_at) = (0, Some(at));
        }
        let missing = missing.iter().filter_map(|host| rollout.host(host));
        let mut said: Vec<Said> = missing.map(|host| of_host(lane, rollout, host)).collect();
        let text = if rollout.hosts.is_empty() {
            "NO HOST has these tags: nothing ran".to_owned()
        } else {
            format!("command ended, {}", heartbeat::counts_words(rollout.counts))
        };
        said.push(Said::new(Some(&lane.region), format!("{}: {text}", rollout.name)));
        said
    }

    /// The end of what a host printed that did not succeed.
    fn output(&mut self, command: &CommandId, host: &HostId, output: &Output, state: &State) -> Vec<Said> {
        let Some((lane, rollout, _)) = state.command(command) else {
            return Vec::new();
        };
        let Some(host) = rollout.host(host).filter(|host| host.can_be_retried()) else {
            return Vec::new();
        };
        self.outputs += 1;
        if self.outputs > OUTPUTS {
            return Vec::new();
        }
        let (stream, cut) = if output.stderr.is_empty() {
            (&output.stdout, output.stdout_cut)
        } else {
            (&output.stderr, output.stderr_cut)
        };
        let lines: Vec<&str> = stream.as_str().lines().collect();
        let code = host.latest().and_then(|attempt| attempt.exit_code);
        let code = code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
        let mut said = Said::new(
            Some(&lane.region),
            format!("{}: {} ended{code} and printed:", rollout.name, host.label()),
        );
        let from = lines.len().saturating_sub(OUTPUT_LINES);
        said.more.extend(lines[from..].iter().map(|line| format!("| {line}")));
        if cut {
            said.more.push("(SSM cut it here)".to_owned());
        }
        if self.outputs == OUTPUTS {
            said.more
                .push("the output of further hosts is kept for `quarterdeck show`".to_owned());
        }
        vec![said]
    }
}

impl Tally {
    /// How the rollout stands, with the successes that were not told yet.
    fn tell(&mut self, region: &Region, rollout: &RolloutName, state: &State, at: Millis) -> Option<Said> {
        (self.untold, self.told_at) = (0, Some(at));
        let counts = state.lane(region)?.rollout(rollout)?.counts;
        Some(Said::new(
            Some(region),
            format!("{rollout}: {}", heartbeat::counts_words(counts)),
        ))
    }
}

fn of_host(lane: &LaneState, rollout: &RolloutState, host: &HostState) -> Said {
    Said::new(Some(&lane.region), format!("{}: {}", rollout.name, host_words(host)))
}

fn of_problem(problem: &crate::problem::Problem) -> Said {
    let (text, more) = problem_words(problem);
    let mut said = Said::new(None, format!("error: {text}"));
    said.more = more;
    said
}

fn check_words(check: &Check) -> Option<Said> {
    let (word, text, more) = match &check.state {
        CheckState::Pending => return None,
        CheckState::Passed(text) => ("ok    ", text.to_string(), Vec::new()),
        CheckState::Warned(text) => ("note  ", text.to_string(), Vec::new()),
        CheckState::Failed(problem) => {
            let (text, more) = problem_words(problem);
            ("FAILED", text, more)
        }
    };
    let mut said = Said::new(
        check.subject.region(),
        format!("{word} {}: {text}", check.subject.title()),
    );
    said.more = more;
    Some(said)
}
