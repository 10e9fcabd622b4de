//! STS: who the rehearsal's credentials are.

use serde_json::{Value, json};

use super::wire::{Answer, Fault};

/// The account that every rehearsal plays in.
pub const ACCOUNT: &str = "123456789012";
/// The caller's ARN.
pub const CALLER: &str = "arn:aws:iam::123456789012:user/rehearsal";
/// The caller's user id.
const USER_ID: &str = "AIDAREHEARSAL0000000";
/// The only version of the API that there is.
const VERSION: &str = "2011-06-15";

/// A form's pairs as JSON, so that every service's requests look alike. Only what STS needs is decoded.
pub(super) fn form(body: &str) -> Value {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    Value::Object(pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

/// Answers an operation.
pub(super) fn handle(operation: &str, body: &Value) -> Answer {
    if body["Version"] != VERSION {
        return Err(Fault::client("InvalidAction", "Could not find the version of the API"));
    }
    match operation {
        "GetCallerIdentity" => Ok(json!({ "Arn": CALLER, "UserId": USER_ID, "Account": ACCOUNT })),
        operation => Err(Fault::client(
            "InvalidAction",
            format!("Could not find operation {operation} for version {VERSION}"),
        )),
    }
}

/// An answer in STS's XML.
pub(super) fn xml(operation: &str, answer: &Answer, request_id: &str) -> String {
    const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
    match answer {
        Ok(members) => {
            let members: String = members
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("<{name}>{}</{name}>", escaped(value.as_str().unwrap_or_default())))
                .collect();
            format!(
                "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{members}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            )
        }
        Err(fault) => format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>",
            if fault.status < 500 { "Sender" } else { "Receiver" },
            fault.code,
            escaped(&fault.message)
        ),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
