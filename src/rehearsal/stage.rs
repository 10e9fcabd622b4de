//! The scene of a rehearsal: what options and scenario come to.

use super::fleet::story::{self, Troubles};
use super::fleet::{Node, Pace};
use super::options::{Options, Regions};
use super::scenario::{HOSTS_MAX, HostStory, REGIONS_MAX, Scenario, is_factor};
use crate::names::Region;
use crate::problem::{Kind, Problem};

/// In a rehearsal, timeouts pass so many times faster than hosts work: ten minutes of delivery window are ten seconds.
pub const TIMEOUTS_FASTER: f64 = 60.0;

/// What is there when the curtain rises.
pub(super) struct Stage {
    pub seed: u64,
    pub pace: Pace,
    /// Regions and their nodes.
    pub regions: Vec<(String, Vec<Node>)>,
}

impl Stage {
    /// The regions' names.
    pub fn names(&self) -> Vec<Region> {
        self.regions.iter().map(|(name, _)| Region::new(name)).collect()
    }

    /// Options go before the scenario, and the scenario before the default story.
    ///
    /// # Errors
    ///
    /// A number that can't be, and a host or a region in the scenario that this rehearsal does not have.
    pub fn set(options: &Options, scenario: &Scenario) -> Result<Self, Problem> {
        let names = match (&options.regions, &scenario.regions) {
            (Some(Regions::Named(names)), _) | (None, Some(names)) => names.clone(),
            (Some(Regions::Count(count)), _) => story::regions(*count),
            (None, None) => story::regions(story::USUAL_REGIONS.len()),
        };
        let hosts = options.hosts.or(scenario.hosts).unwrap_or(story::USUAL_HOSTS);
        let speed = options.speed.or(scenario.speed).unwrap_or(1.0);
        if names.is_empty() || names.len() > REGIONS_MAX {
            return Err(refused(format!(
                "a rehearsal has 1 to {REGIONS_MAX} regions, not {}",
                names.len()
            )));
        }
        if hosts > HOSTS_MAX {
            return Err(refused(format!(
                "at most {HOSTS_MAX} hosts can be simulated, not {hosts}"
            )));
        }
        if !is_factor(speed) {
            return Err(refused(format!("the speed must be a number above 0, not {speed}")));
        }
        let seed = options.seed.or(scenario.seed).unwrap_or(1);
        let mut regions: Vec<(String, Vec<Node>)> = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let share = hosts / names.len() + usize::from(at < hosts % names.len());
            let troubles = scenario.troubles.unwrap_or_else(|| Troubles::usual(at, share));
            regions.push((name.clone(), story::nodes(seed, name, share, troubles)));
        }
        for story in &scenario.stories {
            tell(story, &mut regions)?;
        }
        for region in scenario.faults.iter().filter_map(|fault| fault.region.as_ref()) {
            if !names.contains(region) {
                return Err(refused(format!(
                    "the scenario has a fault in {region}, where this rehearsal does not play"
                )));
            }
        }
        Ok(Self {
            seed,
            pace: Pace {
                speed,
                timeouts: scenario.timeouts.unwrap_or(TIMEOUTS_FASTER),
            },
            regions,
        })
    }
}

fn tell(story: &HostStory, regions: &mut [(String, Vec<Node>)]) -> Result<(), Problem> {
    let region = regions.iter_mut().find(|(name, _)| *name == story.region);
    let node = region.and_then(|(_, nodes)| nodes.get_mut(story.number - 1));
    let node = node.ok_or_else(|| {
        refused(format!(
            "the scenario tells of {story}, which this rehearsal does not have"
        ))
    })?;
    if !story.fates.is_empty() {
        node.fates.clone_from(&story.fates);
    }
    node.appears = story.appears;
    Ok(())
}

fn refused(what: String) -> Problem {
    Problem::new(
        Kind::Config,
        what,
        "see --hosts, --regions and --speed, and the scenario file if there is one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(options: &Options, scenario: &str) -> Result<Stage, Problem> {
        Stage::set(options, &Scenario::parse("x.toml", scenario).expect("a scenario"))
    }

    #[test]
    fn options_go_before_the_scenario() {
        let scenario = "hosts = 10\nseed = 3\nregions = [\"eu-west-1\"]";
        let stage = set(&Options::default(), scenario).expect("a stage");
        assert_eq!((stage.seed, stage.regions.len(), stage.regions[0].1.len()), (3, 1, 10));
        let options = Options {
            hosts: Some(7),
            regions: Some(Regions::Count(3)),
            ..Options::default()
        };
        let stage = set(&options, scenario).expect("a stage");
        let shares: Vec<usize> = stage.regions.iter().map(|(_, nodes)| nodes.len()).collect();
        assert_eq!(shares, [3, 2, 2]);
    }

    #[test]
    fn what_the_rehearsal_does_not_have_is_refused() {
        for scenario in [
            "[[host]]\nregion = \"us-east-1\"\nnumber = 500",
            "[[host]]\nregion = \"eu-west-1\"\nnumber = 1",
            "[[fault]]\nact = \"throttle\"\nregion = \"eu-west-1\"",
        ] {
            assert!(set(&Options::default(), scenario).is_err(), "{scenario}");
        }
        let impossible = Options {
            speed: Some(-1.0),
            ..Options::default()
        };
        assert!(set(&impossible, "").is_err());
    }
}
