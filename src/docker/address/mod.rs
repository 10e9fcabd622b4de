//! Which Docker Engine: the docker command line's own order of precedence, and what it comes to.
//!
//! A deployment built on another engine than the operator thinks of is the worst surprise, so every address carries where
//! it came from, and it is resolved once: `docker context use` in another terminal does not move a running deployment.

mod context;
mod surroundings;

use std::path::{Path, PathBuf};

pub use surroundings::Surroundings;

use crate::problem::{Kind, Problem};
use crate::text::Clean;
use crate::words;

/// What docker takes when nothing names an engine.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// The port of a plain `tcp://` address that names none.
const PLAIN_PORT: u16 = 2375;
/// The port of a TLS address that names none.
const TLS_PORT: u16 = 2376;

/// How the engine is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// As the docker command line chooses: `DOCKER_HOST`, `DOCKER_CONTEXT`, the current context, the default socket.
    Environment,
    /// This one and no other.
    Given {
        /// Such as `unix:///run/rehearsal/docker.sock`.
        host: String,
        /// Who says so, such as `rehearsal`.
        origin: String,
    },
}

/// An engine's address, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// As it was written, but for a login.
    pub host: Clean,
    /// `DOCKER_HOST`, `context colima`, `default`, or what [`Address::Given`] says.
    pub origin: Clean,
    /// How to get there.
    pub wire: Wire,
}

/// How to get to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wire {
    /// A socket file.
    Unix(PathBuf),
    /// Plain HTTP to `host:port`.
    Http(String),
    /// HTTP over TLS to `host:port`.
    Tls {
        /// `host:port`.
        authority: String,
        /// The folder with `ca.pem`, `cert.pem` and `key.pem`.
        certs: PathBuf,
    },
}

/// What is known of TLS before the address is read.
struct Tls {
    /// Whether a `tcp://` address is to be spoken to over TLS.
    wanted: bool,
    /// The folder with the certificates.
    certs: PathBuf,
}

impl Resolved {
    /// `unix:///var/run/docker.sock (default)`, the way every text of this room names the engine.
    pub fn name(&self) -> String {
        format!("{} ({})", self.host, self.origin)
    }
}

/// Resolves the address. Nothing is connected to yet.
///
/// # Errors
///
/// An unknown or unreadable context, and an address that Quarterdeck can't speak to.
pub(super) fn resolve(choice: &Address, around: &Surroundings) -> Result<Resolved, Problem> {
    let environment = Tls {
        wanted: around.tls_verify,
        certs: around.certs.clone(),
    };
    let given = match choice {
        Address::Given { host, origin } => Some((host.as_str(), origin.as_str())),
        Address::Environment => around.host.as_deref().map(|host| (host, "DOCKER_HOST")),
    };
    if let Some((host, origin)) = given {
        return parse(host, origin, environment);
    }
    match context::current(around)? {
        Some(found) => {
            let tls = Tls {
                wanted: found.certs.is_some(),
                certs: found.certs.unwrap_or_default(),
            };
            parse(&found.host, &format!("context {}", found.name), tls)
        }
        None => parse(DEFAULT_HOST, "default", environment),
    }
}

/// Reads an address.
fn parse(host: &str, origin: &str, tls: Tls) -> Result<Resolved, Problem> {
    let shown = words::address(host);
    let refuse = |what: String, remedy: String| {
        let what = format!("the Docker address {shown} (from {origin}) {what}");
        Err(Problem::new(Kind::Build, what, remedy))
    };
    let (scheme, rest) = match host.split_once("://") {
        Some((scheme, rest)) => (scheme, rest.trim_end_matches('/')),
        // As the docker command line does.
        None if !host.starts_with('/') && host.contains(':') => ("tcp", host),
        None => {
            return refuse(
                "has no scheme".to_owned(),
                format!("write unix://{shown} for a socket, tcp://HOST:PORT for the network"),
            );
        }
    };
    let wire = match scheme {
        "unix" if rest.starts_with('/') => Wire::Unix(PathBuf::from(rest)),
        "unix" => {
            return refuse(
                "does not name a socket by its whole path".to_owned(),
                format!("write it as {DEFAULT_HOST}, with three slashes"),
            );
        }
        "tcp" | "http" | "https" if rest.is_empty() => {
            return refuse("names no host".to_owned(), "write it as tcp://HOST:PORT".to_owned());
        }
        "https" => secured(rest, &tls.certs),
        "tcp" if tls.wanted => secured(rest, &tls.certs),
        "tcp" | "http" => Wire::Http(with_port(rest, PLAIN_PORT)),
        "ssh" => {
            return refuse(
                "goes over ssh, which Quarterdeck does not speak".to_owned(),
                format!(
                    "forward the socket and use that: ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock {rest} & \
                     export DOCKER_HOST=unix:///tmp/docker.sock"
                ),
            );
        }
        "npipe" | "fd" => {
            return refuse(
                format!("uses {scheme}, which is of no use on this system"),
                "use a unix:// or tcp:// address".to_owned(),
            );
        }
        other => {
            return refuse(
                format!("has the unknown scheme {other:?}"),
                "use a unix:// or tcp:// address".to_owned(),
            );
        }
    };
    Ok(Resolved {
        host: Clean::line(&shown),
        origin: Clean::line(origin),
        wire,
    })
}

fn secured(rest: &str, certs: &Path) -> Wire {
    Wire::Tls {
        authority: with_port(rest, TLS_PORT),
        certs: certs.to_owned(),
    }
}

/// `host:port`; the colons of an IPv6 address in brackets are not a port's.
fn with_port(rest: &str, port: u16) -> String {
    let after_brackets = rest.rsplit_once(']').map_or(rest, |(_, after)| after);
    if after_brackets.contains(':') {
        rest.to_owned()
    } else {
        format!("{rest}:{port}")
    }
}

#[cfg(test)]
mod tests;
