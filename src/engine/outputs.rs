//! Which hosts' output is read: of hosts whose script ended badly by itself, of others when the operator opens them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::future::Future;
use std::time::Duration;

use super::means::Means;
use super::ports::AwsError;
use super::work::{Event, Work};
use crate::mask::Mask;
use crate::names::{CommandId, HostId, Region};
use crate::problem::{Kind, Problem};
use crate::state::{HostStatus, Output, State};

/// Outputs read at a time in a region, so that reading them never starves the poller of its share of requests.
const AT_A_TIME: usize = 2;
/// Outputs that are read by themselves for one command: a fleet that fails as a whole fails for one reason, and each
/// output is up to 32 000 characters in the journal. The others are read when they are opened.
const BY_THEMSELVES: usize = 100;
/// GetCommandInvocation lags behind the listing; it is asked this often for an invocation that was listed.
const LOOKS: u32 = 4;

/// A call is made this often for an output that nobody opened: a deployment is over when its hosts are, whether
/// or not what they printed can be read now.
const TRIES: u32 = 6;

/// One output to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub region: Region,
    pub command: CommandId,
    pub host: HostId,
    /// The document's step, where it has several.
    pub step: Option<String>,
    /// Whether the operator waits for it.
    pub opened: bool,
}

/// What is to be read.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    regions: BTreeMap<Region, Readings>,
    known: HashSet<(CommandId, HostId)>,
    by_themselves: HashMap<CommandId, usize>,
    /// Where an output was given up that nobody opened.
    given_up: HashSet<Region>,
}

/// A region's part: a fleet that fails as a whole has thousands, and none of them is looked at before its turn.
#[derive(Debug, Default)]
struct Readings {
    queue: VecDeque<Wanted>,
    reading: HashSet<(CommandId, HostId)>,
}

impl Outputs {
    /// The operator opened the page of a host that has ended: before all others, unless it is being read already.
    pub fn open(&mut self, wanted: Wanted) {
        let key = (wanted.command.clone(), wanted.host.clone());
        let Readings { queue, reading } = self.regions.entry(wanted.region.clone()).or_default();
        if reading.contains(&key) {
            return;
        }
        queue.retain(|other| (&other.command, &other.host) != (&wanted.command, &wanted.host));
        self.known.insert(key);
        queue.push_front(wanted);
    }

    /// An invocation ended; its output is read if it ended badly and was not asked for yet.
    pub fn ended(&mut self, status: &HostStatus, wanted: Wanted) {
        let key = (wanted.command.clone(), wanted.host.clone());
        if !says_why(status) || self.known.contains(&key) {
            return;
        }
        let count = self.by_themselves.entry(wanted.command.clone()).or_default();
        if *count < BY_THEMSELVES {
            *count += 1;
            self.known.insert(key);
            let readings = self.regions.entry(wanted.region.clone()).or_default();
            readings.queue.push_back(wanted);
        }
    }

    /// Whether nothing is read or waits to be.
    pub fn is_idle(&self) -> bool {
        let idle = |readings: &Readings| readings.queue.is_empty() && readings.reading.is_empty();
        self.regions.values().all(idle)
    }

    /// Takes out what can be read now.
    pub fn due(&mut self) -> Vec<Wanted> {
        let mut due = Vec::new();
        for Readings { queue, reading } in self.regions.values_mut() {
            while reading.len() < AT_A_TIME
                && let Some(wanted) = queue.pop_front()
            {
                reading.insert((wanted.command.clone(), wanted.host.clone()));
                due.push(wanted);
            }
        }
        due
    }

    /// Outputs of the region can't be read for now: those that nobody opened wait no longer. Whether this is news.
    pub fn give_up(&mut self, region: &Region) -> bool {
        if let Some(readings) = self.regions.get_mut(region) {
            readings.queue.retain(|wanted| wanted.opened);
        }
        self.given_up.insert(region.clone())
    }

    /// A reading ended, with or without an output.
    pub fn read(&mut self, command: &CommandId, host: &HostId) {
        let key = (command.clone(), host.clone());
        for readings in self.regions.values_mut() {
            readings.reading.remove(&key);
        }
    }
}

/// Whether the output of a host in this state tells why.
pub(super) fn says_why(status: &HostStatus) -> bool {
    match status {
        HostStatus::Failed | HostStatus::ExecutionTimedOut | HostStatus::Cancelled => true,
        HostStatus::Other { ended, .. } => *ended,
        HostStatus::Waiting
        | HostStatus::NotSent
        | HostStatus::Pending
        | HostStatus::InProgress
        | HostStatus::Delayed
        | HostStatus::Cancelling
        | HostStatus::Success
        | HostStatus::DeliveryTimedOut
        | HostStatus::Undeliverable
        | HostStatus::Terminated
        | HostStatus::InvalidPlatform
        | HostStatus::AccessDenied
        | HostStatus::Missing => false,
    }
}

/// The latest attempts that ended badly without their output in the journal: what a process that ended left unread.
pub(super) fn unread(state: &State) -> Vec<(Region, CommandId, HostId, HostStatus)> {
    let mut unread = Vec::new();
    for lane in &state.lanes {
        for rollout in &lane.rollouts {
            for host in &rollout.hosts {
                let Some(attempt) = host.latest() else { continue };
                let command = rollout.sends.get(attempt.send).and_then(|send| send.command());
                if let (None, Some(command), true) = (&attempt.output, command, says_why(&attempt.status)) {
                    unread.push((
                        lane.region.clone(),
                        command.clone(),
                        host.id.clone(),
                        attempt.status.clone(),
                    ));
                }
            }
        }
    }
    unread
}

/// Reads one output and tells it.
pub(super) async fn run(means: Means, wanted: Wanted) {
    match read(&means, &wanted).await {
        Ok(Some((output, exit_code))) => {
            let lane = means.plan.lane(&wanted.region);
            let secrets = lane.map(|lane| means.secrets.of_lane(lane)).unwrap_or_default();
            let mask = Mask::new(&secrets);
            means.tell(Event::Output {
                command: wanted.command,
                host: wanted.host,
                // A script that traces itself prints what it was given.
                output: Output {
                    stdout: mask.output(output.stdout.as_str(), output.stdout_cut),
                    stderr: mask.output(output.stderr.as_str(), output.stderr_cut),
                    ..output
                },
                exit_code,
            });
        }
        Ok(None) if wanted.opened => means.tell(Event::Notice(Problem::new(
            Kind::Unexpected,
            format!("{}: SSM has no output of {} yet", wanted.region, wanted.host),
            "open it again in a while",
        ))),
        Err(problem) if wanted.opened => means.tell(Event::Notice(problem)),
        Err(problem) => means.tell(Event::Unread(wanted.region, problem)),
        // Nobody waits for it, and opening the host reads it again.
        Ok(None) => {}
    }
}

/// What is said where outputs were given up.
pub(super) fn given_up(region: &Region, problem: &Problem) -> Problem {
    Problem::new(
        problem.kind,
        format!(
            "{region}: what failed hosts printed is not read for now: {}",
            problem.what
        ),
        "open a host to read it",
    )
}

async fn read(means: &Means, wanted: &Wanted) -> Result<Option<(crate::state::Output, Option<i32>)>, Problem> {
    let ssm = &means.region(&wanted.region)?.ssm;
    let work = Work::Output(wanted.command.clone(), wanted.host.clone());
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let call = || ssm.output(&wanted.command, &wanted.host, wanted.step.as_deref());
        let found = if wanted.opened {
            means.patiently(&wanted.region, &work, call).await?
        } else {
            by_itself(means, call).await?
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Makes a call that nobody waits for: not for as long as it takes, and never until there are credentials.
async fn by_itself<T, F>(means: &Means, call: impl Fn() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let mut pause = means.pace.pause;
    for _ in 1..TRIES {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(AwsError::Throttled(_) | AwsError::Unknown(_)) => tokio::time::sleep(pause).await,
            Err(AwsError::Expired(problem) | AwsError::Refused(problem)) => return Err(problem),
        }
        pause = (pause * 2).min(means.pace.slowest);
    }
    call().await.map_err(|error| error.problem().clone())
}
