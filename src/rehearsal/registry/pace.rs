//! How fast uploads pass.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A line of limited width that all uploads of a registry share.
#[derive(Default)]
pub(super) struct Pace(Mutex<Lane>);

#[derive(Default)]
struct Lane {
    bytes_per_second: Option<u64>,
    /// When the line has passed all that was given to it.
    free: Option<Instant>,
}

impl Pace {
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let mut lane = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lane.bytes_per_second = bytes_per_second.filter(|rate| *rate > 0);
        lane.free = None;
    }

    /// Waits until the line has passed `bytes` more.
    pub async fn pass(&self, bytes: usize) {
        if let Some(until) = self.book(bytes, Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    fn book(&self, bytes: usize, now: Instant) -> Option<Instant> {
        let mut lane = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = lane.bytes_per_second?;
        let nanos = u128::from(u64::try_from(bytes).unwrap_or(u64::MAX)) * 1_000_000_000 / u128::from(rate);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let until = lane.free.filter(|free| *free > now).unwrap_or(now) + takes;
        lane.free = Some(until);
        Some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_uploads_share_one_line() {
        let pace = Pace::default();
        let now = Instant::now();
        assert_eq!(pace.book(1000, now), None);
        pace.set(Some(1000));
        assert_eq!(pace.book(500, now), Some(now + Duration::from_millis(500)));
        assert_eq!(pace.book(500, now), Some(now + Duration::from_secs(1)));
        let later = now + Duration::from_secs(9);
        assert_eq!(pace.book(1000, later), Some(later + Duration::from_secs(1)));
    }
}
