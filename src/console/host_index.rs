//! Which hosts a list shows, in which order. It is made once and follows what changed: a frame after one fact looks at one
//! host, whatever the size of the fleet.

use super::view::{HostAt, HostList, ListScope};
use crate::state::{HostState, LaneState, RolloutState, State, Verdict};

/// More changed hosts than this, and making the rows anew costs no more.
const FOLLOWED: usize = 256;

/// The rows of a host list.
#[derive(Debug, Clone, Default)]
pub struct HostIndex {
    key: Option<Key>,
    rows: Vec<HostAt>,
    /// By lane and rollout.
    known: Vec<Vec<Known>>,
}

/// What the operator wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    scope: ListScope,
    filter: String,
    trouble: bool,
    by_state: bool,
}

/// What the rows know of a rollout.
#[derive(Debug, Clone, Default)]
struct Known {
    /// How many of its changes they have followed.
    seen: u64,
    /// By host: where it stands in the order of the rows, as far as states decide; `None` where it has no row.
    ranks: Vec<Option<u8>>,
}

impl HostIndex {
    /// The rows.
    pub fn rows(&self) -> &[HostAt] {
        &self.rows
    }

    /// Where a host stands among the rows: first by rank, then as in the plan.
    fn order(&self, at: HostAt) -> (Option<u8>, HostAt) {
        (self.rank(at), at)
    }

    fn rank(&self, at: HostAt) -> Option<u8> {
        let known = self.known.get(at.lane)?.get(at.rollout)?;
        known.ranks.get(at.host).copied().flatten()
    }

    fn position(&self, at: HostAt) -> Option<usize> {
        let order = self.order(at);
        self.rows.binary_search_by_key(&order, |row| self.order(*row)).ok()
    }

    /// Makes everything anew.
    fn make(&mut self, state: &State, wanted: &Wanted) {
        self.rows.clear();
        self.known.clear();
        for (lane_at, lane) in state.lanes.iter().enumerate() {
            let mut known = Vec::with_capacity(lane.rollouts.len());
            for (rollout_at, rollout) in lane.rollouts.iter().enumerate() {
                let hosts = rollout.hosts.iter().enumerate();
                let rank = |(host, _)| {
                    wanted.rank(
                        state,
                        HostAt {
                            lane: lane_at,
                            rollout: rollout_at,
                            host,
                        },
                    )
                };
                known.push(Known {
                    seen: rollout.changes.total(),
                    ranks: hosts.map(rank).collect(),
                });
            }
            self.known.push(known);
        }
        let known = self.known.iter().enumerate();
        let rollouts = known.flat_map(|(lane, known)| known.iter().enumerate().map(move |known| (lane, known)));
        self.rows = rollouts
            .flat_map(|(lane, (rollout, known))| {
                let hosts = known.ranks.iter().enumerate().filter(|(_, rank)| rank.is_some());
                hosts.map(move |(host, _)| HostAt { lane, rollout, host })
            })
            .collect();
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by_key(|row| self.order(*row));
        self.rows = rows;
    }

    /// Takes in what changed since the last time; whether that could be done.
    fn follow(&mut self, state: &State, wanted: &Wanted) -> bool {
        let Some(changed) = self.changed(state) else {
            return false;
        };
        for at in changed {
            self.move_row(at, wanted.rank(state, at));
        }
        for (lane, known) in state.lanes.iter().zip(&mut self.known) {
            for (rollout, known) in lane.rollouts.iter().zip(known) {
                known.seen = rollout.changes.total();
            }
        }
        true
    }

    /// The hosts that changed; `None` where they are too many or not remembered, or the state is another deployment's.
    fn changed(&self, state: &State) -> Option<Vec<HostAt>> {
        if state.lanes.len() != self.known.len() {
            return None;
        }
        let mut changed = Vec::new();
        for (lane_at, (lane, known)) in state.lanes.iter().zip(&self.known).enumerate() {
            if lane.rollouts.len() != known.len() {
                return None;
            }
            for (rollout_at, (rollout, known)) in lane.rollouts.iter().zip(known).enumerate() {
                let news = rollout.changes.since(known.seen)?;
                if changed.len() + news.len() > FOLLOWED {
                    return None;
                }
                changed.extend(news.map(|host| HostAt {
                    lane: lane_at,
                    rollout: rollout_at,
                    host,
                }));
            }
        }
        Some(changed)
    }

    /// Puts a host where it stands now.
    fn move_row(&mut self, at: HostAt, rank: Option<u8>) {
        if self.rank(at) == rank {
            return;
        }
        if let Some(position) = self.position(at) {
            self.rows.remove(position);
        }
        let ranks = &mut self.known[at.lane][at.rollout].ranks;
        if ranks.len() <= at.host {
            ranks.resize(at.host + 1, None);
        }
        ranks[at.host] = rank;
        if rank.is_some() {
            let order = self.order(at);
            let position = self.rows.partition_point(|row| self.order(*row) < order);
            self.rows.insert(position, at);
        }
    }
}

impl HostList {
    /// Brings the rows up to date. The cursor stays on its host, unless the operator asked for another order, which is
    /// looked at from its first row.
    pub fn refresh(&mut self, state: &State) {
        let key = Key {
            scope: self.scope,
            filter: self.filter.value().to_owned(),
            trouble: self.trouble,
            by_state: self.by_state,
        };
        let under_cursor = self.index.rows.get(self.cursor).copied();
        let wanted = Wanted::read(&key);
        if self.index.key.as_ref() != Some(&key) || !self.index.follow(state, &wanted) {
            self.index.make(state, &wanted);
        }
        let looks = |key: &Key| (key.scope, key.trouble, key.by_state);
        let same_order = self.index.key.as_ref().is_some_and(|old| looks(old) == looks(&key));
        self.index.key = Some(key);
        if !same_order {
            self.cursor = 0;
        } else if let Some(at) = under_cursor.and_then(|host| self.index.position(host)) {
            self.cursor = at;
        }
        self.cursor = self.cursor.min(self.index.rows.len().saturating_sub(1));
    }
}

/// What the operator wants to see, read.
struct Wanted {
    scope: ListScope,
    words: Vec<Word>,
    trouble: bool,
    by_state: bool,
}

impl Wanted {
    fn read(key: &Key) -> Self {
        Self {
            scope: key.scope,
            words: key.filter.split_whitespace().map(Word::read).collect(),
            trouble: key.trouble,
            by_state: key.by_state,
        }
    }

    /// How early a host stands in the rows, as far as its state decides; `None` where it has no row.
    fn rank(&self, state: &State, at: HostAt) -> Option<u8> {
        let within = match self.scope {
            ListScope::All => true,
            ListScope::Lane(lane) => lane == at.lane,
            ListScope::Rollout(lane, rollout) => (lane, rollout) == (at.lane, at.rollout),
        };
        let (lane, rollout, host) = super::host_list::host_at(state, at).filter(|_| within)?;
        let shown = (!self.trouble || host.can_be_retried()) && self.fits(lane, rollout, host);
        let rank = if self.by_state {
            place_of(host.status().verdict())
        } else {
            0
        };
        shown.then_some(rank)
    }

    fn fits(&self, lane: &LaneState, rollout: &RolloutState, host: &HostState) -> bool {
        let place = [lane.region.as_str(), rollout.name.as_str()];
        self.words.iter().all(|word| word.fits(host, place))
    }
}

/// What the operator wants to see first.
fn place_of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Failed => 0,
        Verdict::Unknown => 1,
        Verdict::NotRun => 2,
        Verdict::Running => 3,
        Verdict::Waiting => 4,
        Verdict::Succeeded => 5,
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
