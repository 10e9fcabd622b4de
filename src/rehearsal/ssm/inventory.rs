//! DescribeInstanceInformation: the managed nodes.

use serde_json::{Value, json};

use super::Region;
use super::documents::seconds;
use super::input::{Input, violated};
use super::pages;
use crate::names::Millis;
use crate::rehearsal::fleet::{Dice, Node};
use crate::rehearsal::wire::{Answer, Fault};

/// The agent that every node runs.
const AGENT: &str = "3.3.2299.0";
/// An agent reports every five minutes.
const PING_EVERY_MS: u64 = 300_000;

impl Region {
    pub(super) fn describe_instances(&self, now: Millis, body: &Value) -> Answer {
        let input = Input::new(body);
        let size = input.number("MaxResults", 5, 50)?.unwrap_or(10);
        let filters = filters(input)?;
        let nodes = self.fleet.nodes().iter().zip(0_u64..);
        let rows = nodes.filter(|(node, _)| filters.iter().all(|filter| filter.passes(node)));
        let rows = rows.map(|(node, rank)| (rank, node));
        let query = format!("{} {}", body["Filters"], body["InstanceInformationFilterList"]);
        let (page, next) = pages::page(rows, size, input.text("NextToken")?, &query)?;
        let list: Vec<Value> = page.into_iter().map(|node| self.information(now, node)).collect();
        // At the end the token is there, and empty.
        Ok(json!({ "InstanceInformationList": list, "NextToken": next.unwrap_or_default() }))
    }

    fn information(&self, now: Millis, node: &Node) -> Value {
        let ago = Dice::new(self.seed, &[&self.name, &node.id, "ping"]).between(1000, PING_EVERY_MS);
        let (ping, at) = if node.is_online() {
            ("Online", now)
        } else {
            // Lost before the rehearsal began.
            (
                "ConnectionLost",
                Millis(self.since.0.saturating_sub_unsigned(6 * PING_EVERY_MS)),
            )
        };
        json!({
            "InstanceId": node.id,
            "PingStatus": ping,
            "LastPingDateTime": seconds(Millis(at.0.saturating_sub_unsigned(ago))),
            "AgentVersion": AGENT,
            "IsLatestVersion": true,
            "PlatformType": "Linux",
            "PlatformName": node.platform,
            "PlatformVersion": node.platform_version,
            "ResourceType": "EC2Instance",
            "IPAddress": node.ip,
            "ComputerName": node.name,
            "SourceId": node.id,
            "SourceType": "AWS::EC2::Instance",
        })
    }
}

/// One filter: the value of its key is one of these.
struct Filter {
    key: String,
    values: Vec<String>,
}

fn filters(input: Input<'_>) -> Result<Vec<Filter>, Fault> {
    let (new, old) = (
        input.list("Filters", 100)?,
        input.list("InstanceInformationFilterList", 100)?,
    );
    if !new.is_empty() && !old.is_empty() {
        let text = "Filters and InstanceInformationFilterList can't be combined";
        return Err(Fault::client("ValidationException", text));
    }
    let named = |all: &[Value], key: &str, values: &str| -> Result<Vec<Filter>, Fault> {
        all.iter()
            .map(|filter| Filter::read(Input::new(filter), key, values))
            .collect()
    };
    let mut filters = named(new, "Key", "Values")?;
    filters.extend(named(old, "key", "valueSet")?);
    let tags = filters.iter().filter(|filter| filter.is_tag()).count();
    if tags > 0 && tags < filters.len() {
        let text = "Tag filters can't be combined with other filter types";
        return Err(Fault::client("ValidationException", text));
    }
    Ok(filters)
}

impl Filter {
    fn read(filter: Input<'_>, key: &str, values: &str) -> Result<Self, Fault> {
        let (key, values) = (filter.required(key)?, filter.texts(values, 100)?);
        const KEYS: [&str; 10] = [
            "ActivationIds",
            "AgentVersion",
            "AssociationStatus",
            "IamRole",
            "InstanceIds",
            "PingStatus",
            "PlatformTypes",
            "ResourceType",
            "SourceIds",
            "SourceTypes",
        ];
        let filter = Self {
            key: key.to_owned(),
            values,
        };
        if !filter.is_tag() && !KEYS.contains(&key) {
            return Err(Fault::client("InvalidFilterKey", ""));
        }
        if filter.values.is_empty() {
            return Err(violated(
                "[]",
                "values",
                "Member must have length greater than or equal to 1",
            ));
        }
        let known = |allowed: &[&str]| filter.values.iter().all(|value| allowed.contains(&value.as_str()));
        let good = match key {
            "PingStatus" => known(&["Online", "ConnectionLost", "Inactive"]),
            "PlatformTypes" => known(&["Windows", "Linux", "MacOS"]),
            "ResourceType" => known(&["ManagedInstance", "EC2Instance"]),
            _ => true,
        };
        if !good {
            let text = format!("{key} can't be {}", filter.values.join(", "));
            return Err(Fault::client("InvalidInstanceInformationFilterValue", text));
        }
        Ok(filter)
    }

    fn is_tag(&self) -> bool {
        self.key == "tag-key" || self.key.starts_with("tag:")
    }

    fn passes(&self, node: &Node) -> bool {
        let any = |value: &str| self.values.iter().any(|wanted| wanted == value);
        match self.key.as_str() {
            "AgentVersion" => any(AGENT),
            "InstanceIds" | "SourceIds" => any(&node.id),
            "PingStatus" => any(if node.is_online() { "Online" } else { "ConnectionLost" }),
            "PlatformTypes" => any("Linux"),
            "ResourceType" => any("EC2Instance"),
            "SourceTypes" => any("AWS::EC2::Instance"),
            "tag-key" => self.values.iter().any(|tag| node.tag(tag).is_some()),
            // No node has activations, associations or roles here.
            key => key.strip_prefix("tag:").and_then(|tag| node.tag(tag)).is_some_and(any),
        }
    }
}
