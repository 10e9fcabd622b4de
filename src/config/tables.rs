//! `[aws]`, `[image]` and `[build]` as they are written: once for every region, and again where a region differs.
//!
//! The fields are the keys; config.toml.example says what they mean.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::grammar;
use super::reader::Reader;
use super::report::{Mistake, Place};
use super::scope::Scope;
use super::secret;
use super::table::{Field, Placed, Table, Value};
use super::template::Template;
use super::types::{BuilderChoice, Input};
use crate::plan::Source;

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
            args: table.table("args", reader, |reader, args| reader.named(&args, argument)),
            labels: table.table("labels", reader, |reader, labels| reader.named(&labels, label)),
        }
    }
}

fn argument(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Input> {
    let fits = reader.fits(&value.key_at, value.key, &grammar::ARGUMENT, value.key);
    let input = match value.value {
        DeValue::String(_) => reader.template(value, Scope::Value).map(Input::Plain),
        DeValue::Table(_) => {
            let table = reader.table(value, secret::FORM)?;
            secret::read(reader, table).map(Input::Secret)
        }
        _ => {
            reader.wrong_type(value, &format!("a string, {}", secret::FORM));
            None
        }
    };
    input.filter(|_| fits)
}

fn label(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Template> {
    let fits = reader.fits(&value.key_at, value.key, &grammar::LABEL_KEY, value.key);
    reader.template(value, Scope::Value).filter(|_| fits)
}

/// An image's tags, the first of which is the commit's own.
fn tags(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<Placed<Template>>> {
    let items = reader.list(value)?;
    let read: Vec<_> = items.iter().map(|item| reader.placed(item, Scope::Tag)).collect();
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
