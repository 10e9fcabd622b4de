//! A frame costs what is seen and what changed, not what there is.

use std::time::{Duration, Instant};

use super::fixture::{Story, plan};
use super::harness::Harness;
use crate::state::HostStatus;

/// A deployment at work whose first rollouts have `hosts` hosts in `lanes` lanes.
fn at_work(lanes: usize, hosts: usize) -> Story {
    let story = Story::start(plan(lanes, hosts / lanes / 2));
    story.build_half().built().push_half().pushed().rolling()
}

/// The least time of a frame after one fact, in `rounds` of them: what disturbs the machine only ever adds to it.
fn frame_after_a_fact(lanes: usize, hosts: usize, keys: &str) -> Duration {
    let mut harness = Harness::new(at_work(lanes, hosts), 120, 40);
    harness.press(keys);
    if keys.contains('/') {
        harness.type_text("web !success");
        harness.press("enter");
    }
    let rounds = (0..40).map(|round| {
        let status = if round % 2 == 0 {
            HostStatus::Failed
        } else {
            HostStatus::InProgress
        };
        let begun = Instant::now();
        harness.story.host(0, 0, 1, 1, status);
        harness.draw();
        begun.elapsed()
    });
    rounds.min().unwrap_or_default()
}

#[test]
fn a_frame_of_ten_thousand_hosts_costs_at_most_twice_a_frame_of_a_hundred() {
    for (lanes, keys) in [
        (1, ""),
        (1, "z"),
        (1, "a"),
        (1, "a o"),
        (1, "a e"),
        (1, "a e o"),
        (1, "a /"),
        (1, "a o /"),
        (1, "a enter"),
        (5, ""),
        (5, "a o /"),
    ] {
        let few = frame_after_a_fact(lanes, 100, keys);
        let many = frame_after_a_fact(lanes, 10_000, keys);
        assert!(
            many <= few * 2,
            "{keys:?}: {few:?} with 100 hosts, {many:?} with 10,000"
        );
    }
}
