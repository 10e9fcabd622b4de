//! Credentials as the engine reads them: JSON in base64's URL-safe alphabet. In the standard one, which bollard uses, an
//! engine drops what it can't decode and goes on without credentials.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bollard::BollardRequest;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// A request header with credentials. No Debug: it holds them.
#[derive(Clone)]
pub(super) struct AuthHeader {
    name: &'static str,
    value: SecretString,
}

#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

impl<'a> Credentials<'a> {
    fn new(user: &'a str, password: &'a SecretString) -> Self {
        Self {
            username: user,
            password: password.expose_secret(),
        }
    }
}

impl AuthHeader {
    fn new(name: &'static str, credentials: &impl Serialize) -> Self {
        // A map of strings can always be written.
        let json = serde_json::to_vec(credentials).unwrap_or_default();
        Self {
            name,
            value: URL_SAFE.encode(json).into(),
        }
    }

    /// Sets the header.
    pub fn put_on(&self, mut request: BollardRequest) -> BollardRequest {
        // Base64 is always a good header value.
        if let Ok(value) = self.value.expose_secret().parse() {
            request.headers_mut().insert(self.name, value);
        }
        request
    }
}

/// One registry's credentials, for a push.
pub(super) fn registry_auth(user: &str, password: &SecretString) -> AuthHeader {
    AuthHeader::new("x-registry-auth", &Credentials::new(user, password))
}

/// Several registries' credentials (host, user name, password), for a classic build.
pub(super) fn registry_config(all: &[(String, String, SecretString)]) -> AuthHeader {
    let by_host: BTreeMap<&str, Credentials<'_>> = all
        .iter()
        .map(|(host, user, password)| (host.as_str(), Credentials::new(user, password)))
        .collect();
    AuthHeader::new("x-registry-config", &by_host)
}
