//! Builds and pushes that take their time, and stumble as often as the seed says.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use quarterdeck::engine::ports::{BuildFailure, PushFailure};
use quarterdeck::names::Region;
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::text::Clean;

use crate::machine::Work;

/// So many troubles are left. They outlive processes, so that every deployment ends.
pub struct Trouble(AtomicU32);

impl Trouble {
    pub fn new(left: u32) -> Self {
        Self(AtomicU32::new(left))
    }

    /// Whether something goes wrong now.
    fn stumbles(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        let stumbles = left > 0 && fastrand::bool();
        if stumbles {
            self.0.store(left - 1, Ordering::Relaxed);
        }
        stumbles
    }
}

#[async_trait]
impl Work for Trouble {
    async fn build(&self) -> Result<(), BuildFailure> {
        tokio::time::sleep(Duration::from_secs(fastrand::u64(1..30))).await;
        if !self.stumbles() {
            return Ok(());
        }
        Err(BuildFailure::Failed {
            problem: Problem::new(Kind::Build, "the build failed", "retry it"),
            step: None,
            exit_code: Some(7),
            log_tail: vec![Clean::line("no space left on device")],
            steps: Vec::new(),
        })
    }

    async fn push(&self, _: &Region) -> Result<(), PushFailure> {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(200..20_000))).await;
        if !self.stumbles() {
            return Ok(());
        }
        let problem = Problem::new(Kind::Build, "the push broke off", "retry it");
        Err(match fastrand::u8(0..3) {
            0 => PushFailure::Expired(problem),
            1 => PushFailure::Transient(problem),
            _ => PushFailure::Final(problem),
        })
    }
}
