//! Targets as DescribeInstanceInformation and SendCommand take them.

use std::collections::HashSet;

use aws_sdk_ssm::types::{InstanceInformation, InstanceInformationStringFilter, Target as SdkTarget};

use crate::names::HostId;
use crate::plan::{ExpectedHost, Ping, Target};
use crate::text::Clean;

/// What selects the hosts of a set of targets.
///
/// SSM does not combine tag filters with others in one call (DescribeInstanceInformation, API reference), so instance ids
/// beside tags are compared here.
pub(super) struct Query {
    filters: Vec<InstanceInformationStringFilter>,
    /// Every one of these sets must hold the host.
    ids: Vec<HashSet<String>>,
}

impl Query {
    /// The query, or why these targets can't be asked for; the text reads after the call's name.
    pub fn of(targets: &[Target]) -> Result<Self, String> {
        if targets.is_empty() {
            return Err("was not called: without targets it would name the whole fleet".to_owned());
        }
        let mut tags = Vec::new();
        let mut by_id = Vec::new();
        for target in targets {
            if target.values.is_empty() {
                return Err(format!("was not called: the target {} has no values", target.key));
            }
            match target.key.as_str() {
                "InstanceIds" => by_id.push(target),
                key if key.starts_with("tag:") => tags.push(target),
                key => {
                    return Err(format!(
                        "can't name the hosts of the target {key}: SSM lists hosts by tag:NAME or InstanceIds only"
                    ));
                }
            }
        }
        let asked = if tags.is_empty() { &by_id[..1] } else { &tags[..] };
        let filters = asked
            .iter()
            .map(|target| {
                InstanceInformationStringFilter::builder()
                    .key(target.key.as_str())
                    .set_values(Some(values(target)))
                    .build()
                    .map_err(|error| format!("was not called: {error}"))
            })
            .collect::<Result<_, _>>()?;
        let ids = by_id
            .iter()
            .map(|target| values(target).into_iter().collect())
            .collect();
        Ok(Self { filters, ids })
    }

    pub fn filters(&self) -> Vec<InstanceInformationStringFilter> {
        self.filters.clone()
    }

    /// The host, if it matches what the call could not ask for too.
    pub fn host(&self, info: &InstanceInformation) -> Option<ExpectedHost> {
        let id = info.instance_id().filter(|id| !id.is_empty())?;
        if !self.ids.iter().all(|ids| ids.contains(id)) {
            return None;
        }
        let name = [info.computer_name(), info.name()]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty());
        Some(ExpectedHost {
            id: HostId::new(id),
            name: Clean::line(name.unwrap_or_default()),
            ping: match info.ping_status().map_or("", |ping| ping.as_str()) {
                "Online" => Ping::Online,
                "ConnectionLost" => Ping::ConnectionLost,
                "Inactive" => Ping::Inactive,
                word => Ping::Other(Clean::line(word)),
            },
            platform: Clean::line(info.platform_name().unwrap_or_default()),
        })
    }
}

/// The targets for an error's text.
pub(super) fn about(targets: &[Target]) -> String {
    let one = |target: &Target| format!("{}={}", target.key, values(target).join(","));
    targets.iter().map(one).collect::<Vec<_>>().join(" + ")
}

pub(super) fn sdk_target(target: &Target) -> SdkTarget {
    SdkTarget::builder()
        .key(target.key.as_str())
        .set_values(Some(values(target)))
        .build()
}

fn values(target: &Target) -> Vec<String> {
    target.values.iter().map(|value| value.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(key: &str, values: &[&str]) -> Target {
        Target {
            key: Clean::line(key),
            values: values.iter().map(|value| Clean::line(value)).collect(),
        }
    }

    fn host(id: &str) -> InstanceInformation {
        InstanceInformation::builder().instance_id(id).build()
    }

    #[test]
    fn instance_ids_beside_tags_are_compared_here() {
        let query = Query::of(&[target("tag:OS", &["Ubuntu"]), target("InstanceIds", &["i-1", "i-2"])])
            .expect("these targets can be asked for");
        assert_eq!(query.filters().len(), 1);
        assert_eq!(query.filters()[0].key(), "tag:OS");
        assert!(query.host(&host("i-1")).is_some());
        assert!(query.host(&host("i-3")).is_none());
    }

    #[test]
    fn targets_that_would_name_the_whole_fleet_are_not_asked_for() {
        for targets in [vec![], vec![target("tag:OS", &[])]] {
            assert!(Query::of(&targets).is_err(), "{targets:?}");
        }
        let group = Query::of(&[target("resource-groups:Name", &["web"])]).err();
        assert!(group.is_some_and(|why| why.contains("resource-groups:Name")));
    }
}
