//! The tables of the file as they are written: each once for every region, and again where a region differs.

use std::collections::BTreeMap;

use jiff::{Span, SpanRelativeTo};
use toml::de::DeValue;

use super::grammar;
use super::reader::{Field, Placed, Reader, Scope, Table, Value, unique};
use super::report::{Mistake, Place};
use super::secret;
use super::suggest::near_miss;
use super::template::Template;
use super::types::{BuilderChoice, Input, Parameter};
use crate::names::RolloutName;
use crate::plan::Source;
use crate::text::Clean;

/// SSM's limits of TimeoutSeconds: thirty seconds to thirty days.
const DELIVERY_TIMEOUT: std::ops::RangeInclusive<i64> = 30..=2_592_000;

/// Run Command takes five targets, and five values in each (user guide).
const TARGETS_MAX: usize = 5;

const SECRET: &str = "{ secret_env = \"NAME\" } or { secret_file = \"PATH\" }";

/// `[aws]`.
#[derive(Debug, Default)]
pub(super) struct AwsTable {
    pub profile: Field<Template>,
    pub role: Field<Template>,
    pub endpoint_url: Field<Template>,
    pub ssm_endpoint_url: Field<Template>,
    pub ecr_endpoint_url: Field<Template>,
    pub sts_endpoint_url: Field<Template>,
}

impl AwsTable {
    const KEYS: [&str; 6] = [
        "profile",
        "role",
        "endpoint_url",
        "ssm_endpoint_url",
        "ecr_endpoint_url",
        "sts_endpoint_url",
    ];

    pub fn read(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        table.know(&Self::KEYS, reader);
        let mut text = |key| table.field(key, reader, |reader, value| reader.template(value, Scope::File));
        Self {
            profile: text("profile"),
            role: text("role"),
            endpoint_url: text("endpoint_url"),
            ssm_endpoint_url: text("ssm_endpoint_url"),
            ecr_endpoint_url: text("ecr_endpoint_url"),
            sts_endpoint_url: text("sts_endpoint_url"),
        }
    }
}

/// `[image]`.
#[derive(Debug, Default)]
pub(super) struct ImageTable {
    pub at: Option<Place>,
    pub repository: Field<Template>,
    pub tags: Field<Vec<Placed<Template>>>,
}

impl ImageTable {
    /// Nothing is missing from a table that is a mistake itself.
    pub fn of(field: Field<Self>) -> Self {
        match field {
            Field::Given(image) => image.what,
            Field::Absent => Self::default(),
            Field::Wrong => Self {
                at: None,
                repository: Field::Wrong,
                tags: Field::Wrong,
            },
        }
    }

    pub fn read(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        table.know(&["repository", "tags"], reader);
        Self {
            at: table.at.clone(),
            repository: table.field("repository", reader, |reader, value| {
                reader.template(value, Scope::Place)
            }),
            tags: table.field("tags", reader, tags),
        }
    }
}

/// `[build]`.
#[derive(Debug, Default)]
pub(super) struct BuildTable {
    pub context: Field<Template>,
    pub dockerfile: Field<Template>,
    pub target: Field<Template>,
    pub platform: Field<Template>,
    pub args: BTreeMap<String, Input>,
    pub labels: BTreeMap<String, Template>,
}

/// The keys of `[build]` that are the same in every region.
#[derive(Debug, Default)]
pub(super) struct BuildChoices {
    pub source: Field<Source>,
    pub builder: Field<BuilderChoice>,
}

impl BuildTable {
    const KEYS: [&str; 8] = [
        "context",
        "dockerfile",
        "source",
        "builder",
        "target",
        "platform",
        "args",
        "labels",
    ];

    pub fn read(reader: &mut Reader<'_>, mut table: Table<'_>) -> (Self, BuildChoices) {
        table.know(&Self::KEYS, reader);
        let choices = BuildChoices {
            source: table.field("source", reader, |reader, value| {
                reader.choice(value, &[("commit", Source::Commit), ("worktree", Source::Worktree)])
            }),
            builder: table.field("builder", reader, |reader, value| {
                reader.choice(
                    value,
                    &[
                        ("auto", BuilderChoice::Auto),
                        ("buildkit", BuilderChoice::Buildkit),
                        ("classic", BuilderChoice::Classic),
                    ],
                )
            }),
        };
        (Self::read_rest(reader, table), choices)
    }

    /// `[region.NAME.build]`.
    pub fn read_override(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        table.know(&Self::KEYS, reader);
        for key in ["source", "builder"] {
            let _: Field<()> = table.field(key, reader, |reader, value| {
                reader.mistake(
                    Mistake::new(
                        value.key_at.clone(),
                        format!("`{}` can't differ between regions", value.name),
                    )
                    .help(format!("set `{key}` in [build]; it holds for every region")),
                );
                None
            });
        }
        Self::read_rest(reader, table)
    }

    fn read_rest(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        let mut text = |key| table.field(key, reader, |reader, value| reader.template(value, Scope::File));
        let (context, dockerfile, target, platform) =
            (text("context"), text("dockerfile"), text("target"), text("platform"));
        Self {
            context,
            dockerfile,
            target,
            platform,
            args: table.table("args", reader, |reader, args| {
                named(reader, &args, |reader, value| {
                    let name = value.key;
                    reader
                        .fits(&value.key_at, name, &grammar::ARGUMENT, name)
                        .then_some(())?;
                    match value.value {
                        DeValue::String(_) => reader.template(value, Scope::Value).map(Input::Plain),
                        DeValue::Table(_) => {
                            let table = reader.table(value, SECRET)?;
                            secret::read(reader, table).map(Input::Secret)
                        }
                        _ => {
                            reader.wrong_type(value, &format!("a string, {SECRET}"));
                            None
                        }
                    }
                })
            }),
            labels: table.table("labels", reader, |reader, labels| {
                named(reader, &labels, |reader, value| {
                    let name = value.key;
                    reader
                        .fits(&value.key_at, name, &grammar::LABEL_KEY, name)
                        .then_some(())?;
                    reader.template(value, Scope::Value)
                })
            }),
        }
    }
}

/// `[[rollout]]`, or what a region has of its own of it.
#[derive(Debug, Default)]
pub(super) struct RolloutTable {
    pub at: Option<Place>,
    pub name: Field<RolloutName>,
    pub document: Field<Template>,
    pub document_version: Field<Clean>,
    pub targets: Field<Vec<TargetTable>>,
    pub parameters: BTreeMap<String, Parameter>,
    pub delivery_timeout: Field<u32>,
    pub max_concurrency: Field<Clean>,
    pub max_errors: Field<Clean>,
}

/// One key of `targets`.
#[derive(Debug)]
pub(super) struct TargetTable {
    pub key: Clean,
    pub values: Vec<Placed<Template>>,
}

impl RolloutTable {
    const KEYS: [&str; 8] = [
        "name",
        "document",
        "document_version",
        "targets",
        "parameters",
        "delivery_timeout",
        "max_concurrency",
        "max_errors",
    ];

    /// A list of them. An empty one is allowed: such a region gets the image and nothing else.
    pub fn read_list(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<Self>> {
        let items = reader.maybe_empty_list(value, "a list of tables; begin each rollout with [[rollout]]")?;
        let mut rollouts = Vec::new();
        let mut names = Vec::new();
        for item in &items {
            let Some(mut table) = reader.table(item, "a table; begin each rollout with [[rollout]]") else {
                continue;
            };
            table.know(&Self::KEYS, reader);
            let name = table.field("name", reader, |reader, value| {
                reader.plain(value, &grammar::ROLLOUT).map(RolloutName::new)
            });
            table.require(&name, "name", "\"ubuntu\"", reader);
            names.extend(name.given().cloned());
            rollouts.push(Self {
                name,
                ..Self::read_rest(reader, table)
            });
        }
        unique(reader, names, |name| format!("a rollout named `{name}`"));
        Some(rollouts)
    }

    /// `[region.NAME.rollout.NAME]`: any of the keys but the name.
    pub fn read_override(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        table.know(&Self::KEYS[1..], reader);
        Self::read_rest(reader, table)
    }

    fn read_rest(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        let mut text = |key: &'static str, grammar: &'static grammar::Grammar| {
            table.field(key, reader, |reader, value| {
                reader.plain_or_number(value, grammar).map(|text| Clean::line(&text))
            })
        };
        let document_version = text("document_version", &grammar::DOCUMENT_VERSION);
        let max_concurrency = text("max_concurrency", &grammar::MAX_CONCURRENCY);
        let max_errors = text("max_errors", &grammar::MAX_ERRORS);
        Self {
            at: table.at.clone(),
            name: Field::Absent,
            document: table.field("document", reader, |reader, value| reader.template(value, Scope::Place)),
            document_version,
            targets: table.field("targets", reader, targets),
            parameters: table.table("parameters", reader, |reader, parameters| {
                named(reader, &parameters, parameter)
            }),
            delivery_timeout: table.field("delivery_timeout", reader, seconds),
            max_concurrency,
            max_errors,
        }
    }
}

/// Reads a table whose keys are names.
fn named<'s, T>(
    reader: &mut Reader<'s>,
    table: &Table<'_>,
    read: impl Fn(&mut Reader<'s>, &Value<'_>) -> Option<T>,
) -> BTreeMap<String, T> {
    table
        .entries()
        .iter()
        .filter_map(|value| Some((value.key.to_owned(), read(reader, value)?)))
        .collect()
}

/// A list of templates; never empty.
fn templates(reader: &mut Reader<'_>, value: &Value<'_>, scope: Scope) -> Option<Vec<Placed<Template>>> {
    let items = reader.list(value)?;
    // Every item is read before the first wrong one makes the list wrong.
    let read: Vec<_> = items.iter().map(|item| template(reader, item, scope)).collect();
    read.into_iter().collect()
}

fn template(reader: &mut Reader<'_>, value: &Value<'_>, scope: Scope) -> Option<Placed<Template>> {
    Some(Placed::new(&value.at, reader.template(value, scope)?))
}

/// An image's tags, the first of which is the commit's own.
fn tags(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<Placed<Template>>> {
    let items = reader.list(value)?;
    let read: Vec<_> = items.iter().map(|item| template(reader, item, Scope::Tag)).collect();
    if let Some(Some(first)) = read.first()
        && !first.what.names_the_commit()
    {
        reader.mistake(
            Mistake::new(
                first.at.clone(),
                format!("the first of `{}` must name the commit", value.name),
            )
            .label("uses neither {sha} nor {short_sha}")
            .help("such as: tags = [\"{sha}\", \"latest\"]; the tags after the first move from image to image"),
        );
    }
    read.into_iter().collect()
}

fn targets(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<TargetTable>> {
    let table = reader.table(value, "a table, such as { \"tag:OS\" = [\"Ubuntu\"] }")?;
    let keys = table.entries();
    if keys.is_empty() || keys.len() > TARGETS_MAX {
        reader.mistake(
            Mistake::new(value.at.clone(), format!("`{}` has {} keys", value.name, keys.len()))
                .help("Run Command takes 1 to 5 keys, and a host has to match all of them"),
        );
    }
    let read: Vec<_> = keys.iter().map(|entry| target(reader, entry)).collect();
    read.into_iter().collect()
}

fn target(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<TargetTable> {
    let key = value.key;
    let key_fits = (grammar::TARGET_KEY.fits)(key);
    if !key_fits {
        let meant = match key.split_once(':') {
            Some((kind, tag)) if kind.eq_ignore_ascii_case("tag") && !tag.is_empty() => format!("tag:{tag}"),
            _ => near_miss(&key.to_lowercase(), ["instanceids", "resource-groups:name"]).map_or_else(
                || format!("tag:{}", if key.is_empty() { "KEY" } else { key }),
                |meant| {
                    if meant == "instanceids" {
                        "InstanceIds"
                    } else {
                        "resource-groups:Name"
                    }
                    .to_owned()
                },
            ),
        };
        reader.mistake(
            Mistake::new(
                value.key_at.clone(),
                format!("`{key}` is not {}", grammar::TARGET_KEY.name),
            )
            .label(format!("did you mean \"{meant}\"?"))
            .help(format!("allowed: {}", grammar::TARGET_KEY.allowed)),
        );
    }
    let values = match value.value {
        DeValue::String(_) => vec![template(reader, value, Scope::Place)?],
        DeValue::Array(_) => templates(reader, value, Scope::Place)?,
        _ => {
            reader.wrong_type(value, "a string or a list of strings");
            return None;
        }
    };
    let max = if key == "resource-groups:Name" { 1 } else { TARGETS_MAX };
    if values.len() > max {
        reader.mistake(
            Mistake::new(
                value.at.clone(),
                format!("`{}` has {} values", value.name, values.len()),
            )
            .help(format!(
                "Run Command takes at most {max} of them; a host has to match any one"
            )),
        );
    }
    key_fits.then(|| TargetTable {
        key: Clean::line(key),
        values,
    })
}

fn parameter(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Parameter> {
    match value.value {
        DeValue::String(_) => {
            let template = reader.template(value, Scope::Value)?;
            Some(Parameter::Plain(vec![template]))
        }
        DeValue::Array(_) => {
            let list = templates(reader, value, Scope::Value)?;
            Some(Parameter::Plain(list.into_iter().map(|item| item.what).collect()))
        }
        DeValue::Table(_) => {
            let table = reader.table(value, SECRET)?;
            secret::read(reader, table).map(Parameter::Secret)
        }
        _ => {
            reader.wrong_type(value, &format!("a string, a list of strings, {SECRET}"));
            None
        }
    }
}

/// A number of seconds, or a duration such as `10m`.
fn seconds(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<u32> {
    let seconds = match value.value {
        DeValue::Integer(_) => value.integer(),
        DeValue::String(text) => text
            .parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
            .ok()
            .filter(|duration| duration.subsec_nanos() == 0)
            .map(|duration| duration.as_secs()),
        _ => {
            reader.wrong_type(value, "a number of seconds or a duration such as \"10m\"");
            return None;
        }
    };
    let fits = seconds
        .filter(|seconds| DELIVERY_TIMEOUT.contains(seconds))
        .and_then(|seconds| u32::try_from(seconds).ok());
    if fits.is_none() {
        reader.mistake(
            Mistake::new(
                value.at.clone(),
                format!("`{}` is not a time that SSM takes", value.name),
            )
            .help("allowed: 30 to 2592000 seconds, as a number or as \"90s\", \"10m\", \"1h 30m\", \"30d\""),
        );
    }
    fits
}
