//! Where requests arrive, whatever brought them: they are logged, faults strike them, and a service answers.
//!
//! The desk knows neither sockets nor a clock, so that a simulation on virtual time can drive it as the server does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::faults::{Act, Faults};
use super::requests::{Request, Requests};
use super::ssm::Ssm;
use super::sts;
use super::wire::{Answer, Service};
use crate::names::Millis;

/// The ECR stand-in as the desk sees it: region, operation and body to an answer.
pub type EcrApi = Arc<dyn Fn(&str, &str, &Value) -> Answer + Send + Sync>;

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// To which service.
    pub service: Service,
    /// To which region.
    pub region: String,
    /// Which operation.
    pub operation: String,
    /// Its members.
    pub body: Value,
}

/// What comes of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Served {
    /// This answer, after this long.
    Answer(Answer, Duration),
    /// The connection is reset; whether the call took place is in the services' state.
    Reset,
    /// Nothing ever comes.
    Silence,
}

/// The services of all regions behind one door.
pub struct Desk {
    ssm: Mutex<Ssm>,
    ecr: EcrApi,
    faults: Faults,
    requests: Requests,
}

impl Desk {
    /// Puts services and faults behind one door.
    pub fn new(ssm: Ssm, ecr: EcrApi, faults: Faults) -> Self {
        Self {
            ssm: Mutex::new(ssm),
            ecr,
            faults,
            requests: Requests::default(),
        }
    }

    /// Takes a call.
    pub fn serve(&self, now: Millis, call: &Call) -> Served {
        self.requests.add(Request {
            at: now,
            service: call.service,
            region: call.region.clone(),
            operation: call.operation.clone(),
            body: call.body.clone(),
        });
        let Some(act) = self.faults.strike(now, &call.region, &call.operation) else {
            return Served::Answer(self.ask(now, call), Duration::ZERO);
        };
        if let Some(refusal) = act.refusal(call.service) {
            return Served::Answer(Err(refusal), Duration::ZERO);
        }
        if act == Act::ResetBefore {
            return Served::Reset;
        }
        let answer = self.ask(now, call);
        match act {
            Act::ResetAfter => Served::Reset,
            Act::NoAnswer => Served::Silence,
            Act::Slow(delay) => Served::Answer(answer, delay),
            act => Served::Answer(act.alter(call.service, &call.body, answer), Duration::ZERO),
        }
    }

    /// The faults in force.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.all()
    }

    /// How often an operation was asked for, among the requests that are kept.
    pub fn count(&self, operation: &str) -> usize {
        self.requests.count(operation)
    }

    /// How many requests came at all.
    pub fn total(&self) -> u64 {
        self.requests.total()
    }

    /// Looks at SSM and its fleets, as they are at `now`, or changes them.
    pub fn with_ssm<T>(&self, now: Millis, look: impl FnOnce(&mut Ssm) -> T) -> T {
        let mut ssm = self.ssm.lock().unwrap_or_else(PoisonError::into_inner);
        ssm.advance(now);
        look(&mut ssm)
    }

    fn ask(&self, now: Millis, call: &Call) -> Answer {
        match call.service {
            Service::Ssm => self.ssm.lock().unwrap_or_else(PoisonError::into_inner).handle(
                now,
                &call.region,
                &call.operation,
                &call.body,
            ),
            Service::Ecr => (self.ecr)(&call.region, &call.operation, &call.body),
            Service::Sts => sts::handle(&call.operation, &call.body),
        }
    }
}
