//! What a seed makes: a configuration, a fleet in every region, and what goes wrong on the way.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use quarterdeck::config::{self, Config};
use quarterdeck::names::{AccountId, Millis, Region};
use quarterdeck::plan::Mutability;
use quarterdeck::rehearsal::desk::EcrApi;
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::rehearsal::faults::{Act, Faults, Rule};
use quarterdeck::rehearsal::fleet::story::{self, node};
use quarterdeck::rehearsal::fleet::{Appears, Fate, Node, Pace};
use quarterdeck::rehearsal::ssm::{Ssm, World as SsmWorld};
use quarterdeck::rehearsal::{ACCOUNT, Desk};

use crate::process::Book;
use crate::wire::Street;

/// Regions that a world may have.
const REGIONS: [&str; 4] = ["us-east-1", "us-east-2", "eu-west-1", "ap-south-1"];

/// A world: the outside of every process that lives in it.
pub struct World {
    pub config: Arc<Config>,
    pub desk: Arc<Desk>,
    pub street: Arc<Street>,
    pub book: Arc<Book>,
    pub ecr: Arc<EcrStandIn>,
    pub regions: Vec<Region>,
}

/// Regions of a large world.
const MANY: usize = 30;

/// How much there is in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A few regions, and as many hosts as a seed has time for.
    Usual,
    /// Thirty regions, and so many hosts in all of them together.
    Large(usize),
}

impl Size {
    fn regions(self, rng: &mut Rng) -> Vec<Region> {
        match self {
            Self::Usual => REGIONS[..rng.usize(1..=3)].iter().map(Region::new).collect(),
            Self::Large(_) => story::regions(MANY).iter().map(Region::new).collect(),
        }
    }

    fn hosts(self, rng: &mut Rng) -> usize {
        match self {
            // Two at least, so that both rollouts have a host; sometimes more than fit into one SendCommand.
            Self::Usual if rng.u8(0..8) == 0 => rng.usize(60..140),
            Self::Usual => rng.usize(5..16),
            Self::Large(hosts) => hosts.div_ceil(MANY),
        }
    }
}

impl World {
    /// Makes the world of a seed; must be called within a runtime that outlives it.
    pub async fn new(size: Size, rng: &mut Rng, dir: &Path, since: Millis) -> Self {
        let regions = size.regions(rng);
        let ecr = EcrStandIn::start(dir, &AccountId::new(ACCOUNT), &regions).await;
        let ecr = Arc::new(ecr.expect("loopback has ports and the directory can be written"));
        for region in &regions {
            ecr.create_repository(region, &repository(region), Mutability::Mutable);
            if rng.bool() {
                let before = Millis(since.0 - 86_400_000);
                ecr.preload(region, &repository(region), &["latest"], b"before", before)
                    .expect("the repository is there");
            }
        }
        let seed = rng.u64(..);
        let fleets = regions
            .iter()
            .map(|region| (region.as_str().to_owned(), nodes(size, rng, seed, region.as_str())));
        let world = SsmWorld {
            seed,
            pace: Pace::REAL,
            since,
            regions: fleets.collect(),
            images: ecr.clone(),
        };
        let api = ecr.clone();
        let api: EcrApi = Arc::new(move |region, operation, body| api.handle(region, operation, body));
        let mut faults: Vec<Rule> = (0..rng.usize(0..6)).map(|_| fault(rng, &regions)).collect();
        let mut lags = false;
        faults.retain(|rule| rule.act != Act::EmptyLists || !std::mem::replace(&mut lags, true));
        if rng.u8(0..5) == 0 {
            faults.extend(blindness(rng));
        }
        let config = Arc::new(configuration(rng, &regions));
        let desk = Arc::new(Desk::new(Ssm::new(world), api, Faults::new(since, faults)));
        Self {
            config,
            street: Arc::new(Street::new(desk.clone(), rng.u8(0..3) == 0)),
            desk,
            book: Arc::default(),
            ecr,
            regions,
        }
    }
}

/// The repository of a region.
pub fn repository(region: &Region) -> String {
    format!("sento-{region}-processor-ecr")
}

fn configuration(rng: &mut Rng, regions: &[Region]) -> Config {
    let names: Vec<String> = regions.iter().map(|region| format!("\"{region}\"")).collect();
    let (concurrency, errors) = (rng.usize(1..60), ["0", "1", "3", "\"50%\""][rng.usize(0..4)]);
    // Short timeouts: what a poller learns in an hour of silence it learns in minutes of it.
    let (delivery, execution) = ([60, 120, 300][rng.usize(0..3)], [60, 120, 300][rng.usize(0..3)]);
    // Regions with a build of their own, or one for all.
    let args = if rng.u8(0..4) == 0 {
        "[build.args]\nREGION = \"{region}\""
    } else {
        ""
    };
    let rollout = |name: &str, os: &str| {
        format!(
            "[[rollout]]\nname = \"{name}\"\ndocument = \"{{region}}-pull-image-document\"\n\
             targets = {{ \"tag:Environment\" = [\"QA\"], \"tag:OS\" = [\"{os}\"] }}\n\
             parameters = {{ image = \"AI\", region = \"{{region}}\", executionTimeout = \"{execution}\" }}\n\
             delivery_timeout = {delivery}\nmax_concurrency = {concurrency}\nmax_errors = {errors}\n"
        )
    };
    let text = format!(
        "app = \"sento\"\nregions = [{}]\n[environment]\nname = \"QA\"\n[image]\nrepository = \"sento-{{region}}-processor-ecr\"\n\
         tags = [\"{{sha}}\", \"latest\"]\n{args}\n{}\n{}",
        names.join(", "),
        rollout("ubuntu", "Ubuntu"),
        rollout("linux", "Linux")
    );
    config::parse(Path::new("config.toml"), &text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn nodes(size: Size, rng: &mut Rng, seed: u64, region: &str) -> Vec<Node> {
    let hosts = size.hosts(rng);
    let calm = rng.bool();
    (0..hosts)
        .map(|at| {
            let mut node = node(seed, region, at, "QA");
            node.fates = (0..rng.usize(1..4)).map(|_| fate(rng, calm)).collect();
            // In the end every host mends, so that every deployment can.
            node.fates.push(Fate::Success);
            node.appears = match rng.u8(0..60) {
                0 => Appears::Never,
                1..3 => Appears::Late(rng.u64(100..9_000)),
                _ => Appears::AtOnce,
            };
            node
        })
        .collect()
}

fn fate(rng: &mut Rng, calm: bool) -> Fate {
    let odds = if calm { 46 } else { 16 };
    match rng.u8(0..odds) {
        0 => Fate::DiskFull,
        1 => Fate::Unhealthy,
        2 => Fate::Hang,
        3 => Fate::Offline,
        4 => Fate::Unreached,
        5 => Fate::Silent,
        6 => Fate::Reboot,
        7 => Fate::Noisy,
        8 => Fate::InvalidPlatform,
        9 => Fate::AccessDenied,
        _ => Fate::Success,
    }
}

/// Answers are lost, and lists do not show for longer than anybody looks what took place.
fn blindness(rng: &mut Rng) -> [Rule; 2] {
    let lost = [Act::ResetAfter, Act::NoAnswer, Act::ServerErrorAfter(500)][rng.usize(0..3)].clone();
    [
        Rule::on("SendCommand", lost).skip(rng.u64(0..3)).times(rng.u64(1..4)),
        Rule::on("ListCommands", Act::EmptyLists)
            .skip(rng.u64(0..10))
            .times(rng.u64(30..120)),
    ]
}

fn fault(rng: &mut Rng, regions: &[Region]) -> Rule {
    const OPERATIONS: [&str; 11] = [
        "SendCommand",
        "SendCommand",
        "ListCommands",
        "ListCommandInvocations",
        "ListCommandInvocations",
        "GetCommandInvocation",
        "CancelCommand",
        "DescribeInstanceInformation",
        "GetAuthorizationToken",
        "DescribeImages",
        "PutImage",
    ];
    let act = match rng.u8(0..12) {
        0 | 1 => Act::Throttle,
        2 => Act::ServerError(500),
        3 => Act::ServerError(503),
        4 => Act::ServerErrorAfter(500),
        5 => Act::ResetBefore,
        6 => Act::ResetAfter,
        7 => Act::NoAnswer,
        8 => Act::Slow(Duration::from_secs(rng.u64(1..40))),
        9 => Act::EmptyLists,
        10 => Act::Expired,
        _ if rng.bool() => Act::UnknownWord("Quantum Flux".to_owned()),
        _ => Act::SamePageToken,
    };
    let operation = match act {
        Act::EmptyLists | Act::UnknownWord(_) | Act::SamePageToken => {
            ["ListCommands", "ListCommandInvocations"][rng.usize(0..2)]
        }
        _ => OPERATIONS[rng.usize(0..OPERATIONS.len())],
    };
    // Lists that lag do so for a while, not for ever: twice in a row at most, and a host is missing after three.
    let lags = act == Act::EmptyLists;
    let mut rule = Rule::on(operation, act).skip(rng.u64(0..6));
    rule = if lags && operation == "ListCommandInvocations" {
        if rng.bool() {
            rule.times(rng.u64(1..3))
        } else {
            rule.every(rng.u64(2..6)).times(rng.u64(1..40))
        }
    } else {
        rule.every(rng.u64(1..4)).times(rng.u64(1..12))
    };
    if rng.bool() {
        rule = rule.within(regions[rng.usize(0..regions.len())].as_str());
    }
    rule
}

/// How many faults struck.
pub fn struck(world: &World) -> u64 {
    (0..8).map(|rule| world.desk.faults().struck(rule)).sum()
}
