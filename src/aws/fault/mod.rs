//! What an AWS call's failure means: one of the engine's four words, and a [`Problem`] that says what to do.
//!
//! The SDK's error is first reduced to a [`Failed`], which owns plain text and no SDK type; [`Call::error`] then decides.
//! Texts of AWS are quoted, since operators search for them, but never whole: signature errors echo the request's
//! headers and validation errors echo parameter values, and both may be secret.

mod credentials;
mod look;
mod refusals;

use secrecy::SecretString;

use super::Realm;
use super::link::Scene;
use crate::engine::ports::AwsError;
use crate::mask::Mask;
use crate::problem::{Kind, Problem};

/// Quoted texts of AWS are cut to so many characters.
const QUOTE_MAX: usize = 600;

/// The services in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Systems Manager.
    Ssm,
    /// Elastic Container Registry.
    Ecr,
    /// Security Token Service.
    Sts,
}

impl Service {
    /// The prefix of its IAM actions.
    fn prefix(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::Ecr => "ecr",
            Self::Sts => "sts",
        }
    }
}

/// One call, for the words of its error. No Debug: it holds secrets, in order to leave them out.
pub(super) struct Call<'a> {
    scene: &'a Scene,
    service: Service,
    operation: &'static str,
    /// What the call was about, such as `document "x"`.
    about: String,
    /// The resource of the IAM statement that would allow it.
    resource: String,
    mask: Mask,
}

/// A failed call without SDK types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// The service answered with an error.
    Answer {
        /// Its code, such as `InvalidDocument`; empty when the answer had none.
        code: String,
        /// Its message; not safe to show before [`Call::quote`].
        says: String,
        /// The HTTP status.
        status: u16,
        /// The service's clock minus ours in seconds, from the answer's Date header.
        skew_secs: Option<i64>,
    },
    /// No answer in time.
    TimedOut,
    /// No connection came to be: the request did not leave.
    Unreachable {
        /// Whether it was the host's name that could not be looked up.
        name_unknown: bool,
        /// The network's words.
        says: String,
    },
    /// The connection broke after the request may have left.
    Broken {
        /// The network's words.
        says: String,
    },
    /// An answer that is not the service's: a proxy's page, or something cut short.
    Garbled {
        /// The HTTP status; 0 when there was none.
        status: u16,
        /// What is wrong with it.
        says: String,
    },
    /// There were no credentials to sign with: the request did not leave.
    NoCredentials(credentials::Lack),
    /// The SDK would not build the request.
    NotBuilt {
        /// Why.
        says: String,
    },
}

impl Failed {
    /// A good status with an answer that lacks what it must have.
    pub fn garbled(says: &str) -> Self {
        Self::Garbled {
            status: 200,
            says: says.to_owned(),
        }
    }
}

impl<'a> Call<'a> {
    pub fn new(scene: &'a Scene, service: Service, operation: &'static str) -> Self {
        Self {
            scene,
            service,
            operation,
            about: String::new(),
            resource: "*".to_owned(),
            mask: Mask::default(),
        }
    }

    /// Names what the call is about.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    /// Names the resource of an IAM statement; `REGION` in it stands for the region.
    pub fn on(mut self, resource: &str) -> Self {
        self.resource = resource.replace("REGION", self.scene.region.as_str());
        self
    }

    /// Values that no text of this call's error may hold.
    pub fn hide<'s>(mut self, secrets: impl IntoIterator<Item = &'s SecretString>) -> Self {
        self.mask = Mask::new(secrets);
        self
    }

    /// The engine's word for the failure.
    pub fn error(&self, failed: Failed) -> AwsError {
        match failed {
            Failed::Answer {
                code,
                says,
                status,
                skew_secs,
            } => self.answered(&code, &says, status, skew_secs),
            Failed::TimedOut => AwsError::Unknown(self.problem(
                Kind::Unexpected,
                format!(
                    "got no answer from {} in time ({} s an attempt)",
                    self.place(),
                    self.scene.attempt.as_secs_f32().ceil()
                ),
                self.again("look at the network and at AWS's status for the region"),
            )),
            Failed::Unreachable { name_unknown, says } => AwsError::Unknown(self.unreachable(name_unknown, &says)),
            Failed::Broken { says } => AwsError::Unknown(self.problem(
                Kind::Unexpected,
                format!("lost the connection to {}: {}", self.place(), self.quote(&says)),
                self.again("look at the network"),
            )),
            Failed::Garbled { status, says } => self.garbled(status, &says),
            Failed::NoCredentials(lack) => self.no_credentials(&lack),
            Failed::NotBuilt { says } => AwsError::Refused(self.problem(
                Kind::Config,
                format!("could not be sent: {}", self.quote(&says)),
                "mend what it names in config.toml or in the AWS profile",
            )),
        }
    }

    /// A refusal in this call's name, for what its answer shows rather than an error code.
    pub fn refused(&self, kind: Kind, what: impl AsRef<str>, remedy: impl AsRef<str>) -> AwsError {
        AwsError::Refused(self.problem(kind, what, remedy))
    }

    /// An outcome that nobody knows, for what the answer shows rather than an error code.
    pub fn unknown(&self, what: impl AsRef<str>, remedy: impl AsRef<str>) -> AwsError {
        AwsError::Unknown(self.problem(Kind::Unexpected, what, remedy))
    }

    /// What to do after `hint` where nobody knows whether the call took place.
    fn again(&self, hint: &str) -> String {
        if self.operation == "SendCommand" {
            format!(
                "{hint}; SSM may have taken the command, so it is looked for by its Comment before anything is sent again"
            )
        } else {
            format!("{hint}, then try again")
        }
    }

    /// `ssm:SendCommand of document "x" in us-east-1 <what>`.
    fn problem(&self, kind: Kind, what: impl AsRef<str>, remedy: impl AsRef<str>) -> Problem {
        let of = if self.about.is_empty() { "" } else { " of " };
        let text = format!(
            "{}:{}{of}{} in {} {}",
            self.service.prefix(),
            self.operation,
            self.about,
            self.scene.region,
            what.as_ref()
        );
        Problem::new(kind, text, remedy)
    }

    fn answered(&self, code: &str, says: &str, status: u16, skew_secs: Option<i64>) -> AwsError {
        match Meaning::of(code, status) {
            Meaning::Throttled => AwsError::Throttled(self.problem(
                Kind::Unexpected,
                format!("was throttled: {}", self.answer(code, says)),
                "the account's request rate in the region is used up, perhaps by others: it is worth another try in a while",
            )),
            Meaning::Expired => AwsError::Expired(self.expired(code, says)),
            Meaning::Skewed => AwsError::Refused(self.bad_signature(code, says, skew_secs)),
            Meaning::Denied => AwsError::Refused(self.denied(code, says)),
            Meaning::Unknown => AwsError::Unknown(self.problem(
                Kind::Unexpected,
                format!("was answered with {status} {}", self.answer(code, says)),
                self.again("AWS has trouble of its own"),
            )),
            Meaning::Refused => {
                let (kind, remedy) = refusals::remedy(code);
                AwsError::Refused(self.problem(kind, format!("was refused: {}", self.answer(code, says)), remedy))
            }
        }
    }

    /// `Code: message`, fit to show.
    fn answer(&self, code: &str, says: &str) -> String {
        let says = self.quote(says);
        match (code.is_empty(), says.is_empty()) {
            (true, true) => "an error without a name".to_owned(),
            (true, false) => says,
            (false, true) => code.to_owned(),
            (false, false) => format!("{code}: {says}"),
        }
    }

    fn garbled(&self, status: u16, says: &str) -> AwsError {
        let what = format!(
            "got an answer that is not AWS's (HTTP status {status}): {}",
            self.quote(says)
        );
        let remedy = "a proxy or a wrong endpoint may be in between; look at HTTPS_PROXY and the endpoint settings";
        match status {
            408 | 0..=399 | 500.. => AwsError::Unknown(self.problem(Kind::Unexpected, what, self.again(remedy))),
            429 => AwsError::Throttled(self.problem(Kind::Unexpected, what, remedy)),
            400..=499 => AwsError::Refused(self.problem(Kind::Config, what, remedy)),
        }
    }

    fn unreachable(&self, name_unknown: bool, says: &str) -> Problem {
        let region = &self.scene.region;
        let custom = self.scene.endpoint(self.service);
        let (kind, remedy) = match (self.scene.realm, custom, name_unknown) {
            (Realm::Rehearsal, _, _) => (
                Kind::Unexpected,
                "the rehearsal's servers are gone; start it again".to_owned(),
            ),
            (Realm::Aws, Some(endpoint), _) => (
                Kind::Config,
                format!(
                    "{endpoint} is set instead of AWS's own endpoint: see that it runs, or unset it (aws.endpoints, AWS_ENDPOINT_URL*)"
                ),
            ),
            (Realm::Aws, None, true) => (
                Kind::Config,
                format!("is `{region}` the name of an AWS region? If so, look at the network and its name server"),
            ),
            (Realm::Aws, None, false) => (
                Kind::Unexpected,
                "look at the network, the VPN and HTTPS_PROXY, then try again".to_owned(),
            ),
        };
        self.problem(
            kind,
            format!("could not reach {}: {}", self.place(), self.quote(says)),
            remedy,
        )
    }

    /// The service's address, as far as it says more than the region.
    fn place(&self) -> String {
        let name = self.service.prefix().to_ascii_uppercase();
        match self.scene.endpoint(self.service) {
            Some(endpoint) => format!("{name} at {endpoint}"),
            None => name,
        }
    }

    /// A foreign text fit to show: without secrets, not too long.
    fn quote(&self, says: &str) -> String {
        // From here on, a signature error quotes the request with its session token.
        let says = says.split("The Canonical String").next().unwrap_or_default().trim();
        let says = self.mask.text(says);
        match says.char_indices().nth(QUOTE_MAX) {
            Some((at, _)) => format!("{}…", &says[..at]),
            None => says.into_owned(),
        }
    }
}

/// What an error code means for the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    Expired,
    Skewed,
    Denied,
    Unknown,
    Refused,
}

impl Meaning {
    /// The codes are the common errors of the AWS APIs and the SDK's own lists for throttling and trouble.
    fn of(code: &str, status: u16) -> Self {
        match code {
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "SlowDown" => Self::Throttled,
            "ExpiredToken"
            | "ExpiredTokenException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "AuthFailure"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException" => Self::Expired,
            "InvalidSignature"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestExpired"
            | "RequestTimeTooSkewed" => Self::Skewed,
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" => Self::Denied,
            "InternalServerError"
            | "InternalFailure"
            | "InternalError"
            | "ServerException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "RequestTimeout"
            | "RequestTimeoutException" => Self::Unknown,
            _ => match status {
                429 => Self::Throttled,
                408 | 500.. => Self::Unknown,
                _ => Self::Refused,
            },
        }
    }
}

#[cfg(test)]
mod tests;
