//! The Docker Engine behind the engine's trait: builds with either builder and pushes, told as one vocabulary of progress.
//!
//! [`Engine::open`] resolves the address the way the docker command line does and connects to nothing: what is wrong with
//! the address or the connection shows in the first call's answer, so that preflight can show it as a check.
//!
//! # What must hold
//!
//! - The end of a stream is not success. A build has succeeded when the engine named the image, a push when it named the
//!   digest; a connection that breaks after that has done no harm.
//! - A context that ended with an error never counts as built, whatever the engine says.
//! - Dropping a stream stops the work on the engine; nothing else does, and nothing else is needed.
//! - A push names exactly one tag: without one, the engine would push every tag of the repository.
//! - No secret build argument and no password is in a log, a text or a progress report.
//!
//! # bollard 0.21.1
//!
//! It is pinned. It sends no API version, so engines from 20.10 on answer without negotiation; its type for push events
//! lacks the layer's id, and it encodes credentials in an alphabet that engines half understand, so pushes go out through
//! a request modifier (see `push`). Each BuildKit build leaves one idle connection behind until the process ends.

mod address;
mod auth;
mod build;
mod fault;
mod info;
mod link;
mod push;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use address::{Address, Surroundings};
pub use build::Lines;

use crate::config::BuilderChoice;
use crate::engine::ports::{BuildFailure, BuildSpec, Built, Context, Docker, PushFailure, PushSpec, Pushed, Sink};
use crate::names::Digest;
use crate::plan::EngineInfo;
use crate::problem::Problem;
use address::Resolved;
use link::Link;
use push::Traffic;

/// How long to wait, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a short call: the version, a tag.
    pub call: Duration,
    /// For the first answer of a build or push. It covers the upload of the whole context, since an engine says nothing
    /// before that.
    pub answer: Duration,
    /// How long the stream of a finished build or push may take to end.
    pub closing: Duration,
    /// The silence after which a push is said to have stalled.
    pub stall_noted: Duration,
    /// The silence after which a push is given up.
    pub stalled: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(30),
            answer: Duration::from_hours(6),
            closing: Duration::from_secs(5),
            stall_noted: Duration::from_secs(60),
            stalled: Duration::from_secs(180),
        }
    }
}

/// A Docker Engine.
pub struct Engine {
    /// Where it is, or why that could not be told.
    at: Result<Resolved, Problem>,
    builder: BuilderChoice,
    patience: Patience,
    traffic: Arc<Traffic>,
}

impl Engine {
    /// The engine that `choice` means in the process's environment.
    pub fn open(choice: &Address, builder: BuilderChoice) -> Arc<Self> {
        Self::open_in(choice, builder, &Surroundings::from_env(), Patience::default())
    }

    /// [`Engine::open`] in other surroundings and with other timeouts.
    pub fn open_in(choice: &Address, builder: BuilderChoice, around: &Surroundings, patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            at: address::resolve(choice, around),
            builder,
            patience,
            traffic: Arc::default(),
        })
    }

    /// Its address and where that came from, such as `unix:///var/run/docker.sock (default)`.
    ///
    /// # Errors
    /// The address cannot be told, or is none that can be spoken to.
    pub fn address(&self) -> Result<String, Problem> {
        self.at.as_ref().map(Resolved::name).map_err(Clone::clone)
    }

    fn link(&self) -> Result<Link, Problem> {
        Link::open(self.at.clone()?, self.patience)
    }
}

#[async_trait]
impl Docker for Engine {
    async fn info(&self) -> Result<EngineInfo, Problem> {
        info::ask(&self.link()?, self.builder).await
    }

    async fn build(
        &self,
        spec: BuildSpec,
        context: Context,
        sink: Sink,
        stop: CancellationToken,
    ) -> Result<Built, BuildFailure> {
        let link = self.link().map_err(build::not_started)?;
        build::run(&link, spec, context, sink, stop).await
    }

    async fn digests(&self, image: &Digest, repository: &str) -> Vec<Digest> {
        match self.link() {
            Ok(link) => push::digests(&link, image, repository).await,
            Err(_) => Vec::new(),
        }
    }

    async fn untag(&self, name: &str) {
        if let Ok(link) = self.link() {
            push::untag(&link, name).await;
        }
    }

    async fn push(&self, spec: PushSpec, sink: Sink, stop: CancellationToken) -> Result<Pushed, PushFailure> {
        let at = self.at.clone().map_err(PushFailure::Final)?;
        // An engine that is being restarted has no socket for a moment.
        let link = Link::open(at, self.patience).map_err(PushFailure::Transient)?;
        push::run(&link, spec, sink, stop, &self.traffic).await
    }
}
