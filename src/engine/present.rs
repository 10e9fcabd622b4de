//! The look at hosts before a retry. SSM refuses a whole command for one instance id that it cannot reach, so a host that an
//! autoscaling group took away would keep up to forty-nine others from ever being retried.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::adopt;
use super::means::Means;
use super::ports::Recipients;
use super::work::Work;
use crate::names::{HostId, Region};
use crate::plan::{ExpectedHost, Ping};
use crate::problem::{Kind, Problem};
use crate::state::RetrySet;
use crate::words::plural;

/// Hosts that are named one by one.
const NAMED: usize = 20;

/// Who of a retry can't be reached.
#[derive(Debug, Default)]
pub(super) struct Absent {
    /// The hosts.
    pub hosts: BTreeSet<(Region, HostId)>,
    /// Who they are, or why nobody knows.
    pub said: Vec<Problem>,
}

/// Looks up the hosts of `set`. Where that fails all of them count as present.
pub(super) async fn absent(means: &Means, work: &Work, set: &RetrySet) -> Absent {
    let mut asked: BTreeMap<&Region, BTreeSet<HostId>> = BTreeMap::new();
    for ((region, _), hosts) in &set.hosts {
        asked.entry(region).or_default().extend(hosts.iter().cloned());
    }
    let looks = asked.into_iter().map(|(region, ids)| async move {
        let found = look(means, work, region, &ids).await;
        (region, ids, found)
    });
    let mut absent = Absent::default();
    for (region, ids, found) in join_all(looks).await {
        match found {
            Ok(found) => {
                let gone: Vec<HostId> = ids.into_iter().filter(|id| !is_present(&found, id)).collect();
                if !gone.is_empty() {
                    absent.said.push(left_out(means, region, &gone));
                    absent.hosts.extend(gone.into_iter().map(|id| (region.clone(), id)));
                }
            }
            Err(problem) => absent.said.push(Problem::new(
                problem.kind,
                format!(
                    "{region}: the hosts of the retry could not be looked up, and one that is gone makes SSM refuse the \
                     command to all: {}",
                    problem.what
                ),
                problem.remedy.as_str(),
            )),
        }
    }
    absent
}

async fn look(
    means: &Means,
    work: &Work,
    region: &Region,
    ids: &BTreeSet<HostId>,
) -> Result<BTreeMap<HostId, ExpectedHost>, Problem> {
    let ssm = &means.region(region)?.ssm;
    let mut found = BTreeMap::new();
    for targets in adopt::asked(&Recipients::Hosts(Vec::new()), ids) {
        let call = || ssm.hosts(&targets);
        let hosts = means.patiently(region, work, call).await?;
        found.extend(hosts.into_iter().map(|host| (host.id.clone(), host)));
    }
    Ok(found)
}

/// Whether SSM takes a command to it: it is registered, and its agent answers.
fn is_present(found: &BTreeMap<HostId, ExpectedHost>, id: &HostId) -> bool {
    found.get(id).is_some_and(|host| match &host.ping {
        Ping::Online | Ping::Other(_) => true,
        Ping::ConnectionLost | Ping::Inactive => false,
    })
}

fn left_out(means: &Means, region: &Region, gone: &[HostId]) -> Problem {
    let planned = means.plan.lane(region).into_iter().flat_map(|lane| &lane.rollouts);
    let names: BTreeMap<&HostId, &str> = planned
        .flat_map(|rollout| &rollout.expected)
        .map(|host| (&host.id, host.name.as_str()))
        .collect();
    let mut list: Vec<String> = gone
        .iter()
        .take(NAMED)
        .map(|id| match names.get(id).copied().unwrap_or_default() {
            "" => id.to_string(),
            name => format!("{name} ({id})"),
        })
        .collect();
    if gone.len() > NAMED {
        list.push(format!("and {} more", gone.len() - NAMED));
    }
    Problem::new(
        Kind::Guard,
        format!(
            "{region}: the retry leaves out {} that SSM does not know any more, or whose agent does not answer: {}",
            plural(gone.len(), "host"),
            list.join(", ")
        ),
        "retry a host once its agent answers again",
    )
}
