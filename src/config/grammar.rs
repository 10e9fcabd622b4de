//! The grammars that AWS, Docker and git ask of a name, as far as they can be checked without asking them.

/// What a text has to look like.
pub(super) struct Grammar {
    /// What such a text is called, with its article.
    pub name: &'static str,
    /// What is allowed, for people.
    pub allowed: &'static str,
    /// Whether a text is one.
    pub fits: fn(&str) -> bool,
}

/// The application's and the environment's name: shown everywhere, and the latter is typed to confirm.
pub(super) const LABEL: Grammar = Grammar {
    name: "a plain name",
    allowed: "1 to 64 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
    fits: |text| {
        (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && all(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    },
};

/// A rollout's name is a part of each send's token, see [`Token`](crate::names::Token).
pub(super) const ROLLOUT: Grammar = Grammar {
    name: "a rollout's name",
    allowed: "1 to 32 of a-z, 0-9 and `-`",
    fits: |text| {
        (1..=32).contains(&text.len()) && all(text, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    },
};

/// `git check-ref-format --branch`, without its rarer corners.
pub(super) const BRANCH: Grammar = Grammar {
    name: "a branch's name",
    allowed: "what `git check-ref-format --branch` takes, such as `main`",
    fits: |text| {
        !text.starts_with('-')
            && text != "@"
            && !["..", "@{"].iter().any(|pair| text.contains(pair))
            && all(text, |c| !c.is_control() && !" ~^:?*[\\".contains(c))
            && text
                .split('/')
                .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
            && !text.ends_with('.')
    },
};

/// The longest region that a token has room for beside the longest rollout's name.
const REGION_MAX: usize = 25;

/// A region's name; which regions exist changes, so only its form is checked.
pub(super) const REGION: Grammar = Grammar {
    name: "a region's name",
    allowed: "names such as `us-east-1`",
    fits: |text| {
        let Some((place, number)) = text.rsplit_once('-') else {
            return false;
        };
        text.len() <= REGION_MAX
            && (1..=2).contains(&number.len())
            && all(number, |c| c.is_ascii_digit())
            && place.split('-').count() >= 2
            && place
                .split('-')
                .all(|word| word.len() >= 2 && all(word, |c| c.is_ascii_lowercase()))
    },
};

/// Regions to recognise a near miss by; one that is not among them is as good.
pub(super) const KNOWN_REGIONS: [&str; 34] = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// ECR's `repositoryName`.
pub(super) const REPOSITORY: Grammar = Grammar {
    name: "an ECR repository's name",
    allowed: "2 to 256 of a-z and 0-9, in parts joined by one `.`, `_`, `-` or `/`",
    fits: |text| {
        (2..=256).contains(&text.len())
            && text
                .split(['.', '_', '-', '/'])
                .all(|part| !part.is_empty() && all(part, |c| c.is_ascii_lowercase() || c.is_ascii_digit()))
    },
};

/// Docker's and OCI's tag.
pub(super) const TAG: Grammar = Grammar {
    name: "an image tag",
    allowed: "1 to 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`",
    fits: |text| {
        (1..=128).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && all(text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    },
};

/// One platform; a build for several at once needs a builder that Docker's API does not offer.
pub(super) const PLATFORM: Grammar = Grammar {
    name: "a platform",
    allowed: "one os/architecture[/variant], such as `linux/amd64` or `linux/arm/v7`",
    fits: |text| {
        let parts: Vec<_> = text.split('/').collect();
        (2..=3).contains(&parts.len())
            && parts.iter().all(|part| {
                !part.is_empty()
                    && all(part, |c| {
                        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-')
                    })
            })
    },
};

/// A Dockerfile's stage, by name or number.
pub(super) const STAGE: Grammar = Grammar {
    name: "a build stage",
    allowed: "the name after `AS` in the Dockerfile, or the stage's number",
    fits: |text| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && all(text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    },
};

/// What `ARG` takes.
pub(super) const ARGUMENT: Grammar = Grammar {
    name: "a build argument's name",
    allowed: "letters, digits and `_`, not beginning with a digit",
    fits: |text| {
        !text.is_empty()
            && !text.starts_with(|c: char| c.is_ascii_digit())
            && all(text, |c| c.is_ascii_alphanumeric() || c == '_')
    },
};

/// Docker takes nearly anything as a label's key; what breaks on the command line is refused here.
pub(super) const LABEL_KEY: Grammar = Grammar {
    name: "a label's name",
    allowed: "letters, digits, `.`, `_`, `-` and `/`, such as `org.opencontainers.image.revision`",
    fits: |text| {
        !text.is_empty()
            && all(text, |c| {
                c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/')
            })
    },
};

/// A path below a directory, by its text alone.
pub(super) const PATH: Grammar = Grammar {
    name: "a path inside of the repository",
    allowed: "a relative path with `/` and without `..`",
    fits: |text| {
        !text.is_empty()
            && !text.starts_with('/')
            && all(text, |c| !c.is_control() && c != '\\')
            && text.split('/').all(|part| part != "..")
    },
};

/// A path below a directory that names a file.
pub(super) const FILE: Grammar = Grammar {
    name: "a file inside of the build context",
    allowed: "a relative path with `/` and without `..`",
    fits: |text| (PATH.fits)(text) && text.rsplit('/').next().is_some_and(|name| !matches!(name, "" | ".")),
};

/// SendCommand's `DocumentName`.
pub(super) const DOCUMENT: Grammar = Grammar {
    name: "an SSM document's name",
    allowed: "3 to 128 letters, digits, `_`, `-`, `.`, `:` and `/` (a name, or the ARN of a shared document)",
    fits: |text| {
        (3..=128).contains(&text.len())
            && all(text, |c| {
                c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/')
            })
    },
};

/// SendCommand's `DocumentVersion`.
pub(super) const DOCUMENT_VERSION: Grammar = Grammar {
    name: "a document's version",
    allowed: "\"$LATEST\", \"$DEFAULT\" or a number from 1",
    fits: |text| matches!(text, "$LATEST" | "$DEFAULT") || number(text),
};

/// SendCommand's `MaxConcurrency`.
pub(super) const MAX_CONCURRENCY: Grammar = Grammar {
    name: "a concurrency that SSM takes",
    allowed: "a number from 1 (at most 7 digits), or \"1%\" to \"100%\"",
    fits: |text| {
        text.len() <= 7
            && text
                .strip_suffix('%')
                .map_or_else(|| number(text), |percent| percent != "0" && is_percent(percent))
    },
};

/// SendCommand's `MaxErrors`.
pub(super) const MAX_ERRORS: Grammar = Grammar {
    name: "an error limit that SSM takes",
    allowed: "a number from 0 (at most 7 digits), or \"0%\" to \"100%\"",
    fits: |text| {
        text.len() <= 7
            && text
                .strip_suffix('%')
                .map_or_else(|| text == "0" || number(text), is_percent)
    },
};

/// A target's key, as far as Run Command knows it and its hosts can be listed beforehand.
pub(super) const TARGET_KEY: Grammar = Grammar {
    name: "a target key that Quarterdeck takes",
    allowed: "`tag:KEY` or `InstanceIds`, at most 163 characters",
    fits: |text| {
        text.chars().count() <= 163
            && (text == "InstanceIds" || text.strip_prefix("tag:").is_some_and(|key| !key.is_empty()))
    },
};

/// Whether Run Command takes this key and Quarterdeck does not.
pub(super) fn is_resource_group(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("resource-groups:")
}

/// A managed node's id.
pub(super) const INSTANCE_ID: Grammar = Grammar {
    name: "an instance's id",
    allowed: "`i-` and 8 or 17 characters, or `mi-` and 17",
    fits: |text| {
        let is_id = |id: &str, lengths: &[usize]| {
            lengths.contains(&id.len()) && all(id, |c| c.is_ascii_alphanumeric() || c == '_')
        };
        text.strip_prefix("i-").is_some_and(|id| is_id(id, &[8, 17]))
            || text.strip_prefix("mi-").is_some_and(|id| is_id(id, &[17]))
    },
};

/// The ARN of a role to assume, in any partition.
pub(super) const ROLE: Grammar = Grammar {
    name: "the ARN of a role",
    allowed: "an ARN such as `arn:aws:iam::123456789012:role/deploy`",
    fits: |text| {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let &["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
            return false;
        };
        text.len() <= 2048
            && partition.starts_with("aws")
            && all(partition, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && account.len() == 12
            && all(account, |c| c.is_ascii_digit())
            && resource.strip_prefix("role/").is_some_and(|name| {
                !name.is_empty()
                    && !name.ends_with('/')
                    && all(name, |c| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c))
            })
    },
};

/// A profile of ~/.aws/config.
pub(super) const PROFILE: Grammar = Grammar {
    name: "a profile's name",
    allowed: "the name of a profile in ~/.aws/config, without brackets",
    fits: |text| !text.trim().is_empty() && all(text, |c| !c.is_control() && !"[]\"'#;".contains(c)),
};

/// An endpoint's address. It is shown, so it holds no password.
pub(super) const ENDPOINT: Grammar = Grammar {
    name: "an endpoint's URL",
    allowed: "http:// or https://, a host, and perhaps a port and a path; no user, query or fragment",
    fits: |text| {
        let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
            return false;
        };
        let authority = rest.split('/').next().unwrap_or_default();
        all(rest, |c| c.is_ascii_graphic() && !"@?#\\\"<>{}|^`".contains(c)) && is_authority(authority)
    },
};

/// An environment variable's name.
pub(super) const ENV_NAME: Grammar = Grammar {
    name: "an environment variable's name",
    allowed: "letters, digits and `_`, such as `NPM_TOKEN`",
    fits: ARGUMENT.fits,
};

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn is_authority(text: &str) -> bool {
    let (host_fits, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').unwrap_or_default();
            (address.parse::<std::net::Ipv6Addr>().is_ok(), after)
        }
        None => {
            let (host, _) = text.split_once(':').unwrap_or((text, ""));
            let fits = !host.is_empty() && all(host, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            (fits, &text[host.len()..])
        }
    };
    let port_fits = match port.strip_prefix(':') {
        Some(port) => all(port, |c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0),
        None => port.is_empty(),
    };
    host_fits && port_fits
}

fn all(text: &str, fits: impl Fn(char) -> bool) -> bool {
    text.chars().all(fits)
}

/// A number from 1, as SSM writes it: without a leading zero.
fn number(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && all(text, |c| c.is_ascii_digit())
}

/// 0 to 100, as SSM writes it.
fn is_percent(text: &str) -> bool {
    text == "0" || text == "100" || (number(text) && text.len() <= 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_lite::Regex;

    use super::*;

    #[test]
    fn lengths_are_taken_to_their_last_character() {
        for (grammar, prefix, min, max) in [
            (LABEL, "", 1, 64),
            (ROLLOUT, "", 1, 32),
            (REPOSITORY, "", 2, 256),
            (TAG, "", 1, 128),
            (DOCUMENT, "", 3, 128),
            (TARGET_KEY, "tag:", 5, 163),
            (ROLE, "arn:aws:iam::123456789012:role/", 32, 2048),
        ] {
            for length in [min - 1, min, max, max + 1] {
                let text = format!("{prefix}{}", "a".repeat(length - prefix.len()));
                let fits = (min..=max).contains(&length);
                assert_eq!((grammar.fits)(&text), fits, "{} of {length} characters", grammar.name);
            }
        }
    }

    #[test]
    fn every_region_that_is_known_has_the_form_of_one() {
        for region in KNOWN_REGIONS
            .into_iter()
            .chain(["us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"])
        {
            assert!((REGION.fits)(region), "{region}");
        }
    }

    /// The patterns of the service models of SSM and ECR, and of the OCI distribution specification, word for word, with
    /// the least length, which ECR's model says apart.
    const PATTERNS: [(Grammar, usize, &str); 7] = [
        (MAX_CONCURRENCY, 1, r"^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$"),
        (MAX_ERRORS, 1, r"^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$"),
        (DOCUMENT_VERSION, 1, r"^([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)$"),
        (DOCUMENT, 3, r"^[a-zA-Z0-9_\-.:/]{3,128}$"),
        (INSTANCE_ID, 1, r"(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)"),
        (
            REPOSITORY,
            2,
            r"^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$",
        ),
        (TAG, 1, r"^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"),
    ];

    proptest! {
        #[test]
        fn a_text_fits_exactly_when_the_service_s_own_pattern_takes_it(
            text in r"[$]?(LATEST|DEFAULT)|[01-9]{0,3}%?|(i|mi)-\w{7,9}|m?i-[a-z0-9_]{16,18}|[a-zA-Z0-9._/:%-]{2,7}|[a\-/._]{2,9}",
        ) {
            for (grammar, min, pattern) in PATTERNS {
                let takes = text.len() >= min && Regex::new(pattern).expect("a pattern").is_match(&text);
                prop_assert_eq!((grammar.fits)(&text), takes, "{}: {:?}", grammar.name, text);
            }
        }
    }
}
