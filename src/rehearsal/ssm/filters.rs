//! The filters of ListCommands and ListCommandInvocations. Their members have small first letters.

use serde_json::Value;

use super::input::{Input, violated};
use crate::names::Millis;
use crate::rehearsal::wire::Fault;

/// The statuses that ListCommands filters by.
const OF_COMMANDS: [&str; 12] = [
    "Pending",
    "InProgress",
    "Success",
    "Cancelled",
    "Failed",
    "TimedOut",
    "AccessDenied",
    "DeliveryTimedOut",
    "ExecutionTimedOut",
    "Incomplete",
    "NoInstancesInTag",
    "LimitExceeded",
];
/// The statuses that ListCommandInvocations filters by.
const OF_INVOCATIONS: [&str; 13] = [
    "Pending",
    "InProgress",
    "Delayed",
    "Success",
    "Cancelled",
    "Failed",
    "TimedOut",
    "AccessDenied",
    "DeliveryTimedOut",
    "ExecutionTimedOut",
    "Undeliverable",
    "InvalidPlatform",
    "Terminated",
];

/// Which listing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    Commands,
    Invocations,
}

/// A row as the filters see it.
pub(super) struct Row<'a> {
    pub sent_at: Millis,
    pub document: &'a str,
    pub status: &'a str,
    pub details: &'a str,
    pub ended: bool,
}

enum Filter {
    After(Millis),
    Before(Millis),
    Document(String),
    Status(String),
    Ended(bool),
}

/// All of them have to let a row pass.
pub(super) struct Filters(Vec<Filter>);

impl Filters {
    pub fn read(input: Input<'_>, listing: Listing) -> Result<Self, Fault> {
        let filters = input.list("Filters", 5)?.iter();
        filters
            .map(|filter| Filter::read(filter, listing))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn passes(&self, row: &Row<'_>) -> bool {
        self.0.iter().all(|filter| match filter {
            Filter::After(moment) => row.sent_at > *moment,
            Filter::Before(moment) => row.sent_at < *moment,
            Filter::Document(name) => row.document == name,
            // The enumeration mixes words of both members.
            Filter::Status(word) => row.status == word || row.details == word,
            Filter::Ended(ended) => row.ended == *ended,
        })
    }

    /// Whether rows are asked for by this status.
    pub fn asks_for(&self, status: &str) -> bool {
        self.0
            .iter()
            .any(|filter| matches!(filter, Filter::Status(word) if word == status))
    }
}

impl Filter {
    fn read(filter: &Value, listing: Listing) -> Result<Self, Fault> {
        let filter = Input::new(filter);
        let (key, value) = (filter.required("key")?, filter.required("value")?);
        if value.is_empty() || value.chars().count() > 128 {
            return Err(violated(value, "value", "Member must have length between 1 and 128"));
        }
        let bad = |why: &str| Err(violated(value, key, why));
        match (key, listing) {
            ("InvokedAfter", _) => moment(key, value).map(Self::After),
            ("InvokedBefore", _) => moment(key, value).map(Self::Before),
            ("DocumentName", _) => Ok(Self::Document(value.to_owned())),
            ("Status", Listing::Commands) if !OF_COMMANDS.contains(&value) => bad("not a status of commands"),
            ("Status", Listing::Invocations) if !OF_INVOCATIONS.contains(&value) => bad("not a status of invocations"),
            ("Status", _) => Ok(Self::Status(value.to_owned())),
            ("ExecutionStage", Listing::Commands) => match value {
                "Executing" => Ok(Self::Ended(false)),
                "Complete" => Ok(Self::Ended(true)),
                _ => bad("the stages are Executing and Complete"),
            },
            _ => Err(Fault::client("InvalidFilterKey", "")),
        }
    }
}

fn moment(key: &str, value: &str) -> Result<Millis, Fault> {
    value
        .parse::<jiff::Timestamp>()
        .map(|moment| Millis(moment.as_millisecond()))
        .map_err(|_| violated(value, key, "Member must be a moment such as 2024-07-07T00:00:00Z"))
}
