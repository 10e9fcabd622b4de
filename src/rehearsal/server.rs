//! The HTTP side: one loopback server for SSM, ECR and STS of all regions.
//!
//! Region and service are read from the signature's scope, the operation from `X-Amz-Target` or STS's form.

use std::future::IntoFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::desk::{Call, Desk, Served};
use super::loopback::{Connection, Loopback};
use super::signature::Scope;
use super::sts;
use super::wire::{Answer, Fault, Service};
use crate::aws::REHEARSAL_ACCESS_KEY;
use crate::names::Millis;

/// AWS's JSON protocol of both SSM and ECR.
const JSON: &str = "application/x-amz-json-1.1";

/// The running server; dropping it stops it.
pub(super) struct Server {
    pub port: u16,
    _stop: DropGuard,
}

impl Server {
    /// Serves the desk on a free port, by a clock that may be off.
    pub async fn start(desk: Arc<Desk>, clock_ahead_ms: i64) -> io::Result<Self> {
        let listener = Loopback::bind().await?;
        let port = listener.port()?;
        let stop = CancellationToken::new();
        let door = Door {
            desk,
            clock_ahead_ms,
            counter: Arc::default(),
            stop: stop.clone(),
        };
        let app = Router::new()
            .fallback(answer)
            .with_state(door)
            .into_make_service_with_connect_info::<Connection>();
        let served = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(served.into_future());
        Ok(Self {
            port,
            _stop: stop.drop_guard(),
        })
    }
}

#[derive(Clone)]
struct Door {
    desk: Arc<Desk>,
    clock_ahead_ms: i64,
    counter: Arc<AtomicU64>,
    stop: CancellationToken,
}

async fn answer(
    State(door): State<Door>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let serial = door.counter.fetch_add(1, Ordering::Relaxed);
    let now = Millis(Millis::now().0 + door.clock_ahead_ms);
    match exchange(&door.desk, now, serial, &headers, &body) {
        Exchange::Response(response, delay) => {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            response.map(Body::from)
        }
        Exchange::Reset => {
            connection.cut();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        // Ends when the client closes the connection, too.
        Exchange::Silence => {
            door.stop.cancelled().await;
            connection.cut();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What a request comes to.
pub enum Exchange {
    /// This response, after this long.
    Response(axum::http::Response<String>, Duration),
    /// The connection is reset.
    Reset,
    /// Nothing ever comes.
    Silence,
}

/// Takes one HTTP request at `now`; `serial` tells it from others. A simulation calls this without a socket.
pub fn exchange(desk: &Desk, now: Millis, serial: u64, headers: &HeaderMap, body: &[u8]) -> Exchange {
    let request_id = format!("00000000-0000-4000-8000-{serial:012x}");
    let call = match read(headers, body) {
        Ok(call) => call,
        Err((service, fault)) => {
            return Exchange::Response(response(service, "", &Err(fault), &request_id), Duration::ZERO);
        }
    };
    match desk.serve(now, &call) {
        Served::Answer(answer, delay) => {
            Exchange::Response(response(call.service, &call.operation, &answer, &request_id), delay)
        }
        Served::Reset => Exchange::Reset,
        Served::Silence => Exchange::Silence,
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Call, (Service, Fault)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let target = text("x-amz-target");
    // Without a scope only the shape of the request tells whose error format is understood.
    let guess = match target {
        Some(target) if target.starts_with(Service::Ecr.target_prefix()) => Service::Ecr,
        Some(_) => Service::Ssm,
        None => Service::Sts,
    };
    let scope =
        Scope::read(text(header::AUTHORIZATION.as_str()), REHEARSAL_ACCESS_KEY).map_err(|fault| (guess, fault))?;
    let service = scope.service;
    let refuse = |fault| (service, fault);
    let (operation, body) = match service {
        Service::Sts => {
            let form = sts::form(std::str::from_utf8(body).unwrap_or_default());
            (form["Action"].as_str().unwrap_or_default().to_owned(), form)
        }
        Service::Ssm | Service::Ecr => {
            let operation = target
                .and_then(|target| target.strip_prefix(service.target_prefix()))
                .ok_or_else(|| refuse(Fault::unknown_operation(target.unwrap_or("an unnamed operation"))))?;
            let serialization = |why: String| refuse(Fault::client("SerializationException", why));
            let body: Value = if body.is_empty() {
                Value::Object(serde_json::Map::new())
            } else {
                serde_json::from_slice(body).map_err(|error| serialization(error.to_string()))?
            };
            if !body.is_object() {
                return Err(serialization("the body is not a JSON object".to_owned()));
            }
            (operation.to_owned(), body)
        }
    };
    Ok(Call {
        service,
        region: scope.region,
        operation,
        body,
    })
}

fn response(service: Service, operation: &str, answer: &Answer, request_id: &str) -> axum::http::Response<String> {
    let fault = answer.as_ref().err();
    let status = fault.map_or(200, |fault| fault.status);
    let mut response = axum::http::Response::builder()
        .status(status)
        .header("x-amzn-requestid", request_id);
    if let (Some(fault), Service::Ssm | Service::Ecr) = (fault, service) {
        response = response.header("x-amzn-errortype", fault.code);
    }
    let (kind, body) = match service {
        Service::Sts => ("text/xml", sts::xml(operation, answer, request_id)),
        Service::Ssm | Service::Ecr => {
            let body = match answer {
                Ok(body) => body.to_string(),
                Err(fault) => fault.body(service).to_string(),
            };
            (JSON, body)
        }
    };
    response
        .header(header::CONTENT_TYPE, kind)
        .body(body)
        .unwrap_or_else(|_| axum::http::Response::new(String::new()))
}
