//! Reading a request's members, with the refusals that the service model's constraints give.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::rehearsal::wire::Fault;

/// A request's members.
#[derive(Clone, Copy)]
pub(super) struct Input<'a>(Option<&'a Map<String, Value>>);

impl<'a> Input<'a> {
    pub fn new(body: &'a Value) -> Self {
        Self(body.as_object())
    }

    /// A member; null counts as absent.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name).filter(|value| !value.is_null())
    }

    pub fn text(self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| wrong_type(name, "a string")))
            .transpose()
    }

    pub fn required(self, name: &str) -> Result<&'a str, Fault> {
        self.text(name)?
            .ok_or_else(|| violated("null", name, "Member must not be null"))
    }

    pub fn flag(self, name: &str) -> Result<bool, Fault> {
        let flag = self
            .get(name)
            .map(|value| value.as_bool().ok_or_else(|| wrong_type(name, "a boolean")));
        Ok(flag.transpose()?.unwrap_or(false))
    }

    /// A number within `low..=high`.
    pub fn number(self, name: &str, low: i64, high: i64) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_i64().ok_or_else(|| wrong_type(name, "an integer"))?;
        if number < low {
            let why = format!("Member must have value greater than or equal to {low}");
            return Err(violated(&number.to_string(), name, &why));
        }
        if number > high {
            let why = format!("Member must have value less than or equal to {high}");
            return Err(violated(&number.to_string(), name, &why));
        }
        Ok(Some(number))
    }

    /// A list of at most `max` items; empty where there is none.
    pub fn list(self, name: &str, max: usize) -> Result<&'a [Value], Fault> {
        let Some(value) = self.get(name) else { return Ok(&[]) };
        let list = value.as_array().ok_or_else(|| wrong_type(name, "a list"))?;
        if list.len() > max {
            let why = format!("Member must have length less than or equal to {max}");
            return Err(violated(&value.to_string(), name, &why));
        }
        Ok(list)
    }

    pub fn texts(self, name: &str, max: usize) -> Result<Vec<String>, Fault> {
        let texts = self.list(name, max)?.iter();
        texts
            .map(|value| {
                Ok(value
                    .as_str()
                    .ok_or_else(|| wrong_type(name, "a list of strings"))?
                    .to_owned())
            })
            .collect()
    }

    /// A map of names to lists of strings.
    pub fn text_lists(self, name: &str) -> Result<BTreeMap<String, Vec<String>>, Fault> {
        let Some(value) = self.get(name) else {
            return Ok(BTreeMap::new());
        };
        let map = value.as_object().ok_or_else(|| wrong_type(name, "a map"))?;
        map.keys()
            .map(|key| Ok((key.clone(), Input(Some(map)).texts(key, usize::MAX)?)))
            .collect()
    }

    /// A text of at most `max` characters.
    pub fn text_up_to(self, name: &str, max: usize) -> Result<&'a str, Fault> {
        let text = self.text(name)?.unwrap_or_default();
        if text.chars().count() > max {
            let why = format!("Member must have length less than or equal to {max}");
            return Err(violated(text, name, &why));
        }
        Ok(text)
    }
}

/// A constraint of the model is violated.
pub(super) fn violated(value: &str, member: &str, why: &str) -> Fault {
    // AWS names the member with a small first letter here.
    let mut name = member.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Fault::client(
        "ValidationException",
        format!("1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {why}"),
    )
}

fn wrong_type(member: &str, wanted: &str) -> Fault {
    Fault::client("SerializationException", format!("{member} is not {wanted}"))
}

/// `i-` with 8 or 17 word characters, or `mi-` with 17.
pub(super) fn is_instance_id(text: &str) -> bool {
    let word = |rest: &str, lengths: &[usize]| {
        lengths.contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match text.strip_prefix("mi-") {
        Some(rest) => word(rest, &[17]),
        None => text.strip_prefix("i-").is_some_and(|rest| word(rest, &[8, 17])),
    }
}

/// A document's name, or its ARN.
pub(super) fn is_document_name(text: &str) -> bool {
    (3..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte))
}

/// `$LATEST`, `$DEFAULT` or a number without leading zeros.
pub(super) fn is_document_version(text: &str) -> bool {
    matches!(text, "$LATEST" | "$DEFAULT")
        || (!text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A command id has 36 characters.
pub(super) fn command_id(id: &str) -> Result<&str, Fault> {
    if id.len() == 36 {
        return Ok(id);
    }
    let bound = if id.len() < 36 { "greater" } else { "less" };
    Err(violated(
        id,
        "CommandId",
        &format!("Member must have length {bound} than or equal to 36"),
    ))
}

/// An instance id that the model's pattern takes.
pub(super) fn instance_id(id: &str) -> Result<&str, Fault> {
    if is_instance_id(id) {
        return Ok(id);
    }
    let why = r"Member must satisfy regular expression pattern: (^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)";
    Err(violated(id, "InstanceId", why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn constraints_are_refused_in_the_services_words() {
        let body = json!({"TimeoutSeconds": 29, "InstanceIds": ["a", "b"], "Comment": 3});
        let input = Input::new(&body);
        let fault = input.number("TimeoutSeconds", 30, 2_592_000).expect_err("too short");
        assert_eq!(
            fault.message,
            "1 validation error detected: Value '29' at 'timeoutSeconds' failed to satisfy constraint: \
             Member must have value greater than or equal to 30"
        );
        assert_eq!(
            input.list("InstanceIds", 1).expect_err("too many").code,
            "ValidationException"
        );
        assert_eq!(
            input.text("Comment").expect_err("a number").code,
            "SerializationException"
        );
        assert_eq!(
            input.required("DocumentName").expect_err("absent").code,
            "ValidationException"
        );
    }

    #[test]
    fn ids_names_and_versions_follow_the_models_patterns() {
        for (id, good) in [
            ("i-12345678", true),
            ("i-0123456789abcdef0", true),
            ("mi-0123456789abcdef0", true),
            ("mi-12345678", false),
            ("i-1", false),
            ("web-1", false),
        ] {
            assert_eq!(is_instance_id(id), good, "{id}");
        }
        assert!(is_document_name("arn:aws:ssm:us-east-1:123456789012:document/pull") && !is_document_name("ab"));
        assert!(is_document_version("$LATEST") && is_document_version("12") && !is_document_version("012"));
    }
}
