//! Tables and their values, each with its name for people and its place in the file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use toml::de::{DeTable, DeValue};

use super::reader::Reader;
use super::report::{Mistake, Place};
use super::suggest::near_miss;

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
    /// A parsed table under its name.
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

/// Tells about what is there twice.
pub(super) fn unique<T: Ord>(reader: &mut Reader<'_>, items: &[Placed<T>], name: impl Fn(&T) -> String) {
    let mut first: BTreeMap<&T, &Place> = BTreeMap::new();
    for item in items {
        match first.entry(&item.what) {
            Entry::Occupied(first) => reader.mistake(
                Mistake::new(item.at.clone(), format!("{} is there twice", name(&item.what)))
                    .label("again")
                    .other(Place::clone(first.get()), "first"),
            ),
            Entry::Vacant(place) => {
                place.insert(&item.at);
            }
        }
    }
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
