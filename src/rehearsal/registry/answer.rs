//! Responses: errors as the protocol lists them, in ECR's words.

use axum::body::Body;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::rehearsal::ecr::store::Refusal;

/// A request that is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    status: StatusCode,
    /// The protocol's code, such as `NAME_UNKNOWN`; engines print it in lower case and with spaces.
    code: &'static str,
    message: String,
}

impl Refused {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "Not Authorized")
    }

    pub fn expired() -> Self {
        let message = "Your authorization token has expired. Reauthenticate and try again.";
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    pub fn unsupported() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "The operation is unsupported.",
        )
    }

    pub fn no_such_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "Not Found")
    }

    pub fn disk(error: &std::io::Error) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "UNKNOWN",
            format!("the rehearsal's registry can't store it: {error}"),
        )
    }

    /// The registry's `host` is named in the challenge.
    pub fn response(&self, host: &str) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            // ECR's challenge is Basic, with a plain body.
            let challenge = format!("Basic realm=\"http://{host}/\",service=\"ecr.amazonaws.com\"");
            let headers = [
                (header::WWW_AUTHENTICATE, challenge),
                (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            ];
            return with(self.status, headers, Body::from(format!("{}\n", self.message)));
        }
        json(
            self.status,
            &json!({"errors": [{"code": self.code, "message": self.message}]}).to_string(),
        )
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::NoRepository { .. } => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Refusal::Immutable { .. } => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            Refusal::BadTag => (StatusCode::BAD_REQUEST, "TAG_INVALID"),
            Refusal::NoLayers { .. } => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Refusal::NoImages { .. } => (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN"),
            Refusal::OtherDigest { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Refusal::NoManifest => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            // A push of what is there is none for the protocol; see `manifests::put`.
            Refusal::SameImage { .. } => (StatusCode::CONFLICT, "UNKNOWN"),
        };
        Self::new(status, code, refusal.to_string())
    }
}

/// A JSON response.
pub(super) fn json(status: StatusCode, text: &str) -> Response {
    with(
        status,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8".to_owned())],
        Body::from(text.to_owned()),
    )
}

/// A response without a body.
pub(super) fn empty<const N: usize>(status: StatusCode, headers: [(HeaderName, String); N]) -> Response {
    with(status, headers, Body::empty())
}

/// Any response. A header whose text can't be one is left out.
pub(super) fn with<const N: usize>(status: StatusCode, headers: [(HeaderName, String); N], body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, text) in headers {
        if let Ok(value) = text.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `Docker-Content-Digest`.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// `Docker-Upload-UUID`.
pub(super) const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
