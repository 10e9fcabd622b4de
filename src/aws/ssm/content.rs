//! A document's description and content.
//!
//! DescribeDocument names parameters and platforms; what values a parameter takes, the steps and their timeouts are in
//! the content only (SSM user guide, "Data elements and parameters").

use aws_sdk_ssm::types::{DocumentDescription, DocumentParameterType, DocumentStatus, DocumentType};
use serde_json::{Map, Value};

use crate::engine::ports::{Document, DocumentParameter};
use crate::text::Clean;

/// Why the document can't be sent as a command, and what to do; the text reads after the call's name.
pub(super) fn unusable(described: &DocumentDescription) -> Option<(String, &'static str)> {
    if let Some(kind) = described.document_type()
        && *kind != DocumentType::Command
    {
        let what = format!("found a document of type {}, not a Command document", kind.as_str());
        return Some((what, "correct the rollout's document"));
    }
    match described.status() {
        None | Some(DocumentStatus::Active | DocumentStatus::Updating) => None,
        Some(status) => {
            let what = format!("found it in the state {}, not Active", status.as_str());
            Some((what, "wait until it is active, or create it anew"))
        }
    }
}

/// The document out of both answers. Content that can't be read leaves out what only it can tell.
pub(super) fn document(described: &DocumentDescription, version: &str, content: Option<&str>) -> Document {
    let content: Value = content
        .and_then(|content| serde_json::from_str(content).ok())
        .unwrap_or(Value::Null);
    let rules = content.get("parameters").and_then(Value::as_object);
    let steps = Steps::of(&content);
    let parameters = described.parameters().iter().filter_map(|parameter| {
        let name = parameter.name()?;
        let rule = rules.and_then(|rules| rules.get(name));
        Some(DocumentParameter {
            name: Clean::line(name),
            is_list: matches!(parameter.r#type(), Some(DocumentParameterType::StringList)),
            required: parameter.default_value().is_none() && rule.and_then(|rule| rule.get("default")).is_none(),
            allowed_values: allowed_values(rule),
            allowed_pattern: rule
                .and_then(|rule| rule.get("allowedPattern")?.as_str())
                .map(Clean::line),
        })
    });
    Document {
        version: Clean::line(version),
        parameters: parameters.collect(),
        platforms: described
            .platform_types()
            .iter()
            .map(|platform| Clean::line(platform.as_str()))
            .collect(),
        steps: steps.names(),
        execution_timeout_secs: steps.timeout_secs(rules),
    }
}

fn allowed_values(rule: Option<&Value>) -> Vec<Clean> {
    let values = rule.and_then(|rule| rule.get("allowedValues")?.as_array());
    values
        .into_iter()
        .flatten()
        .map(|value| Clean::line(&text(value)))
        .collect()
}

/// A scalar as SSM compares it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A document's steps: their names and inputs.
struct Steps<'a>(Vec<(&'a str, &'a Value)>);

impl<'a> Steps<'a> {
    /// `mainSteps` since schema 2.0; `runtimeConfig` in 1.2, where the plugin is the step.
    fn of(content: &'a Value) -> Self {
        if let Some(steps) = content.get("mainSteps").and_then(Value::as_array) {
            let step =
                |step: &'a Value| Some((step.get("name")?.as_str()?, step.get("inputs").unwrap_or(&Value::Null)));
            return Self(steps.iter().filter_map(step).collect());
        }
        let plugins = content.get("runtimeConfig").and_then(Value::as_object);
        let steps = plugins.into_iter().flatten().flat_map(|(plugin, config)| {
            let properties = config.get("properties").unwrap_or(&Value::Null);
            let each: Vec<&Value> = properties
                .as_array()
                .map_or_else(|| vec![properties], |all| all.iter().collect());
            each.into_iter().map(|inputs| (plugin.as_str(), inputs))
        });
        Self(steps.collect())
    }

    fn names(&self) -> Vec<Clean> {
        let mut names: Vec<Clean> = self.0.iter().map(|(name, _)| Clean::line(name)).collect();
        names.dedup();
        names
    }

    /// The sum of the steps' timeouts, if each states a number or a parameter that has one as its default.
    fn timeout_secs(&self, rules: Option<&Map<String, Value>>) -> Option<u32> {
        if self.0.is_empty() {
            return None;
        }
        self.0
            .iter()
            .map(|(_, inputs)| seconds(inputs.get("timeoutSeconds")?, rules))
            .try_fold(0_u32, |sum, secs| sum.checked_add(secs?))
    }
}

fn seconds(value: &Value, rules: Option<&Map<String, Value>>) -> Option<u32> {
    let stated = text(value);
    let stated = stated.trim();
    let variable = stated.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    match variable {
        Some(name) => text(rules?.get(name.trim())?.get("default")?).trim().parse().ok(),
        None => stated.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ssm::types::{DocumentParameter as SdkParameter, PlatformType};

    use super::*;

    fn described() -> DocumentDescription {
        let image = SdkParameter::builder()
            .name("image")
            .r#type(DocumentParameterType::String);
        let timeout = SdkParameter::builder()
            .name("executionTimeout")
            .r#type(DocumentParameterType::String)
            .default_value("900");
        DocumentDescription::builder()
            .platform_types(PlatformType::Linux)
            .parameters(image.build())
            .parameters(timeout.build())
            .build()
    }

    #[test]
    fn the_content_tells_values_steps_and_the_default_timeout() {
        let content = r#"{"schemaVersion":"2.2","parameters":{
            "image":{"type":"String","allowedValues":["AI","web",3],"allowedPattern":"^[a-zA-Z]+$"},
            "executionTimeout":{"type":"String","default":"900"}},
            "mainSteps":[{"action":"aws:runShellScript","name":"pull","inputs":{"timeoutSeconds":"{{ executionTimeout }}"}},
                         {"action":"aws:runShellScript","name":"restart","inputs":{"timeoutSeconds":60}}]}"#;
        let document = document(&described(), "7", Some(content));
        assert_eq!(document.execution_timeout_secs, Some(960));
        assert_eq!(document.steps, [Clean::line("pull"), Clean::line("restart")]);
        let image = &document.parameters[0];
        assert!(image.required && !image.is_list);
        assert_eq!(
            image.allowed_values,
            [Clean::line("AI"), Clean::line("web"), Clean::line("3")]
        );
        assert_eq!(image.allowed_pattern, Some(Clean::line("^[a-zA-Z]+$")));
        assert!(!document.parameters[1].required);
    }

    #[test]
    fn schema_1_2_has_its_plugins_as_steps() {
        let content = r#"{"schemaVersion":"1.2","runtimeConfig":{"aws:runShellScript":
            {"properties":[{"id":"0.aws:runShellScript","timeoutSeconds":"600"}]}}}"#;
        let document = document(&described(), "1", Some(content));
        assert_eq!(document.steps, [Clean::line("aws:runShellScript")]);
        assert_eq!(document.execution_timeout_secs, Some(600));
    }

    #[test]
    fn content_that_is_no_json_leaves_the_description() {
        let document = document(&described(), "1", Some("schemaVersion: '2.2'"));
        assert_eq!(document.parameters.len(), 2);
        assert_eq!((document.steps.len(), document.execution_timeout_secs), (0, None));
    }
}
