//! The SDK's HTTP client without a socket: every request reaches the stand-in's door, and every answer comes back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
use quarterdeck::rehearsal::Desk;
use quarterdeck::rehearsal::server::{Exchange, exchange};

use super::clock::Time;

/// How long a request is on its way, and its answer.
const WAY: std::ops::Range<u64> = 5..60;

/// The way to the stand-in.
#[derive(Clone)]
pub struct Wire {
    desk: Arc<Desk>,
    time: Time,
    serial: Arc<AtomicU64>,
}

impl Wire {
    pub fn client(desk: Arc<Desk>, time: Time) -> SharedHttpClient {
        let serial = Arc::default();
        SharedHttpClient::new(Self { desk, time, serial })
    }

    async fn carry(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(WAY))).await;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let name = HeaderName::try_from(name).expect("the SDK sends good header names");
            headers.insert(name, HeaderValue::try_from(value).expect("and good values"));
        }
        let body = request.body().bytes().unwrap_or_default();
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let exchanged = exchange(&self.desk, self.time.now(), serial, &headers, body);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(WAY))).await;
        let Exchange::Response(response, delay) = exchanged else {
            return Err(ConnectorError::io("nothing goes wrong on this wire".into()));
        };
        tokio::time::sleep(delay).await;
        let (parts, body) = response.into_parts();
        let status = StatusCode::try_from(parts.status.as_u16()).expect("a status is a status");
        let mut answer = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in &parts.headers {
            let value = value.to_str().expect("the stand-in's headers are text").to_owned();
            answer.headers_mut().insert(name.as_str().to_owned(), value);
        }
        Ok(answer)
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
