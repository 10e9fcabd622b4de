//! Which engine it is, and what is wrong when there is none.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use quarterdeck::config::BuilderChoice;
use quarterdeck::docker::{Address, Engine, Patience, Surroundings};
use quarterdeck::engine::ports::{BuildFailure, Docker as _, PushFailure};
use quarterdeck::names::Digest;
use quarterdeck::plan::Builder;
use quarterdeck::problem::Kind;
use tokio_util::sync::CancellationToken;

use crate::common::need;
use crate::daemon::{Daemon, Ending, says};
use crate::rig::{Watch, build_spec, dockerfile, engine_at, eventually, push_spec};

/// The problem that an engine with this address tells.
async fn problem(vars: &[(&str, &str)]) -> String {
    let around = Surroundings::from_vars(|name| {
        let given = vars.iter().find(|(var, _)| *var == name);
        given.map(|(_, value)| (*value).to_owned())
    });
    let engine = Engine::open_in(&Address::Environment, BuilderChoice::Auto, &around, Patience::default());
    let problem = engine.info().await.expect_err("there is no engine");
    assert_eq!(problem.kind, Kind::Build);
    assert!(!problem.remedy.is_empty(), "{problem}");
    problem.to_string()
}

#[tokio::test]
async fn the_engine_in_use_is_named_with_where_its_address_came_from() {
    if !need("docker") {
        return;
    }
    let around = Surroundings::from_env();
    for (choice, builder) in [
        (BuilderChoice::Auto, Builder::Buildkit),
        (BuilderChoice::Classic, Builder::Classic),
    ] {
        let engine = Engine::open_in(&Address::Environment, choice, &around, Patience::default());
        let info = engine.info().await.expect("the engine answers");
        match &around.host {
            Some(host) => assert_eq!(
                (info.host.as_str(), info.origin.as_str()),
                (host.as_str(), "DOCKER_HOST")
            ),
            None if info.origin.as_str() == "default" => assert_eq!(info.host.as_str(), "unix:///var/run/docker.sock"),
            None => assert!(info.origin.as_str().starts_with("context "), "{info:?}"),
        }
        assert!(
            info.version.as_str().contains('.') && info.platform.as_str().starts_with("linux/"),
            "{info:?}"
        );
        assert_eq!(info.builder, builder);
    }
}

#[tokio::test]
async fn buildkit_is_used_where_the_engine_has_it_and_missed_where_it_must_be() {
    for (answer, version, builder, lack) in [
        (
            r#"{"Version":"28.5.2","ApiVersion":"1.51","Os":"linux","Arch":"amd64","Components":[{"Name":"Engine","Version":"28.5.2"}]}"#,
            "28.5.2",
            Builder::Buildkit,
            "",
        ),
        (
            r#"{"Version":"18.06.1-ce","ApiVersion":"1.38","Os":"linux","Arch":"amd64"}"#,
            "18.06.1-ce",
            Builder::Classic,
            "is older than 18.09",
        ),
        (
            r#"{"Version":"5.8.6","ApiVersion":"1.41","Os":"linux","Arch":"arm64","Components":[{"Name":"Podman Engine","Version":"5.8.6"}]}"#,
            "Podman 5.8.6",
            Builder::Classic,
            "is Podman",
        ),
    ] {
        let daemon = Daemon::start(vec![("/version", says(200, &[answer], Ending::Whole))]);
        let given = Address::Given {
            host: format!("unix://{}", daemon.socket.display()),
            origin: "test".to_owned(),
        };
        let around = Surroundings::default();
        let open = |choice| Engine::open_in(&given, choice, &around, Patience::default());
        let info = open(BuilderChoice::Auto).info().await.expect("the engine answers");
        assert_eq!((info.version.as_str(), info.builder), (version, builder));
        assert_eq!(info.origin.as_str(), "test");
        match (builder, open(BuilderChoice::Buildkit).info().await) {
            (Builder::Buildkit, forced) => assert_eq!(forced.map(|info| info.builder), Ok(Builder::Buildkit)),
            (Builder::Classic, forced) => {
                let problem = forced.expect_err("it has no BuildKit");
                assert!(problem.what.as_str().contains(lack), "{problem}");
                assert!(problem.remedy.as_str().contains("builder = \"auto\""), "{problem}");
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_told_with_the_file() {
    if !need("openssl") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in ["ca", "server"] {
        let made = Command::new("openssl")
            .current_dir(dir.path())
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "1",
                "-subj",
                "/CN=127.0.0.1",
            ])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args([
                "-addext",
                if name == "ca" {
                    "keyUsage=keyCertSign"
                } else {
                    "basicConstraints=critical,CA:FALSE"
                },
            ])
            .args(["-keyout", &format!("{name}-key.pem"), "-out", &format!("{name}.pem")])
            .output();
        assert!(
            made.is_ok_and(|made| made.status.success()),
            "openssl makes a certificate"
        );
    }
    let probe = std::net::TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr());
    let port = probe.expect("there is a free port").port().to_string();
    let mut server = Command::new("openssl")
        .current_dir(dir.path())
        .args([
            "s_server",
            "-quiet",
            "-www",
            "-cert",
            "server.pem",
            "-key",
            "server-key.pem",
            "-accept",
            &port,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl serves");
    eventually("openssl listens", async || {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
    })
    .await;
    let told = problem(&[
        ("DOCKER_HOST", &format!("tcp://127.0.0.1:{port}")),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", &dir.path().display().to_string()),
    ])
    .await;
    let _ = server.kill();
    let _ = server.wait();
    assert!(told.contains("ca.pem did not issue"), "{told}");
}

#[tokio::test]
async fn a_missing_socket_says_how_to_get_an_engine() {
    let told = problem(&[("DOCKER_HOST", "unix:///nowhere/docker.sock")]).await;
    assert!(
        told.contains("unix:///nowhere/docker.sock (DOCKER_HOST): there is no such socket"),
        "{told}"
    );
    assert!(told.contains("start Docker") && told.contains("DOCKER_HOST"), "{told}");
}

#[tokio::test]
async fn a_socket_nobody_listens_on_is_told_apart_from_a_missing_one() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let socket = dir.path().join("docker.sock");
    drop(UnixListener::bind(&socket).expect("it is bound"));
    let told = problem(&[("DOCKER_HOST", &format!("unix://{}", socket.display()))]).await;
    assert!(told.contains("no engine listens on it"), "{told}");
}

#[tokio::test]
async fn a_refused_and_an_unknown_host_are_told_apart() {
    let told = problem(&[("DOCKER_HOST", "tcp://127.0.0.1:1")]).await;
    assert!(
        told.contains("tcp://127.0.0.1:1 (DOCKER_HOST): nothing listens there"),
        "{told}"
    );
    let told = problem(&[("DOCKER_HOST", "tcp://no-such-host.invalid:2375")]).await;
    assert!(told.contains("the host's name is not known"), "{told}");
}

#[tokio::test]
async fn something_else_that_answers_is_not_taken_for_an_engine() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let app = axum::Router::new().fallback(|| async { "<html>hello</html>" });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let told = problem(&[("DOCKER_HOST", &format!("tcp://{address}"))]).await;
    assert!(told.contains("does not speak as a Docker Engine"), "{told}");

    let dir = tempfile::tempdir().expect("a temporary folder");
    let certs = dir.path().display().to_string();
    let tls = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", certs.as_str())];
    let host = format!("tcp://{address}");
    let told = problem(&[tls[0], tls[1], ("DOCKER_HOST", &host)]).await;
    assert!(told.contains("ca.pem"), "{told}");
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(dir.path().join("ca.pem"), pem).expect("a file is written");
    let told = problem(&[tls[0], tls[1], ("DOCKER_HOST", &host)]).await;
    assert!(told.contains("does not speak TLS"), "{told}");
}

#[tokio::test]
async fn without_an_engine_nothing_is_built_or_pushed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let engine = engine_at(Path::new("/nowhere/docker.sock"), Patience::default());
    let spec = build_spec(Builder::Buildkit, "quarterdeck-test/never:1", &dir.path().join("log"));
    let watch = Watch::default();
    let built = engine
        .build(
            spec,
            dockerfile("FROM scratch\n"),
            watch.sink(),
            CancellationToken::new(),
        )
        .await;
    assert!(
        matches!(built, Err(BuildFailure::Failed { step: None, .. })),
        "{built:?}"
    );
    let spec = push_spec(&Digest::new("sha256:0"), "127.0.0.1:1/app", "password");
    let pushed = engine.push(spec, watch.sink(), CancellationToken::new()).await;
    assert!(
        matches!(pushed, Err(PushFailure::Transient(_))),
        "an engine may be back in a moment: {pushed:?}"
    );
    let far = Address::Given {
        host: "ssh://ops@far".to_owned(),
        origin: "test".to_owned(),
    };
    let engine = Engine::open(&far, BuilderChoice::Auto);
    let spec = push_spec(&Digest::new("sha256:0"), "127.0.0.1:1/app", "password");
    let pushed = engine.push(spec, watch.sink(), CancellationToken::new()).await;
    assert!(matches!(pushed, Err(PushFailure::Final(_))), "{pushed:?}");
}
