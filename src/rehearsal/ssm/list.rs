//! ListCommands and ListCommandInvocations.

use serde_json::{Value, json};

use super::Region;
use super::filters::{Filters, Listing, Row};
use super::input::{Input, instance_id};
use super::pages;
use crate::names::Millis;
use crate::rehearsal::fleet::{Command, Invocation};
use crate::rehearsal::wire::{Answer, Fault};

/// A page's size when none is asked for.
const PAGE: i64 = 50;

impl Region {
    pub(super) fn list_commands(&self, now: Millis, body: &Value) -> Answer {
        let asked = Asked::read(self, body, Listing::Commands)?;
        if asked.node.is_some() && asked.filters.asks_for("Pending") {
            let text = "InstanceId and a Status of Pending can't be combined";
            return Err(Fault::client("ValidationException", text));
        }
        let rows = self.visible(now, asked.command).filter(|(number, command)| {
            let (status, details) = command.status();
            let row = self.row(*number, command, status, details, command.ended_at.is_some());
            let goes_to = |node: usize| command.invocations.iter().any(|invocation| invocation.node == node);
            asked.node.is_none_or(goes_to) && asked.filters.passes(&row)
        });
        let rows = rows.map(|(number, _)| (newest_first(number), number));
        let (page, next) = pages::page(rows, asked.size, asked.token, &asked.query)?;
        let commands: Vec<Value> = page.into_iter().map(|number| self.command_json(number)).collect();
        Ok(with_token(json!({ "Commands": commands }), next))
    }

    pub(super) fn list_invocations(&self, now: Millis, body: &Value) -> Answer {
        let asked = Asked::read(self, body, Listing::Invocations)?;
        let details = Input::new(body).flag("Details")?;
        let rows = self.visible(now, asked.command).flat_map(|(number, command)| {
            let invocations = command.invocations.iter().enumerate();
            invocations.map(move |(at, invocation)| (number, command, at, invocation))
        });
        let rows = rows.filter(|(number, command, _, invocation)| {
            let status = invocation.status;
            let row = self.row(*number, command, status.word(), status.details(), status.is_end());
            invocation.listed && asked.node.is_none_or(|node| node == invocation.node) && asked.filters.passes(&row)
        });
        let rows = rows.map(|(number, _, at, _)| (newest_first(number) | at as u64, (number, at)));
        let (page, next) = pages::page(rows, asked.size, asked.token, &asked.query)?;
        let invocations: Vec<Value> = page
            .into_iter()
            .map(|(number, at)| self.invocation_json(number, at, details))
            .collect();
        Ok(with_token(json!({ "CommandInvocations": invocations }), next))
    }

    /// The commands that lists show at this moment, newest first; or the one that was asked for.
    fn visible(&self, now: Millis, only: Option<usize>) -> impl Iterator<Item = (usize, &Command)> {
        let commands = self.fleet.commands().iter().enumerate().rev();
        let commands = commands.filter(move |(number, _)| only.is_none_or(|only| only == *number));
        commands.filter(move |(_, command)| command.visible_at <= now)
    }

    fn row<'a>(&'a self, number: usize, command: &Command, status: &'a str, details: &'a str, ended: bool) -> Row<'a> {
        Row {
            sent_at: command.sent_at,
            document: &self.records[number].document,
            status,
            details,
            ended,
        }
    }

    /// An invocation's place in its command, if lists would show it.
    pub(super) fn shown(&self, now: Millis, number: usize, node: usize) -> Option<usize> {
        let command = &self.fleet.commands()[number];
        let is_shown = |invocation: &Invocation| invocation.node == node && invocation.listed;
        (command.visible_at <= now).then(|| command.invocations.iter().position(is_shown))?
    }
}

/// What both listings are asked.
struct Asked<'a> {
    command: Option<usize>,
    node: Option<usize>,
    filters: Filters,
    size: i64,
    token: Option<&'a str>,
    query: String,
}

impl<'a> Asked<'a> {
    fn read(region: &Region, body: &'a Value, listing: Listing) -> Result<Self, Fault> {
        let input = Input::new(body);
        let command = input.text("CommandId")?.map(|id| region.number(id)).transpose()?;
        let node = input.text("InstanceId")?.map(instance_id).transpose()?;
        let unknown = |id: &str| Fault::client("InvalidInstanceId", format!("{id} is not a managed node"));
        let node = node
            .map(|id| region.fleet.find(id).ok_or_else(|| unknown(id)))
            .transpose()?;
        let kind = match listing {
            Listing::Commands => "ListCommands",
            Listing::Invocations => "ListCommandInvocations",
        };
        Ok(Self {
            command,
            node,
            filters: Filters::read(input, listing)?,
            size: input.number("MaxResults", 1, 50)?.unwrap_or(PAGE),
            token: input.text("NextToken")?,
            query: format!("{kind} {} {}", body["CommandId"], body["Filters"]),
        })
    }
}

/// A rank that puts later commands first and leaves room for a command's invocations.
fn newest_first(number: usize) -> u64 {
    (u64::from(u32::MAX) - number as u64) << 32
}

fn with_token(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}
