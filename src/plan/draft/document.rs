//! The SSM document, and whether it takes the parameters.

use secrecy::ExposeSecret;

use super::repository::profile;
use super::{Draft, Names, Said, is_showable, passed, settle};
use crate::config::{LaneConfig, Parameter, RolloutConfig, Template, near_miss};
use crate::plan::found::{Document, DocumentParameter};
use crate::problem::{Kind, Problem};
use crate::words;

/// Allowed values that are listed.
const LISTED: usize = 8;

/// A parameter's values, for a look at them and nothing else.
struct Values {
    texts: Vec<String>,
    secret: bool,
}

impl Draft<'_> {
    pub(super) fn document_check(&self, lane: &LaneConfig, rollout: &RolloutConfig, names: Option<&Names<'_>>) -> Said {
        let found = self.region(lane).and_then(|found| found.documents.get(&rollout.name));
        let missing = self.missing(lane, [&rollout.document]);
        settle(found, missing, |document| {
            let Some(names) = names else {
                return Said::Pending;
            };
            let name = names
                .fill(&rollout.document)
                .unwrap_or_else(|| rollout.document.to_string());
            let Some(document) = document else {
                return Said::Failed(absent(lane, rollout, &name));
            };
            let mut complaints = complaints(document, rollout);
            for (key, parameter) in &rollout.parameters {
                let Some(values) = values(parameter, names) else {
                    // A value names the commit: wait for it, unless it will never come.
                    if self.commit_failed() != Some(true) {
                        return Said::Pending;
                    }
                    continue;
                };
                if let Some(taken) = document.parameters.iter().find(|taken| taken.name.as_str() == key) {
                    complaints.extend(refusals(taken, &values));
                }
                if !values.secret && !values.texts.iter().all(|text| is_showable(text)) {
                    complaints.push(format!(
                        "`{key}` holds control or invisible characters: mark it as a secret to send it as it is"
                    ));
                }
            }
            if complaints.is_empty() {
                passed(said(&name, document, rollout))
            } else {
                Said::Failed(refused(&name, document, rollout, &complaints))
            }
        })
    }
}

fn said(name: &str, document: &Document, rollout: &RolloutConfig) -> String {
    let asked = &rollout.document_version;
    let version = if *asked == document.version {
        document.version.to_string()
    } else {
        format!("{} ({asked})", document.version)
    };
    let mut said = format!("{name} version {version}");
    let keys: Vec<&str> = rollout.parameters.keys().map(String::as_str).collect();
    if keys.is_empty() {
        said.push_str("\nneeds no parameters");
    } else {
        said.push_str(&format!("\ntakes {}", keys.join(", ")));
    }
    if let Some(secs) = document.execution_timeout_secs {
        let time = words::duration(std::time::Duration::from_secs(secs.into()));
        said.push_str(&format!("\na host has {time} to run it"));
    }
    said
}

fn absent(lane: &LaneConfig, rollout: &RolloutConfig, name: &str) -> Problem {
    Problem::new(
        Kind::Config,
        format!(
            "the document {name} (version {}) does not exist in {}",
            rollout.document_version, lane.region
        ),
        format!(
            "create it, share it with this account, or correct `document` of rollout {}; what there is: \
             aws ssm list-documents --filters Key=Owner,Values=Self --region {}{}",
            rollout.name,
            lane.region,
            profile(lane)
        ),
    )
}

fn refused(name: &str, document: &Document, rollout: &RolloutConfig, complaints: &[String]) -> Problem {
    let what = format!("{name} version {} does not take the parameters", document.version);
    let remedy = format!("correct the parameters of rollout {} in config.toml", rollout.name);
    Problem::new(Kind::Config, format!("{what}:\n{}", complaints.join("\n")), remedy)
}

/// Parameters that the document does not know, and those that it needs and does not get.
fn complaints(document: &Document, rollout: &RolloutConfig) -> Vec<String> {
    let known: Vec<&str> = document
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    let unknown = rollout
        .parameters
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| match near_miss(key, known.iter().copied()) {
            Some(meant) => format!("it has no `{key}`; did you mean `{meant}`?"),
            None if known.is_empty() => format!("it has no `{key}`, and takes no parameters at all"),
            None => format!(
                "it has no `{key}`; it takes {}",
                words::names(&known, known.len(), LISTED)
            ),
        });
    let needed = document
        .parameters
        .iter()
        .filter(|parameter| parameter.required && !rollout.parameters.contains_key(parameter.name.as_str()))
        .map(|parameter| format!("it needs `{}`", parameter.name));
    unknown.chain(needed).collect()
}

/// `None` when a value names a commit that is not known.
fn values(parameter: &Parameter, names: &Names<'_>) -> Option<Values> {
    match parameter {
        Parameter::Plain(templates) => Some(Values {
            texts: templates
                .iter()
                .map(|template: &Template| names.fill(template))
                .collect::<Option<_>>()?,
            secret: false,
        }),
        Parameter::Secret(secret) => Some(Values {
            texts: vec![secret.expose_secret().to_owned()],
            secret: true,
        }),
    }
}

/// Why the document would refuse these values. A secret's value is looked at and never said.
fn refusals(parameter: &DocumentParameter, values: &Values) -> Vec<String> {
    let name = &parameter.name;
    if !parameter.is_list && values.texts.len() != 1 {
        return vec![format!(
            "`{name}` takes one value, and {} are given",
            values.texts.len()
        )];
    }
    let pattern = parameter.allowed_pattern.as_ref();
    // Java's dialect: what cannot be read here is left to SSM, and what matches anywhere is left to it too.
    let regex = pattern.and_then(|pattern| regex_lite::Regex::new(pattern.as_str()).ok());
    let mut refusals = Vec::new();
    // SSM fills references to Parameter Store in before it compares.
    for text in values.texts.iter().filter(|text| !text.contains("{{")) {
        let value = if values.secret {
            "its secret value".to_owned()
        } else {
            format!("`{text}`")
        };
        let allowed: Vec<&str> = parameter.allowed_values.iter().map(|value| value.as_str()).collect();
        if !allowed.is_empty() && !allowed.contains(&text.as_str()) {
            let list = words::names(&allowed, allowed.len(), LISTED);
            refusals.push(format!("`{name}` does not take {value}, only {list}"));
        }
        if let (Some(pattern), Some(regex)) = (pattern, &regex)
            && !regex.is_match(text)
        {
            refusals.push(format!("`{name}` does not take {value}: it must match {pattern}"));
        }
    }
    refusals
}
