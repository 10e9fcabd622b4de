//! The build context on its way to the engine: counted, and its producer's error kept.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use crate::engine::ports::{Context, Sink};
use crate::names::BuildId;
use crate::problem::Problem;
use crate::state::live::Progress;

/// What is known of a context that the HTTP client reads.
#[derive(Clone, Default)]
pub(super) struct Feed(Arc<Mutex<Fed>>);

#[derive(Default)]
struct Fed {
    bytes: u64,
    problem: Option<Problem>,
}

impl Feed {
    /// The request's body.
    pub fn body(
        &self,
        context: Context,
        build: BuildId,
        sink: Sink,
    ) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static {
        let feed = self.clone();
        context.map(move |chunk| match chunk {
            Ok(chunk) => {
                let sent = feed.count(chunk.len());
                let build = build.clone();
                sink(Progress::Context { build, sent });
                Ok(chunk)
            }
            Err(problem) => {
                let error = io::Error::other(problem.to_string());
                feed.lock().problem = Some(problem);
                Err(error)
            }
        })
    }

    /// Bytes sent.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Why the context ended early, if it did. An engine that was cut off has an error of its own, which says less.
    pub fn problem(&self) -> Option<Problem> {
        self.lock().problem.clone()
    }

    fn count(&self, chunk: usize) -> u64 {
        let mut fed = self.lock();
        fed.bytes += chunk as u64;
        fed.bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Fed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
