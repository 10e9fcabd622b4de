//! The engine's side of the registry protocol: one request at a time, to loopback only, failures in the engine's words.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// An answer is a manifest at most.
const ANSWER_MAX: usize = 4 << 20;

/// One registry, and how to log in there.
#[derive(Debug, Clone)]
pub(super) struct Client {
    host: String,
    authorization: Option<String>,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// As the engine prints it.
    pub message: String,
    /// Whether the engine tries a layer again after it.
    pub passing: bool,
}

/// A good answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
}

impl Client {
    /// A client for `host`; `login` is user and password. `None` for a host that is not on loopback.
    pub fn new(host: &str, login: Option<(&str, &str)>) -> Option<Self> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let address = name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>();
        if !(name == "localhost" || address.is_ok_and(|address| address.is_loopback())) {
            return None;
        }
        let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
        let authorization = login.map(|(user, password)| format!("Basic {}", encode(format!("{user}:{password}"))));
        Some(Self {
            host: host.to_owned(),
            authorization,
        })
    }

    /// The first request of a push: whether a registry is there. It carries no credentials yet.
    pub async fn ping(&self) -> Result<(), Trouble> {
        let bare = Self {
            host: self.host.clone(),
            authorization: None,
        };
        let (status, _, body) = bare.exchange(Method::GET, "/v2/", &[], Body::empty()).await?;
        match status {
            status if status.is_success() || status == StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(self.refused(status, &body)),
        }
    }

    /// Whether a repository has a blob. A refusal counts as no: the upload that follows has a body that tells why.
    pub async fn has(&self, repository: &str, digest: &str) -> Result<bool, Trouble> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let (status, _, _) = self.exchange(Method::HEAD, &path, &[], Body::empty()).await?;
        Ok(status.is_success())
    }

    /// One request. `path` may be a whole URL of this registry, as `Location` gives it.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<Reply, Trouble> {
        let (status, headers, body) = self.exchange(method, path, headers, body).await?;
        if status.is_success() {
            return Ok(Reply { status, headers });
        }
        Err(self.refused(status, &body))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<(StatusCode, HeaderMap, Bytes), Trouble> {
        let path = path
            .strip_prefix("http://")
            .and_then(|url| url.strip_prefix(&self.host))
            .unwrap_or(path);
        let url = format!("http://{}{path}", self.host);
        let verb = title(&method);
        let trouble = |why: String, passing| Trouble {
            message: format!("{verb} \"{url}\": {why}"),
            passing,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| trouble(error.to_string(), false))?;
        let stream = TcpStream::connect(&self.host).await.map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
                _ => error.to_string(),
            };
            trouble(format!("dial tcp {}: {why}", self.host), false)
        })?;
        let broken = |_: hyper::Error| trouble("EOF".to_owned(), true);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        // The connection ends with the request, whatever becomes of it.
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let response = sender.send_request(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), ANSWER_MAX)
            .await
            .map_err(|_| trouble("unexpected EOF".to_owned(), true))?;
        Ok((parts.status, parts.headers, body))
    }

    /// What an engine makes of an error status.
    fn refused(&self, status: StatusCode, body: &[u8]) -> Trouble {
        let error = serde_json::from_slice::<Value>(body)
            .ok()
            .map(|value| value["errors"][0].clone());
        let told = error.and_then(|error| {
            let code = error["code"].as_str()?.to_lowercase().replace('_', " ");
            Some(format!("{code}: {}", error["message"].as_str()?))
        });
        let message = match (status, told) {
            (StatusCode::UNAUTHORIZED, _) if self.authorization.is_none() => "no basic auth credentials".to_owned(),
            (StatusCode::UNAUTHORIZED, _) => "unauthorized: authentication required".to_owned(),
            (status, Some(told)) if status.is_client_error() => told,
            (status, _) => format!("received unexpected HTTP status: {status}"),
        };
        Trouble {
            message,
            passing: status.is_server_error(),
        }
    }
}

/// `Get`, `Patch`: how Go's HTTP client writes methods in its errors.
fn title(method: &Method) -> String {
    let (first, rest) = method.as_str().split_at(1);
    format!("{first}{}", rest.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_ever_contacted() {
        for host in ["127.0.0.1:5000", "127.9.9.9", "localhost:1", "[::1]:5000"] {
            assert!(Client::new(host, None).is_some(), "{host}");
        }
        for host in [
            "10.0.0.1:5000",
            "registry.example.com",
            "docker.io",
            "localhost.example.com:80",
            "1234.dkr.ecr.us-east-1.amazonaws.com",
        ] {
            assert!(Client::new(host, None).is_none(), "{host}");
        }
    }
}
