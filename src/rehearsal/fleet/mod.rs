//! The simulated fleet of one region: nodes, the commands that run on them, and what happens when.
//!
//! Everything happens on an agenda of moments. [`Fleet::advance`] lets it happen up to a moment, in order, so that the
//! outcome is the same however often and whenever somebody looks. No clock and no sockets are in here.

mod command;
mod dice;
mod fate;
mod limits;
mod node;
mod pace;
mod script;
pub mod story;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

pub use command::{Command, Counts, ImageName, Invocation, Launch};
pub(crate) use dice::Dice;
pub use fate::{Fate, Status};
pub use limits::{Amount, Limits};
pub use node::{Appears, Node};
pub use pace::Pace;
pub use script::Printed;

use crate::names::Millis;
use command::Stop;

/// Which image a host gets.
pub trait Images: Send + Sync {
    /// The digest that a tag names now; `None` when the repository or the tag does not exist.
    fn pulls(&self, region: &str, repository: &str, tag: &str) -> Option<String>;
}

/// One script that really ran on a host: the truth that no report can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The host's id.
    pub host: String,
    /// The command's number in its region.
    pub command: usize,
    /// When it started.
    pub started_at: Millis,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Millis>,
    /// Whether it ended with 0.
    pub succeeded: bool,
}

/// A region's fleet.
pub struct Fleet {
    region: String,
    seed: u64,
    pace: Pace,
    images: Arc<dyn Images>,
    nodes: Vec<Node>,
    by_id: HashMap<String, usize>,
    commands: Vec<Command>,
    runs: Vec<Run>,
    agenda: BinaryHeap<Reverse<Entry>>,
    serial: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Millis,
    /// Keeps what happens at the same moment in the order in which it was set down.
    serial: u64,
    command: usize,
    what: What,
}

/// What happens; a number is that of the command's invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The targets are resolved.
    Resolve,
    /// A late host appears.
    Appear(usize),
    /// The agent has the command and starts the script.
    Acknowledge(usize),
    /// The agent can't be reached.
    Delay(usize),
    /// The script ends, or what else ends an invocation.
    End(usize),
    /// The script of a run ends without anybody hearing of it.
    Unheard(usize),
    /// The agent has stopped the script.
    Stopped(usize),
    /// The command's time is up.
    Expire,
}

impl Fleet {
    /// A fleet at rest.
    pub fn new(region: &str, seed: u64, pace: Pace, images: Arc<dyn Images>, mut nodes: Vec<Node>) -> Self {
        nodes.iter_mut().for_each(Node::refresh);
        let by_id = nodes
            .iter()
            .enumerate()
            .map(|(at, node)| (node.id.clone(), at))
            .collect();
        Self {
            region: region.to_owned(),
            seed,
            pace,
            images,
            nodes,
            by_id,
            commands: Vec::new(),
            runs: Vec::new(),
            agenda: BinaryHeap::new(),
            serial: 0,
        }
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node's number.
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Gives a host another story from its next command on; whether there is such a host.
    pub fn tell(&mut self, host: &str, fates: Vec<Fate>) -> bool {
        let node = self.find(host).and_then(|at| self.nodes.get_mut(at));
        node.map(|node| node.begin(fates)).is_some()
    }

    /// Its commands, in the order in which they were sent.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Every script that ran.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// What an ended invocation printed.
    pub fn printed(&self, command: usize, invocation: usize) -> Printed {
        let command = &self.commands[command];
        let invocation = &command.invocations[invocation];
        script::print(&self.nodes[invocation.node], command, invocation)
    }

    /// The next moment at which something happens by itself.
    pub fn next_at(&self) -> Option<Millis> {
        self.agenda.peek().map(|Reverse(entry)| entry.at)
    }

    /// When a command that is sent now is over, whatever its hosts do.
    pub fn expires_at(&self, now: Millis, delivery_ms: u64, execution_ms: u64) -> Millis {
        self.pace.timeout(now, delivery_ms.saturating_add(execution_ms))
    }

    /// Takes a command and returns its number.
    pub fn send(&mut self, now: Millis, launch: Launch) -> usize {
        let number = self.commands.len();
        let mut dice = self.dice(number, "send");
        let visible_at = self.pace.after(now, dice.between(200, 900));
        let resolved_at = self.pace.after(visible_at, dice.between(100, 400));
        let expires_at = self.expires_at(now, launch.delivery_ms, launch.execution_ms);
        self.commands.push(Command::new(launch, now, visible_at));
        self.plan(resolved_at, number, What::Resolve);
        self.plan(expires_at.max(resolved_at), number, What::Expire);
        number
    }

    /// Asks hosts of a command to stop: all of them, or those with these node numbers.
    pub fn cancel(&mut self, now: Millis, number: usize, only: Option<&[usize]>) {
        let command = &mut self.commands[number];
        if command.ended_at.is_some() {
            return;
        }
        if only.is_none() && command.stop.is_none() {
            command.stop = Some(Stop::Cancelled);
        }
        let asked = |node: usize| only.is_none_or(|nodes| nodes.contains(&node));
        let mut stopping = Vec::new();
        if only.is_none() {
            command.queue.clear();
        }
        for at in 0..command.invocations.len() {
            if !asked(command.invocations[at].node) {
                continue;
            }
            match command.invocations[at].status {
                Status::Pending => {
                    command.queue.retain(|queued| *queued != at);
                    command.end(at, Status::Cancelled, now);
                }
                Status::InProgress | Status::Delayed => {
                    command.invocations[at].status = Status::Cancelling;
                    stopping.push(at);
                }
                _ => {}
            }
        }
        for at in stopping {
            let delay = self.invocation_dice(number, at, "stop").between(500, 2500);
            self.plan(self.pace.after(now, delay), number, What::Stopped(at));
        }
        self.fill(now, number);
    }

    /// Lets everything happen that happens until `now`.
    pub fn advance(&mut self, now: Millis) {
        while let Some(Reverse(entry)) = self.agenda.peek().copied() {
            if entry.at > now {
                break;
            }
            self.agenda.pop();
            self.happen(entry);
            self.fill(entry.at, entry.command);
        }
    }

    fn happen(&mut self, Entry { at, command, what, .. }: Entry) {
        match what {
            What::Resolve => self.resolve(at, command),
            What::Appear(invocation) => {
                let command = &mut self.commands[command];
                if command.invocations[invocation].status == Status::Pending {
                    command.invocations[invocation].listed = true;
                    command.queue.push_back(invocation);
                }
            }
            What::Acknowledge(invocation) => self.acknowledge(at, command, invocation),
            What::Delay(invocation) => {
                let command = &mut self.commands[command];
                if command.invocations[invocation].status == Status::InProgress {
                    command.invocations[invocation].status = Status::Delayed;
                    command.release(invocation);
                    // Whether it was reached or not, its answer is in, and the ramp goes on.
                    command.ramp.acknowledged();
                }
            }
            What::End(invocation) => {
                let status = self.ending(command, invocation);
                self.finish(at, command, invocation, status);
            }
            What::Unheard(invocation) => self.close_run(at, command, invocation, true),
            What::Stopped(invocation) => {
                if self.commands[command].invocations[invocation].status == Status::Cancelling {
                    self.finish(at, command, invocation, Status::Cancelled);
                }
            }
            What::Expire => self.expire(at, command),
        }
    }

    fn resolve(&mut self, at: Millis, number: usize) {
        let command = &mut self.commands[number];
        command.resolved = true;
        let mut late = Vec::new();
        for node in &command.launch.nodes {
            let appears = self.nodes[*node].appears;
            if appears == Appears::Never {
                continue;
            }
            let invocation = command.invocations.len();
            let cancelled = command.stop.is_some();
            command.invocations.push(Invocation {
                node: *node,
                status: Status::Pending,
                fate: Fate::Success,
                listed: appears == Appears::AtOnce,
                started_at: None,
                ended_at: None,
                digest: None,
                in_flight: false,
                run: None,
            });
            match appears {
                Appears::Late(delay) if !cancelled => late.push((invocation, delay)),
                Appears::Late(_) | Appears::AtOnce | Appears::Never => command.queue.push_back(invocation),
            }
        }
        command.counts.targets = command.invocations.len();
        if command.invocations.is_empty() {
            command.ended_at = Some(at);
        } else if command.stop.is_some() {
            command.end_unsent(Status::Cancelled, at);
        }
        for (invocation, delay) in late {
            self.plan(self.pace.after(at, delay), number, What::Appear(invocation));
        }
    }

    /// Starts as many hosts as limits and ramp allow.
    fn fill(&mut self, at: Millis, number: usize) {
        while let Some(invocation) = self.commands[number].next() {
            let node = &mut self.nodes[self.commands[number].invocations[invocation].node];
            let fate = node.next_fate();
            node.attempts += 1;
            self.commands[number].invocations[invocation].fate = fate;
            let mut dice = self.invocation_dice(number, invocation, "reach");
            match fate {
                Fate::InvalidPlatform | Fate::AccessDenied => {
                    let soon = self.pace.after(at, dice.between(50, 200));
                    self.plan(soon, number, What::End(invocation));
                }
                Fate::Offline => {
                    let noticed = self.pace.after(at, dice.between(1500, 3000));
                    let given_up = self.pace.timeout(noticed, self.commands[number].launch.delivery_ms / 2);
                    self.plan(noticed, number, What::Delay(invocation));
                    self.plan(given_up, number, What::End(invocation));
                }
                Fate::Unreached => {
                    let noticed = self.pace.after(at, dice.between(1500, 3000));
                    self.plan(noticed, number, What::Delay(invocation));
                }
                Fate::Success
                | Fate::Reboot
                | Fate::Noisy
                | Fate::DiskFull
                | Fate::PullDenied
                | Fate::ImageMissing
                | Fate::Unhealthy
                | Fate::Hang
                | Fate::Silent => {
                    let soon = self.pace.after(at, dice.between(120, 450));
                    self.plan(soon, number, What::Acknowledge(invocation));
                }
            }
        }
    }

    fn acknowledge(&mut self, at: Millis, number: usize, invocation: usize) {
        let mut dice = self.invocation_dice(number, invocation, "run");
        let command = &mut self.commands[number];
        let starting = &mut command.invocations[invocation];
        if starting.status != Status::InProgress {
            return;
        }
        starting.started_at = Some(at);
        command.ramp.acknowledged();
        if let Some(image) = &command.launch.image {
            starting.digest = self.images.pulls(&image.region, &image.repository, &image.tag);
            if starting.digest.is_none() && matches!(starting.fate, Fate::Success | Fate::Reboot | Fate::Silent) {
                starting.fate = Fate::ImageMissing;
            }
        }
        starting.run = Some(self.runs.len());
        let execution_ms = command.launch.execution_ms;
        let fate = starting.fate;
        self.runs.push(Run {
            host: self.nodes[starting.node].id.clone(),
            command: number,
            started_at: at,
            ended_at: None,
            succeeded: false,
        });
        let run = match fate {
            Fate::Success | Fate::Silent => dice.between(4000, 11_000),
            Fate::Reboot => dice.between(16_000, 22_000),
            Fate::DiskFull | Fate::Noisy => dice.between(3500, 7000),
            Fate::PullDenied | Fate::ImageMissing => dice.between(2500, 4000),
            Fate::Unhealthy => dice.between(7000, 12_000),
            Fate::Hang | Fate::Offline | Fate::Unreached | Fate::InvalidPlatform | Fate::AccessDenied => u64::MAX,
        };
        let killed = self.pace.timeout(at, execution_ms);
        let ends = if run == u64::MAX {
            killed
        } else {
            self.pace.after(at, run).min(killed)
        };
        if ends == killed && fate != Fate::Silent {
            // Whatever it was meant to become, the agent kills it at the timeout.
            self.commands[number].invocations[invocation].fate = Fate::Hang;
        }
        let what = match fate {
            Fate::Silent => What::Unheard(invocation),
            _ => What::End(invocation),
        };
        self.plan(ends, number, what);
    }

    /// The state in which an invocation ends by itself.
    fn ending(&self, number: usize, invocation: usize) -> Status {
        match self.commands[number].invocations[invocation].fate {
            Fate::Success | Fate::Reboot | Fate::Silent => Status::Success,
            Fate::DiskFull | Fate::Noisy | Fate::PullDenied | Fate::ImageMissing | Fate::Unhealthy => Status::Failed,
            Fate::Hang => Status::ExecutionTimedOut,
            Fate::Offline => Status::Undeliverable,
            Fate::Unreached => Status::DeliveryTimedOut,
            Fate::InvalidPlatform => Status::InvalidPlatform,
            Fate::AccessDenied => Status::AccessDenied,
        }
    }

    fn expire(&mut self, at: Millis, number: usize) {
        let command = &mut self.commands[number];
        if command.ended_at.is_some() {
            return;
        }
        command.stop.get_or_insert(Stop::Expired);
        command.queue.clear();
        for invocation in 0..self.commands[number].invocations.len() {
            let status = match self.commands[number].invocations[invocation].status {
                Status::Cancelling => Status::Cancelled,
                _ => Status::DeliveryTimedOut,
            };
            // A script that runs goes on; only its report comes too late.
            self.report(at, number, invocation, status);
        }
    }

    /// Ends run and invocation.
    fn finish(&mut self, at: Millis, number: usize, invocation: usize, status: Status) {
        self.close_run(at, number, invocation, status == Status::Success);
        self.report(at, number, invocation, status);
    }

    fn report(&mut self, at: Millis, number: usize, invocation: usize, status: Status) {
        let command = &mut self.commands[number];
        let node = command.invocations[invocation].node;
        if command.end(invocation, status, at) {
            self.nodes[node].refresh();
        }
    }

    fn close_run(&mut self, at: Millis, number: usize, invocation: usize, succeeded: bool) {
        let run = self.commands[number].invocations[invocation].run;
        if let Some(run) = run.and_then(|run| self.runs.get_mut(run))
            && run.ended_at.is_none()
        {
            run.ended_at = Some(at);
            run.succeeded = succeeded;
        }
    }

    fn plan(&mut self, at: Millis, command: usize, what: What) {
        self.serial += 1;
        self.agenda.push(Reverse(Entry {
            at,
            serial: self.serial,
            command,
            what,
        }));
    }

    fn dice(&self, command: usize, question: &str) -> Dice {
        Dice::new(self.seed, &[&self.region, &command.to_string(), question])
    }

    fn invocation_dice(&self, command: usize, invocation: usize, question: &str) -> Dice {
        let node = &self.nodes[self.commands[command].invocations[invocation].node];
        Dice::new(self.seed, &[&self.region, &node.id, &command.to_string(), question])
    }
}
