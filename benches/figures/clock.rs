//! Virtual time: one clock for the fleet, the engine and the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quarterdeck::engine::Clock;
use quarterdeck::names::Millis;
use tokio::time::Instant;

/// When every voyage begins: a Wednesday in November 2026.
const BEGIN: i64 = 1_795_600_000_000;

/// The time of a runtime, which has begun just now and is paused.
#[derive(Clone)]
pub struct Time {
    begin: Instant,
    latest: Arc<AtomicI64>,
}

impl Time {
    pub fn begin() -> Self {
        Self {
            begin: Instant::now(),
            latest: Arc::new(AtomicI64::new(BEGIN)),
        }
    }

    /// The present moment. Other threads than the runtime's see the last moment that the runtime's saw.
    pub fn now(&self) -> Millis {
        if tokio::runtime::Handle::try_current().is_ok() {
            let elapsed = i64::try_from(self.begin.elapsed().as_millis()).unwrap_or(i64::MAX);
            self.latest.fetch_max(BEGIN.saturating_add(elapsed), Ordering::Relaxed);
        }
        Millis(self.latest.load(Ordering::Relaxed))
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::new(move || time.now())
    }
}
