//! A real engine that is killed in the midst of its work, started again, and asked for the same once more.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use quarterdeck::engine::ports::{BuildFailure, Built, Context, Docker as _, PushFailure, Pushed};
use quarterdeck::names::Digest;
use quarterdeck::plan::Builder;
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::state::live::{LayerPhase, Progress};
use rustix::process::{Signal, kill_process};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::need;
use crate::dockerd::Dockerd;
use crate::proxy::{self, Then};
use crate::registry::{PASSWORD, Registry};
use crate::rig::{
    BUILDERS, Failed, Watch, build_spec, context, dockerfile, eventually, failed, import, push_spec, sleeper, tar_of,
    unique,
};

/// More than the client and the socket hold back: where so much has left the source, the engine has taken a part.
const UNDER_WAY: usize = 4 << 20;

/// Where an engine that has a network to itself finds the registry.
const PORT: u16 = 5000;

/// Whether there is what these tests need.
fn ready() -> bool {
    need("dockerd") && need("busybox")
}

/// A build that is asked for more than once.
struct Order {
    builder: Builder,
    tag: String,
    dir: tempfile::TempDir,
}

impl Order {
    fn new(builder: Builder, what: &str) -> Self {
        Self {
            builder,
            tag: format!("{}:1", unique(what)),
            dir: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn place(&self, dockerd: &Dockerd, context: Context, watch: &Watch) -> JoinHandle<Result<Built, BuildFailure>> {
        let spec = build_spec(self.builder, &self.tag, &self.dir.path().join("log"));
        let (engine, sink) = (dockerd.engine(), watch.sink());
        tokio::spawn(async move { engine.build(spec, context, sink, CancellationToken::new()).await })
    }

    /// Whether the engine has its image.
    async fn is_there(&self, dockerd: &Dockerd) -> bool {
        dockerd.client().inspect_image(&self.tag).await.is_ok()
    }
}

fn push(dockerd: &Dockerd, image: &Digest, repository: &str, watch: &Watch) -> JoinHandle<Result<Pushed, PushFailure>> {
    let (engine, sink) = (dockerd.engine(), watch.sink());
    let spec = push_spec(image, repository, PASSWORD);
    tokio::spawn(async move { engine.push(spec, sink, CancellationToken::new()).await })
}

/// What the work comes to. It does not hang.
async fn end<T>(work: JoinHandle<T>) -> T {
    let end = tokio::time::timeout(Duration::from_secs(60), work).await;
    end.expect("it ends within a minute").expect("no panic")
}

/// The failure of a build whose engine was killed: it claims nothing, and says so.
async fn lost_build(dockerd: &Dockerd, work: JoinHandle<Result<Built, BuildFailure>>) -> Failed {
    let failed = failed(end(work).await.expect_err("a dead engine builds nothing"));
    says_lost(dockerd, &failed.problem);
    assert_eq!(failed.exit_code, None, "no command of the Dockerfile has failed");
    failed
}

/// It is the engine that went away, not the Dockerfile or the registry that is wrong, and the operator has to wait for it.
fn says_lost(dockerd: &Dockerd, problem: &Problem) {
    let what = format!("lost the Docker Engine at {}", dockerd.name());
    assert!(problem.what.as_str().contains(&what), "{problem}");
    for remedy in ["it was stopped or restarted", "try again when it is back"] {
        assert!(problem.remedy.as_str().contains(remedy), "{problem}");
    }
    assert_eq!(problem.kind, Kind::Build);
}

/// It names the engine that does not run, and how to start it.
fn says_down(dockerd: &Dockerd, problem: &Problem) {
    let what = format!(
        "could not connect to the Docker Engine at {}: the socket is there, but no engine listens on it",
        dockerd.name()
    );
    assert!(problem.what.as_str().contains(&what), "{problem}");
    let remedy = "start Docker (systemctl start docker";
    assert!(problem.remedy.as_str().contains(remedy), "{problem}");
    assert_eq!(problem.kind, Kind::Build);
}

/// Bytes that no compression makes fewer.
fn noise(bytes: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect()
}

/// What the source of a context does once the upload is under way.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// It has nothing to give for now, as a slow git: there is no write that could fail.
    Waits,
    /// It gives without end.
    Flows,
}

/// A context that begins as `tar` does and never comes to its end.
fn endless(tar: &[u8], source: Source) -> Context {
    let begun = context(&tar[..=UNDER_WAY]);
    match source {
        Source::Waits => Box::pin(begun.chain(futures_util::stream::pending())),
        Source::Flows => {
            let more = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[0; 4096])));
            Box::pin(begun.chain(more))
        }
    }
}

#[tokio::test]
async fn an_engine_that_is_killed_in_the_upload_is_said_to_be_lost_and_takes_the_whole_context_later() {
    if !ready() {
        return;
    }
    let mut dockerd = Dockerd::start().await;
    let base = import(&dockerd.client()).await;
    let text = format!("FROM {base}\nCOPY big /big\n");
    let tar = tar_of(&[("Dockerfile", text.as_bytes()), ("big", &noise(2 * UNDER_WAY))]);
    for builder in BUILDERS {
        for source in [Source::Waits, Source::Flows] {
            let order = Order::new(builder, "upload");
            let watch = Watch::default();
            let work = order.place(&dockerd, endless(&tar, source), &watch);
            let under_way =
                |progress: &Progress| matches!(progress, Progress::Context { sent, .. } if *sent > UNDER_WAY as u64);
            watch.until(under_way).await;
            dockerd.kill();
            let lost = lost_build(&dockerd, work).await;
            assert_eq!((lost.step, lost.steps), (None, Vec::new()), "{builder:?} {source:?}");

            dockerd.start_again().await;
            assert!(!order.is_there(&dockerd).await, "half a context makes no image");
            let built = end(order.place(&dockerd, context(&tar), &watch))
                .await
                .expect("it builds now");
            assert_eq!(built.context_bytes, tar.len() as u64);
            assert!(order.is_there(&dockerd).await, "{builder:?} {source:?}");
        }
    }
}

#[tokio::test]
async fn an_engine_that_is_killed_in_a_build_is_said_to_be_lost_in_its_step_and_builds_later() {
    if !ready() {
        return;
    }
    let mut dockerd = Dockerd::start().await;
    let base = import(&dockerd.client()).await;
    for builder in BUILDERS {
        let order = Order::new(builder, "build");
        // A number of seconds that no other test and no other run sleeps.
        let nap = fastrand::u32(1_000_000..2_000_000).to_string();
        let text = format!("FROM {base}\nRUN echo before\nRUN echo asleep; sleep {nap}; echo awake\n");
        let watch = Watch::default();
        let work = order.place(&dockerd, dockerfile(&text), &watch);
        asleep(&watch, &nap).await;
        dockerd.kill();
        let lost = lost_build(&dockerd, work).await;
        let step = lost.step.expect("it is known in which step");
        assert!(
            step.name.as_str().starts_with("RUN echo asleep"),
            "{builder:?}: {step:?}"
        );
        assert_eq!(lost.log_tail, ["asleep"], "{builder:?}");

        // Somebody tries again too early.
        let early = end(order.place(&dockerd, dockerfile(&text), &Watch::default())).await;
        says_down(&dockerd, &failed(early.expect_err("nobody builds")).problem);

        dockerd.start_again().await;
        assert!(!order.is_there(&dockerd).await, "half a build makes no image");
        let watch = Watch::default();
        let work = order.place(&dockerd, dockerfile(&text), &watch);
        asleep(&watch, &nap).await;
        kill_process(sleeper(&nap).expect("it sleeps"), Signal::TERM).expect("it can be woken");
        end(work).await.expect("it builds now");
        assert!(
            watch.lines().contains(&("awake".to_owned(), false)),
            "{:?}",
            watch.lines()
        );
        assert!(order.is_there(&dockerd).await, "{builder:?}");
    }
}

/// Waits until the build's command sleeps, and what it said before has been told.
async fn asleep(watch: &Watch, nap: &str) {
    let told = |progress: &Progress| matches!(progress, Progress::Log { line, .. } if line.as_str() == "asleep");
    watch.until(told).await;
    eventually("the command sleeps", async || sleeper(nap).is_some()).await;
}

#[tokio::test]
async fn an_engine_that_is_killed_in_a_push_is_worth_another_try_which_pushes_the_whole_image() {
    if !ready() || !need("docker-registry") || !need("htpasswd") {
        return;
    }
    let registry = Registry::start();
    let mut dockerd = Dockerd::start().await;
    let base = import(&dockerd.client()).await;
    let text = format!("FROM {base}\nCOPY big /big\n");
    let tar = tar_of(&[("Dockerfile", text.as_bytes()), ("big", &noise(8 << 20))]);
    let order = Order::new(Builder::Classic, "push");
    let built = end(order.place(&dockerd, context(&tar), &Watch::default())).await;
    let image = built.expect("it builds").image;

    // Most of the image does not get through, so that the push can't end before its engine does.
    let proxy = proxy::start_on(dockerd.listen(PORT), registry.address(), 2_000_000, Then::Stall);
    let repository = format!("{proxy}/team/app");
    let watch = Watch::default();
    let work = push(&dockerd, &image, &repository, &watch);
    let moves = |progress: &Progress| {
        matches!(
            progress,
            Progress::Layer {
                phase: LayerPhase::Pushing { .. },
                ..
            }
        )
    };
    watch.until(moves).await;
    dockerd.kill();
    let Err(PushFailure::Transient(problem)) = end(work).await else {
        panic!("a dead engine pushes nothing, and it may come back");
    };
    says_lost(&dockerd, &problem);
    let cut_off = format!("the push of {repository}:4f1c2ab was cut off");
    assert!(problem.what.as_str().starts_with(&cut_off), "{problem}");
    assert_eq!(registry.digest("team/app", "4f1c2ab"), None, "half a push makes no tag");

    // Somebody tries again too early, or Quarterdeck itself, whose own tries this failure leads to.
    let Err(PushFailure::Transient(problem)) = end(push(&dockerd, &image, &repository, &watch)).await else {
        panic!("nobody pushes, and the engine may come back");
    };
    says_down(&dockerd, &problem);

    dockerd.start_again().await;
    proxy::start_on(dockerd.listen(PORT), registry.address(), u64::MAX, Then::Stall);
    let pushed = end(push(&dockerd, &image, &repository, &watch))
        .await
        .expect("it is pushed now");
    let digest = registry.digest("team/app", "4f1c2ab");
    assert_eq!(digest.as_deref(), Some(pushed.digest.as_str()));
}
