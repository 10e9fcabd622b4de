//! SendCommand: every check that the real service makes before it takes a command.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::Region;
use super::command::{Record, id};
use super::documents::Runnable;
use super::input::{Input, instance_id, violated};
use crate::names::Millis;
use crate::rehearsal::fleet::{Amount, Dice, ImageName, Launch, Limits};
use crate::rehearsal::sts::ACCOUNT;
use crate::rehearsal::wire::{Answer, Fault};

/// SSM refuses more instance ids in one command.
const HOSTS_MAX: usize = 50;
/// TimeoutSeconds when a request has none.
const DEFAULT_TIMEOUT: i64 = 3600;

impl Region {
    pub(super) fn send_command(&mut self, now: Millis, body: &Value) -> Answer {
        let input = Input::new(body);
        let timeout = input
            .number("TimeoutSeconds", 30, 2_592_000)?
            .unwrap_or(DEFAULT_TIMEOUT);
        let comment = input.text_up_to("Comment", 100)?.to_owned();
        let (max_concurrency, concurrency) = amount(input, "MaxConcurrency", "50", 1)?;
        let (max_errors, errors) = amount(input, "MaxErrors", "0", 0)?;
        let whom = Whom::read(input)?;
        let parameters = input.text_lists("Parameters")?;
        let runnable = self.documents.runnable(input)?;
        runnable.check(&parameters)?;
        let execution_secs = runnable.timeout_secs(&parameters);
        let image = image(&runnable, &parameters);
        let (document, steps) = (runnable.name.to_owned(), runnable.steps());

        let nodes = self.chosen(&whom)?;
        let delivery_ms = u64::try_from(timeout).unwrap_or(0) * 1000;
        let execution_ms = execution_secs * 1000;
        let number = self.fleet.send(
            now,
            Launch {
                nodes,
                limits: Limits { concurrency, errors },
                delivery_ms,
                execution_ms,
                image,
            },
        );
        let record = Record {
            id: id(self.seed, &self.name, number, now),
            comment,
            document,
            // What was asked for is echoed, not the number that it means.
            document_version: input.text("DocumentVersion")?.unwrap_or("$DEFAULT").to_owned(),
            expires_at: self.fleet.expires_at(now, delivery_ms, execution_ms),
            parameters,
            instance_ids: whom.ids,
            targets: input.get("Targets").cloned().unwrap_or_else(|| json!([])),
            max_concurrency,
            max_errors,
            timeout,
            bucket: input.text_up_to("OutputS3BucketName", 63)?.to_owned(),
            prefix: input.text_up_to("OutputS3KeyPrefix", 500)?.to_owned(),
            service_role: input.text("ServiceRoleArn")?.unwrap_or_default().to_owned(),
            logs: input.get("CloudWatchOutputConfig").cloned(),
            steps,
        };
        self.by_id.insert(record.id.clone(), number);
        self.records.push(record);
        Ok(json!({ "Command": self.command_json(number) }))
    }

    /// The nodes that a command goes to, in the order in which they are started.
    fn chosen(&self, whom: &Whom) -> Result<Vec<usize>, Fault> {
        let nodes = self.fleet.nodes();
        if !whom.ids.is_empty() {
            let reached = |id: &String| self.fleet.find(id).filter(|node| nodes[*node].is_online());
            let bad: Vec<&str> = whom
                .ids
                .iter()
                .filter(|id| reached(id).is_none())
                .map(String::as_str)
                .collect();
            if !bad.is_empty() {
                // One bad id, and no host runs at all.
                let text = format!(
                    "Instances [[{}]] not in a valid state for account {ACCOUNT}",
                    bad.join(", ")
                );
                return Err(Fault::client("InvalidInstanceId", text));
            }
        }
        let named = |id: &String| whom.ids.is_empty() || whom.ids.contains(id);
        let mut chosen: Vec<usize> = (0..nodes.len())
            .filter(|node| named(&nodes[*node].id) && nodes[*node].matches(&whom.targets))
            .collect();
        let number = self.records.len().to_string();
        Dice::new(self.seed, &[&self.name, &number, "order"]).shuffle(&mut chosen);
        Ok(chosen)
    }
}

/// Whom a command goes to: instance ids, or targets that all have to match.
struct Whom {
    ids: Vec<String>,
    targets: Vec<(String, Vec<String>)>,
}

impl Whom {
    fn read(input: Input<'_>) -> Result<Self, Fault> {
        let ids = input.texts("InstanceIds", HOSTS_MAX)?;
        for id in &ids {
            instance_id(id)?;
        }
        if ids.iter().collect::<HashSet<_>>().len() != ids.len() {
            return Err(Fault::client("DuplicateInstanceId", ""));
        }
        let targets = input.list("Targets", 5)?;
        if ids.is_empty() == targets.is_empty() {
            let text = "Exactly one of InstanceIds and Targets must be given";
            return Err(Fault::client("ValidationException", text));
        }
        let targets = targets.iter().map(target).collect::<Result<_, _>>()?;
        Ok(Self { ids, targets })
    }
}

fn target(target: &Value) -> Result<(String, Vec<String>), Fault> {
    let target = Input::new(target);
    let key = target.required("Key")?;
    let values = target.texts("Values", 50)?;
    let known = matches!(key, "InstanceIds" | "tag-key") || key.strip_prefix("tag:").is_some_and(|tag| !tag.is_empty());
    if !known || key.len() > 163 {
        return Err(violated(
            key,
            "Targets",
            "the key must be InstanceIds, tag-key or tag:NAME here",
        ));
    }
    if key == "InstanceIds" {
        for id in &values {
            instance_id(id)?;
        }
    }
    Ok((key.to_owned(), values))
}

fn amount(input: Input<'_>, member: &str, default: &str, least: u64) -> Result<(String, Amount), Fault> {
    let text = input.text(member)?.unwrap_or(default);
    let pattern = match least {
        0 => "^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$",
        _ => "^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$",
    };
    let amount = Amount::parse(text, least).ok_or_else(|| {
        let why = format!("Member must satisfy regular expression pattern: {pattern}");
        violated(text, member, &why)
    })?;
    Ok((text.to_owned(), amount))
}

/// The image that the document's script pulls, as [`super::PULL_IMAGE`] names it.
fn image(runnable: &Runnable<'_>, parameters: &BTreeMap<String, Vec<String>>) -> Option<ImageName> {
    let region = runnable.value("region", parameters)?;
    Some(ImageName {
        app: runnable.value("image", parameters)?,
        repository: runnable.value("repository", parameters)?.replace("REGION", &region),
        tag: runnable.value("tag", parameters)?,
        region,
    })
}
