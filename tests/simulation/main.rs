//! Whole deployments on virtual time: the real engine, SDK, fold and journal against the stand-in's fleet, with faults, an
//! operator and crashes drawn from a seed.
//!
//! `cargo test --test simulation` runs as many seeds as `QUARTERDECK_SEEDS` says (60 without it, from
//! `QUARTERDECK_FIRST_SEED` on); `QUARTERDECK_SEED=n` replays one and tells what happens in it. A seed that breaks an
//! invariant prints itself. One more deployment goes to a large fleet, of as many hosts as `QUARTERDECK_HOSTS` says.

mod checks;
mod clock;
mod life;
#[path = "../common/machine.rs"]
mod machine;
mod operator;
mod process;
mod trouble;
mod wire;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use quarterdeck::state::fact::deployment_of;
use quarterdeck::state::{Fact, Recorded};

use world::Size;

/// Seeds that run where nobody asks for more.
const SEEDS: u64 = 60;
/// Hosts of the large fleet where nobody asks for more.
const HOSTS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
    )
}

#[test]
fn deployments_hold_their_promises_whatever_the_seed_brings() {
    if let Some(seed) = number("QUARTERDECK_SEED") {
        let (told, _) = life::deployment(seed, Size::Usual, true);
        println!("seed {seed}: {told:?}");
        return;
    }
    let first = number("QUARTERDECK_FIRST_SEED").unwrap_or(1);
    let seeds = number("QUARTERDECK_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    let told = Mutex::new(life::Told::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = failed.lock().unwrap_or_else(PoisonError::into_inner).len() >= 5;
                    if seed >= first + seeds || enough {
                        return;
                    }
                    match std::panic::catch_unwind(|| life::deployment(seed, Size::Usual, false)) {
                        Ok((one, _)) => told.lock().unwrap_or_else(PoisonError::into_inner).add(&one),
                        Err(_) => failed.lock().unwrap_or_else(PoisonError::into_inner).push(seed),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{seeds} seeds from {first}: {told:?}");
    assert!(
        failed.is_empty(),
        "seeds {failed:?} broke an invariant; replay one with: QUARTERDECK_SEED={} cargo test --test simulation -- --nocapture",
        failed[0]
    );
    // A simulation in which nothing goes wrong would prove nothing.
    assert!(
        told.crashes > 0 && told.takeovers > 0 && told.faults > 0 && told.retried > 0,
        "{told:?}"
    );
}

#[test]
fn a_fleet_in_thirty_regions_gets_what_was_promised_too() {
    let hosts = number("QUARTERDECK_HOSTS").unwrap_or(HOSTS);
    let size = Size::Large(usize::try_from(hosts).expect("it fits"));
    let (told, _) = life::deployment(1, size, false);
    println!("{hosts} hosts in thirty regions: {told:?}");
    assert!(told.facts > 2 * hosts, "hosts are waited for, seen and ended: {told:?}");
}

#[test]
fn a_seed_is_the_same_deployment_each_time() {
    for seed in 1..=8 {
        let (told, facts) = life::deployment(seed, Size::Usual, false);
        let (again_told, again) = life::deployment(seed, Size::Usual, false);
        for (one, other) in trace(&facts).into_iter().zip(trace(&again)) {
            assert_eq!(one, other, "seed {seed} went two ways");
        }
        assert_eq!(told, again_told, "seed {seed}");
    }
}

/// The facts without what no seed decides: the deployment's id, the folder, and the ports of the registries.
fn trace(facts: &[Recorded]) -> Vec<String> {
    let id = deployment_of(facts)
        .expect("a journal begins with its plan")
        .to_string();
    let line = |recorded: &Recorded| match &recorded.fact {
        Fact::DeploymentStarted { .. } | Fact::BuildStarted { .. } => {
            format!("{:?} {} something started", recorded.at, recorded.seq)
        }
        fact => format!("{:?} {} {fact:?}", recorded.at, recorded.seq)
            .replace(&id, "ID")
            .replace(&id.replace('-', ""), "ID"),
    };
    facts.iter().map(line).collect()
}
