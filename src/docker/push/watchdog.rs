//! Nothing else notices a registry that has gone silent: neither engines nor HTTP clients end a push for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::docker::Patience;

/// When bytes of any push of an engine last moved. An engine has a handful of upload slots for all of its pushes, so a push
/// that waits for one is silent for as long as others are busy.
#[derive(Default)]
pub(in crate::docker) struct Traffic(Mutex<Option<Instant>>);

impl Traffic {
    fn moved(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look at the clock comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// All is well; look again then.
    Again(Instant),
    /// It is silent for that long and should be said to have stalled.
    Note(Duration),
    /// It is silent for that long and should be given up.
    GiveUp(Duration),
}

/// Watches one push.
pub(super) struct Watchdog<'a> {
    patience: Patience,
    traffic: &'a Traffic,
    heard: Instant,
    noted: bool,
}

impl<'a> Watchdog<'a> {
    pub fn new(patience: Patience, traffic: &'a Traffic) -> Self {
        Self {
            patience,
            traffic,
            heard: Instant::now(),
            noted: false,
        }
    }

    /// The engine said something. Returns whether a note about its silence has to go.
    pub fn heard(&mut self) -> bool {
        self.heard = Instant::now();
        self.traffic.moved(self.heard);
        std::mem::take(&mut self.noted)
    }

    /// When to look.
    pub fn next_look(&self) -> Instant {
        let patience = if self.noted {
            self.patience.stalled
        } else {
            self.patience.stall_noted
        };
        self.heard + patience
    }

    /// Looks. `only_waits`: every open layer waits for a slot, so the silence is excused while other pushes move.
    pub fn look(&mut self, only_waits: bool) -> Look {
        let others = self.traffic.last().filter(|_| only_waits);
        self.heard = others.map_or(self.heard, |others| others.max(self.heard));
        let silent = self.heard.elapsed();
        if silent >= self.patience.stalled {
            Look::GiveUp(silent)
        } else if silent >= self.patience.stall_noted && !self.noted {
            self.noted = true;
            Look::Note(silent)
        } else {
            Look::Again(self.next_look())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_noted_and_then_given_up() {
        let traffic = Traffic::default();
        let mut watchdog = Watchdog::new(Patience::default(), &traffic);
        tokio::time::advance(59 * SECOND).await;
        assert!(matches!(watchdog.look(false), Look::Again(_)));
        tokio::time::advance(SECOND).await;
        assert_eq!(watchdog.look(false), Look::Note(60 * SECOND));
        tokio::time::advance(119 * SECOND).await;
        assert!(matches!(watchdog.look(false), Look::Again(_)));
        tokio::time::advance(SECOND).await;
        assert_eq!(watchdog.look(false), Look::GiveUp(180 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_word_of_the_engine_takes_the_note_back() {
        let traffic = Traffic::default();
        let mut watchdog = Watchdog::new(Patience::default(), &traffic);
        tokio::time::advance(60 * SECOND).await;
        assert_eq!(watchdog.look(false), Look::Note(60 * SECOND));
        assert!(watchdog.heard());
        assert!(!watchdog.heard());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_slot_is_no_stall_while_another_push_moves() {
        let traffic = Traffic::default();
        let mut waits = Watchdog::new(Patience::default(), &traffic);
        let mut moves = Watchdog::new(Patience::default(), &traffic);
        for _ in 0..20 {
            tokio::time::advance(30 * SECOND).await;
            moves.heard();
            assert!(matches!(waits.look(true), Look::Again(_)));
        }
        tokio::time::advance(180 * SECOND).await;
        assert_eq!(waits.look(true), Look::GiveUp(180 * SECOND));
    }
}
