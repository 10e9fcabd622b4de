//! Where progress waits until somebody looks: the latest of each thing, behind one short lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::ports::Sink;
use crate::state::live::{Live, Progress};

/// The latest progress. Writers never wait for readers to draw, and readers see only the latest of each thing.
#[derive(Default)]
pub struct Board {
    live: Mutex<(u64, Live)>,
    changed: Notify,
}

impl Board {
    /// An empty board.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Puts a piece of progress on it.
    pub fn put(&self, progress: Progress) {
        let mut live = self.lock();
        live.0 += 1;
        live.1.apply(progress);
        drop(live);
        self.changed.notify_one();
    }

    /// A sink that ends here.
    pub fn sink(self: &Arc<Self>) -> Sink {
        let board = Arc::clone(self);
        Arc::new(move |progress| board.put(progress))
    }

    /// Copies it into `into` if it changed since version `seen`; returns the version that `into` now is.
    pub fn refresh(&self, seen: u64, into: &mut Live) -> u64 {
        let live = self.lock();
        if live.0 != seen {
            into.clone_from(&live.1);
        }
        live.0
    }

    /// Waits until something was put since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A poisoned lock only means that a writer panicked between two fields that are worth showing; go on with what is there.
    fn lock(&self) -> MutexGuard<'_, (u64, Live)> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
