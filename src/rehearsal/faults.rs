//! Faults at the wire: what goes wrong between a client and a service that is well.
//!
//! A [`Rule`] says which calls it strikes and what it does to them. Rules are tried in order and the first that strikes
//! decides; every strike is counted, so that a test can tell that its fault took place.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::wire::{Answer, Fault, Service};
use crate::names::Millis;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// ThrottlingException: refused, nothing took place.
    Throttle,
    /// This status from the front of the service; nothing took place.
    ServerError(u16),
    /// The call takes place and is answered with this status nevertheless.
    ServerErrorAfter(u16),
    /// ExpiredTokenException.
    Expired,
    /// AccessDeniedException.
    Denied,
    /// The connection is reset before the call takes place.
    ResetBefore,
    /// The call takes place and the connection is reset instead of an answer.
    ResetAfter,
    /// The call takes place and is never answered.
    NoAnswer,
    /// The answer comes late.
    Slow(Duration),
    /// Lists are empty, with no further page.
    EmptyLists,
    /// Lists show their first half, with no further page.
    HalfLists,
    /// The first invocation's or command's status is a word that nobody knows; its status says that it goes on.
    UnknownWord(String),
    /// A further page of a listing gives the page token again that it was asked with.
    SamePageToken,
}

/// Which calls a fault strikes, and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The operation; every one without it.
    pub operation: Option<String>,
    /// The region; every one without it.
    pub region: Option<String>,
    /// So many matching calls pass first.
    pub skip: u64,
    /// Every n-th of the calls after those; 0 and 1 mean each.
    pub every: u64,
    /// So often at most; for ever without it.
    pub times: Option<u64>,
    /// Only from this long after the start of the rehearsal.
    pub after: Option<Duration>,
    /// Only until this long after the start of the rehearsal.
    pub until: Option<Duration>,
    /// What it does.
    pub act: Act,
}

impl Rule {
    /// Strikes every call of every operation.
    pub fn always(act: Act) -> Self {
        Self {
            operation: None,
            region: None,
            skip: 0,
            every: 1,
            times: None,
            after: None,
            until: None,
            act,
        }
    }

    /// Strikes every call of one operation.
    pub fn on(operation: &str, act: Act) -> Self {
        Self {
            operation: Some(operation.to_owned()),
            ..Self::always(act)
        }
    }

    /// Only in this region.
    #[must_use]
    pub fn within(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// At most so often.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// So many calls pass first.
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Every n-th call only.
    #[must_use]
    pub fn every(mut self, calls: u64) -> Self {
        self.every = calls;
        self
    }
}

/// The faults in force. Rules may be added while calls are under way.
#[derive(Debug)]
pub struct Faults {
    since: Millis,
    rules: Mutex<Vec<Counted>>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    matched: u64,
    struck: u64,
}

impl Faults {
    /// The faults of a rehearsal that starts at `since`.
    pub fn new(since: Millis, rules: impl IntoIterator<Item = Rule>) -> Self {
        let faults = Self {
            since,
            rules: Mutex::default(),
        };
        for rule in rules {
            faults.add(rule);
        }
        faults
    }

    /// Adds a rule behind the others and returns its number, for [`struck`](Self::struck).
    pub fn add(&self, rule: Rule) -> usize {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.push(Counted {
            rule,
            matched: 0,
            struck: 0,
        });
        rules.len() - 1
    }

    /// How often a rule struck; 0 for a number that no rule has.
    pub fn struck(&self, rule: usize) -> u64 {
        let rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.get(rule).map_or(0, |counted| counted.struck)
    }

    /// Ends a rule. What it counted stays.
    pub fn end(&self, rule: usize) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = rules.get_mut(rule) {
            counted.rule.times = Some(counted.struck);
        }
    }

    /// What happens to this call, which counts as made.
    pub fn strike(&self, now: Millis, region: &str, operation: &str) -> Option<Act> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.since(self.since);
        rules
            .iter_mut()
            .find_map(|counted| counted.strike(age, region, operation))
    }
}

impl Counted {
    fn strike(&mut self, age: Duration, region: &str, operation: &str) -> Option<Act> {
        let Rule {
            operation: of,
            region: within,
            ..
        } = &self.rule;
        if of.as_deref().is_some_and(|of| of != operation)
            || within.as_deref().is_some_and(|within| within != region)
            || self.rule.after.is_some_and(|after| age < after)
            || self.rule.until.is_some_and(|until| age >= until)
        {
            return None;
        }
        self.matched += 1;
        let nth = self.matched.checked_sub(self.rule.skip).filter(|nth| *nth > 0)?;
        if nth % self.rule.every.max(1) != 0 || self.rule.times.is_some_and(|times| self.struck >= times) {
            return None;
        }
        self.struck += 1;
        Some(self.rule.act.clone())
    }
}

impl Act {
    /// The fault that is answered instead of asking the service.
    pub(super) fn refusal(&self, service: Service) -> Option<Fault> {
        match self {
            Self::Throttle => Some(Fault::client(
                match service {
                    Service::Ssm | Service::Ecr => "ThrottlingException",
                    Service::Sts => "Throttling",
                },
                "Rate exceeded",
            )),
            Self::ServerError(status) => Some(server_error(*status, service)),
            Self::Expired => Some(Fault::client(
                match service {
                    Service::Ssm | Service::Ecr => "ExpiredTokenException",
                    Service::Sts => "ExpiredToken",
                },
                "The security token included in the request is expired",
            )),
            Self::Denied => Some(Fault::client(
                match service {
                    Service::Ssm | Service::Ecr => "AccessDeniedException",
                    Service::Sts => "AccessDenied",
                },
                format!("User: {} is not authorized to perform this action", super::sts::CALLER),
            )),
            Self::ServerErrorAfter(_)
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::NoAnswer
            | Self::Slow(_)
            | Self::EmptyLists
            | Self::HalfLists
            | Self::UnknownWord(_)
            | Self::SamePageToken => None,
        }
    }

    /// What becomes of an answer that the service gave.
    pub(super) fn alter(&self, service: Service, asked: &Value, answer: Answer) -> Answer {
        let mut body = match (self, answer) {
            (Self::ServerErrorAfter(status), _) => return Err(server_error(*status, service)),
            (_, Ok(body)) => body,
            (_, Err(fault)) => return Err(fault),
        };
        match self {
            Self::EmptyLists => shorten(&mut body, |_| 0),
            Self::HalfLists => shorten(&mut body, |rows| rows / 2),
            Self::UnknownWord(word) => {
                let first = members(&mut body).find_map(|(_, value)| value.as_array_mut()?.first_mut());
                if let Some(first) = first {
                    first["Status"] = json!("InProgress");
                    first["StatusDetails"] = json!(word);
                }
            }
            Self::SamePageToken => {
                if let Some(token) = asked.get("NextToken") {
                    body["NextToken"] = token.clone();
                }
            }
            Self::Throttle
            | Self::ServerError(_)
            | Self::ServerErrorAfter(_)
            | Self::Expired
            | Self::Denied
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::NoAnswer
            | Self::Slow(_) => {}
        }
        Ok(body)
    }
}

fn server_error(status: u16, service: Service) -> Fault {
    let code = match service {
        _ if status == 503 => "ServiceUnavailable",
        Service::Ssm => "InternalServerError",
        Service::Ecr => "ServerException",
        Service::Sts => "InternalFailure",
    };
    Fault::server(status, code, "")
}

/// Shortens the lists of an answer, which then has no further page.
fn shorten(body: &mut Value, to: fn(usize) -> usize) {
    for (_, value) in members(body) {
        if let Some(list) = value.as_array_mut() {
            list.truncate(to(list.len()));
        }
    }
    if body.get("NextToken").is_some() {
        body["NextToken"] = json!("");
    }
}

fn members(body: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    body.as_object_mut().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(rule: Rule, calls: &[(i64, &str, &str)]) -> Vec<bool> {
        let faults = Faults::new(Millis(0), [rule]);
        calls
            .iter()
            .map(|(at, region, operation)| faults.strike(Millis(*at), region, operation).is_some())
            .collect()
    }

    #[test]
    fn a_rule_strikes_its_operation_in_its_region_only() {
        let rule = Rule::on("SendCommand", Act::Throttle).within("us-east-1");
        let calls = [
            (0, "us-east-1", "SendCommand"),
            (0, "us-east-2", "SendCommand"),
            (0, "us-east-1", "ListCommands"),
        ];
        assert_eq!(strikes(rule, &calls), [true, false, false]);
    }

    #[test]
    fn a_rule_counts_the_calls_that_it_matches() {
        let calls = [(0, "r", "A"); 7];
        let rule = Rule::always(Act::Throttle).skip(1).every(2).times(2);
        assert_eq!(strikes(rule, &calls), [false, false, true, false, true, false, false]);
    }

    #[test]
    fn a_window_opens_and_closes() {
        let rule = Rule {
            after: Some(Duration::from_millis(10)),
            until: Some(Duration::from_millis(20)),
            ..Rule::always(Act::Expired)
        };
        assert_eq!(
            strikes(rule, &[(9, "r", "A"), (10, "r", "A"), (19, "r", "A"), (20, "r", "A")]),
            [false, true, true, false]
        );
    }

    #[test]
    fn a_rule_that_ended_strikes_no_more_and_keeps_its_count() {
        let faults = Faults::new(Millis(0), []);
        let rule = faults.add(Rule::always(Act::Denied));
        assert!(faults.strike(Millis(0), "r", "A").is_some());
        faults.end(rule);
        assert!(faults.strike(Millis(0), "r", "A").is_none());
        assert_eq!(faults.struck(rule), 1);
    }

    #[test]
    fn answers_are_altered_as_the_act_says() {
        let page = json!({"CommandInvocations": [{"Status": "Success", "StatusDetails": "Success"}], "NextToken": "b"});
        let asked = json!({"NextToken": "a"});
        let alter = |act: Act| act.alter(Service::Ssm, &asked, Ok(page.clone()));
        assert_eq!(
            alter(Act::EmptyLists),
            Ok(json!({"CommandInvocations": [], "NextToken": ""}))
        );
        assert_eq!(
            alter(Act::SamePageToken).map(|body| body["NextToken"].clone()),
            Ok(json!("a"))
        );
        let word = alter(Act::UnknownWord("Quantum Flux".to_owned())).expect("an answer");
        assert_eq!(word["CommandInvocations"][0]["StatusDetails"], "Quantum Flux");
        assert!(alter(Act::ServerErrorAfter(500)).is_err_and(|fault| fault.code == "InternalServerError"));
    }
}
