//! From a producer of tar bytes to a [`Context`]: a bounded channel, and an end that counts only when the producer says so.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::ports::Context;
use crate::problem::{Kind, Problem};

/// How much goes at a time; larger chunks were measured to gain nothing.
pub(super) const CHUNK: usize = 64 * 1024;

/// Chunks that wait for the engine at most: with one in each end's hands, the memory that a context of any size takes.
const WAITING: usize = 4;

/// Starts a producer and streams what it sends. When it ends without success, or breaks off, the last item says so.
pub(super) fn context(start: impl FnOnce(mpsc::Sender<Bytes>) -> JoinHandle<Result<(), Problem>>) -> Context {
    let (sender, receiver) = mpsc::channel(WAITING);
    let producer = start(sender);
    let chunks = stream::unfold(Some((receiver, producer)), async |flow| {
        let (mut receiver, producer) = flow?;
        if let Some(chunk) = receiver.recv().await {
            return Some((Ok(chunk), Some((receiver, producer))));
        }
        let failure = match producer.await {
            Ok(Ok(())) => return None,
            Ok(Err(problem)) => problem,
            Err(error) => Problem::new(
                Kind::Unexpected,
                format!("reading the build context broke off: {error}"),
                "",
            ),
        };
        Some((Err(failure), None))
    });
    Box::pin(chunks.fuse())
}

/// The blocking end of the channel.
pub(super) struct Chunks {
    sender: mpsc::Sender<Bytes>,
    filling: Vec<u8>,
}

impl Chunks {
    pub fn new(sender: mpsc::Sender<Bytes>) -> Self {
        Self {
            sender,
            filling: Vec::with_capacity(CHUNK),
        }
    }
}

impl io::Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.filling.len());
        self.filling.extend_from_slice(&bytes[..taken]);
        if self.filling.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    /// Waits for room; fails when nobody reads any more.
    fn flush(&mut self) -> io::Result<()> {
        if self.filling.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.filling, Vec::with_capacity(CHUNK));
        self.sender
            .blocking_send(chunk.into())
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
