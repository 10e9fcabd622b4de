//! Which engine it is, and what is wrong when there is none.

use std::os::unix::net::UnixListener;
use std::path::Path;

use quarterdeck::config::BuilderChoice;
use quarterdeck::docker::{Address, Engine, Patience, Surroundings};
use quarterdeck::engine::ports::{BuildFailure, Docker as _, PushFailure};
use quarterdeck::names::Digest;
use quarterdeck::plan::Builder;
use quarterdeck::problem::Kind;
use tokio_util::sync::CancellationToken;

use crate::common::need;
use crate::rig::{Watch, build_spec, dockerfile, engine_at, push_spec};

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
    let around = Surroundings::from_vars(|name| (name == "DOCKER_CONFIG").then(|| "/nowhere".to_owned()));
    for (choice, builder) in [
        (BuilderChoice::Auto, Builder::Buildkit),
        (BuilderChoice::Classic, Builder::Classic),
    ] {
        let engine = Engine::open_in(&Address::Environment, choice, &around, Patience::default());
        let info = engine.info().await.expect("the engine answers");
        assert_eq!(info.host.as_str(), "unix:///var/run/docker.sock");
        assert_eq!(info.origin.as_str(), "default");
        assert!(
            info.version.as_str().contains('.') && info.platform.as_str().starts_with("linux/"),
            "{info:?}"
        );
        assert_eq!(info.builder, builder);
    }
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
    assert!(matches!(pushed, Err(PushFailure::Final(_))), "{pushed:?}");
}
