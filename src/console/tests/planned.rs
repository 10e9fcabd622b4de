//! Plans and their checks, as preflight would have made them.

use super::fixture::{OLD_DIGEST, T0, at, build_id, host_id, region, rollout_name};
use crate::names::{AccountId, CommitId, DeploymentId, Digest, Region};
use crate::plan::check::{Check, CheckState, Subject};
use crate::plan::{
    BuildPlan, Builder, Commit, CurrentImage, EngineInfo, Environment, ExpectedHost, LanePlan, Mutability,
    ParameterValue, Ping, Plan, Repository, RolloutPlan, Source, Target,
};
use crate::text::Clean;

/// A plan with `lanes` regions, two rollouts each, `hosts` hosts a rollout; the last host of the first is offline.
pub fn plan(lanes: usize, hosts: usize) -> Plan {
    let commit = CommitId::new("4f1c0a92b7d3e5f8061a9c4b7e2d5f80913a6c4e");
    Plan {
        id: DeploymentId::from_u128(0x0193_5e00_0000_7000_8000_0000_a1b2_c3d4),
        app: Clean::line("sento"),
        environment: Environment {
            name: Clean::line("qa"),
            protected: false,
        },
        rehearsal: false,
        made_at: T0,
        commit: Commit {
            id: commit.clone(),
            subject: Clean::line("Retry the processor's queue instead of dropping it"),
            author: Clean::line("Noor Haddad"),
            authored_at: at(-3 * 3600),
            branch: Some(Clean::line("main")),
            on_branch: Some(true),
            dirty: Vec::new(),
            dirty_count: 0,
            pushed: Some(true),
        },
        source: Source::Commit,
        engine: Some(EngineInfo {
            host: Clean::line("unix:///var/run/docker.sock"),
            origin: Clean::line("default"),
            version: Clean::line("28.5.2"),
            platform: Clean::line("linux/amd64"),
            builder: Builder::Buildkit,
        }),
        builds: vec![BuildPlan {
            id: build_id(),
            context: Clean::line("."),
            dockerfile: Clean::line("Dockerfile"),
            target: None,
            args: [].into(),
            platform: None,
            labels: [].into(),
            regions: (0..lanes).map(region).collect(),
        }],
        lanes: (0..lanes).map(|lane| lane_plan(lane, hosts, &commit)).collect(),
        warnings: Vec::new(),
    }
}

fn lane_plan(lane: usize, hosts: usize, commit: &CommitId) -> LanePlan {
    let region = region(lane);
    LanePlan {
        account: AccountId::new("123456789012"),
        arn: Clean::line("arn:aws:sts::123456789012:assumed-role/deploy/noor"),
        build: Some(build_id()),
        repository: Repository {
            name: Clean::line(&format!("sento-{region}-processor-ecr")),
            uri: Clean::line(&format!(
                "123456789012.dkr.ecr.{region}.amazonaws.com/sento-{region}-processor-ecr"
            )),
            mutability: Mutability::Mutable,
        },
        sha_tag: Clean::line(commit.as_str()),
        moving_tags: vec![Clean::line("latest")],
        already: None,
        current: Some(CurrentImage {
            digest: Digest::new(OLD_DIGEST),
            pushed_at: Some(at(-2 * 86_400)),
            commit: Some(CommitId::new("9a8b7c6d5e4f30217a6b5c4d3e2f1a0b9c8d7e6f")),
            new_commits: [
                "Retry the processor's queue instead of dropping it",
                "Bump the base image",
                "Log the queue's depth",
            ]
            .map(Clean::line)
            .to_vec(),
            new_commit_count: Some(3),
        }),
        rollouts: (0..2)
            .map(|rollout| rollout_plan(lane, rollout, hosts, &region))
            .collect(),
        region,
    }
}

fn rollout_plan(lane: usize, rollout: usize, hosts: usize, region: &Region) -> RolloutPlan {
    let word = ["web", "worker"][rollout];
    RolloutPlan {
        name: rollout_name(rollout),
        document: Clean::line(&format!("{region}-pull-image-document")),
        document_version: Clean::line("$LATEST"),
        resolved_version: Clean::line("7"),
        output_step: None,
        parameters: [("image".to_owned(), ParameterValue::Plain(vec![Clean::line("AI")]))].into(),
        targets: vec![Target {
            key: Clean::line("tag:Environment"),
            values: vec![Clean::line("QA")],
        }],
        delivery_timeout_secs: 600,
        max_concurrency: Clean::line("50"),
        max_errors: Clean::line("0"),
        expected: (0..hosts)
            .map(|host| ExpectedHost {
                id: host_id(lane, rollout, host),
                name: Clean::line(&format!("{word}-{:02}", host + 1)),
                ping: if rollout == 0 && host + 1 == hosts {
                    Ping::ConnectionLost
                } else {
                    Ping::Online
                },
                platform: Clean::line(["Ubuntu", "Amazon Linux"][rollout]),
            })
            .collect(),
    }
}

/// The checks of a plan; the first `done` of them have a result.
pub fn checks(plan: &Plan, done: usize) -> Vec<Check> {
    let passed = |text: &str| CheckState::Passed(Clean::line(text));
    let mut checks = vec![
        (Subject::Commit, passed("4f1c0a9 on main, clean, pushed")),
        (Subject::Dockerfile, passed("Dockerfile at the root of the tree")),
        (
            Subject::Engine,
            passed("28.5.2 at unix:///var/run/docker.sock (default), BuildKit"),
        ),
    ];
    for lane in &plan.lanes {
        let region = &lane.region;
        checks.push((
            Subject::Account(region.clone()),
            passed("123456789012 as assumed-role/deploy/noor"),
        ));
        checks.push((
            Subject::Repository(region.clone()),
            passed(&format!("{}, tags can move", lane.repository.name)),
        ));
        checks.push((Subject::Image(region.clone()), passed("4f1c0a9 is not there yet")));
        checks.push((
            Subject::Current(region.clone()),
            passed("latest is 9a8b7c6, 3 commits behind"),
        ));
        for rollout in &lane.rollouts {
            let document = format!("{}, $LATEST is 7, takes image", rollout.document);
            checks.push((
                Subject::Document(region.clone(), rollout.name.clone()),
                passed(&document),
            ));
            let offline: Vec<&str> = rollout
                .expected
                .iter()
                .filter(|host| !host.ping.is_online())
                .map(|host| host.name.as_str())
                .collect();
            let hosts = if offline.is_empty() {
                passed(&format!("{} hosts, all online", rollout.expected.len()))
            } else {
                let text = format!("{} hosts, offline: {}", rollout.expected.len(), offline.join(", "));
                CheckState::Warned(Clean::line(&text))
            };
            checks.push((Subject::Hosts(region.clone(), rollout.name.clone()), hosts));
        }
    }
    checks
        .into_iter()
        .enumerate()
        .map(|(n, (subject, state))| Check {
            subject,
            state: if n < done { state } else { CheckState::Pending },
        })
        .collect()
}
