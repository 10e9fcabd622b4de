//! Which hosts of a rollout changed lately, so that who keeps something by host looks at those alone.

use std::collections::VecDeque;

/// How many changes are remembered. Who falls further behind looks at every host, which by then is hardly more.
const REMEMBERED: usize = 1024;

/// The latest changes of a rollout's hosts; kept up to date by the fold.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    total: u64,
    latest: VecDeque<usize>,
}

impl Changes {
    /// The host at `position` changed.
    pub(super) fn note(&mut self, position: usize) {
        self.total += 1;
        if self.latest.len() == REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back(position);
    }

    /// How many there were so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The positions of the hosts that changed after the first `seen` changes, each as often as it changed; `None` where
    /// not all of them are remembered, and where there never were so many.
    pub fn since(&self, seen: u64) -> Option<impl ExactSizeIterator<Item = usize>> {
        let news = usize::try_from(self.total.checked_sub(seen)?).ok()?;
        let known = self.latest.len().checked_sub(news)?;
        Some(self.latest.iter().skip(known).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_what_is_new_to_it_or_is_told_that_it_fell_behind() {
        let mut changes = Changes::default();
        let since = |changes: &Changes, seen| changes.since(seen).map(Iterator::collect::<Vec<_>>);
        assert_eq!(since(&changes, 0), Some(vec![]));
        assert_eq!(since(&changes, 1), None, "of another rollout");
        for position in [3, 1, 3] {
            changes.note(position);
        }
        assert_eq!(since(&changes, 0), Some(vec![3, 1, 3]));
        assert_eq!(since(&changes, 2), Some(vec![3]));
        assert_eq!(since(&changes, 3), Some(vec![]));
        for position in 0..REMEMBERED {
            changes.note(position);
        }
        assert_eq!(since(&changes, 2), None);
        assert_eq!(since(&changes, 3).map(|news| news.len()), Some(REMEMBERED));
    }
}
