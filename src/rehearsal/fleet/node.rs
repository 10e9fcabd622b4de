//! A managed node: who it is, and what it will do with the commands it gets.

use std::borrow::Cow;

use super::fate::Fate;

/// When a node shows among a command's invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appears {
    /// With all others.
    AtOnce,
    /// So many milliseconds later; until then it is neither shown nor run.
    Late(u64),
    /// Never, though its tags match.
    Never,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// `i-` and 17 hexadecimal digits.
    pub id: String,
    /// Its host name.
    pub name: String,
    /// Its address.
    pub ip: String,
    /// `Ubuntu`, `Amazon Linux`.
    pub platform: &'static str,
    /// The platform's version.
    pub platform_version: &'static str,
    /// Its tags. No map: ten thousand of those are most of what a fleet weighs.
    pub tags: [(&'static str, Cow<'static, str>); 4],
    /// What it does at its first command, its second, and so on; the last one stays. Never empty.
    pub fates: Vec<Fate>,
    /// When a command shows it.
    pub appears: Appears,
    /// How many commands reached for it.
    pub(super) attempts: usize,
    /// Whether its agent answers.
    pub(super) online: bool,
}

impl Node {
    /// Whether its agent answers.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// What lies ahead of it at its next command.
    pub fn next_fate(&self) -> Fate {
        self.fates
            .get(self.attempts)
            .or(self.fates.last())
            .copied()
            .unwrap_or(Fate::Success)
    }

    /// The value of one of its tags.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let tag = self.tags.iter().find(|(name, _)| *name == key);
        tag.map(|(_, value)| value.as_ref())
    }

    /// Whether all of a command's targets name it.
    pub fn matches(&self, targets: &[(String, Vec<String>)]) -> bool {
        targets.iter().all(|(key, values)| match key.strip_prefix("tag:") {
            Some(tag) => self
                .tag(tag)
                .is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            None if key == "tag-key" => values.iter().any(|tag| self.tag(tag).is_some()),
            None => key == "InstanceIds" && values.contains(&self.id),
        })
    }

    pub(super) fn begin(&mut self, fates: Vec<Fate>) {
        self.fates = fates;
        self.attempts = 0;
        self.refresh();
    }

    pub(super) fn refresh(&mut self) {
        self.online = !self.next_fate().is_unreachable();
    }
}
