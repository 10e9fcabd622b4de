//! The file as a whole: its top keys, the regions, and what each region has of its own.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::grammar;
use super::lanes::{Lane, Layer, Override, OwnRollouts};
use super::reader::Reader;
use super::report::{ConfigErrors, Mistake, Place};
use super::rollout::RolloutTable;
use super::secret::Secrets;
use super::suggest::near_miss;
use super::table::{Field, Placed, Table, Value, unique};
use super::tables::{AwsTable, BuildChoices, BuildTable, ImageTable};
use super::template::Vars;
use super::types::{BuilderChoice, Config, LaneConfig};
use crate::names::Region;
use crate::plan::{Environment, Source};
use crate::text::Clean;

/// Reads the whole text and checks it in every region.
pub(super) fn read(path: &Path, text: &str, secrets: Secrets<'_>) -> Result<Config, ConfigErrors> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What could be recovered of a broken file would only be told wrong.
        let mistakes = errors.iter().map(|error| syntax(text, error)).collect();
        return Err(ConfigErrors::mistaken(path, text, mistakes));
    }
    let mut reader = Reader::new(text, secrets);
    let file = File::read(&mut reader, Table::new(String::new(), None, document.get_ref()));
    let config = file.resolve(&mut reader, path);
    let mistakes = reader.into_mistakes();
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(ConfigErrors::mistaken(path, text, mistakes)),
    }
}

/// A mistake of TOML itself, at a place that can be underlined.
fn syntax(text: &str, error: &toml::de::Error) -> Mistake {
    let at = error.span().map(|span| on_characters(text, span));
    Mistake::new(at, format!("this is not TOML: {}", error.message()))
}

/// The nearest place that begins and ends between characters of the text.
fn on_characters(text: &str, at: Place) -> Place {
    let start = text.floor_char_boundary(at.start);
    start..text.ceil_char_boundary(at.end.max(start))
}

/// The keys at the top of the file.
const KEYS: [&str; 9] = [
    "app",
    "branch",
    "regions",
    "environment",
    "image",
    "build",
    "aws",
    "rollout",
    "region",
];

/// Everything in the file, before regions are resolved.
struct File {
    app: Field<Clean>,
    branch: Field<Clean>,
    environment: EnvironmentTable,
    regions: Field<Vec<Placed<Region>>>,
    general: Layer,
    choices: BuildChoices,
    rollouts: Vec<RolloutTable>,
    overrides: BTreeMap<Region, Override>,
}

#[derive(Default)]
struct EnvironmentTable {
    name: Field<Clean>,
    protected: Field<bool>,
}

impl File {
    fn read(reader: &mut Reader<'_>, mut table: Table<'_>) -> Self {
        let plain = |grammar| {
            move |reader: &mut Reader<'_>, value: &Value<'_>| {
                reader.plain(value, grammar).map(|text| Clean::line(&text))
            }
        };
        table.know(&KEYS, reader);
        let app = table.field("app", reader, plain(&grammar::LABEL));
        table.require(&app, "app", "\"sento\"", reader);
        let branch = table.field("branch", reader, plain(&grammar::BRANCH));
        reader.branch_is_set = !matches!(branch, Field::Absent);
        let regions = table.field("regions", reader, regions);
        table.require(&regions, "regions", "[\"us-east-1\", \"us-east-2\"]", reader);

        let environment = table.field("environment", reader, |reader, value| {
            let mut table = reader.table(value, "a table with `name` and `protected`")?;
            table.know(&["name", "protected"], reader);
            let environment = EnvironmentTable {
                name: table.field("name", reader, plain(&grammar::LABEL)),
                protected: table.field("protected", reader, Reader::flag),
            };
            table.require(&environment.name, "name", "\"QA\"", reader);
            Some(environment)
        });
        table.require(&environment, "environment", "{ name = \"QA\" }", reader);

        let aws = table.table("aws", reader, AwsTable::read);
        let image = table.field("image", reader, |reader, value| {
            let table = reader.table(value, "a table with `repository` and `tags`")?;
            Some(ImageTable::read(reader, table))
        });
        let (build, choices) = table.table("build", reader, BuildTable::read);
        let rollouts = table.field("rollout", reader, RolloutTable::read_list);
        let overrides = table.table("region", reader, |reader, table| {
            overrides(reader, &table, &regions, &rollouts)
        });
        Self {
            app,
            branch,
            environment: match environment {
                Field::Given(environment) => environment.what,
                Field::Absent | Field::Wrong => EnvironmentTable::default(),
            },
            regions,
            general: Layer {
                aws,
                image: ImageTable::of(image),
                build,
            },
            choices,
            rollouts: match rollouts {
                Field::Given(rollouts) => rollouts.what,
                Field::Absent | Field::Wrong => Vec::new(),
            },
            overrides,
        }
    }

    /// The lanes, and the configuration when there is no mistake in what it needs.
    fn resolve(self, reader: &mut Reader<'_>, path: &Path) -> Option<Config> {
        // Where a name is a mistake itself, something plain stands for it, so that the mistake is told once.
        let name = |field: &Field<Clean>| {
            field
                .given()
                .map_or_else(|| "x".to_owned(), |name| name.what.to_string())
        };
        let (app, branch, environment) = (name(&self.app), name(&self.branch), name(&self.environment.name));
        let none = Override::default();
        let mut regions: Vec<Region> = self
            .regions
            .given()
            .into_iter()
            .flat_map(|regions| &regions.what)
            .map(|region| region.what.clone())
            .filter(|region| (grammar::REGION.fits)(region.as_str()))
            .collect();
        if regions.is_empty() {
            regions.push(Region::new(SOME_REGION));
        }
        let lanes: Vec<Option<LaneConfig>> = regions
            .iter()
            .map(|region| {
                let own = self.overrides.get(region).unwrap_or(&none);
                let lane = Lane {
                    reader: &mut *reader,
                    region,
                    vars: Vars {
                        app: &app,
                        environment: &environment,
                        region: region.as_str(),
                        branch: &branch,
                        account: SOME_ACCOUNT,
                        sha: SOME_SHA,
                        short_sha: &SOME_SHA[..7],
                    },
                    general: &self.general,
                    own: &own.layer,
                };
                lane.resolve(&self.rollouts, &own.rollouts)
            })
            .collect();
        Some(Config {
            path: path.to_owned(),
            app: self.app.given()?.what.clone(),
            branch: self.branch.given().map(|branch| branch.what.clone()),
            environment: Environment {
                name: self.environment.name.given()?.what.clone(),
                protected: self.environment.protected.or_default(false)?,
            },
            source: self.choices.source.or_default(Source::Commit)?,
            builder: self.choices.builder.or_default(BuilderChoice::Auto)?,
            lanes: lanes.into_iter().collect::<Option<_>>()?,
        })
    }
}

/// Stands for a region where the file names none, so that the rest is checked all the same.
const SOME_REGION: &str = "us-east-1";
/// Stands for an account that is not known yet.
const SOME_ACCOUNT: &str = "123456789012";
/// Stands for a commit that is not known yet.
const SOME_SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn regions(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<Placed<Region>>> {
    let items = match value.value {
        DeValue::Table(_) => {
            reader.wrong_type(
                value,
                "a list of names; what a region has of its own goes into [region.NAME]",
            );
            return None;
        }
        _ => reader.list(value)?,
    };
    let read: Vec<_> = items.iter().map(|item| region(reader, item)).collect();
    let regions: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    unique(reader, &regions, |region| format!("the region {region}"));
    Some(regions)
}

fn region(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Placed<Region>> {
    let name = reader.text(value)?;
    if !(grammar::REGION.fits)(&name) {
        let mistake = Mistake::new(value.at.clone(), format!("`{name}` is not {}", grammar::REGION.name))
            .help(format!("allowed: {}", grammar::REGION.allowed));
        reader.mistake(match near_miss(&name, grammar::KNOWN_REGIONS) {
            Some(meant) => mistake.label(format!("did you mean \"{meant}\"?")),
            None => mistake,
        });
    }
    // A wrong name is kept, so that a table of the same name is not blamed for it.
    Some(Placed::new(&value.at, Region::new(name)))
}

/// `[region.NAME]` for regions of the list.
fn overrides(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    regions: &Field<Vec<Placed<Region>>>,
    rollouts: &Field<Vec<RolloutTable>>,
) -> BTreeMap<Region, Override> {
    let mut overrides = BTreeMap::new();
    for value in table.entries() {
        if let Some(regions) = regions.given()
            && !regions.what.iter().any(|region| region.what.as_str() == value.key)
        {
            let known = regions.what.iter().map(|region| region.what.as_str());
            let mistake = Mistake::new(value.key_at.clone(), format!("`{}` is not in `regions`", value.key))
                .other(regions.at.clone(), "the regions of this file");
            // Regions differ from each other by less than a slip; only what is none is taken for one.
            let meant = near_miss(value.key, known).filter(|_| !(grammar::REGION.fits)(value.key));
            reader.mistake(match meant {
                Some(meant) => mistake.label(format!("did you mean \"{meant}\"?")),
                None => mistake.help("add it to `regions`, or take this table out"),
            });
        }
        let Some(mut own) = reader.table(value, "a table") else {
            continue;
        };
        own.know(&["aws", "image", "build", "rollout"], reader);
        let layer = Layer {
            aws: own.table("aws", reader, AwsTable::read),
            image: own.table("image", reader, ImageTable::read),
            build: own.table("build", reader, BuildTable::read_override),
        };
        let field = own.field("rollout", reader, |reader, value| own_rollouts(reader, value, rollouts));
        let rollouts = match field {
            Field::Given(rollouts) => rollouts.what,
            Field::Absent | Field::Wrong => OwnRollouts::Same,
        };
        overrides.insert(Region::new(value.key), Override { layer, rollouts });
    }
    overrides
}

/// `[[region.NAME.rollout]]` in place of all rollouts, or `[region.NAME.rollout.NAME]` for some keys of one.
fn own_rollouts(reader: &mut Reader<'_>, value: &Value<'_>, general: &Field<Vec<RolloutTable>>) -> Option<OwnRollouts> {
    if value.value.is_array() {
        return RolloutTable::read_list(reader, value).map(OwnRollouts::List);
    }
    let table = reader.table(value, "a list of rollouts, or a table for each rollout that differs")?;
    let mut keys = BTreeMap::new();
    for entry in table.entries() {
        if let Some(known) = names(general)
            && !known.contains(&entry.key)
        {
            let mistake = Mistake::new(entry.key_at.clone(), format!("there is no rollout `{}`", entry.key))
                .help(format!("the file's rollouts: {}", known.join(", ")));
            reader.mistake(match near_miss(entry.key, known) {
                Some(meant) => mistake.label(format!("did you mean `{meant}`?")),
                None => mistake,
            });
        }
        if let Some(table) = reader.table(entry, "a table") {
            keys.insert(entry.key.to_owned(), RolloutTable::read_override(reader, table));
        }
    }
    Some(OwnRollouts::Keys(keys))
}

/// The names of the general rollouts; nothing while one of them is a mistake, so that nothing is blamed for it.
fn names(rollouts: &Field<Vec<RolloutTable>>) -> Option<Vec<&str>> {
    match rollouts {
        Field::Absent => Some(Vec::new()),
        Field::Wrong => None,
        Field::Given(rollouts) => rollouts
            .what
            .iter()
            .map(|rollout| rollout.name.given().map(|name| name.what.as_str()))
            .collect(),
    }
}
