//! Scenario files: a rehearsal's story told in TOML. `assets/scenarios/quiet-night.toml` shows every key.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::faults::{Act, Rule};
use super::fleet::story::Troubles;
use super::fleet::{Appears, Fate};
use super::options::is_region;
use crate::problem::{Kind, Problem};

/// The operations that a fault can name.
const OPERATIONS: [&str; 17] = [
    "SendCommand",
    "ListCommands",
    "ListCommandInvocations",
    "GetCommandInvocation",
    "CancelCommand",
    "DescribeInstanceInformation",
    "DescribeDocument",
    "GetDocument",
    "ListDocuments",
    "GetCallerIdentity",
    "GetAuthorizationToken",
    "DescribeRepositories",
    "DescribeImages",
    "ListImages",
    "BatchGetImage",
    "BatchCheckLayerAvailability",
    "PutImage",
];
/// More hosts would only show how much memory this machine has.
pub const HOSTS_MAX: usize = 100_000;
/// More regions than AWS will have for a while.
pub const REGIONS_MAX: usize = 99;

/// A story; what it leaves out is the default story's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// The seed of everything that is left to chance.
    pub seed: Option<u64>,
    /// So many times faster than believable hosts.
    pub speed: Option<f64>,
    /// So many times faster than hosts do timeouts pass.
    pub timeouts: Option<f64>,
    /// AWS's clock goes so many milliseconds before this machine's; behind it when negative.
    pub clock_ahead_ms: i64,
    /// The regions' names.
    pub regions: Option<Vec<String>>,
    /// Hosts in all regions together.
    pub hosts: Option<usize>,
    /// What goes wrong at first attempts, in each region.
    pub troubles: Option<Troubles>,
    /// Hosts with a story of their own.
    pub stories: Vec<HostStory>,
    /// What goes wrong at the wire.
    pub faults: Vec<Rule>,
}

/// One host's own story.
#[derive(Debug, Clone, PartialEq)]
pub struct HostStory {
    /// Its region.
    pub region: String,
    /// Which of the region's hosts, from 1.
    pub number: usize,
    /// What it does at each attempt; the default story's when there are none.
    pub fates: Vec<Fate>,
    /// When a command shows it.
    pub appears: Appears,
    /// The line that tells it.
    pub line: usize,
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// A file that can't be read, or what is wrong in which line.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Problem::new(
                Kind::Config,
                format!("the scenario {} can't be read: {error}", path.display()),
                "name a file such as assets/scenarios/quiet-night.toml",
            )
        })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads a text; `name` is what errors call it.
    ///
    /// # Errors
    ///
    /// What is wrong in which line.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            wrong(name, line, error.message())
        })?;
        file.check()
            .map_err(|(span, why)| wrong(name, Some(line_of(text, span.start)), &why))?;
        let line = |span: Range<usize>| line_of(text, span.start);
        Ok(Self {
            seed: file.seed,
            speed: file.speed.map(Spanned::into_inner),
            timeouts: file.timeouts.map(Spanned::into_inner),
            clock_ahead_ms: file.clock_ahead.map_or(0, |ahead| i64::from(ahead.into_inner()) * 1000),
            regions: file.regions.map(Spanned::into_inner),
            hosts: file.hosts.map(Spanned::into_inner),
            troubles: file.trouble.map(Trouble::troubles),
            stories: file
                .host
                .into_iter()
                .map(|host| {
                    let at = line(host.span());
                    host.into_inner().story(at)
                })
                .collect(),
            faults: file.fault.into_iter().map(|fault| fault.into_inner().rule()).collect(),
        })
    }
}

fn wrong(name: &str, line: Option<usize>, why: &str) -> Problem {
    let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
    Problem::new(
        Kind::Config,
        format!("scenario {name}{place}: {why}"),
        "correct the file; assets/scenarios/quiet-night.toml shows every key",
    )
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    seed: Option<u64>,
    speed: Option<Spanned<f64>>,
    timeouts: Option<Spanned<f64>>,
    /// In seconds.
    clock_ahead: Option<Spanned<i32>>,
    regions: Option<Spanned<Vec<String>>>,
    hosts: Option<Spanned<usize>>,
    trouble: Option<Trouble>,
    #[serde(default)]
    host: Vec<Spanned<Host>>,
    #[serde(default)]
    fault: Vec<Spanned<Fault>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Trouble {
    #[serde(default)]
    fail: usize,
    #[serde(default)]
    hang: usize,
    #[serde(default)]
    offline: usize,
    #[serde(default)]
    silent: usize,
    #[serde(default)]
    reboot: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Host {
    region: String,
    number: usize,
    #[serde(default)]
    fates: Vec<Fate>,
    #[serde(default)]
    appears: When,
    after: Option<f64>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum When {
    #[default]
    AtOnce,
    Late,
    Never,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fault {
    act: Deed,
    operation: Option<String>,
    region: Option<String>,
    #[serde(default)]
    skip: u64,
    #[serde(default)]
    every: u64,
    times: Option<u64>,
    after: Option<f64>,
    until: Option<f64>,
    status: Option<u16>,
    seconds: Option<f64>,
    word: Option<String>,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    Throttle,
    Expired,
    Denied,
    ServerError,
    ServerErrorAfter,
    ResetBefore,
    ResetAfter,
    NoAnswer,
    Slow,
    EmptyLists,
    HalfLists,
    UnknownWord,
    SamePageToken,
}

/// Where it is wrong, and why.
type Wrong = (Range<usize>, String);

impl File {
    fn check(&self) -> Result<(), Wrong> {
        for (name, factor) in [("speed", &self.speed), ("timeouts", &self.timeouts)] {
            if let Some(factor) = factor
                && !is_factor(*factor.get_ref())
            {
                return Err((
                    factor.span(),
                    format!("{name} must be a number above 0, at most {FACTOR_MAX}"),
                ));
            }
        }
        if let Some(ahead) = &self.clock_ahead
            && ahead.get_ref().abs() > 3600
        {
            return Err((
                ahead.span(),
                "clock-ahead is in seconds, at most an hour either way".to_owned(),
            ));
        }
        if let Some(regions) = &self.regions {
            let names = regions.get_ref();
            let twice = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
            if let Some(bad) = names.iter().find(|name| !is_region(name)) {
                return Err((regions.span(), format!("`{bad}` is no region's name such as us-east-1")));
            }
            if let Some((_, name)) = twice {
                return Err((regions.span(), format!("the region {name} is there twice")));
            }
            if names.is_empty() || names.len() > REGIONS_MAX {
                return Err((regions.span(), format!("there must be 1 to {REGIONS_MAX} regions")));
            }
        }
        if let Some(hosts) = &self.hosts
            && *hosts.get_ref() > HOSTS_MAX
        {
            return Err((hosts.span(), format!("at most {HOSTS_MAX} hosts can be simulated")));
        }
        let hosts = self
            .host
            .iter()
            .try_for_each(|host| host.get_ref().check().map_err(|why| (host.span(), why)));
        hosts?;
        self.fault
            .iter()
            .try_for_each(|fault| fault.get_ref().check().map_err(|why| (fault.span(), why)))
    }
}

/// Faster than this, everything happens at once.
const FACTOR_MAX: f64 = 1_000_000.0;

/// Whether something can go so many times faster.
pub(super) fn is_factor(factor: f64) -> bool {
    factor > 0.0 && factor <= FACTOR_MAX
}

fn is_seconds(seconds: f64) -> bool {
    (0.0..=86_400.0).contains(&seconds)
}

impl Trouble {
    fn troubles(self) -> Troubles {
        Troubles {
            fail: self.fail,
            hang: self.hang,
            offline: self.offline,
            silent: self.silent,
            reboot: self.reboot,
        }
    }
}

impl Host {
    fn check(&self) -> Result<(), String> {
        if self.number == 0 {
            return Err("hosts are counted from 1".to_owned());
        }
        match (self.appears, self.after) {
            (When::Late, Some(after)) if is_seconds(after) => Ok(()),
            (When::Late, _) => Err("a late host needs `after`, in seconds of at most a day".to_owned()),
            (When::AtOnce | When::Never, Some(_)) => Err("`after` belongs to `appears = \"late\"`".to_owned()),
            (When::AtOnce | When::Never, None) => Ok(()),
        }
    }

    fn story(self, line: usize) -> HostStory {
        let after = Duration::from_secs_f64(self.after.unwrap_or_default());
        HostStory {
            region: self.region,
            number: self.number,
            fates: self.fates,
            appears: match self.appears {
                When::AtOnce => Appears::AtOnce,
                When::Late => Appears::Late(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
                When::Never => Appears::Never,
            },
            line,
        }
    }
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        if let Some(operation) = &self.operation
            && !OPERATIONS.contains(&operation.as_str())
        {
            return Err(format!(
                "no operation is called {operation}; there are {}",
                OPERATIONS.join(", ")
            ));
        }
        for (name, seconds) in [("after", self.after), ("until", self.until), ("seconds", self.seconds)] {
            if seconds.is_some_and(|seconds| !is_seconds(seconds)) {
                return Err(format!("`{name}` is in seconds, at most a day"));
            }
        }
        let takes = |needs: Needs| self.needs() == Some(needs);
        match self.needs() {
            Some(Needs::Seconds) if self.seconds.is_none() => return Err("slow needs `seconds`".to_owned()),
            Some(Needs::Word) if self.word.is_none() => return Err("unknown-word needs `word`".to_owned()),
            _ => {}
        }
        for (name, given, needs) in [
            ("status", self.status.is_some(), Needs::Status),
            ("seconds", self.seconds.is_some(), Needs::Seconds),
            ("word", self.word.is_some(), Needs::Word),
        ] {
            if given && !takes(needs) {
                return Err(format!("`{name}` does not belong to this act"));
            }
        }
        match self.status {
            Some(status) if !(500..=599).contains(&status) => Err("`status` must be 500 to 599".to_owned()),
            Some(_) | None => Ok(()),
        }
    }

    /// The key that only this act has.
    fn needs(&self) -> Option<Needs> {
        match self.act {
            Deed::ServerError | Deed::ServerErrorAfter => Some(Needs::Status),
            Deed::Slow => Some(Needs::Seconds),
            Deed::UnknownWord => Some(Needs::Word),
            Deed::Throttle
            | Deed::Expired
            | Deed::Denied
            | Deed::ResetBefore
            | Deed::ResetAfter
            | Deed::NoAnswer
            | Deed::EmptyLists
            | Deed::HalfLists
            | Deed::SamePageToken => None,
        }
    }

    fn rule(self) -> Rule {
        let status = self.status.unwrap_or(500);
        let seconds = Duration::from_secs_f64(self.seconds.unwrap_or_default());
        Rule {
            operation: self.operation,
            region: self.region,
            skip: self.skip,
            every: self.every,
            times: self.times,
            after: self.after.map(Duration::from_secs_f64),
            until: self.until.map(Duration::from_secs_f64),
            act: match self.act {
                Deed::Throttle => Act::Throttle,
                Deed::Expired => Act::Expired,
                Deed::Denied => Act::Denied,
                Deed::ServerError => Act::ServerError(status),
                Deed::ServerErrorAfter => Act::ServerErrorAfter(status),
                Deed::ResetBefore => Act::ResetBefore,
                Deed::ResetAfter => Act::ResetAfter,
                Deed::NoAnswer => Act::NoAnswer,
                Deed::Slow => Act::Slow(seconds),
                Deed::EmptyLists => Act::EmptyLists,
                Deed::HalfLists => Act::HalfLists,
                Deed::UnknownWord => Act::UnknownWord(self.word.unwrap_or_default()),
                Deed::SamePageToken => Act::SamePageToken,
            },
        }
    }
}

#[derive(PartialEq, Eq)]
enum Needs {
    Status,
    Seconds,
    Word,
}

impl fmt::Display for HostStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {} of {} (line {})", self.number, self.region, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_tells_what_it_says() {
        let sample = include_str!("../../assets/scenarios/quiet-night.toml");
        let scenario = Scenario::parse("quiet-night.toml", sample).expect("the sample is right");
        assert_eq!((scenario.hosts, scenario.seed), (Some(24), Some(20_261_125)));
        assert_eq!(scenario.troubles.map(|troubles| troubles.fail), Some(1));
        assert_eq!(
            scenario.stories[0].fates,
            [Fate::Unhealthy, Fate::DiskFull, Fate::Success]
        );
        assert_eq!(scenario.stories[1].appears, Appears::Late(8000));
        assert_eq!(scenario.faults[1].act, Act::Slow(Duration::from_millis(1500)));
        assert_eq!(scenario.faults[0].every, 7);
    }

    #[test]
    fn an_empty_file_is_the_default_story() {
        assert_eq!(Scenario::parse("x", ""), Ok(Scenario::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, why) in [
            ("seed = 1\nspede = 2.0\n", 2, "spede"),
            ("speed = 0.0", 1, "above 0"),
            ("\nspeed = nan", 2, "above 0"),
            ("clock-ahead = 4000", 1, "an hour"),
            ("hosts = -1", 1, "-1"),
            ("hosts = 100001", 1, "at most 100000"),
            ("regions = [\"moon\"]", 1, "`moon`"),
            ("regions = [\"us-east-1\", \"us-east-1\"]", 1, "twice"),
            ("regions = []", 1, "1 to 99"),
            ("[[host]]\nregion = \"us-east-1\"\nnumber = 0", 1, "from 1"),
            (
                "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"shy\"]",
                4,
                "shy",
            ),
            (
                "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nappears = \"late\"",
                1,
                "`after`",
            ),
            (
                "[[fault]]\nact = \"throttle\"\noperation = \"SendComand\"",
                1,
                "SendComand",
            ),
            ("[[fault]]\nact = \"slow\"", 1, "`seconds`"),
            ("[[fault]]\nact = \"throttle\"\nword = \"x\"", 1, "does not belong"),
            ("[[fault]]\nact = \"server-error\"\nstatus = 404", 1, "500 to 599"),
            ("[[fault]]\nact = \"explode\"", 2, "explode"),
            ("seed = ", 1, ""),
        ] {
            let problem = Scenario::parse("night.toml", text).expect_err(text);
            let what = problem.what.as_str();
            assert!(
                what.starts_with(&format!("scenario night.toml, line {line}: ")),
                "{text}: {what}"
            );
            assert!(what.contains(why), "{text}: {what}");
        }
    }
}
