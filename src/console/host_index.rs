//! Which hosts a list shows, in which order: made once per change of the state or the filter, so that a frame builds
//! only the rows that are visible.

use std::cmp::Reverse;

use super::view::{HostAt, HostList, ListScope};
use crate::state::{HostState, State, Verdict};

/// The rows of a host list.
#[derive(Debug, Clone, Default)]
pub struct HostIndex {
    key: Option<Key>,
    rows: Vec<HostAt>,
}

/// What the rows depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    /// The last fact where a host's state decides whether and where it stands; else only how many hosts there are.
    version: u64,
    scope: ListScope,
    filter: String,
    trouble: bool,
    by_state: bool,
}

impl HostIndex {
    /// The rows.
    pub fn rows(&self) -> &[HostAt] {
        &self.rows
    }
}

impl HostList {
    /// Makes the rows anew if the state or the filter changed. The cursor stays on its host, unless the operator asked for
    /// another order, which is looked at from its first row.
    pub fn refresh(&mut self, state: &State) {
        let by_status = self.trouble || self.by_state || !self.filter.value().trim().is_empty();
        let rollouts = state.lanes.iter().flat_map(|lane| &lane.rollouts);
        let key = Key {
            version: if by_status {
                state.seq
            } else {
                rollouts.map(|rollout| rollout.hosts.len() as u64).sum()
            },
            scope: self.scope,
            filter: self.filter.value().to_owned(),
            trouble: self.trouble,
            by_state: self.by_state,
        };
        if self.index.key.as_ref() == Some(&key) {
            return;
        }
        let under_cursor = self.index.rows.get(self.cursor).copied();
        let looks = |key: &Key| (key.scope, key.trouble, key.by_state);
        let same_order = self.index.key.as_ref().is_some_and(|old| looks(old) == looks(&key));
        self.index.rows = rows(state, &key);
        self.index.key = Some(key);
        if !same_order {
            self.cursor = 0;
        } else if let Some(host) = under_cursor
            && self.index.rows.get(self.cursor) != Some(&host)
            && let Some(at) = self.index.rows.iter().position(|row| *row == host)
        {
            self.cursor = at;
        }
        self.cursor = self.cursor.min(self.index.rows.len().saturating_sub(1));
    }
}

fn rows(state: &State, key: &Key) -> Vec<HostAt> {
    let words: Vec<Word> = key.filter.split_whitespace().map(Word::read).collect();
    let mut rows = Vec::new();
    for (lane_at, lane) in state.lanes.iter().enumerate() {
        for (rollout_at, rollout) in lane.rollouts.iter().enumerate() {
            let wanted = match key.scope {
                ListScope::All => true,
                ListScope::Lane(lane) => lane == lane_at,
                ListScope::Rollout(lane, rollout) => (lane, rollout) == (lane_at, rollout_at),
            };
            if !wanted {
                continue;
            }
            for (host_at, host) in rollout.hosts.iter().enumerate() {
                let place = [lane.region.as_str(), rollout.name.as_str()];
                if (!key.trouble || host.can_be_retried()) && words.iter().all(|word| word.fits(host, place)) {
                    rows.push(HostAt {
                        lane: lane_at,
                        rollout: rollout_at,
                        host: host_at,
                    });
                }
            }
        }
    }
    if key.by_state {
        let rank = |row: &HostAt| {
            let host = &state.lanes[row.lane].rollouts[row.rollout].hosts[row.host];
            Reverse(urgency(host.status().verdict()))
        };
        rows.sort_by_cached_key(rank);
    }
    rows
}

/// What the operator wants to see first.
fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Failed => 5,
        Verdict::Unknown => 4,
        Verdict::NotRun => 3,
        Verdict::Running => 2,
        Verdict::Waiting => 1,
        Verdict::Succeeded => 0,
    }
}

/// One word of a filter.
struct Word {
    text: String,
    wanted: bool,
}

impl Word {
    fn read(word: &str) -> Self {
        match word.strip_prefix('!') {
            Some(rest) if !rest.is_empty() => Self {
                text: rest.to_lowercase(),
                wanted: false,
            },
            _ => Self {
                text: word.to_lowercase(),
                wanted: true,
            },
        }
    }

    fn fits(&self, host: &HostState, place: [&str; 2]) -> bool {
        let here = |text: &str| contains_folded(text, &self.text);
        let found = here(host.name.as_str())
            || here(host.id.as_str())
            || here(host.status().word())
            || here(host.platform.as_str())
            || place.into_iter().any(here);
        found == self.wanted
    }
}

/// Whether `text`, with its case folded, has the already folded `part`. ASCII, which names nearly always are, is
/// compared in place.
fn contains_folded(text: &str, part: &str) -> bool {
    if text.is_ascii() {
        let (text, part) = (text.as_bytes(), part.as_bytes());
        part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
    } else {
        text.to_lowercase().contains(part)
    }
}
