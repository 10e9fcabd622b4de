//! The values that a plan must not hold: read from the configuration, joined with the plan at the last moment.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::config::{Config, Input, Parameter, ResolvedInput};
use crate::names::{Region, RolloutName};
use crate::plan::{BuildPlan, LanePlan, ParameterValue, RolloutPlan, Value};
use crate::problem::{Kind, Problem};

/// A configuration's secrets, by where they are used. Its `Debug` shows none of them.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    build_args: BTreeMap<(Region, String), SecretString>,
    parameters: BTreeMap<(Region, RolloutName, String), Vec<SecretString>>,
}

impl Secrets {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let mut secrets = Self::default();
        for lane in &config.lanes {
            for (name, input) in &lane.build.args {
                if let Input::Secret(secret) = input {
                    let place = (lane.region.clone(), name.clone());
                    secrets.build_args.insert(place, secret.clone());
                }
            }
            for rollout in &lane.rollouts {
                for (name, parameter) in &rollout.parameters {
                    if let Parameter::Secret(secret) = parameter {
                        let place = (lane.region.clone(), rollout.name.clone(), name.clone());
                        secrets.parameters.insert(place, vec![secret.clone()]);
                    }
                }
            }
        }
        secrets
    }

    /// Keeps the parameters of a command that was sent before, by whoever knows no configuration for it.
    pub(super) fn remember(
        &mut self,
        region: &Region,
        rollout: &RolloutName,
        parameters: &BTreeMap<String, Vec<SecretString>>,
    ) {
        for (name, values) in parameters {
            let place = (region.clone(), rollout.clone(), name.clone());
            self.parameters.entry(place).or_insert_with(|| values.clone());
        }
    }

    /// What a lane's hosts may print and nobody may see: its secret parameters, and the secrets in the image that they run.
    pub(super) fn of_lane(&self, lane: &LanePlan) -> Vec<SecretString> {
        // What SSM remembers holds the other parameters, too.
        let is_plain = |rollout: &RolloutName, name: &str| {
            let value = lane.rollout(rollout).and_then(|rollout| rollout.parameters.get(name));
            matches!(value, Some(ParameterValue::Plain(_)))
        };
        let parameters = self.parameters.iter();
        let ours = parameters.filter(|((of, rollout, name), _)| *of == lane.region && !is_plain(rollout, name));
        let arguments = self.build_args.iter().filter(|((of, _), _)| *of == lane.region);
        let arguments = arguments.map(|(_, value)| value);
        ours.flat_map(|(_, values)| values).chain(arguments).cloned().collect()
    }

    /// A build's arguments as the builder gets them. Regions that share a build have the same ones, so any of them will do.
    ///
    /// # Errors
    ///
    /// [`Kind::Config`] when the plan was made with a secret that the present configuration does not have.
    pub fn build_args(&self, build: &BuildPlan) -> Result<BTreeMap<String, ResolvedInput>, Problem> {
        let find = |name: &String| {
            let mut regions = build.regions.iter();
            regions.find_map(|region| self.build_args.get(&(region.clone(), name.clone())))
        };
        build
            .args
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Plain(text) => ResolvedInput::Plain(text.as_str().to_owned()),
                    Value::Secret => {
                        let secret = find(name).cloned();
                        let secret = secret.ok_or_else(|| gone(&format!("build argument `{name}`"), "the build"))?;
                        ResolvedInput::Secret(secret)
                    }
                };
                Ok((name.clone(), value))
            })
            .collect()
    }

    /// A rollout's SSM parameters with their values.
    ///
    /// # Errors
    ///
    /// [`Kind::Config`] when the plan was made with a secret that the present configuration does not have.
    pub fn parameters(
        &self,
        region: &Region,
        rollout: &RolloutPlan,
    ) -> Result<BTreeMap<String, Vec<SecretString>>, Problem> {
        rollout
            .parameters
            .iter()
            .map(|(name, value)| {
                let values = match value {
                    ParameterValue::Plain(values) => {
                        values.iter().map(|value| SecretString::from(value.as_str())).collect()
                    }
                    ParameterValue::Secret => {
                        let place = (region.clone(), rollout.name.clone(), name.clone());
                        let secret = self.parameters.get(&place).cloned();
                        secret.ok_or_else(|| {
                            gone(
                                &format!("parameter `{name}`"),
                                &format!("rollout {} in {region}", rollout.name),
                            )
                        })?
                    }
                };
                Ok((name.clone(), values))
            })
            .collect()
    }
}

fn gone(what: &str, whose: &str) -> Problem {
    Problem::new(
        Kind::Config,
        format!("the secret {what} of {whose} is not in the configuration any more, and the journal never had it"),
        "put it back into config.toml, or start a new deployment",
    )
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::Template;
    use crate::names::BuildId;
    use crate::plan::draft::fixture;
    use crate::text::Clean;

    /// One region with a secret build argument and a secret parameter.
    fn config() -> Config {
        let mut config = fixture::config();
        for lane in &mut config.lanes {
            let token = Input::Secret(SecretString::from("t0ken"));
            lane.build.args.insert("TOKEN".to_owned(), token);
            let password = Parameter::Secret(SecretString::from("pa55"));
            lane.rollouts[0].parameters.insert("password".to_owned(), password);
        }
        config
    }

    fn build() -> BuildPlan {
        BuildPlan {
            id: BuildId::new("build-1"),
            context: Clean::line("."),
            dockerfile: Clean::line("Dockerfile"),
            target: None,
            args: [
                ("TOKEN".to_owned(), Value::Secret),
                ("MODE".to_owned(), Value::Plain(Clean::line("qa"))),
            ]
            .into(),
            platform: None,
            labels: BTreeMap::new(),
            regions: vec![fixture::east(), fixture::ohio()],
        }
    }

    fn rollout() -> RolloutPlan {
        RolloutPlan {
            name: fixture::ubuntu(),
            document: Clean::line("pull"),
            document_version: Clean::line("$LATEST"),
            resolved_version: Clean::line("7"),
            output_step: None,
            parameters: [
                ("password".to_owned(), ParameterValue::Secret),
                ("image".to_owned(), ParameterValue::Plain(vec![Clean::line("AI")])),
            ]
            .into(),
            targets: Vec::new(),
            delivery_timeout_secs: 600,
            max_concurrency: Clean::line("50"),
            max_errors: Clean::line("0"),
            expected: Vec::new(),
        }
    }

    #[test]
    fn a_plan_gets_its_secrets_back_from_the_configuration() {
        let secrets = Secrets::of(&config());
        let args = secrets.build_args(&build()).expect("the configuration has them");
        assert_eq!(args["TOKEN"].expose(), "t0ken");
        assert_eq!(args["MODE"].expose(), "qa");
        let parameters = secrets
            .parameters(&fixture::ohio(), &rollout())
            .expect("the configuration has them");
        assert_eq!(parameters["password"][0].expose_secret(), "pa55");
        assert_eq!(parameters["image"][0].expose_secret(), "AI");
        let debug = format!("{secrets:?} {parameters:?} {args:?}");
        assert!(!debug.contains("pa55") && !debug.contains("t0ken"), "{debug}");
    }

    #[test]
    fn what_the_plan_shows_is_not_masked_though_ssm_remembers_it_with_the_secrets() {
        let mut rollout = rollout();
        let region = ParameterValue::Plain(vec![Clean::line("us-east-1")]);
        rollout.parameters.insert("region".to_owned(), region);
        let sent = ["password", "region"].map(|name| {
            let value = if name == "region" { "us-east-1" } else { "pa55word" };
            (name.to_owned(), vec![SecretString::from(value)])
        });
        let mut secrets = Secrets::default();
        secrets.remember(&fixture::east(), &rollout.name, &sent.into());
        let lane = LanePlan {
            region: fixture::east(),
            account: crate::names::AccountId::new("123456789012"),
            arn: Clean::default(),
            build: None,
            repository: fixture::repository(&fixture::east()),
            sha_tag: Clean::default(),
            moving_tags: Vec::new(),
            already: None,
            current: None,
            rollouts: vec![rollout],
        };
        let hidden: Vec<String> = secrets
            .of_lane(&lane)
            .iter()
            .map(|value| value.expose_secret().to_owned())
            .collect();
        assert_eq!(hidden, ["pa55word"]);
        // A container prints its environment, and with it what the image was built with.
        let hidden: Vec<String> = Secrets::of(&config())
            .of_lane(&lane)
            .iter()
            .map(|value| value.expose_secret().to_owned())
            .collect();
        assert_eq!(hidden, ["pa55", "t0ken"]);
    }

    #[test]
    fn a_secret_that_the_configuration_lost_is_named() {
        let mut config = config();
        for lane in &mut config.lanes {
            lane.build.args.clear();
            // What was a secret is not silently replaced by what is now written there.
            let plain = Parameter::Plain(vec![Template::literal("pa55")]);
            lane.rollouts[0].parameters.insert("password".to_owned(), plain);
        }
        let secrets = Secrets::of(&config);
        let problem = secrets.build_args(&build()).expect_err("TOKEN is gone");
        assert!(problem.what.as_str().contains("build argument `TOKEN`"), "{problem}");
        let problem = secrets
            .parameters(&fixture::east(), &rollout())
            .expect_err("password is gone");
        assert!(
            problem
                .what
                .as_str()
                .contains("parameter `password` of rollout ubuntu in us-east-1"),
            "{problem}"
        );
        assert_eq!(problem.kind, Kind::Config);
    }
}
