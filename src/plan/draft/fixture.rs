//! A configuration to draft from: the workflow that Quarterdeck replaces, as config.toml.example has it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::{AwsConfig, BuildInputs, BuilderChoice, Config, LaneConfig, Parameter, RolloutConfig};
use crate::config::{TargetConfig, Template};
use crate::names::{Region, RolloutName};
use crate::plan::{Environment, Source};
use crate::text::Clean;

/// `us-east-1`.
pub(crate) fn east() -> Region {
    Region::new("us-east-1")
}

/// `us-east-2`.
pub(crate) fn ohio() -> Region {
    Region::new("us-east-2")
}

/// The first rollout.
pub(crate) fn ubuntu() -> RolloutName {
    RolloutName::new("ubuntu")
}

/// The second rollout.
pub(crate) fn linux() -> RolloutName {
    RolloutName::new("linux")
}

pub(crate) fn template(text: &str) -> Template {
    Template::parse(text).expect("a good template")
}

/// Two regions, two rollouts each.
pub(crate) fn config() -> Config {
    Config {
        path: PathBuf::from("config.toml"),
        app: Clean::line("sento"),
        branch: Some(Clean::line("main")),
        environment: Environment {
            name: Clean::line("qa"),
            protected: false,
        },
        source: Source::Commit,
        builder: BuilderChoice::Auto,
        lanes: vec![lane(east()), lane(ohio())],
    }
}

fn lane(region: Region) -> LaneConfig {
    LaneConfig {
        region,
        aws: AwsConfig::default(),
        repository: template("sento-{region}-processor-ecr"),
        tags: vec![template("{sha}"), template("latest")],
        build: BuildInputs {
            context: ".".to_owned(),
            dockerfile: "Dockerfile".to_owned(),
            target: None,
            platform: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
        },
        rollouts: vec![
            rollout(ubuntu(), "Ubuntu", &[]),
            rollout(linux(), "Linux", &[("os", "Linux")]),
        ],
    }
}

fn rollout(name: RolloutName, os: &str, more: &[(&str, &str)]) -> RolloutConfig {
    let target = |key: &str, value: &str| TargetConfig {
        key: Clean::line(key),
        values: vec![template(value)],
    };
    let parameters = [("image", "AI"), ("region", "{region}")];
    RolloutConfig {
        name,
        document: template("{region}-pull-image-document"),
        document_version: Clean::line("$LATEST"),
        targets: vec![target("tag:Environment", "QA"), target("tag:OS", os)],
        parameters: parameters
            .iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), Parameter::Plain(vec![template(value)])))
            .collect(),
        delivery_timeout_secs: 600,
        max_concurrency: Clean::line("50"),
        max_errors: Clean::line("0"),
    }
}
