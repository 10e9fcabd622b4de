//! What the stand-in was asked, in order: what a test holds against what should have been sent.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::wire::Service;
use crate::names::Millis;

/// More are not kept; the oldest go first. A rehearsal that serves all day must not grow all day.
const KEPT: usize = 100_000;

/// One request. Neither credentials nor signature are kept, and Debug prints no values: parameters may be secret.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// When it came, on the stand-in's clock.
    pub at: Millis,
    /// To which service.
    pub service: Service,
    /// To which region.
    pub region: String,
    /// Which operation.
    pub operation: String,
    /// Its members.
    pub body: Value,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<&String> = self.body.as_object().into_iter().flat_map(|body| body.keys()).collect();
        write!(f, "{} {}:{} {members:?}", self.region, self.service, self.operation)
    }
}

/// The log.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Request>,
    total: u64,
}

impl Requests {
    pub fn add(&self, request: Request) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.requests.len() == KEPT {
            kept.requests.pop_front();
        }
        kept.requests.push_back(request);
        kept.total += 1;
    }

    pub fn all(&self) -> Vec<Request> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.requests.iter().cloned().collect()
    }

    pub fn count(&self, operation: &str) -> usize {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.requests
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }

    pub fn total(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}
