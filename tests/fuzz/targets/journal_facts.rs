//! Facts in any order: the fold neither panics nor loses count, reading a fact twice changes nothing, and a journal read in
//! two parts is the journal read at once.
#![no_main]

#[path = "../common/state.rs"]
mod state;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use quarterdeck::names::{
    AccountId, BuildId, CommandId, CommitId, DeploymentId, Digest, HostId, Millis, Region, RolloutName, Token,
};
use quarterdeck::plan::{
    BuildPlan, Builder, Commit, EngineInfo, Environment, ExpectedHost, LanePlan, Mutability, Ping, Plan, Repository,
    RolloutPlan, Source, Target,
};
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::state::{Driver, Fact, HostStatus, Outcome, Output, Recorded, SendTo, State, Step};
use quarterdeck::text::Clean;

/// Few names, so that facts meet.
const REGIONS: [&str; 3] = ["us-east-1", "us-east-2", "eu-west-1"];
const ROLLOUTS: [&str; 2] = ["ubuntu", "linux"];
const HOSTS: [&str; 5] = ["i-00000001", "i-00000002", "i-00000003", "i-00000004", "mi-0000000005"];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Unstructured::new(bytes);
    let Ok(facts) = facts(&mut input) else { return };
    let folded = State::replay(&facts);
    state::assert_consistent(&folded);

    let cut = usize::from(bytes.first().copied().unwrap_or_default()) % (facts.len() + 1);
    let mut parted = State::replay(&facts[..cut]);
    state::assert_consistent(&parted);
    for fact in &facts {
        parted.apply(fact);
    }
    assert_same(&parted, &folded);
    for fact in &facts {
        parted.apply(fact);
    }
    assert_same(&parted, &folded);
    state::draw(&folded);
});

fn assert_same(one: &State, two: &State) {
    assert_eq!(told(one), told(two));
    assert_eq!((one.seq, one.settled, &one.left), (two.seq, two.settled, &two.left));
}

/// All that is shown of it, without the indices, whose order is nobody's.
fn told(state: &State) -> String {
    let mut told = format!("{:?}", state.builds);
    for lane in &state.lanes {
        told += &format!("{:?} {:?} {:?} {:?}", lane.region, lane.push, lane.tags, lane.waits);
        for rollout in &lane.rollouts {
            told += &format!(
                "{:?} {:?} {:?} {:?}",
                rollout.sends, rollout.hosts, rollout.counts, rollout.tally
            );
        }
    }
    told
}

fn facts(input: &mut Unstructured) -> arbitrary::Result<Vec<Recorded>> {
    let mut at = Millis(1_764_000_000_000);
    let driver = Driver {
        user: "op".into(),
        machine: "m".into(),
        pid: 1,
        version: "1".into(),
    };
    let mut facts = vec![Fact::DeploymentStarted {
        plan: Box::new(plan(input)?),
        driver,
    }];
    while !input.is_empty() && facts.len() < 80 {
        facts.push(fact(input)?);
    }
    let mut recorded = Vec::new();
    for (seq, fact) in (1..).zip(facts) {
        at.0 += i64::from(u8::arbitrary(input).unwrap_or_default());
        recorded.push(Recorded { seq, at, fact });
    }
    Ok(recorded)
}

fn fact(input: &mut Unstructured) -> arbitrary::Result<Fact> {
    let (region, rollout, build) = (
        one_of(input, &REGIONS)?,
        one_of(input, &ROLLOUTS)?,
        input.int_in_range(1..=2)?,
    );
    let (region, rollout) = (Region::new(region), RolloutName::new(rollout));
    let build = BuildId::new(format!("build-{build}"));
    let serial: u8 = input.int_in_range(1..=4)?;
    let token = Token::new(format!("qd:7:{region}:{rollout}:{serial}"));
    let command = CommandId::new(format!("5c3a1b2e-{region}-{rollout}-{serial}"));
    let problem = Problem::new(kind(input)?, "it broke", "mend it");
    let digest = Digest::new(format!("sha256:{:064}", u8::arbitrary(input)? % 2));
    let tag = Clean::line(one_of(input, &["latest", "stable"])?);
    let step = Step {
        number: 1,
        of: 2,
        stage: None,
        name: "RUN make".into(),
        cached: false,
        millis: 5,
    };
    Ok(match input.int_in_range(0..=29)? {
        0 => Fact::DeploymentResumed {
            driver: Driver {
                user: "other".into(),
                machine: "n".into(),
                pid: 2,
                version: "1".into(),
            },
        },
        1 => Fact::DeploymentLeft { reason: "left".into() },
        2 => Fact::DeploymentSettled {
            outcome: outcome(input)?,
        },
        3 => Fact::BuildStarted {
            build,
            log: "build.log".into(),
        },
        4 => Fact::BuildStepEnded { build, step },
        5 => Fact::BuildSucceeded {
            build,
            image: digest,
            context_bytes: 5,
        },
        6 => Fact::BuildFailed {
            build,
            problem,
            step: Some(step),
            exit_code: Some(2),
            log_tail: vec!["x".into()],
        },
        7 => Fact::BuildCancelled { build },
        8 => Fact::PushStarted { region },
        9 => Fact::PushSkipped { region, digest },
        10 => Fact::PushSucceeded {
            region,
            digest,
            layers_pushed: 1,
            layers_present: 2,
        },
        11 => Fact::PushFailed { region, problem },
        12 => Fact::PushCancelled { region },
        13 => Fact::TagMoved {
            region,
            tag,
            from: None,
            to: digest,
        },
        14 => Fact::TagFailed { region, tag, problem },
        15 | 16 => Fact::SendIntended {
            region,
            rollout,
            token,
            to: send_to(input)?,
        },
        17 | 18 => Fact::SendAccepted {
            token,
            command,
            expires_at: None,
            adopted: bool::arbitrary(input)?,
        },
        19 => Fact::SendRefused {
            token,
            problem,
            stopped: bool::arbitrary(input)?,
        },
        20 => Fact::SendUnknown { token, problem },
        21 => Fact::SendAbandoned { token },
        22 => Fact::OutputRead {
            command,
            host: host(input)?,
            output: Output::default(),
        },
        23 => Fact::CommandEnded {
            command,
            details: "Success".into(),
            missing: hosts(input)?,
        },
        24 => Fact::CancelAsked { command },
        25 if bool::arbitrary(input)? => Fact::CancelFailed { command, problem },
        25 if bool::arbitrary(input)? => Fact::RetryStopped {
            region,
            rollout,
            problem,
        },
        25 => Fact::RetryIntended {
            region,
            rollout,
            hosts: hosts(input)?,
            despite_moved_tag: bool::arbitrary(input)?,
        },
        26 => match input.int_in_range(0..=3)? {
            0 => Fact::LaneWaits { region, problem },
            1 => Fact::LaneResumed { region },
            2 => Fact::LaneCancelled { region },
            _ => Fact::LaneReopened { region },
        },
        _ => Fact::HostChanged {
            command,
            host: host(input)?,
            status: status(input)?,
            exit_code: Some(1),
        },
    })
}

fn one_of<'a>(input: &mut Unstructured, words: &[&'a str]) -> arbitrary::Result<&'a str> {
    input.choose(words).copied()
}

fn host(input: &mut Unstructured) -> arbitrary::Result<HostId> {
    one_of(input, &HOSTS).map(HostId::new)
}

fn hosts(input: &mut Unstructured) -> arbitrary::Result<Vec<HostId>> {
    (0..input.int_in_range(0..=4)?).map(|_| host(input)).collect()
}

fn send_to(input: &mut Unstructured) -> arbitrary::Result<SendTo> {
    Ok(if bool::arbitrary(input)? {
        SendTo::Targets
    } else {
        SendTo::Hosts(hosts(input)?)
    })
}

fn kind(input: &mut Unstructured) -> arbitrary::Result<Kind> {
    let kinds = [
        Kind::Unexpected,
        Kind::Config,
        Kind::NoHosts,
        Kind::Build,
        Kind::Credentials,
        Kind::Locked,
        Kind::Guard,
    ];
    input.choose(&kinds).copied()
}

fn outcome(input: &mut Unstructured) -> arbitrary::Result<Outcome> {
    let outcomes = [
        Outcome::Succeeded,
        Outcome::HostsFailed,
        Outcome::NoHosts,
        Outcome::BuildFailed,
        Outcome::NotAllowed,
        Outcome::SendFailed,
        Outcome::Cancelled,
    ];
    input.choose(&outcomes).copied()
}

/// By SSM's words, so that the reading of them is fuzzed with it.
fn status(input: &mut Unstructured) -> arbitrary::Result<HostStatus> {
    const WORDS: [&str; 17] = [
        "Pending",
        "In Progress",
        "InProgress",
        "Delayed",
        "Cancelling",
        "Success",
        "Failed",
        "Execution Timed Out",
        "DeliveryTimedOut",
        "Undeliverable",
        "Terminated",
        "Cancelled",
        "InvalidPlatform",
        "Access Denied",
        "Sleeping",
        "",
        "Dreaming",
    ];
    Ok(HostStatus::read(one_of(input, &WORDS)?, one_of(input, &WORDS)?))
}

fn plan(input: &mut Unstructured) -> arbitrary::Result<Plan> {
    let lanes: usize = input.int_in_range(1..=REGIONS.len())?;
    Ok(Plan {
        id: DeploymentId::from_u128(7),
        app: "sento".into(),
        environment: Environment {
            name: "QA".into(),
            protected: bool::arbitrary(input)?,
        },
        rehearsal: bool::arbitrary(input)?,
        made_at: Millis(1_764_000_000_000),
        commit: Commit {
            id: CommitId::new("4f1c0aa4f1c0aa4f1c0aa4f1c0aa4f1c0aa4f1c0"),
            subject: "A subject".into(),
            author: "Op".into(),
            authored_at: Millis(0),
            branch: Some("main".into()),
            on_branch: None,
            dirty: Vec::new(),
            dirty_count: 0,
            pushed: None,
        },
        source: Source::Commit,
        engine: Some(EngineInfo {
            host: "unix:///var/run/docker.sock".into(),
            origin: "default".into(),
            version: "28".into(),
            platform: "linux/amd64".into(),
            builder: Builder::Buildkit,
        }),
        builds: vec![BuildPlan {
            id: BuildId::new("build-1"),
            context: ".".into(),
            dockerfile: "Dockerfile".into(),
            target: None,
            args: Default::default(),
            platform: None,
            labels: Default::default(),
            regions: REGIONS[..lanes].iter().map(Region::new).collect(),
        }],
        lanes: REGIONS[..lanes]
            .iter()
            .map(|region| lane(input, region))
            .collect::<arbitrary::Result<_>>()?,
        warnings: Vec::new(),
    })
}

fn lane(input: &mut Unstructured, region: &str) -> arbitrary::Result<LanePlan> {
    Ok(LanePlan {
        region: Region::new(region),
        account: AccountId::new("123456789012"),
        arn: "arn:aws:iam::123456789012:user/op".into(),
        build: bool::arbitrary(input)?.then(|| BuildId::new("build-1")),
        repository: Repository {
            name: "sento".into(),
            uri: "host/sento".into(),
            mutability: Mutability::Mutable,
        },
        sha_tag: "4f1c0aa".into(),
        moving_tags: vec!["latest".into()],
        already: None,
        current: None,
        rollouts: ROLLOUTS
            .iter()
            .map(|name| {
                Ok(RolloutPlan {
                    name: RolloutName::new(name),
                    document: "pull".into(),
                    document_version: "$LATEST".into(),
                    resolved_version: "1".into(),
                    output_step: None,
                    parameters: Default::default(),
                    targets: vec![Target {
                        key: "tag:OS".into(),
                        values: vec!["Ubuntu".into()],
                    }],
                    delivery_timeout_secs: 600,
                    max_concurrency: "50".into(),
                    max_errors: "0".into(),
                    expected: HOSTS[..input.int_in_range(0..=HOSTS.len())?]
                        .iter()
                        .map(|id| ExpectedHost {
                            id: HostId::new(id),
                            name: "web".into(),
                            ping: Ping::Online,
                            platform: "Ubuntu".into(),
                        })
                        .collect(),
                })
            })
            .collect::<arbitrary::Result<_>>()?,
    })
}
