//! A Docker Engine for machines that have none: its API on a socket of its own, the classic builder, and real pushes to
//! the rehearsal's registries.
//!
//! It calls itself 18.06, the last engine without BuildKit, so that clients use the classic builder. `COPY` and what
//! changes an image's configuration are done for real, so that what is pushed is an image that real engines can pull; `RUN`
//! is played, since nothing here runs a container, and leaves the image as it is. Base images that are not here are played
//! too. Only registries on loopback are ever contacted.
//!
//! When a rehearsal is not told which engine to use, it takes the machine's own if [`engine_answers`], and this one otherwise.

mod build;
mod client;
mod dockerfile;
mod events;
mod images;
mod pull;
mod push;
mod serve;
mod stage;
mod story;
mod tree;

use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

pub use story::{FailingStep, Story};

use crate::problem::{Kind, Problem};
use images::Images;

/// The longest path that a socket can have (`sun_path` of Linux and macOS, the shorter of both).
const SOCKET_PATH_MAX: usize = 103;

/// How long an engine may take to answer before it counts as absent.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A Docker Engine, served until it is dropped.
pub struct DockerStandIn {
    host: String,
    story: Story,
    _server: AbortOnDropHandle<()>,
}

impl DockerStandIn {
    /// Starts an engine whose socket, images and layers are under `dir`, for this user alone.
    ///
    /// Where the path is too long for a socket it listens on loopback instead.
    ///
    /// # Errors
    ///
    /// When the directory can't be written.
    pub async fn start(dir: &Path, story: Story) -> Result<Self, Problem> {
        Self::listen(dir, story).await.map_err(|error| {
            Problem::new(
                Kind::Unexpected,
                format!(
                    "could not start the rehearsal's Docker Engine in {}: {error}",
                    dir.display()
                ),
                "see that the folder can be written and has room",
            )
        })
    }

    async fn listen(dir: &Path, story: Story) -> io::Result<Self> {
        let folder = dir.join("docker");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let router = serve::router(Arc::new(Images::new(folder.clone())), story.clone());
        let socket = folder.join("engine.sock");
        let (host, server) = if socket.as_os_str().len() <= SOCKET_PATH_MAX {
            let listener = UnixListener::bind(&socket)?;
            std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
            let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
            (format!("unix://{}", socket.display()), server)
        } else {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let host = format!("tcp://{}", listener.local_addr()?);
            (
                host,
                tokio::spawn(async move { drop(axum::serve(listener, router).await) }),
            )
        };
        Ok(Self {
            host,
            story,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// Its address, as `DOCKER_HOST` takes it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it plays; steps can be made to fail while it runs.
    pub fn story(&self) -> &Story {
        &self.story
    }
}

/// Whether a rehearsal can use the engine at `host`: one on this machine, by its socket, that answers a ping.
///
/// An engine elsewhere could not reach the rehearsal's registries, which are on this machine's loopback; nor can one that
/// runs in a virtual machine, as outside of Linux they all do.
pub async fn engine_answers(host: &str) -> bool {
    let Some(socket) = host.strip_prefix("unix://").filter(|_| cfg!(target_os = "linux")) else {
        return false;
    };
    let ping = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream
            .write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok::<_, io::Error>(answer.starts_with(b"HTTP/1.") && answer.ends_with(b"200"))
    };
    matches!(tokio::time::timeout(ANSWER_WITHIN, ping).await, Ok(Ok(true)))
}
