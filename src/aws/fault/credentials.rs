//! Credentials: missing, expired, not believed, not allowed.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use super::look::{causes, chain};
use super::{Call, Failed, Meaning};
use crate::aws::link::Origin;
use crate::engine::ports::AwsError;
use crate::problem::{Kind, Problem};

/// Clocks further apart than this are named as the cause; AWS tolerates five minutes.
const SKEW_SECS: i64 = 120;

/// Why there are no credentials to sign with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// No source has any.
    Nowhere,
    /// The single sign-on session is over or was never opened.
    SignedOut,
    /// The profile's credential_process failed; what it printed may be secret and is not kept.
    ProcessFailed,
    /// The source did not answer in time.
    TimedOut,
    /// The role could not be assumed.
    Role(Box<Failed>),
    /// The source failed otherwise.
    Failed(String),
}

impl Lack {
    /// Looks for a credentials provider's failure among the causes of `error`.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let lack = chain(error).find_map(|error| error.downcast_ref::<CredentialsError>());
        let Some(lack) = lack else {
            // The identity cache's own timeout is a private type.
            return causes(error)
                .contains("identity resolver timed out")
                .then_some(Self::TimedOut);
        };
        if let Some(assume) = chain(lack).find_map(|error| error.downcast_ref::<SdkError<AssumeRoleError>>()) {
            let failed = Failed::from(assume);
            return Some(match failed {
                Failed::NoCredentials(inner) => inner,
                failed => Self::Role(Box::new(failed)),
            });
        }
        let says = causes(lack);
        let folded = says.to_ascii_lowercase();
        Some(if folded.contains("external process") {
            Self::ProcessFailed
        } else if folded.contains("sso") {
            Self::SignedOut
        } else {
            match lack {
                CredentialsError::CredentialsNotLoaded(_) => Self::Nowhere,
                CredentialsError::ProviderTimedOut(_) => Self::TimedOut,
                _ => Self::Failed(says),
            }
        })
    }
}

impl Call<'_> {
    /// There was nothing to sign with; the request did not leave.
    pub(super) fn no_credentials(&self, lack: &Lack) -> AwsError {
        let what = match (lack, &self.scene.origin) {
            (Lack::Nowhere, Origin::Profile(profile)) => {
                let text = format!(
                    "has no credentials: the profile `{profile}` is not in ~/.aws, or it names no source of any"
                );
                let remedy = "correct aws.profile in config.toml (or AWS_PROFILE), or set the profile up with `aws configure sso`";
                return AwsError::Expired(self.problem(Kind::Credentials, text, remedy));
            }
            (Lack::Nowhere, Origin::Rehearsal | Origin::Environment | Origin::Chain) => {
                "has no credentials to sign with".to_owned()
            }
            (Lack::SignedOut, _) => "has no credentials: the single sign-on session is over".to_owned(),
            (Lack::ProcessFailed, _) => {
                let text = "has no credentials: the profile's credential_process failed";
                let remedy = "run that command by hand to see why, then try again";
                return AwsError::Expired(self.problem(Kind::Credentials, text, remedy));
            }
            (Lack::TimedOut, _) => "has no credentials: their source did not answer in time".to_owned(),
            (Lack::Role(failed), _) => return self.role_not_assumed(failed),
            (Lack::Failed(says), _) => format!("has no credentials: {}", self.quote(says)),
        };
        AwsError::Expired(self.problem(Kind::Credentials, what, self.login()))
    }

    fn role_not_assumed(&self, failed: &Failed) -> AwsError {
        let role = self.scene.role.as_deref().unwrap_or("of the profile");
        let assume = Call::new(self.scene, super::Service::Sts, "AssumeRole")
            .about(format!("role {role}"))
            .on(self.scene.role.as_deref().unwrap_or("*"));
        // A role that can't be assumed leaves the call without credentials, whatever the reason; so it never left.
        match assume.error(failed.clone()) {
            AwsError::Refused(problem) => AwsError::Refused(problem),
            AwsError::Throttled(problem) => AwsError::Throttled(problem),
            AwsError::Expired(problem) | AwsError::Unknown(problem) => AwsError::Expired(problem),
        }
    }

    /// Credentials that AWS does not take (any more).
    pub(super) fn expired(&self, code: &str, says: &str) -> Problem {
        let unknown_key = !matches!(Meaning::of(code, 0), Meaning::Expired) || !code.starts_with("Expired");
        let mut remedy = self.login();
        if unknown_key {
            remedy.push_str(
                "; if they are fresh, see that the keys still exist and that the account has this region enabled",
            );
        }
        let word = if unknown_key {
            "does not know these credentials"
        } else {
            "says that the credentials are expired"
        };
        self.problem(
            Kind::Credentials,
            format!("failed: AWS {word} ({})", self.answer(code, says)),
            remedy,
        )
    }

    /// A signature that AWS does not accept: nearly always the clock. AWS's text is not quoted, as it holds the request.
    pub(super) fn bad_signature(&self, code: &str, says: &str, skew_secs: Option<i64>) -> Problem {
        let by_text = says.contains("Signature expired") || says.contains("Signature not yet current");
        let far = skew_secs.filter(|secs| secs.abs() >= SKEW_SECS);
        let (cause, remedy) = match far {
            Some(secs) => (
                format!(
                    "this machine's clock is {} {} AWS's",
                    spell(secs.unsigned_abs()),
                    if secs > 0 { "behind" } else { "ahead of" }
                ),
                "set the clock (for instance `timedatectl set-ntp true`), then try again".to_owned(),
            ),
            None if by_text || code == "RequestTimeTooSkewed" || code == "RequestExpired" => (
                "the request's time is too far from AWS's".to_owned(),
                "set this machine's clock (for instance `timedatectl set-ntp true`), then try again".to_owned(),
            ),
            None => (
                "the secret key does not belong to the access key".to_owned(),
                format!("copy both keys again; otherwise {}", self.login()),
            ),
        };
        self.problem(
            Kind::Credentials,
            format!("was refused: AWS does not accept the signature ({code}): {cause}"),
            remedy,
        )
    }

    /// Not allowed: names the action, the resource and the statement that would allow it.
    pub(super) fn denied(&self, code: &str, says: &str) -> Problem {
        let own = format!("{}:{}", self.service.prefix(), self.operation);
        let action = after(says, "to perform: ").unwrap_or(own);
        let resource = after(says, "on resource: ").unwrap_or_else(|| self.resource.clone());
        let mut remedy = if says.contains("explicit deny") {
            format!(
                "an explicit deny forbids {action}: find it among the identity's policies, its boundary and the organisation's"
            )
        } else {
            format!(r#"allow it: {{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#)
        };
        if action == "ssm:SendCommand" {
            remedy.push_str("; SendCommand needs both the document and the instances among its resources");
        }
        if action == "sts:AssumeRole" {
            remedy.push_str("; the role's trust policy has to name this identity too");
        }
        self.problem(
            Kind::Credentials,
            format!("is not allowed: {}", self.answer(code, says)),
            remedy,
        )
    }

    /// How to get fresh credentials.
    pub(super) fn login(&self) -> String {
        match &self.scene.origin {
            Origin::Rehearsal => "start the rehearsal again".to_owned(),
            Origin::Profile(profile) => format!(
                "run `aws sso login --profile {profile}` (or refresh whatever fills that profile), then try again"
            ),
            Origin::Environment => {
                "the keys come from AWS_ACCESS_KEY_ID in the environment: export fresh ones and start quarterdeck again"
                    .to_owned()
            }
            Origin::Chain => {
                "name a profile (aws.profile in config.toml, or AWS_PROFILE) and run `aws sso login --profile NAME`, or export AWS_ACCESS_KEY_ID and its companions"
                    .to_owned()
            }
        }
    }
}

/// The word after `mark`, without closing punctuation.
fn after(text: &str, mark: &str) -> Option<String> {
    let word = text.split_once(mark)?.1.split_whitespace().next()?;
    let word = word.trim_end_matches(['.', ',', ';', '"']);
    (!word.is_empty()).then(|| word.to_owned())
}

/// A number of seconds as people say it.
fn spell(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{} min", secs / 60),
        _ => format!("{} h", secs / 3600),
    }
}
