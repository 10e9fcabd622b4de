//! The SDK's HTTP client without a socket: requests go to the stand-in's door, and come back late or not at all.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use quarterdeck::names::Millis;
use quarterdeck::rehearsal::Desk;
use quarterdeck::rehearsal::server::{Exchange, exchange};

use crate::clock::Time;
use crate::process::Process;

/// The way to the stand-in. What is on its way arrives, whatever became of the process that sent it.
pub struct Street {
    pub desk: Arc<Desk>,
    serial: AtomicU64,
    late: Mutex<Vec<Letter>>,
    /// Whether lists of invocations are at times what they were before.
    stale: bool,
    /// The last list that was given to a question, and whether it was given anew.
    given: Mutex<HashMap<Vec<u8>, (String, bool)>>,
}

struct Letter {
    at: Millis,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Street {
    pub fn new(desk: Arc<Desk>, stale: bool) -> Self {
        Self {
            desk,
            stale,
            given: Mutex::default(),
            serial: AtomicU64::new(0),
            late: Mutex::default(),
        }
    }

    /// Brings what should have arrived by now; nobody waits for the answers.
    pub fn deliver(&self, now: Millis) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let (due, later) = std::mem::take(&mut *late)
            .into_iter()
            .partition(|letter| letter.at <= now);
        *late = later;
        for Letter { at, headers, body } in due {
            self.exchange(at, &headers, &body);
        }
    }

    /// Whether something is on its way that nobody waits for.
    pub fn is_busy(&self) -> bool {
        !self.late.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// A list as it was a while ago, now and then, and never twice in a row.
    fn age(&self, headers: &HeaderMap, body: &[u8], fresh: String) -> String {
        let lists = headers
            .get("x-amz-target")
            .is_some_and(|target| target == "AmazonSSM.ListCommandInvocations");
        if !self.stale || !lists {
            return fresh;
        }
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        match given.get_mut(body) {
            Some((old, again)) if !*again && fastrand::u8(0..4) == 0 => {
                *again = true;
                std::mem::replace(old, fresh)
            }
            _ => {
                given.insert(body.to_vec(), (fresh.clone(), false));
                fresh
            }
        }
    }

    fn exchange(&self, now: Millis, headers: &HeaderMap, body: &[u8]) -> Exchange {
        exchange(
            &self.desk,
            now,
            self.serial.fetch_add(1, Ordering::Relaxed),
            headers,
            body,
        )
    }
}

/// A process's way to the stand-in.
#[derive(Clone)]
pub struct Wire {
    street: Arc<Street>,
    time: Time,
    process: Process,
}

impl Wire {
    pub fn client(street: Arc<Street>, time: Time, process: Process) -> SharedHttpClient {
        SharedHttpClient::new(Self { street, time, process })
    }

    async fn carry(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let there = Duration::from_millis(fastrand::u64(5..60));
        let back = Duration::from_millis(fastrand::u64(5..60));
        tokio::time::sleep(there).await;
        self.process.lives().await;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let name = HeaderName::try_from(name).expect("the SDK sends good header names");
            headers.insert(name, HeaderValue::try_from(value).expect("and good values"));
        }
        let body = request.body().bytes().unwrap_or_default();
        if headers
            .get("x-amz-target")
            .is_some_and(|target| target == "AmazonSSM.SendCommand")
        {
            let sent: serde_json::Value = serde_json::from_slice(body).expect("SendCommand is JSON");
            self.process.book.sends(sent["Comment"].as_str().unwrap_or_default());
            if let Some(late) = self.process.strikes_at_send() {
                let late = i64::try_from(late.as_millis()).expect("a minute or less");
                self.street
                    .late
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(Letter {
                        at: Millis(self.time.now().0 + late),
                        headers,
                        body: body.to_vec(),
                    });
                self.process.die();
                return std::future::pending().await;
            }
        }
        let asked = body.to_vec();
        let now = self.time.now();
        self.street.deliver(now);
        let exchanged = self.street.exchange(now, &headers, body);
        tokio::time::sleep(back).await;
        self.process.lives().await;
        match exchanged {
            Exchange::Response(response, delay) => {
                tokio::time::sleep(delay).await;
                self.process.lives().await;
                let (parts, body) = response.into_parts();
                let status = StatusCode::try_from(parts.status.as_u16()).expect("a status is a status");
                let body = if status.is_success() {
                    self.street.age(&headers, &asked, body)
                } else {
                    body
                };
                let mut answer = HttpResponse::new(status, SdkBody::from(body));
                for (name, value) in &parts.headers {
                    let value = value.to_str().expect("the stand-in's headers are text").to_owned();
                    answer.headers_mut().insert(name.as_str().to_owned(), value);
                }
                Ok(answer)
            }
            Exchange::Reset => Err(ConnectorError::io("connection reset by peer".into())),
            Exchange::Silence => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().carry(request))
    }
}
