//! Another Docker Engine than the plan was made with: a deployment is taken up in another shell, or on another machine.

use std::sync::Arc;

use async_trait::async_trait;
use quarterdeck::engine::ports::{
    BuildFailure, BuildSpec, Built, Context, Docker, PushFailure, PushSpec, Pushed, Sink,
};
use quarterdeck::engine::{Clock, Connect, Outside};
use quarterdeck::plan::{Builder, EngineInfo};
use quarterdeck::problem::Problem;
use quarterdeck::state::{BuildPhase, Outcome};
use quarterdeck::text::Clean;
use tokio_util::sync::CancellationToken;

use crate::scene::{Process, Scene, TINY};

/// An engine that has the classic builder alone.
struct Other {
    engine: Arc<dyn Docker>,
    platform: &'static str,
}

#[async_trait]
impl Docker for Other {
    async fn info(&self) -> Result<EngineInfo, Problem> {
        Ok(EngineInfo {
            platform: Clean::line(self.platform),
            builder: Builder::Classic,
            ..self.engine.info().await?
        })
    }

    async fn build(
        &self,
        spec: BuildSpec,
        context: Context,
        sink: Sink,
        stop: CancellationToken,
    ) -> Result<Built, BuildFailure> {
        assert_eq!(spec.builder, Builder::Classic, "it has no other");
        self.engine.build(spec, context, sink, stop).await
    }

    async fn push(&self, spec: PushSpec, sink: Sink, stop: CancellationToken) -> Result<Pushed, PushFailure> {
        self.engine.push(spec, sink, stop).await
    }
}

/// A process that takes up a deployment, which was left in its build, with this other engine.
async fn taken_up_with(scene: &Scene, platform: &'static str) -> Process {
    scene.hands.builds.close();
    let mut first = scene.start().await;
    let begun = "build begins";
    let told = || scene.hands.told().iter().any(|told| told == begun);
    first.until(begun, |_| told()).await;
    first.leave().await;
    drop(first);
    scene.hands.builds.open();
    let usual = scene.connect();
    let connect: Connect = Arc::new(move || {
        let outside = usual();
        Box::pin(async move {
            let outside = outside.await?;
            let docker = Arc::new(Other {
                engine: outside.docker,
                platform,
            });
            Ok(Outside { docker, ..outside })
        })
    });
    scene.attach_through(connect, Clock::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_begins_again_takes_the_builder_that_there_is() {
    let scene = Scene::set(TINY).await;
    let mut process = taken_up_with(&scene, "linux/amd64").await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
}

/// The plan said for which platform it builds, and the hosts cannot run another one's image.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_does_not_begin_again_for_another_platform() {
    let scene = Scene::set(TINY).await;
    let mut process = taken_up_with(&scene, "linux/arm64").await;
    assert_eq!(process.settled().await, Outcome::BuildFailed);
    let BuildPhase::Failed { problem, .. } = &process.state.builds[0].phase else {
        panic!("{:?}", process.state.builds[0].phase);
    };
    let what = problem.what.as_str();
    assert!(
        what.contains("linux/amd64") && what.contains("linux/arm64"),
        "{problem}"
    );
}
