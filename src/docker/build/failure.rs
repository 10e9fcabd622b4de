//! What an engine's prose about a failed build means, and what to do about it.

use std::sync::LazyLock;

use regex_lite::Regex;

/// `returned a non-zero code: 7` (classic) and `exit code: 7` (BuildKit).
static EXIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:non-zero code|exit code|exit status):? (\d+)").expect("the pattern is constant and compiles")
});

/// What a shell reports of a command that was killed.
pub(super) const KILLED: i64 = 137;

/// What BuildKit wraps the cause in.
const WRAPPINGS: [&str; 8] = [
    "failed to solve with frontend dockerfile.v0: ",
    "failed to solve with frontend gateway.v0: ",
    "failed to solve: ",
    "failed to build LLB: ",
    "failed to create LLB definition: ",
    "rpc error: code = Unknown desc = ",
    "rpc error: code = InvalidArgument desc = ",
    "Docker stream error: ",
];

/// The exit code of the command that failed, if it was a command.
pub(super) fn exit_code(says: &str) -> Option<i64> {
    let found = EXIT.captures_iter(says).last()?;
    found.get(1)?.as_str().parse().ok()
}

/// The cause without what it is wrapped in.
pub(super) fn cause(says: &str) -> &str {
    let mut cause = says.trim();
    while let Some(inner) = WRAPPINGS.iter().find_map(|wrapping| cause.strip_prefix(wrapping)) {
        cause = inner;
    }
    cause
}

/// What is added to the exit code.
pub(super) fn exit_hint(code: i64) -> &'static str {
    match code {
        KILLED => ": it was killed, for lack of memory or because the engine was being stopped",
        127 => ": the command was not found",
        126 => ": the command could not be run",
        _ => "",
    }
}

/// What to do: the first line of the table that the cause contains.
pub(super) fn remedy(cause: &str, code: Option<i64>, log: &str) -> String {
    let known = REMEDIES.iter().find(|(needle, _)| cause.contains(needle));
    match (known, code) {
        (_, Some(KILLED)) => {
            "look whether the engine was restarted and how much memory it has (docker info), then build again"
                .to_owned()
        }
        (_, Some(_)) | (None, None) => format!("its whole log is in {log}; mend the cause and build again"),
        (Some((_, remedy)), None) => (*remedy).to_owned(),
    }
}

/// Causes by a part of their text, the narrower first. Engines tell them as prose only.
const REMEDIES: [(&str, &str); 24] = [
    (
        "no space left on device",
        "make room on the engine's disk (docker system df, docker system prune) and build again",
    ),
    ("dockerfile parse error", "correct that line of the Dockerfile"),
    ("Dockerfile parse error", "correct that line of the Dockerfile"),
    ("unknown instruction", "correct that line of the Dockerfile"),
    (
        "Cannot locate specified Dockerfile",
        "add the Dockerfile to the commit, or correct build.dockerfile in config.toml",
    ),
    (
        "failed to read dockerfile",
        "add the Dockerfile to the commit, or correct build.dockerfile in config.toml",
    ),
    (
        "the Dockerfile (",
        "add the Dockerfile to the commit, or correct build.dockerfile in config.toml",
    ),
    (
        "target stage",
        "correct build.target in config.toml: it names a stage of the Dockerfile",
    ),
    (
        "build target",
        "correct build.target in config.toml: it names a stage of the Dockerfile",
    ),
    (
        "requires BuildKit",
        "set builder = \"buildkit\" or \"auto\" under [build] in config.toml",
    ),
    (
        "experimental features",
        "set builder = \"buildkit\" or \"auto\" under [build] in config.toml: this engine's classic builder can't choose a platform",
    ),
    (
        "no active session",
        "the engine could not call back in time: its connection is slow or broken; build again",
    ),
    (
        "exec format error",
        "the image is for another platform than the engine: correct build.platform, or install emulation on the engine",
    ),
    (
        "pull access denied",
        "check the base image's name in FROM, and that the engine is logged in to its registry",
    ),
    (
        "insufficient_scope",
        "check the base image's name in FROM, and that the engine is logged in to its registry",
    ),
    ("manifest unknown", "check the base image's tag in FROM"),
    ("manifest for", "check the base image's tag in FROM"),
    (
        "no matching manifest",
        "the base image does not exist for this platform: correct build.platform, or choose another",
    ),
    (
        "no basic auth credentials",
        "log the engine in to the base image's registry (docker login)",
    ),
    (
        "toomanyrequests",
        "the base image's registry limits how much is pulled: log in to it, or wait and build again",
    ),
    (
        "dial tcp",
        "the engine can't reach a registry: check its network, proxy and name server, then build again",
    ),
    (
        "i/o timeout",
        "the engine's network is slow or broken: check it, then build again",
    ),
    (
        "excluded by .dockerignore",
        "add the file to the commit, or take it out of .dockerignore",
    ),
    (
        "not found",
        "add what it names to the commit, or take it out of .dockerignore",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_read_from_both_builders_prose() {
        for (says, code) in [
            ("The command '/bin/sh -c exit 7' returned a non-zero code: 7", Some(7)),
            ("executor failed running [/bin/sh -c exit 7]: exit code: 7", Some(7)),
            (
                "process \"/bin/sh -c echo exit code: 3; exit 9\" did not complete successfully: exit code: 9",
                Some(9),
            ),
            ("pull access denied for nope", None),
        ] {
            assert_eq!(exit_code(says), code, "{says}");
        }
    }

    #[test]
    fn the_cause_stands_without_its_wrappings() {
        let says = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 3: x";
        assert_eq!(cause(says), "dockerfile parse error line 3: x");
    }

    #[test]
    fn a_killed_command_is_not_simply_called_out_of_memory() {
        assert!(exit_hint(137).contains("or because the engine was being stopped"));
        assert!(remedy("", Some(137), "x").contains("restarted"));
    }
}
