//! What a large deployment leaves behind, and how soon it is there again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use quarterdeck::journal::Archive;
use quarterdeck::names::HostId;
use quarterdeck::rehearsal::fleet::story::Troubles;
use quarterdeck::state::{Fact, State};

use super::table::{Figure, median, megabytes, millis};
use super::voyage::{self, Fleet, Voyage};

const HOSTS: usize = 10_000;
const REGIONS: usize = 30;
const RUNS: usize = 7;
/// Waiting hosts say nothing; pending, running, delayed, ended, ended again with the exit code, its output.
const FACTS_A_HOST: usize = 6;

pub fn measure() -> Vec<Figure> {
    let fleet = Fleet {
        regions: REGIONS,
        hosts: HOSTS,
        rollouts: &[("ubuntu", &["Ubuntu"]), ("linux", &["Linux"])],
        concurrency: "50",
        troubles: Troubles::usual,
    };
    let voyage = voyage::sail(1, &fleet);
    let what = format!("{REGIONS} regions and {HOSTS} hosts");
    let read = middle(|| {
        let facts = read(&voyage);
        assert_eq!(facts, voyage.facts.len(), "the journal has all facts");
    });
    let replayed = middle(|| {
        let state = State::replay(&voyage.facts);
        assert!(state.settled.is_some(), "it is the whole deployment");
    });
    let hosts = facts_a_host(&voyage);
    let most = hosts.values().copied().max().unwrap_or(0);
    let all: usize = hosts.values().sum();
    vec![
        Figure::told(format!("facts of {what}"), voyage.facts.len()),
        Figure::told(
            "of them a host, on average",
            format!("{}.{:02}", all / HOSTS, all * 100 / HOSTS % 100),
        ),
        Figure::at_most("of them a host and attempt, at most", most, FACTS_A_HOST, |facts| {
            facts.to_string()
        }),
        Figure::told("its journal", megabytes(journal_size(&voyage))),
        Figure::told("reading it", millis(read)),
        Figure::at_most(format!("replaying {what}"), replayed, Duration::from_secs(1), millis),
    ]
}

fn middle(mut run: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let begin = Instant::now();
        run();
        begin.elapsed()
    });
    median(times.collect()).unwrap_or_default()
}

fn read(voyage: &Voyage) -> usize {
    let archive = Archive::open(voyage.dir.path()).expect("the journal can be read");
    let entry = archive.find("latest").expect("it has the deployment");
    archive.facts(entry.id).expect("the facts can be read").len()
}

fn journal_size(voyage: &Voyage) -> u64 {
    let size = |name| std::fs::metadata(voyage.dir.path().join(name)).map_or(0, |file| file.len());
    size("journal.db") + size("journal.db-wal")
}

/// How many facts tell of a host; each had one attempt.
fn facts_a_host(voyage: &Voyage) -> HashMap<&HostId, usize> {
    let mut hosts = HashMap::new();
    for recorded in &voyage.facts {
        if let Fact::HostChanged { host, .. } | Fact::OutputRead { host, .. } = &recorded.fact {
            *hosts.entry(host).or_default() += 1;
        }
    }
    hosts
}
