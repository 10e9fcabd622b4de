//! The default story: a fleet on which something of everything goes wrong once, and a retry mends it.

use super::dice::Dice;
use super::fate::Fate;
use super::node::{Appears, Node};

/// Hosts of a rehearsal that names no number: a few dozen.
pub const USUAL_HOSTS: usize = 36;
/// Regions of a rehearsal that names none.
pub const USUAL_REGIONS: [&str; 2] = ["us-east-1", "us-east-2"];
/// More regions, for a rehearsal that wants more.
const FURTHER_REGIONS: [&str; 14] = [
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-1",
    "ap-northeast-1",
    "us-west-1",
    "ca-central-1",
    "sa-east-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "ap-south-1",
    "ap-northeast-2",
    "ap-southeast-2",
];

/// What goes wrong how often among hosts of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Troubles {
    /// Hosts whose script fails at the first attempt.
    pub fail: usize,
    /// Hosts that hang at the first attempt.
    pub hang: usize,
    /// Hosts that are offline until the first attempt is over.
    pub offline: usize,
    /// Hosts whose report is lost at the first attempt.
    pub silent: usize,
    /// Hosts that restart in the middle.
    pub reboot: usize,
}

impl Troubles {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        fail: 0,
        hang: 0,
        offline: 0,
        silent: 0,
        reboot: 0,
    };

    /// What the story holds for the region of this number, with so many hosts.
    ///
    /// The offline host is in the second region, so that each region has a lesson of its own.
    pub fn usual(region: usize, hosts: usize) -> Self {
        Self {
            fail: (hosts / 9).max(1),
            hang: (hosts / 18).max(1),
            offline: if region == 0 { hosts / 200 } else { (hosts / 200).max(1) },
            silent: hosts / 100,
            reboot: (hosts / 18).max(1),
        }
    }
}

/// The names of so many regions.
pub fn regions(count: usize) -> Vec<String> {
    let known = USUAL_REGIONS.into_iter().chain(FURTHER_REGIONS).map(str::to_owned);
    let invented = (1..).map(|number| format!("xx-rehearsal-{number}"));
    known.chain(invented).take(count).collect()
}

/// The nodes of a region: three in five run Ubuntu, the others Amazon Linux, and a few belong to another environment.
pub fn nodes(seed: u64, region: &str, hosts: usize, troubles: Troubles) -> Vec<Node> {
    let strangers = (hosts / 12).min(4);
    let mut nodes: Vec<Node> = (0..hosts + strangers)
        .map(|at| node(seed, region, at, if at < hosts { "QA" } else { "Production" }))
        .collect();
    // In turns, so that each rollout has a lesson.
    let mut dice = Dice::new(seed, &[region, "troubles"]);
    let (mut ubuntu, mut linux): (Vec<usize>, Vec<usize>) = (0..hosts).partition(|at| is_ubuntu(*at));
    dice.shuffle(&mut ubuntu);
    dice.shuffle(&mut linux);
    let mut order = Vec::with_capacity(hosts);
    while !(ubuntu.is_empty() && linux.is_empty()) {
        order.extend(ubuntu.pop());
        order.extend(linux.pop());
    }
    let failures = [Fate::DiskFull, Fate::Unhealthy, Fate::PullDenied].into_iter().cycle();
    let firsts = failures
        .take(troubles.fail)
        .chain(std::iter::repeat_n(Fate::Hang, troubles.hang))
        .chain(std::iter::repeat_n(Fate::Offline, troubles.offline))
        .chain(std::iter::repeat_n(Fate::Silent, troubles.silent))
        .chain(std::iter::repeat_n(Fate::Reboot, troubles.reboot));
    for (at, first) in order.into_iter().zip(firsts) {
        nodes[at].fates = vec![first, Fate::Success];
    }
    nodes
}

fn is_ubuntu(at: usize) -> bool {
    at % 5 < 3
}

/// A node that does what it is told.
pub fn node(seed: u64, region: &str, at: usize, environment: &'static str) -> Node {
    let mut dice = Dice::new(seed, &[region, &at.to_string(), "node"]);
    let (third, fourth) = (dice.between(0, 255), dice.between(4, 250));
    // The second part of the address is the host's number, so that no two names are alike in fleets of some thousands.
    let ip = format!("10.{}.{third}.{fourth}", at % 256);
    let (os, platform, platform_version, role) = if is_ubuntu(at) {
        ("Ubuntu", "Ubuntu", "24.04", "processor")
    } else {
        ("Linux", "Amazon Linux", "2023", "processor-batch")
    };
    let domain = if region == "us-east-1" {
        "ec2.internal".to_owned()
    } else {
        format!("{region}.compute.internal")
    };
    let tags = [
        ("Environment", environment.into()),
        ("OS", os.into()),
        ("Name", format!("sento-{role}-{:02}", at + 1).into()),
        ("Team", "imaging".into()),
    ];
    Node {
        id: format!("i-0{:016x}", dice.any()),
        name: format!("ip-{}.{domain}", ip.replace('.', "-")),
        ip,
        platform,
        platform_version,
        tags,
        fates: vec![Fate::Success],
        appears: Appears::AtOnce,
        attempts: 0,
        online: true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_story_has_two_rollouts_and_something_of_everything() {
        let nodes = nodes(1, "us-east-2", 18, Troubles::usual(1, 18));
        let of = |os: &str| {
            let tags = [
                ("tag:Environment".to_owned(), vec!["QA".to_owned()]),
                ("tag:OS".to_owned(), vec![os.to_owned()]),
            ];
            nodes.iter().filter(|node| node.matches(&tags)).count()
        };
        assert_eq!((of("Ubuntu"), of("Linux")), (12, 6));
        for fate in [Fate::DiskFull, Fate::Unhealthy, Fate::Hang, Fate::Offline, Fate::Reboot] {
            assert!(nodes.iter().any(|node| node.fates[0] == fate), "{fate:?}");
        }
        assert!(
            nodes
                .iter()
                .all(|node| *node.fates.last().expect("a fate") == Fate::Success)
        );
    }

    #[test]
    fn ids_are_ids_of_ec2_and_unique_in_a_large_fleet() {
        let nodes = nodes(7, "eu-west-1", 10_000, Troubles::NONE);
        let ids: HashSet<_> = nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids.len(), nodes.len());
        assert!(ids.iter().all(|id| id.len() == 19 && id.starts_with("i-0")));
    }

    #[test]
    fn any_number_of_regions_has_names_of_its_own() {
        let names = regions(30);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 30);
        assert_eq!(names[..2], USUAL_REGIONS);
    }
}
