//! The two clients of one engine.

use std::path::Path;

use bollard::{API_DEFAULT_VERSION, Docker};

use super::Patience;
use super::address::{Resolved, Wire};
use super::fault;
use crate::problem::{Kind, Problem};

/// An engine's clients. bollard keeps no connection between calls, so making them anew costs nothing.
pub(super) struct Link {
    /// For short calls.
    pub api: Docker,
    /// For builds and pushes.
    pub stream: Docker,
    /// Where they go.
    pub at: Resolved,
    /// How long they wait.
    pub patience: Patience,
}

impl Link {
    /// Makes the clients; only certificates are read, nothing is connected to.
    ///
    /// # Errors
    ///
    /// A socket that does not exist, and certificates that can't be used.
    pub fn open(at: Resolved, patience: Patience) -> Result<Self, Problem> {
        let timeout = patience.call.as_secs().max(1);
        let client = match &at.wire {
            Wire::Unix(socket) => Docker::connect_with_unix(&socket.to_string_lossy(), timeout, API_DEFAULT_VERSION),
            Wire::Http(authority) => Docker::connect_with_http(authority, timeout, API_DEFAULT_VERSION),
            Wire::Tls { authority, certs } => {
                check_certificates(&at, certs)?;
                Docker::connect_with_ssl(
                    authority,
                    &certs.join("key.pem"),
                    &certs.join("cert.pem"),
                    &certs.join("ca.pem"),
                    timeout,
                    API_DEFAULT_VERSION,
                )
            }
        };
        let api = client.map_err(|error| fault::connection(&at, &error))?;
        let stream = api.clone().with_timeout(patience.answer);
        Ok(Self {
            api,
            stream,
            at,
            patience,
        })
    }

    /// What a failed call means.
    pub fn fault(&self, error: &bollard::errors::Error) -> Problem {
        fault::connection(&self.at, error)
    }
}

/// The certificate authority must be there; the client's own pair is both files or none. bollard would go on without a
/// pair that it can't read, and the engine's refusal would not name the file.
fn check_certificates(at: &Resolved, certs: &Path) -> Result<(), Problem> {
    let (cert, key) = (certs.join("cert.pem"), certs.join("key.pem"));
    let pair = cert.exists() || key.exists();
    let needed = std::iter::once(certs.join("ca.pem")).chain(pair.then_some([cert, key]).into_iter().flatten());
    for file in needed {
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let wrong = match text {
            Ok(text) if text.contains("-----BEGIN ") => continue,
            Ok(_) => "it holds no PEM block".to_owned(),
            Err(says) => says,
        };
        return Err(Problem::new(
            Kind::Build,
            format!(
                "could not use the certificate file {} for the Docker Engine at {}: {wrong}",
                file.display(),
                at.name()
            ),
            "put ca.pem, cert.pem and key.pem there (DOCKER_CERT_PATH names the folder), or use an address without TLS",
        ));
    }
    Ok(())
}
