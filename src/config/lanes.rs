//! One region's configuration out of the general tables and its own, checked with the region's variables filled in.

use std::collections::BTreeMap;

use super::grammar::{self, Grammar};
use super::reader::Reader;
use super::report::{Mistake, Place};
use super::rollout::{RolloutTable, TargetTable};
use super::table::{Field, Placed, unique};
use super::tables::{AwsTable, BuildTable, ImageTable};
use super::template::{Template, Vars};
use super::types::{AwsConfig, BuildInputs, Endpoints, LaneConfig, RolloutConfig, TargetConfig};
use crate::names::Region;
use crate::text::Clean;

/// What SSM takes when nothing is said.
const DEFAULT_VERSION: &str = "$DEFAULT";

/// What the SSM console proposes; the API would wait for an hour.
const DEFAULT_DELIVERY_TIMEOUT_SECS: u32 = 600;

/// What SSM takes when nothing is said.
const DEFAULT_MAX_CONCURRENCY: &str = "50";

/// What SSM takes when nothing is said.
const DEFAULT_MAX_ERRORS: &str = "0";

/// What can be said for every region and again for one.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub aws: AwsTable,
    pub image: ImageTable,
    pub build: BuildTable,
}

/// What a region has of its own.
#[derive(Debug, Default)]
pub(super) struct Override {
    pub layer: Layer,
    pub rollouts: OwnRollouts,
}

/// How a region's rollouts differ.
#[derive(Debug, Default)]
pub(super) enum OwnRollouts {
    /// Not at all.
    #[default]
    Same,
    /// In some keys of some rollouts.
    Keys(BTreeMap<String, RolloutTable>),
    /// Altogether.
    List(Vec<RolloutTable>),
}

/// Where the parts of a lane come from.
pub(super) struct Lane<'l, 's> {
    pub reader: &'l mut Reader<'s>,
    pub region: &'l Region,
    /// What is not known yet stands for itself by something of its form.
    pub vars: Vars<'l>,
    pub general: &'l Layer,
    pub own: &'l Layer,
}

impl Lane<'_, '_> {
    /// The whole lane; nothing when a part of it is a mistake.
    pub fn resolve(mut self, rollouts: &[RolloutTable], own: &OwnRollouts) -> Option<LaneConfig> {
        let aws = self.aws();
        let repository = self.repository();
        let tags = self.tags();
        let build = self.build();
        let (rollouts, keys) = match own {
            OwnRollouts::Same => (rollouts, None),
            OwnRollouts::Keys(keys) => (rollouts, Some(keys)),
            OwnRollouts::List(own) => (own.as_slice(), None),
        };
        let rollouts: Vec<_> = rollouts
            .iter()
            .map(|rollout| {
                let name = rollout.name.given();
                let own = keys.zip(name).and_then(|(keys, name)| keys.get(name.what.as_str()));
                self.rollout(rollout, own)
            })
            .collect();
        Some(LaneConfig {
            region: self.region.clone(),
            aws: aws?,
            repository: repository?,
            tags: tags?,
            build: build?,
            rollouts: rollouts.into_iter().collect::<Option<_>>()?,
        })
    }

    fn aws(&mut self) -> Option<AwsConfig> {
        let (general, own) = (&self.general.aws, &self.own.aws);
        let ssm = self.endpoint("aws.ssm_endpoint_url", &own.ssm_endpoint_url, &general.ssm_endpoint_url);
        let ecr = self.endpoint("aws.ecr_endpoint_url", &own.ecr_endpoint_url, &general.ecr_endpoint_url);
        let sts = self.endpoint("aws.sts_endpoint_url", &own.sts_endpoint_url, &general.sts_endpoint_url);
        let profile = self.optional("aws.profile", own.profile.or(&general.profile), &grammar::PROFILE);
        let role = self.optional("aws.role", own.role.or(&general.role), &grammar::ROLE);
        Some(AwsConfig {
            profile: profile?,
            role: role?,
            endpoints: Endpoints {
                ssm: ssm?,
                ecr: ecr?,
                sts: sts?,
            },
        })
    }

    /// One service's address. The region's own words go first, even its endpoint_url before a general one of the service.
    fn endpoint(&mut self, name: &str, own: &Field<Template>, general: &Field<Template>) -> Option<Option<String>> {
        let every = "aws.endpoint_url";
        let (name, field) = [
            (name, own),
            (every, &self.own.aws.endpoint_url),
            (name, general),
            (every, &self.general.aws.endpoint_url),
        ]
        .into_iter()
        .find(|(_, field)| !matches!(field, Field::Absent))
        .unwrap_or((name, general));
        self.optional(name, field, &grammar::ENDPOINT)
    }

    fn repository(&mut self) -> Option<Template> {
        let field = self.own.image.repository.or(&self.general.image.repository);
        let repository = self.required("image.repository", field, "\"{app}\"", &self.general.image.at)?;
        self.filled("image.repository", repository, &grammar::REPOSITORY)?;
        Some(repository.what.clone())
    }

    fn tags(&mut self) -> Option<Vec<Template>> {
        let field = self.own.image.tags.or(&self.general.image.tags);
        let tags = self.required("image.tags", field, "[\"{sha}\", \"latest\"]", &self.general.image.at)?;
        let mut filled = Vec::new();
        for tag in &tags.what {
            let what = self.filled("image.tags", tag, &grammar::TAG);
            filled.extend(what.map(|what| Placed::new(&tag.at, what)));
        }
        unique(self.reader, &filled, |tag| format!("the tag `{tag}`"));
        Some(tags.what.iter().map(|tag| tag.what.clone()).collect())
    }

    fn build(&mut self) -> Option<BuildInputs> {
        let (general, own) = (&self.general.build, &self.own.build);
        let context = self.optional("build.context", own.context.or(&general.context), &grammar::PATH);
        let dockerfile = self.optional(
            "build.dockerfile",
            own.dockerfile.or(&general.dockerfile),
            &grammar::FILE,
        );
        let target = self.optional("build.target", own.target.or(&general.target), &grammar::STAGE);
        let platform = self.optional("build.platform", own.platform.or(&general.platform), &grammar::PLATFORM);
        Some(BuildInputs {
            context: context?.map_or_else(|| ".".to_owned(), |path| tidy(&path)),
            dockerfile: dockerfile?.map_or_else(|| "Dockerfile".to_owned(), |path| tidy(&path)),
            target: target?,
            platform: platform?,
            args: merged(&general.args, &own.args),
            labels: merged(&general.labels, &own.labels),
        })
    }

    fn rollout(&mut self, general: &RolloutTable, own: Option<&RolloutTable>) -> Option<RolloutConfig> {
        let none = RolloutTable::default();
        let own = own.unwrap_or(&none);
        let document = own.document.or(&general.document);
        let document = self.required(
            "rollout.document",
            document,
            "\"{region}-pull-image-document\"",
            &general.at,
        );
        let targets = own.targets.or(&general.targets);
        let targets = self.required("rollout.targets", targets, "{ \"tag:OS\" = [\"Ubuntu\"] }", &general.at);
        if let Some(document) = document {
            self.filled("rollout.document", document, &grammar::DOCUMENT);
        }
        for target in targets.into_iter().flat_map(|targets| &targets.what) {
            self.target(target);
        }
        let delivery_timeout = own.delivery_timeout.or(&general.delivery_timeout);
        let text =
            |own: &Field<Clean>, general: &Field<Clean>, default| own.or(general).or_default(Clean::line(default));
        Some(RolloutConfig {
            name: general.name.given()?.what.clone(),
            document: document?.what.clone(),
            document_version: text(&own.document_version, &general.document_version, DEFAULT_VERSION)?,
            targets: targets?
                .what
                .iter()
                .map(|target| TargetConfig {
                    key: target.key.clone(),
                    values: target.values.iter().map(|value| value.what.clone()).collect(),
                })
                .collect(),
            parameters: merged(&general.parameters, &own.parameters),
            delivery_timeout_secs: delivery_timeout.or_default(DEFAULT_DELIVERY_TIMEOUT_SECS)?,
            max_concurrency: text(&own.max_concurrency, &general.max_concurrency, DEFAULT_MAX_CONCURRENCY)?,
            max_errors: text(&own.max_errors, &general.max_errors, DEFAULT_MAX_ERRORS)?,
        })
    }

    /// Checks a target's values as they are in this region.
    fn target(&mut self, target: &TargetTable) {
        let mut filled = Vec::new();
        for value in &target.values {
            let what = if target.key.as_str() == "InstanceIds" {
                self.filled("InstanceIds", value, &grammar::INSTANCE_ID)
            } else {
                Some(value.what.render(&self.vars))
            };
            filled.extend(what.map(|what| Placed::new(&value.at, what)));
        }
        unique(self.reader, &filled, |value| format!("`{value}` of `{}`", target.key));
    }

    /// A value that has to be there, by either layer.
    fn required<'f, T>(
        &mut self,
        name: &str,
        field: &'f Field<T>,
        example: &str,
        table: &Option<Place>,
    ) -> Option<&'f Placed<T>> {
        if matches!(field, Field::Absent) {
            self.reader.mistake(Mistake::missing(table.clone(), name, example));
        }
        field.given()
    }

    /// A value that may be absent; the outer `None` is a mistake.
    fn optional(&mut self, name: &str, field: &Field<Template>, grammar: &Grammar) -> Option<Option<String>> {
        match field {
            Field::Absent => Some(None),
            Field::Wrong => None,
            Field::Given(template) => self.filled(name, template, grammar).map(Some),
        }
    }

    /// A template's text in this region, if the text has the form that it needs.
    fn filled(&mut self, name: &str, template: &Placed<Template>, grammar: &Grammar) -> Option<String> {
        let text = template.what.render(&self.vars);
        if (grammar.fits)(&text) {
            return Some(text);
        }
        let mistake = Mistake::new(template.at.clone(), format!("`{name}` is not {}", grammar.name))
            .help(format!("allowed: {}", grammar.allowed));
        self.reader.mistake(if template.what.is_literal() {
            mistake
        } else {
            mistake.label(format!("in {} this is `{text}`", self.region))
        });
        None
    }
}

/// The general values, with the region's own in their place.
fn merged<T: Clone>(general: &BTreeMap<String, T>, own: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    general
        .iter()
        .chain(own)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The one spelling of a path, so that regions that mean the same directory share a build.
fn tidy(path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}
