//! The Docker Engine's stand-in through bollard: it builds, tags and pushes to the stand-in registry.

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptionsBuilder, PushImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use quarterdeck::plan::Mutability;
use quarterdeck::rehearsal::docker::{DockerStandIn, FailingStep, Story, engine_answers};
use quarterdeck::rehearsal::registry::{RegistryFault, When};
use serde_json::json;

use crate::common::need;
use crate::scene::{REPOSITORY, Scene};

const DOCKERFILE: &str = "ARG BASE=scratch
FROM ${BASE} AS build
ARG VERSION=dev
WORKDIR /srv
COPY app app/
RUN echo built $VERSION
FROM scratch
LABEL version=$VERSION
COPY --from=build /srv/app /srv/app
COPY b.txt /etc/
CMD [\"/srv/app/main\"]
";

struct Bench {
    engine: DockerStandIn,
    docker: Docker,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn open() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let engine = DockerStandIn::start(dir.path(), Story::at_speed(0.0))
            .await
            .expect("it starts");
        let socket = engine.host().strip_prefix("unix://").expect("it is a socket");
        let docker = Docker::connect_with_unix(socket, 30, bollard::API_DEFAULT_VERSION).expect("a client");
        Self {
            engine,
            docker,
            _dir: dir,
        }
    }

    async fn build(&self, dockerfile: &str) -> Result<Vec<BuildInfo>, String> {
        let files = [
            ("Dockerfile", dockerfile),
            ("app/main", "main"),
            ("app/lib/x", "x"),
            ("b.txt", "b"),
        ];
        let mut tar = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, text.as_bytes()).expect("it fits");
        }
        let body = bollard::body_full(tar.into_inner().expect("it is whole").into());
        let options = BuildImageOptionsBuilder::new()
            .t("quarterdeck/sento:1")
            .rm(true)
            .build();
        let mut stream = self.docker.build_image(options, None, Some(body));
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event.map_err(|error| error.to_string())?);
        }
        Ok(events)
    }

    async fn push(&self, scene: &Scene, repository: &str, password: &str) -> Result<Vec<String>, String> {
        self.pushing(scene, repository, password).await.try_collect().await
    }

    /// The words of a push, as they come.
    async fn pushing(
        &self,
        scene: &Scene,
        repository: &str,
        password: &str,
    ) -> impl Stream<Item = Result<String, String>> + use<> {
        let reference = format!("{}/{repository}", scene.host());
        let options = TagImageOptionsBuilder::new().repo(&reference).tag("v1").build();
        self.docker
            .tag_image("quarterdeck/sento:1", Some(options))
            .await
            .expect("it is tagged");
        let options = PushImageOptionsBuilder::new().tag("v1").build();
        let credentials = DockerCredentials {
            username: Some("AWS".to_owned()),
            password: Some(password.to_owned()),
            ..DockerCredentials::default()
        };
        let events = self.docker.push_image(&reference, Some(options), Some(credentials));
        events.filter_map(async |event| match event {
            Ok(event) => event.status.map(Ok),
            Err(error) => Some(Err(error.to_string())),
        })
    }
}

/// Reads until so many layers are told to wait for a slot.
async fn until_waiting(push: &mut (impl Stream<Item = Result<String, String>> + Unpin), layers: usize) {
    let mut waiting = 0;
    while waiting < layers {
        let status = push.next().await.expect("the push goes on").expect("it does not fail");
        waiting += usize::from(status == "Waiting");
    }
}

fn said(events: &[BuildInfo]) -> String {
    events.iter().filter_map(|event| event.stream.as_deref()).collect()
}

#[tokio::test]
async fn a_build_makes_a_real_image_and_the_second_one_comes_from_the_cache() {
    let bench = Bench::open().await;
    let first = said(&bench.build(DOCKERFILE).await.expect("it builds"));
    assert!(
        first.starts_with("Step 1/11 : ARG BASE=scratch\nStep 2/11 : FROM ${BASE} AS build\n ---> \n"),
        "{first}"
    );
    assert!(
        first.contains("\nbuilt dev\n") && !first.contains("Using cache"),
        "{first}"
    );
    assert!(first.ends_with("Successfully tagged quarterdeck/sento:1\n"), "{first}");
    let id = bench
        .docker
        .inspect_image("quarterdeck/sento:1")
        .await
        .expect("it is there")
        .id;
    let again = said(&bench.build(DOCKERFILE).await.expect("it builds"));
    assert_eq!(again.matches("Using cache").count(), 8, "{again}");
    let image = bench
        .docker
        .inspect_image("quarterdeck/sento:1")
        .await
        .expect("it is there");
    assert_eq!(image.id, id);
    assert_eq!(
        image.root_fs.and_then(|files| files.layers).map(|layers| layers.len()),
        Some(2)
    );
    assert_eq!(
        image.config.and_then(|config| config.cmd),
        Some(vec!["/srv/app/main".to_owned()])
    );
}

#[tokio::test]
async fn a_build_fails_as_told_and_as_written_in_dockers_words() {
    let bench = Bench::open().await;
    bench.engine.story().fail(FailingStep {
        holds: "RUN echo built".to_owned(),
        code: 2,
        times: 1,
    });
    let played = bench.build(DOCKERFILE).await.expect_err("it is told to fail");
    bench.build(DOCKERFILE).await.expect("once only");
    for (dockerfile, expected) in [
        (
            DOCKERFILE,
            "The command '/bin/sh -c echo built $VERSION' returned a non-zero code: 2",
        ),
        (
            "FROM scratch\nRUN true && exit 7",
            "The command '/bin/sh -c true && exit 7' returned a non-zero code: 7",
        ),
        (
            "FROM scratch\nCOPY gone /",
            "COPY failed: file not found in build context or excluded by .dockerignore: stat gone: file does not exist",
        ),
        (
            "FROM scratch\nFOO bar",
            "dockerfile parse error line 2: unknown instruction: FOO",
        ),
    ] {
        let told = if dockerfile == DOCKERFILE {
            played.clone()
        } else {
            bench.build(dockerfile).await.expect_err("it fails")
        };
        assert!(told.contains(expected), "expected `{expected}`, was told `{told}`");
    }
}

#[tokio::test]
async fn a_pushed_image_has_the_digest_that_the_engine_says() {
    let (bench, scene) = (Bench::open().await, Scene::open(Mutability::Mutable).await);
    bench.build(DOCKERFILE).await.expect("it builds");
    let first = bench
        .push(&scene, REPOSITORY, &scene.password())
        .await
        .expect("it is pushed");
    let has = |events: &[String], status: &str| events.iter().filter(|event| *event == status).count();
    assert_eq!((has(&first, "Preparing"), has(&first, "Pushed")), (2, 2), "{first:?}");
    let said = first.last().expect("there are events");
    let answer = scene
        .ecr
        .handle("us-east-1", "DescribeImages", &json!({"repositoryName": REPOSITORY}))
        .expect("an answer");
    let digest = answer["imageDetails"][0]["imageDigest"].as_str().expect("one image");
    assert!(said.starts_with(&format!("v1: digest: {digest} size: ")), "{said}");
    let again = bench
        .push(&scene, REPOSITORY, &scene.password())
        .await
        .expect("it is pushed");
    assert_eq!(has(&again, "Layer already exists"), 2, "{again:?}");
    scene.ecr.create_repository(&scene.region, "other", Mutability::Mutable);
    let mounted = bench
        .push(&scene, "other", &scene.password())
        .await
        .expect("it is pushed");
    assert_eq!(has(&mounted, &format!("Mounted from {REPOSITORY}")), 2, "{mounted:?}");
}

#[tokio::test]
async fn a_push_that_ecr_refuses_ends_with_the_engines_words() {
    let (bench, scene) = (Bench::open().await, Scene::open(Mutability::Immutable).await);
    bench.build(DOCKERFILE).await.expect("it builds");
    let good = scene.password();
    let wrong = bench
        .push(&scene, REPOSITORY, "guess")
        .await
        .expect_err("a wrong password");
    let absent = bench
        .push(&scene, "absent", &good)
        .await
        .expect_err("no such repository");
    bench.push(&scene, REPOSITORY, &good).await.expect("the tag is new");
    let again = bench
        .push(&scene, REPOSITORY, &good)
        .await
        .expect_err("the tag is immutable");
    scene.ecr.store().expire_tokens(&scene.region);
    let expired = bench
        .push(&scene, REPOSITORY, &good)
        .await
        .expect_err("the token is expired");
    for (told, expected) in [
        (wrong, "unauthorized: authentication required"),
        (
            absent,
            "name unknown: The repository with name 'absent' does not exist in the registry with id '123456789012'",
        ),
        (again, "tag invalid: The image tag 'v1' already exists"),
        (
            expired,
            "denied: Your authorization token has expired. Reauthenticate and try again.",
        ),
    ] {
        assert!(told.contains(expected), "expected `{expected}`, was told `{told}`");
    }
}

#[tokio::test]
async fn a_cut_upload_is_tried_again_and_a_throttled_one_is_not() {
    let (bench, scene) = (Bench::open().await, Scene::open(Mutability::Mutable).await);
    bench.build(DOCKERFILE).await.expect("it builds");
    let faults = scene.ecr.faults(&scene.region).expect("the region is there");
    faults.arm(When::next("PATCH", "/uploads/"), RegistryFault::Throttled);
    let throttled = bench
        .push(&scene, REPOSITORY, &scene.password())
        .await
        .expect_err("429 is final");
    assert!(throttled.contains("toomanyrequests: Rate exceeded"), "{throttled}");
    faults.arm(When::next("PATCH", "/uploads/"), RegistryFault::Reset { after: 0 });
    faults.arm(When::next("PUT", "/uploads/"), RegistryFault::Broken);
    let events = bench
        .push(&scene, REPOSITORY, &scene.password())
        .await
        .expect("it is pushed at last");
    assert!(events.iter().any(|event| event == "Retrying in 1 second"), "{events:?}");
}

#[tokio::test]
async fn all_pushes_share_five_slots_and_one_that_is_dropped_gives_its_own_back() {
    let (bench, scene) = (Bench::open().await, Scene::open(Mutability::Mutable).await);
    let copies = (1..=6).map(|number| format!("COPY b.txt /{number}\n"));
    bench
        .build(&format!("FROM scratch\n{}", copies.collect::<String>()))
        .await
        .expect("it builds");
    scene.ecr.create_repository(&scene.region, "other", Mutability::Mutable);
    let faults = scene.ecr.faults(&scene.region).expect("the region is there");
    let every = When::next("PATCH", REPOSITORY).times(5);
    faults.arm(every, RegistryFault::Stall { after: 0 });
    let password = scene.password();
    let mut stalled = Box::pin(bench.pushing(&scene, REPOSITORY, &password).await);
    until_waiting(&mut stalled, 1).await;
    let mut other = Box::pin(bench.pushing(&scene, "other", &password).await);
    until_waiting(&mut other, 6).await;
    drop(stalled);
    let rest = other.try_collect::<Vec<_>>().await.expect("it is pushed");
    let pushed = rest.iter().filter(|status| *status == "Pushed").count();
    assert_eq!(pushed, 6, "{rest:?}");
}

#[tokio::test]
async fn a_real_engine_pulls_what_the_stand_in_pushed() {
    if !need("docker") {
        return;
    }
    let (bench, scene) = (Bench::open().await, Scene::open(Mutability::Mutable).await);
    bench.build(DOCKERFILE).await.expect("it builds");
    bench
        .push(&scene, REPOSITORY, &scene.password())
        .await
        .expect("it is pushed");
    let id = bench
        .docker
        .inspect_image("quarterdeck/sento:1")
        .await
        .expect("it is there")
        .id;
    let docker = Docker::connect_with_local_defaults().expect("the engine's address is good");
    let reference = format!("{}/{REPOSITORY}:v1", scene.host());
    let options = bollard::query_parameters::CreateImageOptionsBuilder::new()
        .from_image(&reference)
        .build();
    let credentials = DockerCredentials {
        username: Some("AWS".to_owned()),
        password: Some(scene.password()),
        ..DockerCredentials::default()
    };
    let pulled = docker
        .create_image(Some(options), None, Some(credentials))
        .try_collect::<Vec<_>>()
        .await;
    pulled.expect("it is pulled");
    assert_eq!(docker.inspect_image(&reference).await.expect("it is there").id, id);
    docker
        .remove_image(&reference, None::<bollard::query_parameters::RemoveImageOptions>, None)
        .await
        .expect("it goes");
}

#[tokio::test]
async fn only_an_engine_behind_a_socket_of_this_machine_counts() {
    let bench = Bench::open().await;
    assert!(engine_answers(bench.engine.host()).await);
    assert!(!engine_answers("unix:///nowhere/docker.sock").await);
    assert!(!engine_answers("tcp://127.0.0.1:1").await && !engine_answers("ssh://user@host").await);
}
