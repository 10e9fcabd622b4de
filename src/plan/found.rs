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

/// A Dockerfile, as far as it decides whether it can be built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// Mounts that need a session with secrets or an agent's keys, which the engine's API does not open for us.
    pub mounts: Vec<SessionMount>,
}

/// A `RUN --mount` of a secret or of an ssh agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionMount {
    /// `secret` or `ssh`.
    pub kind: &'static str,
    /// The line on which its instruction begins, from 1.
    pub line: usize,
}

impl Dockerfile {
    /// Reads a Dockerfile's text.
    pub fn read(text: &str) -> Self {
        let mut mounts = Vec::new();
        let mut lines = (1..).zip(text.lines());
        while let Some((line, first)) = lines.next() {
            let mut instruction = first.trim().to_owned();
            // A comment does not end an instruction that goes on over several lines.
            while let Some(head) = instruction.strip_suffix('\\') {
                let next = lines
                    .by_ref()
                    .map(|(_, next)| next.trim())
                    .find(|next| !next.starts_with('#'));
                match next {
                    Some(next) => instruction = format!("{head} {next}"),
                    None => break,
                }
            }
            mounts.extend(session_mount(&instruction).map(|kind| SessionMount { kind, line }));
        }
        Self { mounts }
    }
}

/// The first such mount among the flags of a RUN instruction.
fn session_mount(instruction: &str) -> Option<&'static str> {
    let mut words = instruction.split_whitespace();
    if !words.next()?.eq_ignore_ascii_case("RUN") {
        return None;
    }
    let flags = words.take_while(|word| word.starts_with("--"));
    let mut mounts = flags.filter_map(|flag| flag.strip_prefix("--mount="));
    mounts.find_map(|mount| {
        let kind = mount.split(',').find_map(|option| option.strip_prefix("type="))?;
        ["secret", "ssh"].into_iter().find(|known| *known == kind)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_a_secret_or_an_agent_is_found_with_its_line() {
        let text = "# syntax=docker/dockerfile:1\nFROM alpine\nRUN --mount=type=cache,target=/c true\n\
                    run --network=none \\\n# why not\n  --mount=id=npm,type=secret,target=/x npm ci\n\
                    RUN --mount=type=ssh git clone x\nRUN echo --mount=type=secret\n# RUN --mount=type=ssh x\nRUN x \\";
        let kinds: Vec<(&str, usize)> = Dockerfile::read(text)
            .mounts
            .iter()
            .map(|mount| (mount.kind, mount.line))
            .collect();
        assert_eq!(kinds, [("secret", 4), ("ssh", 7)]);
    }
}
