//! From the end of the fleet's last host to the word that the deployment has settled.

use std::time::Duration;

use quarterdeck::engine::Pace;
use quarterdeck::rehearsal::fleet::story::Troubles;
use quarterdeck::state::Fact;

use super::table::{Figure, seconds};
use super::voyage::{self, Fleet};

const SEEDS: u64 = 100;

pub fn measure() -> Vec<Figure> {
    let fleet = Fleet {
        regions: 2,
        hosts: 36,
        rollouts: &[("ubuntu", &["Ubuntu"]), ("linux", &["Linux"])],
        concurrency: "50",
        troubles: Troubles::usual,
    };
    let slowest = (1..=SEEDS).map(|seed| {
        let voyage = voyage::sail(seed, &fleet);
        let settled = voyage.facts.iter().find_map(|recorded| match recorded.fact {
            Fact::DeploymentSettled { .. } => Some(recorded.at),
            _ => None,
        });
        settled.expect("it settles").since(voyage.last_end())
    });
    let bound = Pace::default().steady + Duration::from_secs(1);
    let slowest = slowest.max().unwrap_or_default();
    let name = format!("from the last host's end to \"done\", the slowest of {SEEDS} seeds");
    vec![Figure::at_most(name, slowest, bound, seconds)]
}
