//! A walk over the file's tables that goes on after a mistake, so that one wrong value does not hide the others.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::grammar::Grammar;
use super::report::{Mistake, Place};
use super::secret::Secrets;
use super::suggest::near_miss;
use super::template::{Parsed, Template, TemplateMistake, Variable};

/// Something with its place in the file.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub at: Place,
    pub what: T,
}

impl<T> Placed<T> {
    pub fn new(at: &Place, what: T) -> Self {
        Self { at: at.clone(), what }
    }
}

/// A key's value as far as it could be read.
#[derive(Debug, Clone, Default)]
pub(super) enum Field<T> {
    /// The key is not there.
    #[default]
    Absent,
    /// The key is there, its value is a mistake, and that has been told.
    Wrong,
    /// A value of the right type.
    Given(Placed<T>),
}

impl<T> Field<T> {
    /// This one where it says something, else the other.
    pub fn or<'f>(&'f self, general: &'f Self) -> &'f Self {
        match self {
            Self::Absent => general,
            Self::Wrong | Self::Given(_) => self,
        }
    }

    /// The value, or what it is when nothing is said; nothing where it is a mistake.
    pub fn or_default(&self, default: T) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Absent => Some(default),
            Self::Wrong => None,
            Self::Given(value) => Some(value.what.clone()),
        }
    }

    /// The value, if there is a good one.
    pub fn given(&self) -> Option<&Placed<T>> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// Where a template stands, which decides what it can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Filled in when the file is read, before AWS or git are asked.
    File,
    /// A thing that exists before the commit is built: a repository, a document, a host.
    Place,
    /// An image's tag, which is the same in every account.
    Tag,
    /// A value that goes with the deployment.
    Value,
}

impl Scope {
    fn allows(self, variable: Variable) -> bool {
        match variable {
            Variable::App | Variable::Environment | Variable::Region | Variable::Branch => true,
            Variable::Account => matches!(self, Self::Place | Self::Value),
            Variable::Sha | Variable::ShortSha => matches!(self, Self::Tag | Self::Value),
        }
    }

    /// The variables that can be used, for people.
    fn allowed(self) -> String {
        let names: Vec<_> = Variable::ALL
            .into_iter()
            .filter(|variable| self.allows(*variable))
            .map(|variable| format!("{{{}}}", variable.name()))
            .collect();
        format!("variables here: {} (and {{{{ for a brace)", names.join(", "))
    }
}

/// What all the parts of the file are read with: its text, and the list of mistakes.
pub(super) struct Reader<'s> {
    text: &'s str,
    /// Where secrets come from.
    pub secrets: Secrets<'s>,
    /// Whether `{branch}` stands for something.
    pub branch_is_set: bool,
    mistakes: Vec<Mistake>,
}

impl<'s> Reader<'s> {
    pub fn new(text: &'s str, secrets: Secrets<'s>) -> Self {
        Self {
            text,
            secrets,
            branch_is_set: false,
            mistakes: Vec::new(),
        }
    }

    /// Everything that was wrong.
    pub fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    /// Tells a mistake. What several regions have in common may be told again for each; the report has it once.
    pub fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Tells what the value should have been.
    pub fn wrong_type(&mut self, value: &Value<'_>, expected: &str) {
        let what = match value.is_item {
            true => format!("every item of `{}` must be {expected}", value.name),
            false => format!("`{}` must be {expected}", value.name),
        };
        self.mistake(Mistake::new(value.at.clone(), what).label(format!("this is {}", type_name(value.value))));
    }

    /// Whether `text` fits; tells a mistake at `at` when it doesn't.
    pub fn fits(&mut self, at: &Place, name: &str, grammar: &Grammar, text: &str) -> bool {
        let fits = (grammar.fits)(text);
        if !fits {
            self.mistake(
                Mistake::new(at.clone(), format!("`{name}` is not {}", grammar.name))
                    .help(format!("allowed: {}", grammar.allowed)),
            );
        }
        fits
    }

    pub fn text(&mut self, value: &Value<'_>) -> Option<String> {
        if let DeValue::String(text) = value.value {
            Some(text.clone().into_owned())
        } else {
            self.wrong_type(value, "a string");
            None
        }
    }

    /// A string in a grammar.
    pub fn plain(&mut self, value: &Value<'_>, grammar: &Grammar) -> Option<String> {
        let text = self.text(value)?;
        self.fits(&value.at, &value.name, grammar, &text).then_some(text)
    }

    /// A string or a whole number, in a grammar.
    pub fn plain_or_number(&mut self, value: &Value<'_>, grammar: &Grammar) -> Option<String> {
        let text = match value.value {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(_) => match value.integer() {
                Some(number) => number.to_string(),
                None => String::new(),
            },
            _ => {
                self.wrong_type(value, "a number or a string");
                return None;
            }
        };
        self.fits(&value.at, &value.name, grammar, &text).then_some(text)
    }

    pub fn flag(&mut self, value: &Value<'_>) -> Option<bool> {
        if let DeValue::Boolean(flag) = value.value {
            Some(*flag)
        } else {
            self.wrong_type(value, "true or false");
            None
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, value: &Value<'_>, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(value)?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(*choice);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let mistake = Mistake::new(value.at.clone(), format!("`{}` can't be `{text}`", value.name))
            .help(format!("allowed: \"{}\"", words.join("\", \"")));
        self.mistake(match near_miss(&text, words) {
            Some(meant) => mistake.label(format!("did you mean \"{meant}\"?")),
            None => mistake,
        });
        None
    }

    /// A template whose variables have a meaning where it stands.
    pub fn template(&mut self, value: &Value<'_>, scope: Scope) -> Option<Template> {
        let text = self.text(value)?;
        let parsed = Parsed::new(&text);
        let before = self.mistakes.len();
        for error in &parsed.errors {
            let at = self.within(&value.at, &text, &error.at);
            self.mistake(match &error.what {
                TemplateMistake::Unclosed => Mistake::new(at, format!("a `{{` without its `}}` in `{}`", value.name))
                    .help("write {{ for a brace that is meant as such"),
                TemplateMistake::Stray => Mistake::new(at, format!("a `}}` without its `{{` in `{}`", value.name))
                    .help("write }} for a brace that is meant as such"),
                TemplateMistake::Unknown { name, meant } => {
                    let mistake = Mistake::new(at, format!("unknown variable `{{{name}}}` in `{}`", value.name))
                        .help(scope.allowed());
                    match meant {
                        Some(meant) => mistake.label(format!("did you mean {{{}}}?", meant.name())),
                        None => mistake,
                    }
                }
            });
        }
        for (variable, part) in &parsed.variables {
            let name = variable.name();
            if !scope.allows(*variable) {
                let at = self.within(&value.at, &text, part);
                self.mistake(
                    Mistake::new(at, format!("`{{{name}}}` can't be used in `{}`", value.name)).help(scope.allowed()),
                );
            } else if *variable == Variable::Branch && !self.branch_is_set {
                let at = self.within(&value.at, &text, part);
                self.mistake(
                    Mistake::new(
                        at,
                        format!("`{{{name}}}` is used in `{}`, and the file sets no branch", value.name),
                    )
                    .help("set `branch` at the top of the file, such as: branch = \"main\""),
                );
            }
        }
        (self.mistakes.len() == before).then_some(parsed.template)
    }

    /// The values of a list that must not be empty.
    pub fn list<'t>(&mut self, value: &Value<'t>) -> Option<Vec<Value<'t>>> {
        let items = self.maybe_empty_list(value, "a list")?;
        if items.is_empty() {
            self.mistake(Mistake::new(value.at.clone(), format!("`{}` is empty", value.name)).label("at least one"));
            return None;
        }
        Some(items)
    }

    /// The values of a list; `expected` is what people are told when it is none.
    pub fn maybe_empty_list<'t>(&mut self, value: &Value<'t>, expected: &str) -> Option<Vec<Value<'t>>> {
        let DeValue::Array(items) = value.value else {
            self.wrong_type(value, expected);
            return None;
        };
        Some(
            items
                .iter()
                .map(|item| Value {
                    name: value.name.clone(),
                    is_item: true,
                    key: value.key,
                    key_at: item.span(),
                    at: item.span(),
                    value: item.get_ref(),
                })
                .collect(),
        )
    }

    /// The table that a value is.
    pub fn table<'t>(&mut self, value: &Value<'t>, expected: &str) -> Option<Table<'t>> {
        if let DeValue::Table(table) = value.value {
            Some(Table::new(value.name.clone(), Some(value.key_at.clone()), table))
        } else {
            self.wrong_type(value, expected);
            None
        }
    }

    /// The place of a part of a string: exact where it is written without escapes, else the whole string.
    fn within(&self, at: &Place, decoded: &str, part: &Place) -> Place {
        let raw = self.text.get(at.clone()).unwrap_or_default();
        ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| raw.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) == Some(decoded))
            .map_or_else(
                || at.clone(),
                |quote| {
                    let start = at.start + quote.len();
                    start + part.start..start + part.end
                },
            )
    }
}

/// A value, the key that it belongs to, and where both are.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    /// As people name it: `build.args.VERSION`. An item of a list has the list's name.
    pub name: String,
    /// Whether it is an item of a list.
    pub is_item: bool,
    /// The last part of the name, as it was written.
    pub key: &'t str,
    /// Where the key is; an item of a list stands for itself.
    pub key_at: Place,
    /// Where the value is.
    pub at: Place,
    /// The value.
    pub value: &'t DeValue<'t>,
}

impl Value<'_> {
    /// A whole number; `None` for what is none or does not fit.
    pub fn integer(&self) -> Option<i64> {
        let number = self.value.as_integer()?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Table<'t> {
    /// As people name it; empty for the whole file.
    pub name: String,
    /// The key that makes the table; `None` for the whole file.
    pub at: Option<Place>,
    entries: Vec<Value<'t>>,
    /// The keys that somebody misspelt; they are not missing.
    misspelt: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub fn new(name: String, at: Option<Place>, table: &'t DeTable<'t>) -> Self {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| Value {
                name: join(&name, key.get_ref()),
                is_item: false,
                key: key.get_ref(),
                key_at: key.span(),
                at: value.span(),
                value: value.get_ref(),
            })
            .collect();
        // The map is sorted by name; people expect the order of the file.
        entries.sort_by_key(|entry| entry.key_at.start);
        Self {
            name,
            at,
            entries,
            misspelt: Vec::new(),
        }
    }

    /// Says which keys the table can have, in the order in which they are told; every other one is a mistake.
    pub fn know(&mut self, keys: &[&'static str], reader: &mut Reader<'_>) {
        for entry in self.entries.iter().filter(|entry| !keys.contains(&entry.key)) {
            let place = match self.name.as_str() {
                "" => "at the top of the file".to_owned(),
                name => format!("in `{name}`"),
            };
            let mistake = Mistake::new(entry.key_at.clone(), format!("unknown key `{}`", entry.name))
                .help(format!("keys {place}: {}", keys.join(", ")));
            reader.mistake(match near_miss(entry.key, keys.iter().copied()) {
                Some(meant) => {
                    self.misspelt.extend(keys.iter().find(|key| **key == meant));
                    mistake.label(format!("did you mean `{meant}`?"))
                }
                None => mistake,
            });
        }
    }

    /// Every entry, for tables whose keys are free.
    pub fn entries(&self) -> &[Value<'t>] {
        &self.entries
    }

    /// Reads a key with `read`, which tells a mistake whenever it returns nothing.
    pub fn field<'s, T>(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'s>,
        read: impl FnOnce(&mut Reader<'s>, &Value<'t>) -> Option<T>,
    ) -> Field<T> {
        match self.entries.iter().find(|entry| entry.key == key) {
            None if self.misspelt.contains(&key) => Field::Wrong,
            None => Field::Absent,
            Some(value) => read(reader, value).map_or(Field::Wrong, |what| Field::Given(Placed::new(&value.at, what))),
        }
    }

    /// Reads the table under a key.
    pub fn table<'s, T: Default>(
        &mut self,
        key: &'static str,
        reader: &mut Reader<'s>,
        read: impl FnOnce(&mut Reader<'s>, Table<'t>) -> T,
    ) -> T {
        let field = self.field(key, reader, |reader, value| {
            let table = reader.table(value, "a table")?;
            Some(read(reader, table))
        });
        match field {
            Field::Given(value) => value.what,
            Field::Absent | Field::Wrong => T::default(),
        }
    }

    /// Tells about a key that has to be there.
    pub fn require<T>(&self, field: &Field<T>, key: &str, example: &str, reader: &mut Reader<'_>) {
        if matches!(field, Field::Absent) {
            reader.mistake(Mistake::missing(self.at.clone(), &join(&self.name, key), example));
        }
    }
}

/// Tells about what is there twice, and keeps the first of each.
pub(super) fn unique<T: Ord + Clone>(
    reader: &mut Reader<'_>,
    items: Vec<Placed<T>>,
    what: impl Fn(&T) -> String,
) -> Vec<Placed<T>> {
    let mut first = BTreeMap::new();
    items
        .into_iter()
        .filter(|item| match first.get(&item.what) {
            Some(at) => {
                reader.mistake(
                    Mistake::new(item.at.clone(), format!("{} is there twice", what(&item.what)))
                        .label("again")
                        .other(Place::clone(at), "first"),
                );
                false
            }
            None => {
                first.insert(item.what.clone(), item.at.clone());
                true
            }
        })
        .collect()
}

/// `build` and `args` make `build.args`; a key that is not bare is quoted.
fn join(table: &str, key: &str) -> String {
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let key = if is_bare { key.to_owned() } else { format!("\"{key}\"") };
    if table.is_empty() {
        key
    } else {
        format!("{table}.{key}")
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
