//! The sample repository: what git, the configuration and an engine make of it.

use bollard::Docker;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::TryStreamExt as _;
use quarterdeck::engine::ports::{ContextSpec, Git as _};
use quarterdeck::names::{AccountId, Millis, Region};
use quarterdeck::plan::{Mutability, Source};
use quarterdeck::rehearsal::docker::{DockerStandIn, Story};
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::rehearsal::sample::{self, Sample};
use quarterdeck::source::Repository;
use quarterdeck::text::Clean;
use serde_json::json;

use crate::common::need;

fn regions() -> Vec<Region> {
    ["us-east-1", "eu-west-2"].map(Region::new).to_vec()
}

fn make() -> (tempfile::TempDir, Sample) {
    let dir = tempfile::tempdir().expect("a directory");
    let sample = sample::create(dir.path(), &regions(), Millis::now()).expect("git makes it");
    (dir, sample)
}

#[tokio::test]
async fn it_is_clean_pushed_on_main_and_has_commits_that_the_fleet_does_not_run() {
    let (_dir, sample) = make();
    let repository = Repository::open(&sample.path).await.expect("it is a repository");
    let commit = repository.commit("HEAD", Some("main")).await.expect("it has a commit");
    assert_eq!((commit.id.clone(), commit.dirty_count), (sample.head.clone(), 0));
    assert_eq!((commit.on_branch, commit.pushed), (Some(true), Some(true)));
    assert_eq!(
        (commit.author.as_str(), commit.branch.as_ref().map(Clean::as_str)),
        ("Aiko Mori", Some("main"))
    );
    let new = repository
        .between(&sample.running, &sample.head, 10)
        .await
        .expect("git compares")
        .expect("it has both");
    assert_eq!(new.1, 3, "{new:?}");
}

#[test]
fn its_configuration_is_the_workflows_for_the_rehearsals_regions() {
    let (_dir, sample) = make();
    let config = quarterdeck::config::load(&sample.path.join("config.toml"));
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<&str> = config.lanes.iter().map(|lane| lane.region.as_str()).collect();
    assert_eq!(names, ["us-east-1", "eu-west-2"]);
    assert!(config.lanes.iter().all(|lane| lane.rollouts.len() == 2));
}

#[tokio::test]
async fn every_region_has_the_running_image_as_latest_and_under_its_commit() {
    let (dir, sample) = make();
    let ecr = EcrStandIn::start(dir.path(), &AccountId::new("123456789012"), &regions())
        .await
        .expect("it starts");
    for region in regions() {
        ecr.create_repository(&region, &Sample::repository(&region), Mutability::Mutable);
    }
    sample.preload(&ecr, &regions()).expect("it is stored");
    for region in regions() {
        let ask = json!({"repositoryName": Sample::repository(&region), "imageIds": [{"imageTag": "latest"}]});
        let answer = ecr
            .handle(region.as_str(), "DescribeImages", &ask)
            .expect("it is there");
        let tags = &answer["imageDetails"][0]["imageTags"];
        assert_eq!(*tags, json!([sample.running.as_str(), "latest"]));
    }
}

async fn build(sample: &Sample, docker: &Docker, tag: &str) {
    let repository = Repository::open(&sample.path).await.expect("it is a repository");
    let spec = ContextSpec {
        commit: sample.head.clone(),
        source: Source::Commit,
        directory: Clean::line("."),
        dockerfile: Clean::line("Dockerfile"),
    };
    let context = repository.context(&spec).await.expect("it has a context");
    let chunks: Vec<_> = context.try_collect().await.expect("it is whole");
    let body = bollard::body_full(chunks.concat().into());
    let options = BuildImageOptionsBuilder::new().t(tag).rm(true).build();
    docker
        .build_image(options, None, Some(body))
        .try_collect::<Vec<_>>()
        .await
        .expect("it builds");
}

#[tokio::test]
async fn the_stand_in_engine_builds_it_layer_by_layer() {
    let (dir, sample) = make();
    let engine = DockerStandIn::start(dir.path(), Story::at_speed(0.0))
        .await
        .expect("it starts");
    let socket = engine.host().strip_prefix("unix://").expect("it is a socket");
    let docker = Docker::connect_with_unix(socket, 30, bollard::API_DEFAULT_VERSION).expect("a client");
    build(&sample, &docker, "sento").await;
    let image = docker.inspect_image("sento").await.expect("it is there");
    assert_eq!(
        image.root_fs.and_then(|files| files.layers).map(|layers| layers.len()),
        Some(5)
    );
    assert!(image.size.is_some_and(|size| size > 6_000_000), "{:?}", image.size);
}

#[tokio::test]
async fn a_real_engine_builds_it_without_pulling() {
    if !need("docker") {
        return;
    }
    let (_dir, sample) = make();
    let docker = Docker::connect_with_local_defaults().expect("the engine's address is good");
    let tag = format!("quarterdeck-test/{}", uuid::Uuid::now_v7().simple());
    build(&sample, &docker, &tag).await;
    docker
        .remove_image(&tag, None::<bollard::query_parameters::RemoveImageOptions>, None)
        .await
        .expect("it goes");
}
