//! What an engine's prose about a failed push means. There is nothing but prose, in an answer whose status is 200.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::engine::ports::PushFailure;
use crate::problem::{Kind, Problem};

/// The registry's HTTP status, where the engine could not read its answer otherwise.
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:HTTP status:|error parsing HTTP|unexpected status from [A-Z]+ request to \S+:) (\d{3})\b")
        .expect("the pattern is constant and compiles")
});

/// What sort of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Expired,
    NotAllowed,
    NoRepository,
    Immutable,
    Throttled,
    Unavailable,
    Unreachable,
    NoImage,
    PlainHttp,
    Certificate,
    NoRoom,
    Other,
}

/// What was pushed, for the words.
pub(super) struct Target<'a> {
    /// `host[:port]/name`.
    pub repository: &'a str,
    /// The tag.
    pub tag: &'a str,
}

impl Target<'_> {
    fn host(&self) -> &str {
        self.repository.split('/').next().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.repository.split_once('/').map_or("", |(_, name)| name)
    }

    /// A failure of this push; `what` reads on after `repository:tag`.
    pub fn problem(&self, kind: Kind, what: &str, remedy: &str) -> Problem {
        Problem::new(
            kind,
            format!("the push of {}:{} {what}", self.repository, self.tag),
            remedy,
        )
    }

    /// The failure that the engine's words mean.
    pub fn failure(&self, says: &str) -> PushFailure {
        let says = unwrapped(says);
        let says = says.as_str();
        let (host, name) = (self.host(), self.name());
        let quoted = format!("the engine says: {says}");
        match sort(says) {
            Sort::Expired => PushFailure::Expired(self.problem(
                Kind::Credentials,
                &format!("was refused: {host} does not take the login ({quoted})"),
                "push again, which fetches a fresh token; if that is refused too, check the clock and the AWS credentials",
            )),
            Sort::NotAllowed => PushFailure::Final(self.problem(
                Kind::Credentials,
                &format!("is not allowed ({quoted})"),
                &format!(
                    "allow ecr:BatchCheckLayerAvailability, InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and \
                     PutImage on {name}, in the role's policy and in the repository's"
                ),
            )),
            Sort::NoRepository => PushFailure::Final(self.problem(
                Kind::Config,
                &format!("found no repository {name} at {host} ({quoted})"),
                &format!("create it (aws ecr create-repository --repository-name {name}), or correct the name in config.toml"),
            )),
            Sort::Immutable => PushFailure::TagImmutable(self.problem(
                Kind::Build,
                &format!("found the tag there already, and tags of this repository can't be moved ({quoted})"),
                "deploy another commit, or make the repository's tags mutable",
            )),
            Sort::Throttled => PushFailure::Transient(self.problem(
                Kind::Build,
                &format!("was slowed down: {host} takes no more requests now ({quoted})"),
                "wait a minute and push again",
            )),
            Sort::Unavailable => PushFailure::Transient(self.problem(
                Kind::Build,
                &format!("failed: {host} has a fault of its own ({quoted})"),
                "push again in a while; layers that are there are not sent again",
            )),
            Sort::Unreachable => PushFailure::Transient(self.problem(
                Kind::Build,
                &format!("failed: the engine lost or could not reach {host} ({quoted})"),
                "check the engine's network, proxy and name server, then push again",
            )),
            Sort::NoImage => PushFailure::Final(self.problem(
                Kind::Build,
                &format!("failed: the engine does not have the image any more ({quoted})"),
                "build it again in the console, or deploy again",
            )),
            Sort::PlainHttp => PushFailure::Final(self.problem(
                Kind::Config,
                &format!("failed: {host} speaks plain HTTP, and the engine insists on TLS ({quoted})"),
                &format!("add {host} to insecure-registries in the engine's daemon.json, if it may be trusted"),
            )),
            Sort::Certificate => PushFailure::Final(self.problem(
                Kind::Config,
                &format!("failed: the engine does not accept the certificate of {host} ({quoted})"),
                &format!("put its authority in /etc/docker/certs.d/{host}/ca.crt on the engine's machine"),
            )),
            Sort::NoRoom => PushFailure::Final(self.problem(
                Kind::Build,
                &format!("failed: the engine's disk is full ({quoted})"),
                "make room there (docker system df, docker system prune) and push again",
            )),
            Sort::Other => PushFailure::Final(self.problem(
                Kind::Build,
                &format!("failed ({quoted})"),
                "look for the engine's words in the registry's documentation, mend the cause and push again",
            )),
        }
    }
}

/// The message within an error that Podman gives as a whole JSON document.
fn unwrapped(says: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Wrapped {
        #[serde(rename = "errorDetail")]
        detail: Detail,
    }
    #[derive(serde::Deserialize)]
    struct Detail {
        message: String,
    }
    let says = says.trim();
    match serde_json::from_str::<Wrapped>(says) {
        Ok(wrapped) => wrapped.detail.message,
        Err(_) => says.to_owned(),
    }
}

/// Sorts by the registry's status where there is one, else by the first line of the table that the words contain.
fn sort(says: &str) -> Sort {
    let status = STATUS
        .captures(says)
        .and_then(|found| found.get(1)?.as_str().parse::<u16>().ok());
    match status {
        Some(401) => return Sort::Expired,
        Some(403) => return Sort::NotAllowed,
        Some(404) => return Sort::NoRepository,
        Some(429) => return Sort::Throttled,
        Some(408 | 500..=599) => return Sort::Unavailable,
        Some(_) | None => {}
    }
    let says = says.to_lowercase();
    let known = WORDS.iter().find(|(words, _)| says.contains(words));
    known.map_or(Sort::Other, |(_, sort)| *sort)
}

/// Words of engines and registries in lower case, the narrower first.
const WORDS: [(&str, Sort); 44] = [
    // An engine's own troubles.
    ("tag does not exist", Sort::NoImage),
    ("image does not exist locally", Sort::NoImage),
    ("no such image", Sort::NoImage),
    ("image not known", Sort::NoImage),
    ("no space left on device", Sort::NoRoom),
    // What a registry refuses.
    ("authorization token has expired", Sort::Expired),
    ("no basic auth credentials", Sort::Expired),
    ("insufficient_scope", Sort::NotAllowed),
    ("not authorized to perform", Sort::NotAllowed),
    ("unauthorized", Sort::Expired),
    ("authentication required", Sort::Expired),
    ("push access denied", Sort::Expired),
    ("immutable", Sort::Immutable),
    ("name unknown", Sort::NoRepository),
    ("name_unknown", Sort::NoRepository),
    ("repository does not exist", Sort::NoRepository),
    ("toomanyrequests", Sort::Throttled),
    ("too many requests", Sort::Throttled),
    ("rate exceeded", Sort::Throttled),
    ("denied", Sort::NotAllowed),
    ("forbidden", Sort::NotAllowed),
    // The way there.
    ("server gave http response to https client", Sort::PlainHttp),
    ("x509:", Sort::Certificate),
    ("certificate", Sort::Certificate),
    ("internal server error", Sort::Unavailable),
    ("bad gateway", Sort::Unavailable),
    ("service unavailable", Sort::Unavailable),
    ("gateway timeout", Sort::Unavailable),
    ("blob upload unknown", Sort::Unavailable),
    ("blob upload invalid", Sort::Unavailable),
    ("blob unknown", Sort::Unavailable),
    ("dial tcp", Sort::Unreachable),
    ("connection refused", Sort::Unreachable),
    ("connection reset", Sort::Unreachable),
    ("broken pipe", Sort::Unreachable),
    ("no such host", Sort::Unreachable),
    ("i/o timeout", Sort::Unreachable),
    ("tls handshake timeout", Sort::Unreachable),
    ("deadline exceeded", Sort::Unreachable),
    ("client.timeout exceeded", Sort::Unreachable),
    ("use of closed network connection", Sort::Unreachable),
    ("transport connection broken", Sort::Unreachable),
    ("server misbehaving", Sort::Unreachable),
    ("eof", Sort::Unreachable),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What engines really said.
    const SAID: [(&str, Sort); 22] = [
        ("unauthorized: authentication required", Sort::Expired),
        ("no basic auth credentials", Sort::Expired),
        (
            "push access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials",
            Sort::Expired,
        ),
        (
            "push access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            Sort::NotAllowed,
        ),
        (
            "name unknown: The repository with name 'app' does not exist in the registry with id '123456789012'",
            Sort::NoRepository,
        ),
        (
            "denied: Your authorization token has expired. Reauthenticate and try again.",
            Sort::Expired,
        ),
        (
            "denied: User: arn:aws:iam::123456789012:user/x is not authorized to perform: ecr:InitiateLayerUpload on resource: arn",
            Sort::NotAllowed,
        ),
        ("denied: requested access to the resource is denied", Sort::NotAllowed),
        (
            "tag invalid: The image tag 'sha1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
            Sort::Immutable,
        ),
        ("toomanyrequests: Rate exceeded", Sort::Throttled),
        (
            "received unexpected HTTP status: 503 Service Unavailable",
            Sort::Unavailable,
        ),
        (
            "received unexpected HTTP status: 500 Internal Server Error",
            Sort::Unavailable,
        ),
        (
            "error parsing HTTP 404 response body: invalid character 'p' after top-level value: \"404 page not found\\n\"",
            Sort::NoRepository,
        ),
        (
            "error parsing HTTP 403 response body: unexpected end of JSON input: \"\"",
            Sort::NotAllowed,
        ),
        (
            "unexpected status from HEAD request to https://h/v2/app/blobs/sha256:17: 502 Bad Gateway",
            Sort::Unavailable,
        ),
        (
            "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
            Sort::Unreachable,
        ),
        (
            "Get \"https://h/v2/\": dial tcp: lookup h on 1.1.1.1:53: no such host",
            Sort::Unreachable,
        ),
        ("Patch \"http://h/v2/app/blobs/uploads/x\": EOF", Sort::Unreachable),
        ("tag does not exist: 127.0.0.1:5000/app:sha1", Sort::NoImage),
        (
            "An image does not exist locally with the tag: 127.0.0.1:5000/app",
            Sort::NoImage,
        ),
        (
            "Get \"https://h/v2/\": http: server gave HTTP response to HTTPS client",
            Sort::PlainHttp,
        ),
        (
            "Get \"https://h/v2/\": x509: certificate signed by unknown authority",
            Sort::Certificate,
        ),
    ];

    #[test]
    fn what_engines_say_is_sorted() {
        for (says, expected) in SAID {
            assert_eq!(sort(says), expected, "{says}");
        }
        assert_eq!(sort("manifest invalid: no layers"), Sort::Other);
    }

    #[test]
    fn a_problem_names_registry_repository_and_tag() {
        let target = Target {
            repository: "127.0.0.1:5000/team/app",
            tag: "sha1",
        };
        let PushFailure::Final(problem) = target.failure("name unknown: no such repository") else {
            panic!("a missing repository is final");
        };
        assert_eq!(
            problem.what.as_str(),
            "the push of 127.0.0.1:5000/team/app:sha1 found no repository team/app at 127.0.0.1:5000 \
             (the engine says: name unknown: no such repository)"
        );
        assert!(
            problem.remedy.as_str().contains("--repository-name team/app"),
            "{problem}"
        );
    }

    #[test]
    fn podmans_json_is_read_as_its_message() {
        let says = r#"{"errorDetail":{"message":"name unknown: no"},"error":"name unknown: no"}"#;
        assert_eq!(unwrapped(says), "name unknown: no");
    }
}
