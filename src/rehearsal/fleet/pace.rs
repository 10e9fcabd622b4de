//! How fast things go in a rehearsal.

use crate::names::Millis;

/// Two speeds: that of hosts, and that of timeouts, which would outlast any rehearsal at the speed of hosts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// So many times faster than a believable host; 1 is believable.
    pub speed: f64,
    /// So many times faster than hosts do timeouts pass; 1 is what AWS does.
    pub timeouts: f64,
}

impl Pace {
    /// As on AWS: timeouts take as long as they say.
    pub const REAL: Self = Self {
        speed: 1.0,
        timeouts: 1.0,
    };

    pub(super) fn after(self, at: Millis, ms: u64) -> Millis {
        later(at, ms, self.speed)
    }

    pub(super) fn timeout(self, at: Millis, ms: u64) -> Millis {
        later(at, ms, self.speed * self.timeouts)
    }
}

/// At least a millisecond later, so that nothing happens before its cause.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "delays of a rehearsal are far below 2^52 milliseconds, and a float that does not fit saturates"
)]
fn later(at: Millis, ms: u64, speed: f64) -> Millis {
    let ms = (ms as f64 / speed).max(1.0) as i64;
    Millis(at.0.saturating_add(ms))
}
