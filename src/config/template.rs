//! Name templates such as `sento-{region}-processor-ecr`: literal text and a closed set of variables.
//!
//! `{{` and `}}` stand for one brace. There are no filters, defaults or conditions: a region that differs in more
//! than its name overrides the whole value.

use std::fmt;
use std::ops::Range;

use super::suggest;

/// What a template can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// The `app` of config.toml.
    App,
    /// The environment's name.
    Environment,
    /// The lane's region.
    Region,
    /// The number of the account that the lane's credentials belong to.
    Account,
    /// The commit's full id.
    Sha,
    /// The first seven digits of the commit's id.
    ShortSha,
    /// The `branch` of config.toml, which a file that uses it has to set.
    Branch,
}

impl Variable {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 7] = [
        Self::App,
        Self::Environment,
        Self::Region,
        Self::Account,
        Self::Sha,
        Self::ShortSha,
        Self::Branch,
    ];

    /// Its name, without the braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Environment => "environment",
            Self::Region => "region",
            Self::Account => "account",
            Self::Sha => "sha",
            Self::ShortSha => "short_sha",
            Self::Branch => "branch",
        }
    }
}

/// The values of the variables in one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vars<'a> {
    /// `{app}`.
    pub app: &'a str,
    /// `{environment}`.
    pub environment: &'a str,
    /// `{region}`.
    pub region: &'a str,
    /// `{account}`.
    pub account: &'a str,
    /// `{sha}`.
    pub sha: &'a str,
    /// `{short_sha}`.
    pub short_sha: &'a str,
    /// `{branch}`.
    pub branch: &'a str,
}

impl<'a> Vars<'a> {
    fn get(&self, variable: Variable) -> &'a str {
        match variable {
            Variable::App => self.app,
            Variable::Environment => self.environment,
            Variable::Region => self.region,
            Variable::Account => self.account,
            Variable::Sha => self.sha,
            Variable::ShortSha => self.short_sha,
            Variable::Branch => self.branch,
        }
    }
}

/// A checked template. Its `Display` is its source, which parses to the same template again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Variable(Variable),
}

impl Template {
    /// Parses `text`; the errors carry byte offsets into it, and all of them are returned.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateError>> {
        let parsed = Parsed::new(text);
        if parsed.errors.is_empty() {
            Ok(parsed.template)
        } else {
            Err(parsed.errors)
        }
    }

    /// A template that renders to `text` as it is, braces included.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() {
            Vec::new()
        } else {
            vec![Part::Literal(text)]
        })
    }

    /// Fills the variables in.
    pub fn render(&self, vars: &Vars<'_>) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.as_str(),
                Part::Variable(variable) => vars.get(*variable),
            })
            .collect()
    }

    /// Whether it renders to the same text whatever the variables are.
    pub(super) fn is_literal(&self) -> bool {
        !self.0.iter().any(|part| matches!(part, Part::Variable(_)))
    }

    /// Whether it tells one commit from another.
    pub(super) fn names_the_commit(&self) -> bool {
        self.uses(Variable::Sha) || self.uses(Variable::ShortSha)
    }

    /// Whether the variable occurs in it.
    pub fn uses(&self, variable: Variable) -> bool {
        self.0.contains(&Part::Variable(variable))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Variable(variable) => write!(f, "{{{}}}", variable.name()),
        })
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The bytes of the text that are wrong.
    pub at: Range<usize>,
    /// What is wrong there.
    pub what: TemplateMistake,
}

/// The ways to get a template wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateMistake {
    /// A `{` without its `}`.
    Unclosed,
    /// A `}` without its `{`.
    Stray,
    /// No variable has this name.
    Unknown {
        /// What was written between the braces.
        name: String,
        /// The variable that was probably meant.
        meant: Option<Variable>,
    },
}

/// A template with the places of its variables, and everything that was wrong with it.
pub(super) struct Parsed {
    pub template: Template,
    pub variables: Vec<(Variable, Range<usize>)>,
    pub errors: Vec<TemplateError>,
}

impl Parsed {
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut variables = Vec::new();
        let mut errors = Vec::new();
        let mut at = 0;
        while let Some(found) = text[at..].find(['{', '}']) {
            let brace = at + found;
            literal.push_str(&text[at..brace]);
            let rest = &text[brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push_str(&rest[..1]);
                at = brace + 2;
            } else if rest.starts_with('}') {
                errors.push(TemplateError {
                    at: brace..brace + 1,
                    what: TemplateMistake::Stray,
                });
                at = brace + 1;
            } else if let Some(end) = rest[1..]
                .find(['{', '}'])
                .filter(|end| rest[1 + end..].starts_with('}'))
            {
                let name = &rest[1..1 + end];
                at = brace + end + 2;
                match Variable::ALL.into_iter().find(|variable| variable.name() == name) {
                    Some(variable) => {
                        if !literal.is_empty() {
                            parts.push(Part::Literal(std::mem::take(&mut literal)));
                        }
                        parts.push(Part::Variable(variable));
                        variables.push((variable, brace..at));
                    }
                    None => errors.push(TemplateError {
                        at: brace..at,
                        what: TemplateMistake::Unknown {
                            name: name.to_owned(),
                            meant: meant(name),
                        },
                    }),
                }
            } else {
                errors.push(TemplateError {
                    at: brace..brace + 1,
                    what: TemplateMistake::Unclosed,
                });
                at = brace + 1;
            }
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Self {
            template: Template(parts),
            variables,
            errors,
        }
    }
}

/// The variable that `name` was probably meant to be.
fn meant(name: &str) -> Option<Variable> {
    let name = name.trim().to_lowercase().replace('-', "_");
    let other_word = match name.as_str() {
        "commit" | "revision" | "git_sha" | "github_sha" => Some(Variable::Sha),
        "env" => Some(Variable::Environment),
        "account_id" | "aws_account" => Some(Variable::Account),
        "aws_region" => Some(Variable::Region),
        "ref" | "ref_name" => Some(Variable::Branch),
        _ => None,
    };
    other_word.or_else(|| {
        let near = suggest::near_miss(&name, Variable::ALL.map(Variable::name))?;
        Variable::ALL.into_iter().find(|variable| variable.name() == near)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VARS: Vars<'static> = Vars {
        app: "sento",
        environment: "qa",
        region: "us-east-1",
        account: "123456789012",
        sha: "4f1c0aa",
        short_sha: "4f1",
        branch: "main",
    };

    fn render(text: &str) -> String {
        Template::parse(text).expect("a good template").render(&VARS)
    }

    #[test]
    fn variables_are_filled_in_and_doubled_braces_are_braces() {
        assert_eq!(render("sento-{region}-processor-ecr"), "sento-us-east-1-processor-ecr");
        assert_eq!(
            render("{app}/{environment}/{account}/{sha}/{short_sha}/{branch}"),
            "sento/qa/123456789012/4f1c0aa/4f1/main"
        );
        assert_eq!(render("{{region}} {{{region}}} }}{{"), "{region} {us-east-1} }{");
        assert_eq!(render(""), "");
    }

    #[test]
    fn every_mistake_is_found_where_it_is() {
        let errors = Template::parse("a{regoin}b}c{Ärger}{open").expect_err("four mistakes");
        let places: Vec<_> = errors.iter().map(|error| error.at.clone()).collect();
        assert_eq!(places, [1..9, 10..11, 12..20, 20..21]);
        assert_eq!(
            errors[0].what,
            TemplateMistake::Unknown {
                name: "regoin".into(),
                meant: Some(Variable::Region)
            }
        );
        assert_eq!(errors[1].what, TemplateMistake::Stray);
        assert_eq!(errors[3].what, TemplateMistake::Unclosed);
    }

    #[test]
    fn the_words_of_other_tools_are_understood() {
        for (word, variable) in [
            ("commit", Variable::Sha),
            ("env", Variable::Environment),
            ("Region ", Variable::Region),
            ("short-sha", Variable::ShortSha),
        ] {
            assert_eq!(meant(word), Some(variable), "{word}");
        }
        assert_eq!(meant("weather"), None);
    }

    proptest! {
        #[test]
        fn a_template_survives_its_text_form(text in r"([a-zä\-{}]|\{region\}|\{sha\}|\{\{|\}\}){0,12}") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert_eq!(Template::parse(&template.to_string()), Ok(template));
            }
        }

        #[test]
        fn a_literal_renders_to_itself(text in any::<String>()) {
            let template = Template::literal(text.clone());
            prop_assert_eq!(template.render(&VARS), text.clone());
            prop_assert_eq!(Template::parse(&template.to_string()).map(|again| again.render(&VARS)), Ok(text));
        }

        #[test]
        fn errors_lie_within_the_text(text in any::<String>()) {
            for error in Template::parse(&text).err().unwrap_or_default() {
                prop_assert!(text.get(error.at.clone()).is_some(), "{:?}", error);
            }
        }
    }
}
