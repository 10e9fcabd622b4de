//! What AWS's JSON protocol looks like from the server's side: an operation's answer is a JSON object or a fault.

use serde_json::Value;

/// An operation's answer.
pub type Answer = Result<Value, Fault>;

/// An error as AWS spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status: 400 for every modelled client error, 500 for `InternalServerError`.
    pub status: u16,
    /// The shape's name, such as `InvalidDocument`.
    pub code: &'static str,
    /// The message; may be empty, as AWS's often is.
    pub message: String,
}

impl Fault {
    /// A client error.
    pub fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }
}
