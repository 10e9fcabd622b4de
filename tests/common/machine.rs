//! git and the Docker Engine of a machine that only plays. Their rooms are tested against the real ones; here only what
//! they come to matters to the engine.
//!
//! A test binary takes it in with `#[path = "../common/machine.rs"] mod machine;`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use quarterdeck::engine::Clock;
use quarterdeck::engine::ports::{
    BuildFailure, BuildSpec, Built, Context, ContextSpec, Docker, Git, PushFailure, PushSpec, Pushed, Sink,
};
use quarterdeck::names::{CommitId, Digest, Region};
use quarterdeck::plan::{Builder, Commit, EngineInfo, Source};
use quarterdeck::problem::Problem;
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::text::Clean;
use tokio_util::sync::CancellationToken;

/// The commit that is deployed.
pub const COMMIT: &str = "4f1c0aa4f1c0aa4f1c0aa4f1c0aa4f1c0aa4f1c0";

/// What becomes of builds and pushes: each takes its time and then goes well, or not.
#[async_trait]
pub trait Work: Send + Sync {
    /// A build. Dropped when it is cancelled.
    async fn build(&self) -> Result<(), BuildFailure>;

    /// A push. Dropped when it is cancelled.
    async fn push(&self, region: &Region) -> Result<(), PushFailure>;

    /// The tag of a push is taken off the image.
    async fn untag(&self) {}
}

/// Where pushed images go.
pub trait Registry: Send + Sync {
    /// ECR with its registries.
    fn ecr(&self) -> &EcrStandIn;
}

impl Registry for EcrStandIn {
    fn ecr(&self) -> &EcrStandIn {
        self
    }
}

/// A machine.
#[derive(Clone)]
pub struct Machine {
    pub registry: Arc<dyn Registry>,
    pub clock: Clock,
    pub work: Arc<dyn Work>,
}

#[async_trait]
impl Git for Machine {
    async fn commit(&self, _: &str, branch: Option<&str>) -> Result<Commit, Problem> {
        Ok(Commit {
            id: CommitId::new(COMMIT),
            subject: Clean::line("Fix the thing"),
            author: Clean::line("Ada"),
            authored_at: self.clock.now(),
            branch: Some(Clean::line("main")),
            on_branch: branch.map(|_| true),
            dirty: Vec::new(),
            dirty_count: 0,
            pushed: Some(true),
        })
    }

    async fn between(&self, _: &CommitId, _: &CommitId, _: usize) -> Result<Option<(Vec<Clean>, u32)>, Problem> {
        Ok(None)
    }

    async fn file(&self, _: &CommitId, _: Source, _: &str) -> Result<Option<String>, Problem> {
        Ok(Some("FROM scratch".to_owned()))
    }

    async fn dirty_hash(&self, _: &CommitId) -> Result<String, Problem> {
        Ok("0".repeat(12))
    }

    async fn context(&self, _: &ContextSpec) -> Result<Context, Problem> {
        Ok(Box::pin(futures_util::stream::once(async {
            Ok(Bytes::from_static(b"a context"))
        })))
    }
}

#[async_trait]
impl Docker for Machine {
    async fn info(&self) -> Result<EngineInfo, Problem> {
        Ok(EngineInfo {
            host: Clean::line("simulated"),
            origin: Clean::line("simulation"),
            version: Clean::line("28.0.0"),
            platform: Clean::line("linux/amd64"),
            builder: Builder::Buildkit,
        })
    }

    async fn build(
        &self,
        spec: BuildSpec,
        _: Context,
        _: Sink,
        stop: CancellationToken,
    ) -> Result<Built, BuildFailure> {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(BuildFailure::Cancelled),
            built = self.work.build() => built?,
        }
        let args: Vec<&str> = spec.args.values().map(|value| value.expose()).collect();
        Ok(Built {
            image: Digest::new(format!("sha256:{:0>64}", args.join("").len())),
            context_bytes: 9,
            steps: Vec::new(),
        })
    }

    async fn untag(&self, _: &str) {
        self.work.untag().await;
    }

    async fn push(&self, spec: PushSpec, _: Sink, stop: CancellationToken) -> Result<Pushed, PushFailure> {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(PushFailure::Cancelled),
            pushed = self.work.push(&spec.region) => pushed?,
        }
        let name = spec.repository.split_once('/').map_or("", |(_, name)| name);
        let digest = self
            .registry
            .ecr()
            .preload(
                &spec.region,
                name,
                &[&spec.tag],
                spec.image.as_str().as_bytes(),
                self.clock.now(),
            )
            .map_err(PushFailure::Final)?;
        Ok(Pushed {
            digest,
            layers_pushed: 1,
            layers_present: 0,
        })
    }
}
