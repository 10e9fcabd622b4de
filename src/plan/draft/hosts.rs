//! The hosts of a rollout: who is expected, who is offline, who is told twice.

use super::repository::profile;
use super::{Draft, Names, Said, passed, settle, warned};
use crate::config::{LaneConfig, RolloutConfig};
use crate::plan::found::Document;
use crate::plan::{ExpectedHost, Limits, Ping, Target};
use crate::problem::{Kind, Problem};
use crate::words;

/// Hosts named in a warning.
const NAMED: usize = 3;
/// Hosts named in the details.
const LISTED: usize = 12;

impl Draft<'_> {
    pub(super) fn hosts_check(&self, lane: &LaneConfig, rollout: &RolloutConfig, names: Option<&Names<'_>>) -> Said {
        let region = self.region(lane);
        let found = region.and_then(|found| found.hosts.get(&rollout.name));
        let values = rollout.targets.iter().flat_map(|target| &target.values);
        settle(found, self.missing(lane, values), |hosts| {
            let targets = names.and_then(|names| names.targets(rollout)).unwrap_or_default();
            if hosts.is_empty() {
                return Said::Failed(nobody(lane, &targets));
            }
            let Some(twice) = self.told_twice(lane, rollout, hosts) else {
                return Said::Pending;
            };
            let document = region.and_then(|found| found.documents.get(&rollout.name));
            if document.is_none() && self.missing(lane, [&rollout.document]).is_none() {
                return Said::Pending;
            }
            let mut warnings = Vec::new();
            warnings.extend(offline(hosts));
            warnings.extend(twice);
            warnings.extend(absent(hosts, &targets));
            if let Some(Ok(Some(document))) = document {
                warnings.extend(wrong_platform(hosts, document));
            }
            let said = format!("{}\n{}", limits(rollout, hosts.len()), everyone(hosts));
            if warnings.is_empty() {
                passed(format!("{}, all online\n{said}", words::plural(hosts.len(), "host")))
            } else {
                warned(warnings, said)
            }
        })
    }

    /// The hosts that an earlier rollout of the region has too; `None` until that is known.
    fn told_twice(&self, lane: &LaneConfig, rollout: &RolloutConfig, hosts: &[ExpectedHost]) -> Option<Vec<String>> {
        let region = self.region(lane)?;
        let mut warnings = Vec::new();
        for earlier in lane.rollouts.iter().take_while(|earlier| earlier.name != rollout.name) {
            let values = earlier.targets.iter().flat_map(|target| &target.values);
            let theirs = match region.hosts.get(&earlier.name) {
                Some(Ok(theirs)) => theirs.as_slice(),
                Some(Err(_)) => &[],
                None if self.missing(lane, values).is_some() => &[],
                None => return None,
            };
            // Both are sorted by id.
            let both = |host: &&ExpectedHost| theirs.binary_search_by(|their| their.id.cmp(&host.id)).is_ok();
            let both: Vec<&ExpectedHost> = hosts.iter().filter(both).collect();
            if !both.is_empty() {
                let count = words::plural(both.len(), "host");
                let are = if both.len() == 1 { "is" } else { "are" };
                warnings.push(format!("{count} {are} in {} too: {}", earlier.name, named(&both)));
            }
        }
        Some(warnings)
    }
}

fn nobody(lane: &LaneConfig, targets: &[Target]) -> Problem {
    let targets: Vec<String> = targets
        .iter()
        .map(|target| {
            let values: Vec<&str> = target.values.iter().map(|value| value.as_str()).collect();
            format!("{}={}", target.key, values.join(","))
        })
        .collect();
    Problem::new(
        Kind::NoHosts,
        format!("no host of {} matches {}", lane.region, targets.join(" + ")),
        format!(
            "compare the tags with those of the hosts that SSM manages: \
             aws ssm describe-instance-information --region {}{}",
            lane.region,
            profile(lane)
        ),
    )
}

/// A host for people. Where EC2 made the name up, its domain says nothing.
fn label(host: &ExpectedHost) -> &str {
    match host.name.as_str() {
        "" => host.id.as_str(),
        name if name.starts_with("ip-") && name.ends_with(".internal") => name.split('.').next().unwrap_or(name),
        name => name,
    }
}

fn named(hosts: &[&ExpectedHost]) -> String {
    let labels: Vec<&str> = hosts.iter().map(|host| label(host)).collect();
    words::names(&labels, labels.len(), NAMED)
}

fn offline(hosts: &[ExpectedHost]) -> Option<String> {
    let offline: Vec<&ExpectedHost> = hosts.iter().filter(|host| !host.ping.is_online()).collect();
    let is_word_known = |host: &&ExpectedHost| match host.ping {
        Ping::Online | Ping::ConnectionLost | Ping::Inactive => true,
        Ping::Other(_) => false,
    };
    let word = if offline.iter().all(is_word_known) {
        "offline"
    } else {
        "not online"
    };
    let (count, all) = (offline.len(), words::plural(hosts.len(), "host"));
    let whose = match count {
        0 => return None,
        1 if hosts.len() == 1 => "the only host is".to_owned(),
        1 => format!("1 of {all} is"),
        _ if count == hosts.len() => format!("all {all} are"),
        _ => format!("{count} of {all} are"),
    };
    Some(format!("{whose} {word}: {}", named(&offline)))
}

/// Ids that were asked for and that SSM does not manage (a stopped or terminated instance, or one without the agent).
fn absent(hosts: &[ExpectedHost], targets: &[Target]) -> Option<String> {
    // Beside tags, an id that is not found may simply not have them.
    let [only] = targets else { return None };
    if only.key.as_str() != "InstanceIds" {
        return None;
    }
    let absent: Vec<&str> = only
        .values
        .iter()
        .map(|id| id.as_str())
        .filter(|id| !hosts.iter().any(|host| host.id.as_str() == *id))
        .collect();
    (!absent.is_empty()).then(|| {
        let count = words::plural(absent.len(), "instance id");
        format!(
            "{count} not managed by SSM: {}",
            words::names(&absent, absent.len(), NAMED)
        )
    })
}

/// SSM ends these as Invalid Platform.
fn wrong_platform(hosts: &[ExpectedHost], document: &Document) -> Option<String> {
    let runs_on = |host: &&ExpectedHost| {
        let family = family(host.platform.as_str());
        document.platforms.is_empty()
            || family.is_none_or(|family| document.platforms.iter().any(|platform| platform.as_str() == family))
    };
    let wrong: Vec<&ExpectedHost> = hosts.iter().filter(|host| !runs_on(host)).collect();
    (!wrong.is_empty()).then(|| {
        let platforms: Vec<&str> = document.platforms.iter().map(|platform| platform.as_str()).collect();
        format!(
            "{} can't run a document for {}: {}",
            words::plural(wrong.len(), "host"),
            platforms.join(", "),
            named(&wrong)
        )
    })
}

/// A document's word for a host's platform name; `None` where there is no name.
fn family(platform: &str) -> Option<&'static str> {
    match platform.to_lowercase() {
        name if name.is_empty() => None,
        name if name.contains("windows") => Some("Windows"),
        name if name.contains("macos") || name.contains("mac os") => Some("MacOS"),
        _ => Some("Linux"),
    }
}

fn limits(rollout: &RolloutConfig, hosts: usize) -> String {
    let (concurrency, errors) = (&rollout.max_concurrency, &rollout.max_errors);
    let worst = words::plural(
        Limits::of(concurrency.as_str(), errors.as_str(), hosts).worst_case,
        "host",
    );
    format!("max_concurrency {concurrency}, max_errors {errors}: up to {worst} can fail before SSM stops")
}

fn everyone(hosts: &[ExpectedHost]) -> String {
    let labels: Vec<&str> = hosts.iter().take(LISTED).map(label).collect();
    words::names(&labels, hosts.len(), LISTED)
}
