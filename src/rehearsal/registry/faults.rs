//! What a registry is told to do wrong, for scenarios and tests.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use futures_util::StreamExt as _;

use super::answer::Refused;
use super::line::Cut;

/// One way to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryFault {
    /// 401, as with a wrong password.
    Unauthorized,
    /// 403, as with an expired token.
    Expired,
    /// 403, as with a policy that does not allow it.
    Denied,
    /// 404, as for a repository that is not there.
    Missing,
    /// 429.
    Throttled,
    /// 500.
    Broken,
    /// The connection is cut after this many bytes of the body were taken.
    Reset {
        /// How many; 0 cuts it at once.
        after: u64,
    },
    /// Nothing happens any more once this many bytes of the body were taken.
    Stall {
        /// How many; 0 stalls at once.
        after: u64,
    },
}

/// Which requests go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The method, such as `PATCH`; any without it.
    pub method: Option<&'static str>,
    /// A part of the path; any without it.
    pub path: &'static str,
    /// How many such requests go well before.
    pub skip: u32,
    /// How many go wrong then.
    pub times: u32,
}

impl When {
    /// The next request with this method and a path that holds `path`.
    pub fn next(method: &'static str, path: &'static str) -> Self {
        Self {
            method: Some(method),
            path,
            skip: 0,
            times: 1,
        }
    }

    /// After `skip` more of them.
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// `times` in a row.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.is_none_or(|wanted| wanted == method.as_str()) && path.contains(self.path)
    }
}

/// A registry's list of faults to come.
#[derive(Debug, Clone, Default)]
pub struct RegistryFaults(Arc<Mutex<Vec<(When, RegistryFault)>>>);

impl RegistryFaults {
    /// Arms a fault. Of several that fit a request, the one armed first is spent.
    pub fn arm(&self, when: When, fault: RegistryFault) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((when, fault));
    }

    /// Disarms all.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Counts a request, and returns how it goes wrong if it does.
    pub(super) fn take(&self, method: &Method, path: &str) -> Option<RegistryFault> {
        let mut armed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, fault) = armed.iter_mut().find(|(when, _)| when.matches(method, path))?;
        if when.skip > 0 {
            when.skip -= 1;
            return None;
        }
        when.times = when.times.saturating_sub(1);
        let fault = *fault;
        armed.retain(|(when, _)| when.times > 0);
        Some(fault)
    }
}

/// Goes wrong: refuses, or returns the request with a body that will.
pub(super) async fn commit(fault: RegistryFault, cut: &Cut, request: Request) -> Result<Request, Refused> {
    let refused = match fault {
        RegistryFault::Unauthorized => Refused::unauthorized(),
        RegistryFault::Expired => Refused::expired(),
        RegistryFault::Denied => Refused::new(
            StatusCode::FORBIDDEN,
            "DENIED",
            "User: arn:aws:iam::123456789012:user/rehearsal is not authorized to perform: ecr:InitiateLayerUpload",
        ),
        RegistryFault::Missing => Refused::new(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            "The repository with name 'rehearsal' does not exist in the registry with id '123456789012'",
        ),
        RegistryFault::Throttled => Refused::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "Rate exceeded"),
        RegistryFault::Broken => Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "Internal Server Error"),
        RegistryFault::Reset { after: 0 } => {
            cut.now();
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "the connection is cut")
        }
        RegistryFault::Stall { after: 0 } => std::future::pending().await,
        RegistryFault::Reset { after } => {
            let cut = cut.clone();
            return Ok(watched(request, after, move || {
                // Reading on fails, and so does the answer.
                cut.now();
                false
            }));
        }
        RegistryFault::Stall { after } => return Ok(watched(request, after, || true)),
    };
    swallow(request).await;
    Err(refused)
}

/// Reads what nobody wants: an answer before the end of its request closes the connection, and whoever still writes may
/// see a reset instead of the answer.
pub(super) async fn swallow(request: Request) {
    let mut body = request.into_body().into_data_stream();
    while let Some(Ok(_)) = body.next().await {}
}

/// The request with a body that calls `over` once more than `limit` bytes came, and stops there if that says so.
fn watched(request: Request, limit: u64, over: impl Fn() -> bool + Send + 'static) -> Request {
    request.map(|body| {
        let mut taken = 0;
        let stream = body.into_data_stream().then(move |chunk| {
            taken += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
            let stop = taken > limit && over();
            async move {
                if stop {
                    std::future::pending::<()>().await;
                }
                chunk
            }
        });
        Body::from_stream(stream)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_request_and_is_spent() {
        let faults = RegistryFaults::default();
        faults.arm(When::next("PATCH", "/app/").after(1).times(2), RegistryFault::Broken);
        let patch = || faults.take(&Method::PATCH, "/v2/app/blobs/uploads/1");
        assert_eq!(faults.take(&Method::PUT, "/v2/app/manifests/v1"), None);
        assert_eq!(
            [patch(), patch(), patch(), patch()],
            [None, Some(RegistryFault::Broken), Some(RegistryFault::Broken), None]
        );
    }
}
