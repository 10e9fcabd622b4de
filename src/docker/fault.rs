//! What a failed call to the engine means: the transport's own words are nested five deep and name neither host nor cure.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bollard::errors::Error;

use super::address::{Resolved, Wire};
use crate::problem::{Kind, Problem};

/// How to name another engine.
const ANOTHER: &str = "or name another engine with DOCKER_HOST or docker context use";

/// Whether the error came from the connection rather than from an answer of the engine.
pub(super) fn is_connection(error: &Error) -> bool {
    !matches!(
        error,
        Error::DockerResponseServerError { .. } | Error::DockerStreamError { .. }
    )
}

/// bollard reports an engine's last, unterminated line as an error, after it has delivered what the line said.
pub(super) fn is_unterminated(error: &Error) -> bool {
    matches!(error, Error::IOError { err } if err.to_string() == "bytes remaining on stream")
}

/// The problem with the connection, or with an answer that no call of ours expects.
pub(super) fn connection(at: &Resolved, error: &Error) -> Problem {
    let engine = at.name();
    let says = chain(error);
    let problem = |what: String, remedy: String| Problem::new(Kind::Build, what, remedy);
    match error {
        // Said of a folder that may not be entered, too.
        Error::SocketNotFoundError(path) => {
            let found = std::fs::metadata(path).map_err(|error| error.kind());
            return match found {
                Err(io::ErrorKind::PermissionDenied) => denied(at),
                Ok(_) | Err(_) => missing_socket(&engine),
            };
        }
        Error::RequestTimeoutError => {
            return problem(
                format!("the Docker Engine at {engine} took the request and did not answer in time"),
                "look whether it is busy or hanging (docker info), restart it if it is, and try again".to_owned(),
            );
        }
        Error::DockerResponseServerError { message, .. } if message.contains("HTTP request to an HTTPS server") => {
            return problem(
                format!("the Docker Engine at {engine} speaks TLS, and the address is a plain one"),
                "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH to the folder with its certificates".to_owned(),
            );
        }
        Error::DockerResponseServerError { status_code, message } => {
            return problem(
                format!(
                    "the Docker Engine at {engine} answered with status {status_code}: {}",
                    message.trim()
                ),
                String::from("look into the engine's own log, and whether the address is really a Docker Engine's"),
            );
        }
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => {
            return problem(
                format!("what answers at {engine} does not speak as a Docker Engine: {says}"),
                "name the engine's own address with DOCKER_HOST".to_owned(),
            );
        }
        _ => {}
    }
    if let Wire::Tls { certs, .. } = &at.wire
        && let Some(problem) = tls(&engine, certs, &says)
    {
        return problem;
    }
    match io_kind(error) {
        Some(io::ErrorKind::NotFound) => missing_socket(&engine),
        Some(io::ErrorKind::PermissionDenied) => denied(at),
        Some(io::ErrorKind::ConnectionRefused) => {
            let (nobody, start) = match &at.wire {
                Wire::Unix(_) => ("the socket is there, but no engine listens on it", "start Docker"),
                Wire::Http(_) | Wire::Tls { .. } => {
                    ("nothing listens there", "start Docker there, check host and port")
                }
            };
            problem(
                format!("could not connect to the Docker Engine at {engine}: {nobody}"),
                format!("{start} (systemctl start docker, or Docker Desktop), {ANOTHER}"),
            )
        }
        _ if says.contains("lookup address") => problem(
            format!("could not connect to the Docker Engine at {engine}: the host's name is not known"),
            format!("check the name, {ANOTHER}"),
        ),
        _ if is_connect(error) => problem(
            format!("could not connect to the Docker Engine at {engine}: {says}"),
            format!("check that it runs and can be reached from here, {ANOTHER}"),
        ),
        _ => problem(
            format!("lost the Docker Engine at {engine}: {}", root(error)),
            "it was stopped or restarted, or the connection broke; try again when it is back (docker info)".to_owned(),
        ),
    }
}

/// What is wrong with the certificates, if it is that.
fn tls(engine: &str, certs: &Path, says: &str) -> Option<Problem> {
    let folder = certs.display();
    let (what, remedy) = if says.contains("InvalidContentType") || says.contains("corrupt message") {
        (
            "does not speak TLS".to_owned(),
            "unset DOCKER_TLS_VERIFY, or correct the port (2376 is the usual one for TLS)".to_owned(),
        )
    } else if says.contains("UnknownIssuer") || says.contains("BadSignature") {
        (
            format!("has a certificate that {folder}/ca.pem did not issue"),
            "put the engine's own certificate authority there".to_owned(),
        )
    } else if says.contains("NotValidForName") {
        (
            "has a certificate for another host name".to_owned(),
            "use the name that is in the certificate".to_owned(),
        )
    } else if says.contains("Expired") || says.contains("NotValidYet") {
        (
            "has a certificate that is not valid now".to_owned(),
            "renew it, or correct this machine's clock".to_owned(),
        )
    } else if says.contains("received fatal alert") {
        (
            format!("refused the client certificate in {folder}: {says}"),
            "put cert.pem and key.pem there that the engine's certificate authority issued".to_owned(),
        )
    } else if says.contains("certificate") {
        (
            format!("has a certificate that can't be accepted: {says}"),
            format!("mend it, or the authority in {folder}/ca.pem"),
        )
    } else {
        return None;
    };
    Some(Problem::new(
        Kind::Build,
        format!("the Docker Engine at {engine} {what}"),
        remedy,
    ))
}

fn missing_socket(engine: &str) -> Problem {
    Problem::new(
        Kind::Build,
        format!("could not connect to the Docker Engine at {engine}: there is no such socket"),
        format!("install or start Docker (systemctl start docker, or Docker Desktop), {ANOTHER}"),
    )
}

/// Names the group that may use the socket.
fn denied(at: &Resolved) -> Problem {
    let what = format!(
        "could not connect to the Docker Engine at {}: you may not use its socket",
        at.name()
    );
    let group = match &at.wire {
        Wire::Unix(socket) => group_of(socket),
        Wire::Http(_) | Wire::Tls { .. } => None,
    };
    let remedy = match group {
        Some(group) if group == "root" => {
            "its group is root: run Docker rootless, or give the socket to the group docker \
             (dockerd --group docker) and join that: sudo usermod -aG docker $USER"
                .to_owned()
        }
        Some(group) => {
            format!("join its group {group} with sudo usermod -aG {group} $USER and log in again, {ANOTHER}")
        }
        None => format!("ask for access to it, {ANOTHER}"),
    };
    Problem::new(Kind::Build, what, remedy)
}

/// The name of the socket's group, or its number where it has no name.
fn group_of(socket: &Path) -> Option<String> {
    let gid = std::fs::metadata(socket).ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number == gid).then(|| name.to_owned())
    });
    Some(name.unwrap_or(gid))
}

/// The kind of the innermost I/O error.
fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    // Not in the chain: bollard passes this one through.
    let mut kind = match error {
        Error::IOError { err } => Some(err.kind()),
        _ => None,
    };
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            kind = Some(io.kind());
        }
        next = error.source();
    }
    kind
}

/// Whether there was no connection yet. The words do not tell: one that breaks says `Connection reset by peer`.
fn is_connect(error: &Error) -> bool {
    matches!(error, Error::HyperLegacyError { err } if err.is_connect())
}

/// The innermost layer's words, which are the system's own; those around them name the client's parts.
fn root(error: &Error) -> String {
    let mut root: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = root.source() {
        root = inner;
    }
    root.to_string()
}

/// Every layer's words, each once.
fn chain(error: &Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let word = error.to_string();
        if !words.iter().any(|said| said.contains(&word)) {
            words.push(word);
        }
        next = error.source();
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Clean;

    fn denied_at(wire: Wire) -> String {
        let at = Resolved {
            host: Clean::line("unix:///run/docker.sock"),
            origin: Clean::line("default"),
            wire,
        };
        let error = Error::IOError {
            err: io::Error::from(io::ErrorKind::PermissionDenied),
        };
        connection(&at, &error).to_string()
    }

    #[test]
    fn a_socket_that_may_not_be_used_names_the_group_to_join() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let socket = dir.path().join("docker.sock");
        std::fs::write(&socket, "").expect("a file is written");
        // A number without a name; only root may give a file to such a group.
        if std::os::unix::fs::chown(&socket, None, Some(54_321)).is_ok() {
            let told = denied_at(Wire::Unix(socket));
            assert!(
                told.contains("unix:///run/docker.sock (default): you may not use its socket"),
                "{told}"
            );
            assert!(told.contains("sudo usermod -aG 54321 $USER and log in again"), "{told}");
        }
    }

    #[test]
    fn a_socket_whose_group_cannot_be_seen_is_refused_all_the_same() {
        let told = denied_at(Wire::Unix("/nowhere/docker.sock".into()));
        assert!(
            told.contains("you may not use its socket") && told.contains("ask for access"),
            "{told}"
        );
    }
}
