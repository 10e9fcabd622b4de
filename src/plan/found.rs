//! What preflight finds outside, as far as the plan needs it.

use crate::names::{AccountId, CommandId, DeploymentId, Digest, Millis, RolloutName};
use crate::text::Clean;

/// Who the credentials say we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The ARN.
    pub arn: Clean,
    /// The endpoint that answered, when it is not AWS's own.
    pub endpoint: Option<Clean>,
}

/// A command of Quarterdeck's that a region is executing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// Its id.
    pub command: CommandId,
    /// The deployment that sent it.
    pub deployment: DeploymentId,
    /// The rollout that it belongs to there.
    pub rollout: RolloutName,
    /// Its document, as it was named.
    pub document: Clean,
}

/// An image as ECR describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    /// Its digest.
    pub digest: Digest,
    /// All of its tags.
    pub tags: Vec<Clean>,
    /// When it was pushed.
    pub pushed_at: Option<Millis>,
}

/// A Command document as the region has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The number that the asked version means now.
    pub version: Clean,
    /// Its parameters.
    pub parameters: Vec<DocumentParameter>,
    /// `Linux`, `Windows`, `MacOS`.
    pub platforms: Vec<Clean>,
    /// The names of its steps, in order.
    pub steps: Vec<Clean>,
    /// Its execution timeout in seconds, where it states a number.
    pub execution_timeout_secs: Option<u32>,
}

impl Document {
    /// The step whose output is fetched. GetCommandInvocation wants a step's name where a document has several; the last
    /// one is the one that the others prepare.
    pub fn output_step(&self) -> Option<Clean> {
        match self.steps.as_slice() {
            [] | [_] => None,
            [.., last] => Some(last.clone()),
        }
    }
}

/// One parameter of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentParameter {
    /// Its name.
    pub name: Clean,
    /// Whether it is a StringList.
    pub is_list: bool,
    /// Whether it has no default.
    pub required: bool,
    /// The values that it takes, if they are listed.
    pub allowed_values: Vec<Clean>,
    /// The pattern that values must match, if there is one (Java's dialect at the API).
    pub allowed_pattern: Option<Clean>,
}
