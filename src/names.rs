//! A type for each thing that has a name, so that a [`Region`] is never passed where a [`HostId`] belongs.
//!
//! The names are plain data: they compare, sort, print and serialise as their text. Those with a grammar of their
//! own are checked where they are made; those that AWS or Docker hand out are cleaned and otherwise taken as they are.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Clean;

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Clean);

        impl $name {
            /// Takes the name as the outside gave it; only characters that could harm a terminal are replaced.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Clean::line(text.as_ref()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

name! {
    /// An AWS region, such as `us-east-1`; it also names the region's lane.
    Region
}
name! {
    /// A rollout's name in the configuration, such as `ubuntu`; unique within a lane.
    RolloutName
}
name! {
    /// A managed node: `i-…` for EC2, `mi-…` for a hybrid node.
    HostId
}
name! {
    /// The id that SSM gave a command (36 characters).
    CommandId
}
name! {
    /// A content digest, `sha256:` and 64 hexadecimal digits.
    Digest
}
name! {
    /// A full git commit id, 40 (or 64) hexadecimal digits.
    CommitId
}
name! {
    /// An AWS account number, 12 digits.
    AccountId
}
name! {
    /// Which of a plan's builds, such as `build-1`; regions whose build inputs resolve alike share one.
    BuildId
}
name! {
    /// The correlation token of one SendCommand, carried in its `Comment` (at most 100 characters).
    ///
    /// Its form is `qd:<deployment>:<region>:<rollout>:<attempt>`, see [`Token::compose`].
    Token
}

impl Digest {
    /// The twelve hexadecimal digits that people compare by eye.
    pub fn short(&self) -> &str {
        let hex = self.as_str().strip_prefix("sha256:").unwrap_or(self.as_str());
        hex.get(..12).unwrap_or(hex)
    }
}

impl CommitId {
    /// The first seven digits, as git prints them.
    pub fn short(&self) -> &str {
        self.as_str().get(..7).unwrap_or(self.as_str())
    }
}

/// SSM refuses a longer Comment (service model of `SendCommand`).
pub const COMMENT_MAX: usize = 100;

impl Token {
    /// What every token of ours begins with.
    pub const OURS: &'static str = "qd:";
    /// No rollout is sent to so often.
    const SERIALS: u32 = 1_000_000;

    /// The token of one send. `serial` counts the sends of this rollout, from 1, so no two sends share a token.
    ///
    /// Longer than [`COMMENT_MAX`] only if the rollout's name is longer than the configuration allows.
    pub fn compose(deployment: DeploymentId, region: &Region, rollout: &RolloutName, serial: u32) -> Self {
        Self::new(format!("{}{region}:{rollout}:{serial}", Self::prefix(deployment)))
    }

    /// What all tokens of a deployment begin with, and no other token does.
    pub fn prefix(deployment: DeploymentId) -> String {
        format!("{}{}:", Self::OURS, deployment.0.simple())
    }

    /// What [`Token::compose`] made it of: deployment, region, rollout and serial. `None` for another program's Comment.
    pub fn parts(&self) -> Option<(DeploymentId, Region, RolloutName, u32)> {
        let mut parts = self.as_str().strip_prefix(Self::OURS)?.split(':');
        let deployment = parts.next()?.parse().ok()?;
        let region = Region::new(parts.next().filter(|region| !region.is_empty())?);
        let rollout = RolloutName::new(parts.next().filter(|name| !name.is_empty())?);
        // Anybody in the account can write a Comment, and the next number has to be one too.
        let serial = parts.next()?.parse().ok().filter(|serial| *serial < Self::SERIALS)?;
        parts.next().is_none().then_some((deployment, region, rollout, serial))
    }
}

/// A deployment's id: a UUIDv7, so that ids sort by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(uuid::Uuid);

impl DeploymentId {
    /// A new id; the only place where one comes into being.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7())
    }

    /// An id with given content, for tests and seeded simulations.
    pub const fn from_u128(value: u128) -> Self {
        Self(uuid::Uuid::from_u128(value))
    }

    /// The eight characters shown to people.
    ///
    /// They are the *last* eight digits: the first ones of a UUIDv7 are a clock and alike for deployments of one day.
    pub fn short(&self) -> String {
        let text = self.0.simple().to_string();
        text[text.len() - 8..].to_owned()
    }

    /// When it was made, by the clock of the machine that made it; `None` for an id that is no UUIDv7.
    pub fn made_at(&self) -> Option<Millis> {
        let timestamp = self.0.get_timestamp().filter(|_| self.0.get_version_num() == 7)?;
        let (seconds, nanos) = timestamp.to_unix();
        let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
        Some(Millis(millis + i64::from(nanos / 1_000_000)))
    }

    /// Whether these digits, without dashes, are the start of it, its end, or the start of its short form.
    pub fn is_called(&self, digits: &str) -> bool {
        let text = self.0.simple().to_string();
        !digits.is_empty() && (text.starts_with(digits) || text.ends_with(digits) || self.short().starts_with(digits))
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

impl std::str::FromStr for DeploymentId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for DeploymentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeploymentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A moment, in milliseconds since the Unix epoch. Pure code compares and subtracts moments; it never asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// The wall clock. Called at the edges only: where a fact is recorded and where a frame is drawn.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// How long after `earlier` this is; zero when the clock went backwards.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_the_comment_with_the_longest_names_the_configuration_allows() {
        let region = Region::new("ap-southeast-99");
        let rollout = RolloutName::new("r".repeat(32));
        let token = Token::compose(DeploymentId::from_u128(u128::MAX), &region, &rollout, 9999);
        assert!(
            token.as_str().len() <= COMMENT_MAX,
            "{} characters",
            token.as_str().len()
        );
    }

    #[test]
    fn a_token_says_what_it_was_made_of_and_a_stranger_says_nothing() {
        let (id, region, rollout) = (
            DeploymentId::from_u128(7),
            Region::new("us-east-1"),
            RolloutName::new("ubuntu"),
        );
        let token = Token::compose(id, &region, &rollout, 3);
        assert_eq!(token.parts(), Some((id, region, rollout, 3)));
        for stranger in [
            "",
            "nightly patch",
            "qd:",
            "qd:7:us-east-1:ubuntu:3:x",
            "qd:7::ubuntu:3",
            "qd:x:a:b:1",
            "qd:00000000000000000000000000000007:us-east-1:ubuntu:4294967295",
        ] {
            assert_eq!(Token::new(stranger).parts(), None, "{stranger}");
        }
    }

    #[test]
    fn moments_at_the_ends_of_time_can_be_compared() {
        let (first, last) = (Millis(i64::MIN), Millis(i64::MAX));
        assert_eq!(first.since(last), std::time::Duration::ZERO);
        assert_eq!(last.since(first), std::time::Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn a_deployment_id_survives_its_text_form() {
        let id = DeploymentId::generate();
        assert_eq!(id.to_string().parse::<DeploymentId>().expect("the text is a UUID"), id);
        assert!(id.to_string().ends_with(&id.short()));
    }

    #[test]
    fn a_deployment_id_says_when_it_was_made_if_it_can() {
        let id = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse::<DeploymentId>();
        let made = id.expect("it is the UUIDv7 of RFC 9562's appendix").made_at();
        assert_eq!(made, Some(Millis(1_645_557_742_000)));
        assert_eq!(DeploymentId::from_u128(7).made_at(), None);
    }
}
