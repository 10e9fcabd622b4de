//! Command documents: what a region has, and what a command may tell them.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::input::{Input, is_document_name, is_document_version, violated};
use super::pages;
use crate::names::Millis;
use crate::rehearsal::sts::ACCOUNT;
use crate::rehearsal::wire::{Answer, Fault};

/// The document that the workflow presumes; every region has it as `REGION-pull-image-document`.
pub const PULL_IMAGE: &str = include_str!("../../../assets/pull-image-document.json");
/// AWS's own document for any script, as short as it may be.
const RUN_SHELL_SCRIPT: &str = r#"{"schemaVersion":"2.2","description":"Run a shell script.","parameters":{
"commands":{"type":"StringList","description":"The script's lines."},
"workingDirectory":{"type":"String","description":"Where it runs.","default":""},
"executionTimeout":{"type":"String","description":"Seconds.","default":"3600","allowedPattern":"([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)"}},
"mainSteps":[{"action":"aws:runShellScript","name":"runShellScript","inputs":{"timeoutSeconds":"{{ executionTimeout }}",
"workingDirectory":"{{ workingDirectory }}","runCommand":"{{ commands }}"}}]}"#;
/// What the agent takes when a step's timeout is absent, unreadable or out of range (amazon-ssm-agent, `pluginutil.go`).
const DEFAULT_TIMEOUT: u64 = 3600;
/// The range that the agent takes.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 5..=172_800;

/// A document with all its versions.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its name.
    pub name: String,
    owner: &'static str,
    versions: Vec<Version>,
    default: usize,
}

#[derive(Debug, Clone)]
struct Version {
    text: String,
    content: Value,
    created: Millis,
}

impl Document {
    /// A document with one version.
    ///
    /// # Errors
    ///
    /// Why the text is no document: it is not JSON, or has no steps.
    pub fn new(name: &str, text: &str, created: Millis) -> Result<Self, String> {
        let mut document = Self {
            name: name.to_owned(),
            owner: if name.starts_with("AWS-") { "Amazon" } else { ACCOUNT },
            versions: Vec::new(),
            default: 0,
        };
        document.add_version(text, created)?;
        Ok(document)
    }

    /// Adds a version, which becomes `$LATEST` but not `$DEFAULT`, and returns its number.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn add_version(&mut self, text: &str, created: Millis) -> Result<usize, String> {
        let content: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        if content["mainSteps"].as_array().is_none_or(Vec::is_empty) {
            return Err("it has no mainSteps".to_owned());
        }
        self.versions.push(Version {
            text: text.to_owned(),
            content,
            created,
        });
        Ok(self.versions.len())
    }

    /// The number and content of `$LATEST`, `$DEFAULT` (or nothing), or a number.
    fn version(&self, wanted: &str) -> Result<(usize, &Version), Fault> {
        let at = match wanted {
            "" | "$DEFAULT" => Some(self.default),
            "$LATEST" => self.versions.len().checked_sub(1),
            number => number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)),
        };
        at.and_then(|at| Some((at + 1, self.versions.get(at)?))).ok_or_else(|| {
            Fault::client(
                "InvalidDocumentVersion",
                format!("Document version {wanted} of {} does not exist", self.name),
            )
        })
    }
}

/// A region's documents.
#[derive(Debug, Clone, Default)]
pub struct Documents(BTreeMap<String, Document>);

impl Documents {
    /// What every region of a rehearsal has.
    pub fn of_region(region: &str, created: Millis) -> Self {
        let mut documents = Self::default();
        let usual = [
            (format!("{region}-pull-image-document"), PULL_IMAGE),
            ("AWS-RunShellScript".to_owned(), RUN_SHELL_SCRIPT),
        ];
        for (name, text) in usual {
            // Both texts are this program's own; a test reads them.
            if let Ok(document) = Document::new(&name, text, created) {
                documents.put(document);
            }
        }
        documents
    }

    /// Adds a document, or replaces the one of its name.
    pub fn put(&mut self, document: Document) {
        self.0.insert(document.name.clone(), document);
    }

    /// Takes a document away.
    pub fn remove(&mut self, name: &str) -> Option<Document> {
        self.0.remove(name)
    }

    /// A document by name, to add versions to.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Document> {
        self.0.get_mut(name)
    }

    fn find(&self, name: &str) -> Result<&Document, Fault> {
        let short = name.rsplit_once("document/").map_or(name, |(_, short)| short);
        self.0
            .get(short)
            .ok_or_else(|| Fault::client("InvalidDocument", format!("Document with name {name} does not exist.")))
    }

    fn asked(&self, input: Input<'_>, name: &str) -> Result<(&Document, usize, &Version), Fault> {
        let name = input.required(name)?;
        if !is_document_name(name) {
            let why = r"Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\-.:/]{3,128}$";
            return Err(violated(name, "Name", why));
        }
        let version = input.text("DocumentVersion")?.unwrap_or_default();
        if !version.is_empty() && !is_document_version(version) {
            let why = "Member must satisfy regular expression pattern: ([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)";
            return Err(violated(version, "DocumentVersion", why));
        }
        let document = self.find(name)?;
        let (number, version) = document.version(version)?;
        Ok((document, number, version))
    }

    /// The version that a command would run.
    pub(super) fn runnable(&self, input: Input<'_>) -> Result<Runnable<'_>, Fault> {
        let (document, _, version) = self.asked(input, "DocumentName")?;
        Ok(Runnable {
            name: &document.name,
            content: &version.content,
        })
    }

    pub(super) fn describe(&self, body: &Value) -> Answer {
        let (document, number, version) = self.asked(Input::new(body), "Name")?;
        Ok(json!({ "Document": document.description(number, version) }))
    }

    pub(super) fn get(&self, body: &Value) -> Answer {
        let input = Input::new(body);
        let (document, number, version) = self.asked(input, "Name")?;
        if let Some(format) = input.text("DocumentFormat")?.filter(|format| *format != "JSON") {
            let why = "the rehearsal keeps its documents in JSON";
            return Err(violated(format, "DocumentFormat", why));
        }
        Ok(json!({
            "Name": document.name,
            "CreatedDate": seconds(version.created),
            "DocumentVersion": number.to_string(),
            "Status": "Active",
            "Content": version.text,
            "DocumentType": "Command",
            "DocumentFormat": "JSON",
            "AttachmentsContent": [],
        }))
    }

    pub(super) fn list(&self, body: &Value) -> Answer {
        let input = Input::new(body);
        let size = input.number("MaxResults", 1, 50)?.unwrap_or(10);
        let filters = filters(input)?;
        let matching = self
            .0
            .values()
            .filter(|document| filters.iter().all(|filter| filter.passes(document)));
        let rows = matching.zip(0..).map(|(document, rank)| (rank, document));
        let (page, next) = pages::page(rows, size, input.text("NextToken")?, "ListDocuments")?;
        let mut answer =
            json!({ "DocumentIdentifiers": page.into_iter().map(Document::identifier).collect::<Vec<_>>() });
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

impl Document {
    fn description(&self, number: usize, version: &Version) -> Value {
        let parameters = version.content["parameters"].as_object();
        let parameters: Vec<Value> = parameters
            .into_iter()
            .flatten()
            .map(|(name, rule)| parameter(name, rule))
            .collect();
        let hash: String = Sha256::digest(version.text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        json!({
            "Hash": hash,
            "HashType": "Sha256",
            "Name": self.name,
            "Owner": self.owner,
            "CreatedDate": seconds(version.created),
            "Status": "Active",
            "DocumentVersion": number.to_string(),
            "Description": version.content["description"].as_str().unwrap_or_default(),
            "Parameters": parameters,
            "PlatformTypes": ["Linux"],
            "DocumentType": "Command",
            "SchemaVersion": version.content["schemaVersion"].as_str().unwrap_or("2.2"),
            "LatestVersion": self.versions.len().to_string(),
            "DefaultVersion": (self.default + 1).to_string(),
            "DocumentFormat": "JSON",
            "Tags": [],
        })
    }

    fn identifier(&self) -> Value {
        let version = &self.versions[self.default];
        json!({
            "Name": self.name,
            "CreatedDate": seconds(version.created),
            "Owner": self.owner,
            "PlatformTypes": ["Linux"],
            "DocumentVersion": (self.default + 1).to_string(),
            "DocumentType": "Command",
            "SchemaVersion": version.content["schemaVersion"].as_str().unwrap_or("2.2"),
            "DocumentFormat": "JSON",
            "Tags": [],
        })
    }
}

/// Allowed values and patterns are not described; only the content tells them.
fn parameter(name: &str, rule: &Value) -> Value {
    let mut parameter = json!({
        "Name": name,
        "Type": rule["type"].as_str().unwrap_or("String"),
        "Description": rule["description"].as_str().unwrap_or_default(),
    });
    if let Some(default) = rule.get("default") {
        parameter["DefaultValue"] = json!(scalar(default));
    }
    parameter
}

/// One filter of ListDocuments.
struct Filter {
    key: String,
    values: Vec<String>,
}

fn filters(input: Input<'_>) -> Result<Vec<Filter>, Fault> {
    let filters = input.list("Filters", 6)?.iter();
    filters
        .map(|filter| {
            let filter = Input::new(filter);
            let key = filter.required("Key")?;
            if !matches!(key, "Owner" | "Name" | "DocumentType" | "PlatformTypes" | "TargetType")
                && !key.starts_with("tag:")
            {
                return Err(Fault::client("InvalidFilterKey", ""));
            }
            Ok(Filter {
                key: key.to_owned(),
                values: filter.texts("Values", usize::MAX)?,
            })
        })
        .collect()
}

impl Filter {
    fn passes(&self, document: &Document) -> bool {
        self.values.iter().any(|value| match self.key.as_str() {
            "Owner" => match value.as_str() {
                "Self" | "Private" => document.owner == ACCOUNT,
                "Amazon" | "Public" => document.owner == "Amazon",
                "All" => true,
                _ => false,
            },
            "Name" => document.name.starts_with(value),
            "DocumentType" => value == "Command",
            "PlatformTypes" => value == "Linux",
            _ => false,
        })
    }
}

/// A document's version, as a command runs it.
pub(super) struct Runnable<'a> {
    pub name: &'a str,
    content: &'a Value,
}

impl Runnable<'_> {
    /// Checks a command's parameters as SSM does before anything runs.
    pub fn check(&self, given: &BTreeMap<String, Vec<String>>) -> Result<(), Fault> {
        let empty = Map::new();
        let rules = self.content["parameters"].as_object().unwrap_or(&empty);
        if let Some(unknown) = given.keys().find(|name| !rules.contains_key(*name)) {
            return Err(invalid(format!("document {} has no parameter {unknown}", self.name)));
        }
        for (name, rule) in rules {
            match given.get(name) {
                Some(values) => check_values(name, rule, values)?,
                None if rule.get("default").is_none() => {
                    return Err(invalid(format!("Parameter \"{name}\" requires a value.")));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The steps' names.
    pub fn steps(&self) -> Vec<String> {
        let steps = self.content["mainSteps"].as_array().into_iter().flatten();
        steps
            .map(|step| step["name"].as_str().unwrap_or("step").to_owned())
            .collect()
    }

    /// The sum of the steps' timeouts in seconds, as the agent reads them.
    pub fn timeout_secs(&self, given: &BTreeMap<String, Vec<String>>) -> u64 {
        let steps = self.content["mainSteps"].as_array().into_iter().flatten();
        steps
            .map(|step| {
                let stated = scalar(&step["inputs"]["timeoutSeconds"]);
                let stated = self.filled(&stated, given);
                stated
                    .trim()
                    .parse()
                    .ok()
                    .filter(|secs| TIMEOUTS.contains(secs))
                    .unwrap_or(DEFAULT_TIMEOUT)
            })
            .sum()
    }

    /// A parameter's value, or its default.
    pub fn value(&self, name: &str, given: &BTreeMap<String, Vec<String>>) -> Option<String> {
        match given.get(name) {
            Some(values) => values.first().cloned(),
            None => Some(scalar(self.content["parameters"][name].get("default")?)),
        }
    }

    fn filled(&self, text: &str, given: &BTreeMap<String, Vec<String>>) -> String {
        let variable = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match variable {
            Some(name) => self.value(name.trim(), given).unwrap_or_default(),
            None => text.to_owned(),
        }
    }
}

fn check_values(name: &str, rule: &Value, values: &[String]) -> Result<(), Fault> {
    if rule["type"] == "String" && values.len() != 1 {
        return Err(invalid(format!("Parameter \"{name}\" takes one value.")));
    }
    if let Some(allowed) = rule["allowedValues"].as_array() {
        let allowed: Vec<String> = allowed.iter().map(scalar).collect();
        if let Some(value) = values.iter().find(|value| !allowed.contains(value)) {
            return Err(invalid(format!(
                "Parameter \"{name}\" value {value} is not one of {allowed:?}."
            )));
        }
    }
    // A whole match, as Java's `matches`. A pattern that regex-lite can't read is left to the agent.
    let pattern = rule["allowedPattern"].as_str();
    let pattern = pattern.and_then(|pattern| Some((pattern, Regex::new(&format!("^(?:{pattern})$")).ok()?)));
    if let Some((pattern, regex)) = pattern
        && let Some(value) = values.iter().find(|value| !regex.is_match(value))
    {
        let text = format!("Parameter \"{name}\" value {value} does not match {pattern}.");
        return Err(invalid(text));
    }
    Ok(())
}

fn invalid(why: String) -> Fault {
    Fault::client("InvalidParameters", why)
}

/// A scalar as text.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Epoch seconds with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
pub(super) fn seconds(at: Millis) -> f64 {
    at.0 as f64 / 1000.0
}
