//! What AWS's JSON protocol looks like from the server's side: an operation's answer is a JSON object or a fault.

use std::fmt;

use serde_json::{Value, json};

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

    /// An error of the service itself, after which nobody knows whether the call took place.
    pub fn server(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// The answer to an operation that the stand-in does not have.
    pub fn unknown_operation(operation: &str) -> Self {
        Self::client(
            "UnknownOperationException",
            format!("the rehearsal does not have {operation}"),
        )
    }

    /// The error's body. An empty message is left out, as AWS does for shapes without that member.
    pub fn body(&self, service: Service) -> Value {
        let mut body = json!({ "__type": self.code });
        if !self.message.is_empty() {
            let member = match service {
                // The one shape of ours whose member is spelt as ECR spells it.
                Service::Ssm if self.code == "InvalidInstanceInformationFilterValue" => "message",
                Service::Ssm => "Message",
                Service::Ecr | Service::Sts => "message",
            };
            body[member] = Value::String(self.message.clone());
        }
        body
    }
}

/// The services that are stood in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Systems Manager.
    Ssm,
    /// The container registry's API.
    Ecr,
    /// The Security Token Service.
    Sts,
}

impl Service {
    /// By its signing name, the last but one part of a credential scope.
    pub fn signed_as(name: &str) -> Option<Self> {
        match name {
            "ssm" => Some(Self::Ssm),
            "ecr" => Some(Self::Ecr),
            "sts" => Some(Self::Sts),
            _ => None,
        }
    }

    /// What comes before the operation in `X-Amz-Target`; STS has no such header.
    pub fn target_prefix(self) -> &'static str {
        match self {
            Self::Ssm => "AmazonSSM.",
            Self::Ecr => "AmazonEC2ContainerRegistry_V20150921.",
            Self::Sts => "",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssm => "ssm",
            Self::Ecr => "ecr",
            Self::Sts => "sts",
        })
    }
}
