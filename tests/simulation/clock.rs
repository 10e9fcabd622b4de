//! Virtual time: one clock for the fleet, the engine and the journal, which goes on from one process's life to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use quarterdeck::engine::Clock;
use quarterdeck::names::Millis;
use tokio::time::Instant;

/// When every simulation begins: a Wednesday in November 2026.
const BEGIN: i64 = 1_795_600_000_000;

/// The time of a world.
#[derive(Clone)]
pub struct Time {
    now: Arc<AtomicI64>,
    /// The runtime's own beginning, and the world's time then.
    life: Option<(Instant, i64)>,
}

impl Time {
    pub fn new() -> Self {
        Self {
            now: Arc::new(AtomicI64::new(BEGIN)),
            life: None,
        }
    }

    /// The same time within a new runtime, which has begun just now.
    pub fn of_life(&self) -> Self {
        Self {
            now: self.now.clone(),
            life: Some((Instant::now(), self.now.load(Ordering::Relaxed))),
        }
    }

    /// The present moment. Other threads than the runtime's see the last moment that the runtime's saw.
    pub fn now(&self) -> Millis {
        if let Some((begin, base)) = self.life
            && tokio::runtime::Handle::try_current().is_ok()
        {
            let elapsed = i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX);
            self.now.fetch_max(base + elapsed, Ordering::Relaxed);
        }
        Millis(self.now.load(Ordering::Relaxed))
    }

    /// While nobody lives, time passes all the same.
    pub fn pass(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    /// The clock of a machine that is so many milliseconds ahead of AWS's.
    pub fn clock(&self, ahead: i64) -> Clock {
        let time = self.clone();
        Clock::new(move || Millis(time.now().0 + ahead))
    }
}
