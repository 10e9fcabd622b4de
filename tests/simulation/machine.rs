//! git and the Docker Engine of a simulated machine. Their rooms are tested against the real ones; here only what they
//! come to matters to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use quarterdeck::engine::ports::{
    BuildFailure, BuildSpec, Built, Context, ContextSpec, Docker, Git, PushFailure, PushSpec, Pushed, Sink,
};
use quarterdeck::names::{CommitId, Digest, Region};
use quarterdeck::plan::{Builder, Commit, EngineInfo, Source};
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::text::Clean;
use tokio_util::sync::CancellationToken;

use crate::clock::Time;

/// The commit that is deployed.
pub const COMMIT: &str = "4f1c0aa4f1c0aa4f1c0aa4f1c0aa4f1c0aa4f1c0";

/// A machine. Its trouble outlives its processes, so that every deployment ends.
#[derive(Clone)]
pub struct Machine {
    pub ecr: Arc<EcrStandIn>,
    pub time: Time,
    pub trouble: Arc<AtomicU32>,
}

impl Machine {
    /// Whether something goes wrong now.
    fn stumbles(&self) -> bool {
        let left = self.trouble.load(Ordering::Relaxed);
        let stumbles = left > 0 && fastrand::bool();
        if stumbles {
            self.trouble.store(left - 1, Ordering::Relaxed);
        }
        stumbles
    }
}

#[async_trait]
impl Git for Machine {
    async fn commit(&self, _: &str, _: Option<&str>) -> Result<Commit, Problem> {
        Ok(Commit {
            id: CommitId::new(COMMIT),
            subject: Clean::line("Fix the thing"),
            author: Clean::line("Ada"),
            authored_at: self.time.now(),
            branch: Some(Clean::line("main")),
            on_branch: None,
            dirty: Vec::new(),
            dirty_count: 0,
            pushed: Some(true),
        })
    }

    async fn between(&self, _: &CommitId, _: &CommitId, _: usize) -> Result<Option<(Vec<Clean>, u32)>, Problem> {
        Ok(None)
    }

    async fn has_file(&self, _: &CommitId, _: Source, _: &str) -> Result<bool, Problem> {
        Ok(true)
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
            () = tokio::time::sleep(Duration::from_secs(fastrand::u64(1..30))) => {}
        }
        if self.stumbles() {
            return Err(BuildFailure::Failed {
                problem: Problem::new(Kind::Build, "the build failed", "retry it"),
                step: None,
                exit_code: Some(7),
                log_tail: vec![Clean::line("no space left on device")],
                steps: Vec::new(),
            });
        }
        let args: Vec<&str> = spec.args.values().map(|value| value.expose()).collect();
        Ok(Built {
            image: Digest::new(format!("sha256:{:0>64}", args.join("").len())),
            context_bytes: 9,
            steps: Vec::new(),
        })
    }

    async fn push(&self, spec: PushSpec, _: Sink, stop: CancellationToken) -> Result<Pushed, PushFailure> {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Err(PushFailure::Cancelled),
            () = tokio::time::sleep(Duration::from_millis(fastrand::u64(200..20_000))) => {}
        }
        if self.stumbles() {
            let problem = Problem::new(Kind::Build, "the push broke off", "retry it");
            return Err(match fastrand::u8(0..3) {
                0 => PushFailure::Expired(problem),
                1 => PushFailure::Transient(problem),
                _ => PushFailure::Final(problem),
            });
        }
        let region: &Region = &spec.region;
        let name = spec.repository.split_once('/').map_or("", |(_, name)| name);
        let digest = self
            .ecr
            .preload(
                region,
                name,
                &[&spec.tag],
                spec.image.as_str().as_bytes(),
                self.time.now(),
            )
            .map_err(PushFailure::Final)?;
        Ok(Pushed {
            digest,
            layers_pushed: 1,
            layers_present: 0,
        })
    }
}
