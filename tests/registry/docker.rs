//! A real Docker Engine pushes to the registry and pulls from it.

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    BuildImageOptionsBuilder, CreateImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder,
};
use futures_util::TryStreamExt as _;
use quarterdeck::plan::Mutability;
use quarterdeck::rehearsal::registry::{RegistryFault, When};
use serde_json::json;

use crate::common::need;
use crate::scene::{REPOSITORY, Scene};

/// An image in the engine, gone with the test.
struct Image {
    docker: Docker,
    name: String,
}

impl Image {
    /// Builds an image that no other test has.
    async fn build(content: &[u8]) -> Self {
        let docker = Docker::connect_with_local_defaults().expect("the engine's address is good");
        let name = format!("quarterdeck-test/{}", uuid::Uuid::now_v7().simple());
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in [
            ("Dockerfile", b"FROM scratch\nCOPY content /content\n".as_slice()),
            ("content", content),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, bytes).expect("it fits");
        }
        let context = tar.into_inner().expect("it is whole");
        let options = BuildImageOptionsBuilder::new().t(&name).rm(true).build();
        let body = bollard::body_full(context.into());
        docker
            .build_image(options, None, Some(body))
            .try_collect::<Vec<_>>()
            .await
            .expect("it builds");
        Self { docker, name }
    }

    /// Tags it for the registry and pushes it; the digest, or what the engine says went wrong.
    async fn push(&self, scene: &Scene, repository: &str, tag: &str, password: &str) -> Result<(), String> {
        let reference = format!("{}/{repository}", scene.host());
        let options = TagImageOptionsBuilder::new().repo(&reference).tag(tag).build();
        self.docker
            .tag_image(&self.name, Some(options))
            .await
            .expect("it is tagged");
        let options = PushImageOptionsBuilder::new().tag(tag).build();
        let credentials = DockerCredentials {
            username: Some("AWS".to_owned()),
            password: Some(password.to_owned()),
            ..DockerCredentials::default()
        };
        let pushed = self
            .docker
            .push_image(&reference, Some(options), Some(credentials))
            .try_collect::<Vec<_>>()
            .await;
        self.remove(&format!("{reference}:{tag}")).await;
        pushed.map(drop).map_err(|error| error.to_string())
    }

    async fn remove(&self, name: &str) {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        // What can't be removed is not there.
        let _ = self.docker.remove_image(name, Some(options), None).await;
    }

    async fn done(self) {
        self.remove(&self.name).await;
    }
}

#[tokio::test]
async fn an_image_pushed_by_a_real_engine_is_pulled_back_the_same() {
    if !need("docker") {
        return;
    }
    let scene = Scene::open(Mutability::Mutable).await;
    let image = Image::build(b"pushed and pulled").await;
    let id = image.docker.inspect_image(&image.name).await.expect("it is there").id;
    image
        .push(&scene, REPOSITORY, "v1", &scene.password())
        .await
        .expect("it is pushed");
    image
        .push(&scene, REPOSITORY, "v1", &scene.password())
        .await
        .expect("pushing again changes nothing");
    image.remove(&image.name).await;

    let reference = format!("{}/{REPOSITORY}:v1", scene.host());
    let options = CreateImageOptionsBuilder::new().from_image(&reference).build();
    let credentials = DockerCredentials {
        username: Some("AWS".to_owned()),
        password: Some(scene.password()),
        ..DockerCredentials::default()
    };
    let pulled = image
        .docker
        .create_image(Some(options), None, Some(credentials))
        .try_collect::<Vec<_>>()
        .await;
    pulled.expect("it is pulled");
    let back = image.docker.inspect_image(&reference).await.expect("it is there");
    assert_eq!(back.id, id);
    let described = scene
        .ecr
        .handle("us-east-1", "DescribeImages", &json!({"repositoryName": REPOSITORY}))
        .expect("an answer");
    let digest = described["imageDetails"][0]["imageDigest"].as_str().expect("one image");
    let digests = back.repo_digests.unwrap_or_default();
    assert!(
        digests.iter().any(|known| known.ends_with(digest)),
        "{digest} is not in {digests:?}"
    );
    image.remove(&reference).await;
}

#[tokio::test]
async fn what_ecr_refuses_the_engine_tells_in_ecrs_words() {
    if !need("docker") {
        return;
    }
    let scene = Scene::open(Mutability::Immutable).await;
    let image = Image::build(b"refused").await;
    let good = scene.password();
    let wrong = image
        .push(&scene, REPOSITORY, "v1", "guess")
        .await
        .expect_err("a wrong password");
    let absent = image
        .push(&scene, "absent", "v1", &good)
        .await
        .expect_err("no such repository");
    image
        .push(&scene, REPOSITORY, "v1", &good)
        .await
        .expect("the tag is new");
    let again = image
        .push(&scene, REPOSITORY, "v1", &good)
        .await
        .expect_err("the tag is immutable");
    scene.ecr.store().expire_tokens(&scene.region);
    let expired = image
        .push(&scene, REPOSITORY, "v2", &good)
        .await
        .expect_err("the token is expired");
    image.done().await;
    for (said, expected) in [
        (wrong, "unauthorized"),
        (
            absent,
            "name unknown: The repository with name 'absent' does not exist in the registry with id '123456789012'",
        ),
        (
            again,
            "tag invalid: The image tag 'v1' already exists in the 'sento/processor' repository and cannot be overwritten because the repository is immutable.",
        ),
        (
            expired,
            "denied: Your authorization token has expired. Reauthenticate and try again.",
        ),
    ] {
        assert!(said.contains(expected), "expected `{expected}`, was told `{said}`");
    }
}

#[tokio::test]
async fn an_engine_mends_a_cut_upload_by_itself_and_a_throttled_one_takes_its_time() {
    if !need("docker") {
        return;
    }
    let scene = Scene::open(Mutability::Mutable).await;
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(400_000).collect();
    let image = Image::build(&noise).await;
    let faults = scene.ecr.faults(&scene.region).expect("the region is there");
    faults.arm(
        When::next("PATCH", "/blobs/uploads/"),
        RegistryFault::Reset { after: 1000 },
    );
    scene.ecr.limit_uploads(Some(400_000));
    let start = std::time::Instant::now();
    image
        .push(&scene, REPOSITORY, "v1", &scene.password())
        .await
        .expect("it is pushed at last");
    image.done().await;
    // Noise does not compress: 400 kB at 400 kB/s.
    assert!(start.elapsed().as_secs_f32() > 0.9, "{:?}", start.elapsed());
}
