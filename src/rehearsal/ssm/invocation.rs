//! One invocation: as a row of a listing, and whole with its output.

use serde_json::{Value, json};

use super::Region;
use super::documents::seconds;
use super::input::{Input, instance_id};
use super::output;
use crate::names::Millis;
use crate::rehearsal::fleet::{Invocation, Printed, Status};
use crate::rehearsal::wire::{Answer, Fault};

/// ResponseCode of what did not start or has not ended.
const NO_CODE: i32 = -1;

impl Region {
    /// A row of ListCommandInvocations.
    pub(super) fn invocation_json(&self, number: usize, at: usize, details: bool) -> Value {
        let (record, command) = (&self.records[number], &self.fleet.commands()[number]);
        let invocation = &command.invocations[at];
        let plugins = if details { self.plugins(number, at) } else { Vec::new() };
        let mut json = record.shared();
        for (member, value) in [
            ("InstanceId", json!(self.fleet.nodes()[invocation.node].id)),
            ("InstanceName", json!("")),
            ("RequestedDateTime", json!(seconds(command.sent_at))),
            ("Status", json!(invocation.status.word())),
            ("StatusDetails", json!(invocation.status.details())),
            ("TraceOutput", json!("")),
            ("StandardOutputUrl", json!("")),
            ("StandardErrorUrl", json!("")),
            ("CommandPlugins", json!(plugins)),
        ] {
            json[member] = value;
        }
        json
    }

    pub(super) fn get_invocation(&self, now: Millis, body: &Value) -> Answer {
        let input = Input::new(body);
        let number = self.number(input.required("CommandId")?)?;
        let id = instance_id(input.required("InstanceId")?)?;
        let at = self.fleet.find(id).and_then(|node| self.shown(now, number, node));
        let at = at.ok_or_else(|| Fault::client("InvocationDoesNotExist", ""))?;
        let record = &self.records[number];
        let step = match (input.text("PluginName")?, record.steps.as_slice()) {
            (None, [only]) => only,
            (Some(name), steps) => steps
                .iter()
                .find(|step| *step == name)
                .ok_or_else(|| Fault::client("InvalidPluginName", ""))?,
            // With more steps than one, one has to be named.
            (None, _) => return Err(Fault::client("InvalidPluginName", "")),
        };
        let invocation = &self.fleet.commands()[number].invocations[at];
        let step = self.step(number, at, step);
        let mut json = record.shared();
        if let Some(json) = json.as_object_mut() {
            json.remove("ServiceRole");
            json.remove("NotificationConfig");
        }
        for (member, value) in [
            ("InstanceId", json!(id)),
            ("PluginName", json!(step.name)),
            ("ResponseCode", json!(step.code())),
            ("ExecutionStartDateTime", json!(iso(invocation.started_at))),
            ("ExecutionElapsedTime", json!(elapsed(invocation))),
            ("ExecutionEndDateTime", json!(iso(ended(invocation)))),
            ("Status", json!(invocation.status.word())),
            ("StatusDetails", json!(invocation.status.details())),
            ("StandardOutputContent", json!(output::stdout(&step.printed.stdout))),
            ("StandardOutputUrl", json!("")),
            ("StandardErrorContent", json!(output::stderr(&step.printed.stderr))),
            ("StandardErrorUrl", json!("")),
        ] {
            json[member] = value;
        }
        Ok(json)
    }

    fn plugins(&self, number: usize, at: usize) -> Vec<Value> {
        let record = &self.records[number];
        let invocation = &self.fleet.commands()[number].invocations[at];
        let steps = record.steps.iter().map(|name| self.step(number, at, name));
        steps
            .map(|step| {
                let mut plugin = json!({
                    "Name": step.name,
                    "Status": plugin_status(invocation.status),
                    "StatusDetails": invocation.status.details(),
                    "ResponseCode": step.code(),
                    "Output": output::both(&step.printed.stdout, &step.printed.stderr),
                    "StandardOutputUrl": "",
                    "StandardErrorUrl": "",
                    "OutputS3Region": self.name,
                    "OutputS3BucketName": record.bucket,
                    "OutputS3KeyPrefix": record.prefix,
                });
                if let Some(started) = invocation.started_at {
                    plugin["ResponseStartDateTime"] = json!(seconds(started));
                }
                if let Some(ended) = ended(invocation) {
                    plugin["ResponseFinishDateTime"] = json!(seconds(ended));
                }
                plugin
            })
            .collect()
    }

    /// What a step printed: the last one has the story, those before it went well.
    fn step<'a>(&'a self, number: usize, at: usize, name: &'a str) -> StepOutput<'a> {
        let mut printed = self.fleet.printed(number, at);
        let is_last = self.records[number].steps.last().is_some_and(|last| last == name);
        if !is_last && printed.code.is_some() {
            printed = Printed {
                code: Some(0),
                ..Printed::default()
            };
        }
        StepOutput { name, printed }
    }
}

struct StepOutput<'a> {
    name: &'a str,
    printed: Printed,
}

impl StepOutput<'_> {
    fn code(&self) -> i32 {
        self.printed.code.unwrap_or(NO_CODE)
    }
}

/// The end of a script that started; what never started has none.
fn ended(invocation: &Invocation) -> Option<Millis> {
    invocation.started_at.and(invocation.ended_at)
}

fn plugin_status(status: Status) -> &'static str {
    match status {
        Status::Delayed => "Pending",
        Status::Cancelling => "InProgress",
        status => status.word(),
    }
}

/// An ISO moment, empty before it.
fn iso(at: Option<Millis>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}

/// An ISO duration, empty before the start.
fn elapsed(invocation: &Invocation) -> String {
    match (invocation.started_at, ended(invocation)) {
        (Some(started), Some(ended)) => {
            let elapsed = ended.since(started);
            format!("PT{}.{:03}S", elapsed.as_secs(), elapsed.subsec_millis())
        }
        (Some(_), None) | (None, _) => String::new(),
    }
}
