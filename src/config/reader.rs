//! A walk over the file's tables that goes on after a mistake, so that one wrong value does not hide the others.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::grammar::Grammar;
use super::report::{Mistake, Place};
use super::scope::Scope;
use super::secret::Secrets;
use super::suggest::near_miss;
use super::table::{Placed, Table, Value};
use super::template::{Parsed, Template, TemplateMistake, Variable};

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
    /// Reads `text`.
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

    /// A string, whatever it holds.
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
            // A number too large to be read fits as little as no text at all.
            DeValue::Integer(_) => value.integer().map_or_else(String::new, |number| number.to_string()),
            _ => {
                self.wrong_type(value, "a number or a string");
                return None;
            }
        };
        self.fits(&value.at, &value.name, grammar, &text).then_some(text)
    }

    /// True or false.
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
            self.mistake(malformed(at, &value.name, scope, &error.what));
        }
        for (variable, part) in &parsed.variables {
            let at = self.within(&value.at, &text, part);
            if !scope.allows(*variable) {
                let what = format!("`{{{}}}` can't be used in `{}`", variable.name(), value.name);
                self.mistake(Mistake::new(at, what).help(scope.allowed()));
            } else if *variable == Variable::Branch && !self.branch_is_set {
                let what = format!("`{{branch}}` is used in `{}`, and the file sets no branch", value.name);
                self.mistake(Mistake::new(at, what).help("set it at the top of the file, such as: branch = \"main\""));
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

    /// A list of templates; never empty.
    pub fn templates(&mut self, value: &Value<'_>, scope: Scope) -> Option<Vec<Placed<Template>>> {
        let items = self.list(value)?;
        // Every item is read before the first wrong one makes the list wrong.
        let read: Vec<_> = items.iter().map(|item| self.placed(item, scope)).collect();
        read.into_iter().collect()
    }

    /// A template with its place.
    pub fn placed(&mut self, value: &Value<'_>, scope: Scope) -> Option<Placed<Template>> {
        Some(Placed::new(&value.at, self.template(value, scope)?))
    }

    /// A table whose keys are names.
    pub fn named<T>(
        &mut self,
        table: &Table<'_>,
        read: impl Fn(&mut Self, &Value<'_>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        table
            .entries()
            .iter()
            .filter_map(|value| Some((value.key.to_owned(), read(self, value)?)))
            .collect()
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

/// What is wrong with a template that is none.
fn malformed(at: Place, name: &str, scope: Scope, what: &TemplateMistake) -> Mistake {
    match what {
        TemplateMistake::Unclosed => Mistake::new(at, format!("a `{{` without its `}}` in `{name}`"))
            .help("write {{ for a brace that is meant as such"),
        TemplateMistake::Stray => Mistake::new(at, format!("a `}}` without its `{{` in `{name}`"))
            .help("write }} for a brace that is meant as such"),
        TemplateMistake::Unknown { name: variable, meant } => {
            let mistake =
                Mistake::new(at, format!("unknown variable `{{{variable}}}` in `{name}`")).help(scope.allowed());
            match meant {
                Some(meant) => mistake.label(format!("did you mean {{{}}}?", meant.name())),
                None => mistake,
            }
        }
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
