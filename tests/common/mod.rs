//! What a test needs beside Rust. A laptop that lacks it skips the test and says so; under `QUARTERDECK_CI=1` the lack
//! is a failure, so that nothing goes untested without a word.
//!
//! A test binary takes it in with `#[path = "../common/mod.rs"] mod common;`.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Whether `program` is here: `if !need("docker-registry") { return; }` at a test's start.
///
/// `docker` asks for an engine that answers, not for the client; `botocore` for the Python module; `unshare` for a file
/// system of one's own; `dockerd` for the right to start an engine of one's own.
///
/// # Panics
/// When it is lacking under `QUARTERDECK_CI=1`.
pub fn need(program: &str) -> bool {
    let (here, package) = match program {
        "docker" => (engine_answers(), "docker.io, and start dockerd"),
        "botocore" => (imports(program), "python3-botocore"),
        "unshare" => (mounts(), "util-linux, where user namespaces are allowed"),
        "dockerd" => (on_path(program) && isolates(), "docker.io, and be root"),
        "htpasswd" => (on_path(program), "apache2-utils"),
        "busybox" => (on_path(program), "busybox-static"),
        "aws" => (on_path(program), "awscli"),
        _ => (on_path(program), program),
    };
    if !here {
        let lack = format!("skipped: needs {program} (apt-get install {package})");
        assert!(env::var_os("QUARTERDECK_CI").is_none_or(|ci| ci != "1"), "{lack}");
        // Not eprintln!, which the test runner keeps to itself when a test passes.
        let test = std::thread::current().name().unwrap_or("test").to_owned();
        let _ = writeln!(std::io::stderr(), "{test}: {lack}");
    }
    here
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn mounts() -> bool {
    succeeds(
        "unshare",
        &[
            "--user",
            "--map-root-user",
            "--mount",
            "mount",
            "-t",
            "tmpfs",
            "tmpfs",
            "/tmp",
        ],
    )
}

/// Whether an engine's processes, mounts and network can be kept apart from the machine's.
fn isolates() -> bool {
    succeeds(
        "unshare",
        &["--pid", "--fork", "--mount", "--mount-proc", "--net", "true"],
    )
}

fn imports(module: &str) -> bool {
    succeeds("python3", &["-c", &format!("import {module}")])
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Asks the engine at `DOCKER_HOST`, or at the usual socket, whether it is there.
fn engine_answers() -> bool {
    let host = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    match host.as_deref() {
        None => UnixStream::connect("/var/run/docker.sock").is_ok_and(answers_unix),
        Some(host) => match (host.strip_prefix("unix://"), host.strip_prefix("tcp://")) {
            (Some(path), _) => UnixStream::connect(Path::new(path)).is_ok_and(answers_unix),
            (None, Some(address)) => TcpStream::connect(address).is_ok_and(answers_tcp),
            (None, None) => false,
        },
    }
}

fn answers_unix(stream: UnixStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok() && answers(stream)
}

fn answers_tcp(stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok() && answers(stream)
}

fn answers(mut stream: impl Read + Write) -> bool {
    let mut status = [0; 12];
    let asked = stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    asked.is_ok() && stream.read_exact(&mut status).is_ok() && status.ends_with(b"200")
}
