//! CancelCommand.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Region;
use super::input::{Input, instance_id};
use crate::names::Millis;
use crate::rehearsal::wire::{Answer, Fault};

impl Region {
    /// The answer says that it was asked, not that anything stopped. Asking for what has ended changes nothing.
    pub(super) fn cancel_command(&mut self, now: Millis, body: &Value) -> Answer {
        let input = Input::new(body);
        let number = self.number(input.required("CommandId")?)?;
        let ids = input.texts("InstanceIds", 50)?;
        if ids.iter().collect::<HashSet<_>>().len() != ids.len() {
            return Err(Fault::client("DuplicateInstanceId", ""));
        }
        if ids.is_empty() {
            self.fleet.cancel(now, number, None);
            return Ok(json!({}));
        }
        let command = &self.fleet.commands()[number];
        let mut nodes = Vec::new();
        for id in &ids {
            let node = self.fleet.find(instance_id(id)?);
            let reached = |node: &usize| command.invocations.iter().any(|invocation| invocation.node == *node);
            let node = node
                .filter(reached)
                .ok_or_else(|| Fault::client("InvalidInstanceId", format!("{id} has no invocation of this command")))?;
            nodes.push(node);
        }
        self.fleet.cancel(now, number, Some(&nodes));
        Ok(json!({}))
    }
}
