//! `[[rollout]]` as it is written: once for every region, and again where a region differs.
//!
//! The fields are the keys; config.toml.example says what they mean.

use std::collections::BTreeMap;

use jiff::{Span, SpanRelativeTo};
use toml::de::DeValue;

use super::grammar;
use super::reader::Reader;
use super::report::{Mistake, Place};
use super::scope::Scope;
use super::secret;
use super::suggest::near_miss;
use super::table::{Field, Placed, Table, Value, unique};
use super::template::Template;
use super::types::Parameter;
use crate::names::RolloutName;
use crate::text::Clean;

/// SSM's limits of TimeoutSeconds: thirty seconds to thirty days.
const DELIVERY_TIMEOUT: std::ops::RangeInclusive<i64> = 30..=2_592_000;

/// Run Command takes five targets, and five values in each (user guide).
const TARGETS_MAX: usize = 5;

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
        unique(reader, &names, |name| format!("a rollout named `{name}`"));
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
                reader.named(&parameters, parameter)
            }),
            delivery_timeout: table.field("delivery_timeout", reader, seconds),
            max_concurrency,
            max_errors,
        }
    }
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
        let what = format!("`{key}` is not {}", grammar::TARGET_KEY.name);
        let mistake = Mistake::new(value.key_at.clone(), what);
        let mistake = if grammar::is_resource_group(key) {
            mistake.help("SSM cannot list the hosts of a resource group, so nobody could say beforehand whom it goes to: name the group's tags")
        } else {
            mistake.help(format!("allowed: {}", grammar::TARGET_KEY.allowed))
        };
        reader.mistake(match meant_key(key) {
            Some(meant) => mistake.label(format!("did you mean \"{meant}\"?")),
            None => mistake,
        });
    }
    let values = match value.value {
        DeValue::String(_) => vec![reader.placed(value, Scope::Place)?],
        DeValue::Array(_) => reader.templates(value, Scope::Place)?,
        _ => {
            reader.wrong_type(value, "a string or a list of strings");
            return None;
        }
    };
    if values.len() > TARGETS_MAX {
        reader.mistake(
            Mistake::new(
                value.at.clone(),
                format!("`{}` has {} values", value.name, values.len()),
            )
            .help(format!(
                "Run Command takes at most {TARGETS_MAX} of them; a host has to match any one"
            )),
        );
    }
    key_fits.then(|| TargetTable {
        key: Clean::line(key),
        values,
    })
}

/// The key that was probably meant; a word of its own is a tag's.
fn meant_key(key: &str) -> Option<String> {
    let (kind, rest) = key.split_once(':').unwrap_or(("tag", key));
    match near_miss(key, ["instanceids"]) {
        Some(_) => Some("InstanceIds".to_owned()),
        None if kind.eq_ignore_ascii_case("tag") && !rest.is_empty() => {
            let meant = format!("tag:{rest}");
            (grammar::TARGET_KEY.fits)(&meant).then_some(meant)
        }
        None => None,
    }
}

fn parameter(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Parameter> {
    match value.value {
        DeValue::String(_) => {
            let template = reader.template(value, Scope::Value)?;
            Some(Parameter::Plain(vec![template]))
        }
        DeValue::Array(_) => {
            let list = reader.templates(value, Scope::Value)?;
            Some(Parameter::Plain(list.into_iter().map(|item| item.what).collect()))
        }
        DeValue::Table(_) => {
            let table = reader.table(value, secret::FORM)?;
            secret::read(reader, table).map(Parameter::Secret)
        }
        _ => {
            reader.wrong_type(value, &format!("a string, a list of strings, {}", secret::FORM));
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
