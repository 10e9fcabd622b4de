//! A command as it was sent, and as ListCommands shows it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Region;
use super::documents::seconds;
use crate::names::Millis;
use crate::rehearsal::fleet::Dice;

/// What a command was sent with, as far as it is shown again.
pub(super) struct Record {
    pub id: String,
    pub comment: String,
    pub document: String,
    pub document_version: String,
    pub expires_at: Millis,
    pub parameters: BTreeMap<String, Vec<String>>,
    pub instance_ids: Vec<String>,
    pub targets: Value,
    pub max_concurrency: String,
    pub max_errors: String,
    pub timeout: i64,
    pub bucket: String,
    pub prefix: String,
    pub service_role: String,
    pub logs: Option<Value>,
    pub steps: Vec<String>,
}

/// A command's id: a UUID of version 4 in its looks, drawn from the seed so that a simulation repeats.
pub(super) fn id(seed: u64, region: &str, number: usize, now: Millis) -> String {
    let bits = Dice::new(seed, &[region, &number.to_string(), &now.0.to_string(), "id"]).wide();
    uuid::Builder::from_random_bytes(bits.to_be_bytes())
        .into_uuid()
        .hyphenated()
        .to_string()
}

impl Record {
    /// What commands and invocations both show when nothing is set: empty, and not absent.
    pub fn shared(&self) -> Value {
        let logs = self.logs.clone();
        json!({
            "CommandId": self.id,
            "Comment": self.comment,
            "DocumentName": self.document,
            "DocumentVersion": self.document_version,
            "ServiceRole": self.service_role,
            "NotificationConfig": { "NotificationArn": "", "NotificationEvents": [], "NotificationType": "" },
            "CloudWatchOutputConfig": logs.unwrap_or_else(|| json!({
                "CloudWatchLogGroupName": "",
                "CloudWatchOutputEnabled": false,
            })),
        })
    }
}

impl Region {
    /// A command as SendCommand and ListCommands give it.
    pub(super) fn command_json(&self, number: usize) -> Value {
        let (record, command) = (&self.records[number], &self.fleet.commands()[number]);
        let (status, details) = command.status();
        let counts = command.counts();
        let mut json = record.shared();
        for (member, value) in [
            ("ExpiresAfter", json!(seconds(record.expires_at))),
            ("Parameters", json!(record.parameters)),
            ("InstanceIds", json!(record.instance_ids)),
            ("Targets", record.targets.clone()),
            ("RequestedDateTime", json!(seconds(command.sent_at))),
            ("Status", json!(status)),
            ("StatusDetails", json!(details)),
            ("OutputS3Region", json!(self.name)),
            ("OutputS3BucketName", json!(record.bucket)),
            ("OutputS3KeyPrefix", json!(record.prefix)),
            ("MaxConcurrency", json!(record.max_concurrency)),
            ("MaxErrors", json!(record.max_errors)),
            ("TargetCount", json!(counts.targets)),
            ("CompletedCount", json!(counts.completed)),
            ("ErrorCount", json!(counts.errors)),
            ("DeliveryTimedOutCount", json!(counts.delivery_timed_out)),
            ("TimeoutSeconds", json!(record.timeout)),
        ] {
            json[member] = value;
        }
        json
    }
}
