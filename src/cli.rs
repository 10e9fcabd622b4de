//! What can be typed. A doc comment here is a help text; every flag has an environment variable as its twin.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::headless::Consent;
use crate::names::Region;
use crate::rehearsal::{DockerChoice, Regions};
use crate::text::Clean;

/// A terminal deploy console: one build, every region, every host, and a retry of exactly those that failed.
#[derive(Debug, Parser)]
#[command(
    name = "quarterdeck",
    version,
    about,
    after_help = "Without a command, `quarterdeck` deploys HEAD. Exit codes: 0 every host succeeded, 1 unexpected error, \
                  2 usage or configuration, 3 hosts did not succeed, 4 no host matched, 5 build or push failed, \
                  6 credentials, 7 locked, 8 refused by a guard, 9 left while hosts were running or waited out, 10 cancelled, \
                  130/143 interrupted before anything was sent.",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Options that every command has.
    #[command(flatten)]
    pub global: Global,
    #[command(flatten)]
    run: Run,
    #[command(subcommand)]
    command: Option<Command>,
}

impl Cli {
    /// Reads the command line. Help, the version and mistakes are told, and end the process.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|mistake| match shown(&mistake) {
            None => mistake.exit(),
            Some(text) => {
                // Nowhere is left to report a failure of standard error to.
                let _ = write!(std::io::stderr(), "{text}");
                std::process::exit(mistake.exit_code())
            }
        })
    }

    /// The options for every command, and the command. Without one it is a deployment of `HEAD`; options of a
    /// deployment that stand before its command's word count as if they stood behind it.
    pub fn into_parts(self) -> (Global, Command) {
        let command = match self.command {
            None => Command::Deploy(Deploy {
                run: self.run,
                revision: HEAD.to_owned(),
            }),
            Some(Command::Deploy(deploy)) => Command::Deploy(Deploy {
                run: deploy.run.or(self.run),
                ..deploy
            }),
            Some(Command::Plan(plan)) => Command::Plan(Plan {
                scope: plan.scope.or(self.run.scope),
                ..plan
            }),
            Some(Command::Attach(attach)) => Command::Attach(Attach {
                drive: attach.drive.or(self.run.drive),
                reach: Reach {
                    regions: first(attach.reach.regions, self.run.scope.regions),
                    ..attach.reach
                },
                ..attach
            }),
            Some(Command::Rehearse(rehearse)) => Command::Rehearse(Rehearse {
                drive: rehearse.drive.or(self.run.drive),
                ..rehearse
            }),
            Some(other) => other,
        };
        (self.global, command)
    }
}

/// The revision that is deployed when none is named.
const HEAD: &str = "HEAD";

/// Options that every command has.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "QUARTERDECK_CONFIG",
        default_value = "config.toml"
    )]
    pub config: PathBuf,

    /// The folder for the journal and logs; $XDG_STATE_HOME/quarterdeck by default.
    #[arg(long, global = true, value_name = "DIR", env = "QUARTERDECK_STATE_DIR")]
    pub state_dir: Option<PathBuf>,

    /// How progress is shown: `auto` is `tui` on a terminal and `plain` elsewhere.
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        env = "QUARTERDECK_PROGRESS",
        default_value = "auto"
    )]
    pub progress: Progress,

    /// Colours; `auto` heeds NO_COLOR.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "QUARTERDECK_COLOR",
        default_value = "auto"
    )]
    pub color: Color,

    /// Draw with ASCII characters alone.
    #[arg(long, global = true, env = "QUARTERDECK_ASCII", value_parser = FalseyValueParser::new())]
    pub ascii: bool,

    /// Leave the mouse to the terminal.
    #[arg(long, global = true, env = "QUARTERDECK_NO_MOUSE", value_parser = FalseyValueParser::new())]
    pub no_mouse: bool,

    /// How much goes to quarterdeck.log in the state folder.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "QUARTERDECK_LOG_LEVEL",
        default_value = "info"
    )]
    pub log_level: LogLevel,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// `tui` on a terminal, `plain` elsewhere.
    Auto,
    /// The console.
    Tui,
    /// One line for each thing that happened.
    Plain,
    /// One JSON object a line for each fact.
    Json,
    /// The summary alone.
    Quiet,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// Unless NO_COLOR is set.
    Auto,
    /// Even if NO_COLOR is set.
    Always,
    /// No colours.
    Never,
}

/// `--log-level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What went wrong.
    Error,
    /// And what may be wrong.
    Warn,
    /// And what was done.
    Info,
    /// And how.
    Debug,
    /// Everything.
    Trace,
}

/// Which part of the configuration is meant, and which guards are opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Scope {
    /// Deploy to these regions of the configuration only.
    #[arg(long, value_name = "REGION,…", value_delimiter = ',', value_parser = region, env = "QUARTERDECK_REGIONS")]
    pub regions: Vec<Region>,

    /// Deploy to all regions of the configuration but these.
    #[arg(long, value_name = "REGION,…", value_delimiter = ',', value_parser = region, env = "QUARTERDECK_EXCLUDE_REGIONS")]
    pub exclude_regions: Vec<Region>,

    /// Deploy though the working directory differs from the commit.
    #[arg(long, env = "QUARTERDECK_ALLOW_DIRTY", value_parser = FalseyValueParser::new())]
    pub allow_dirty: bool,

    /// Deploy a commit that is not on the configured branch, or that no remote has.
    #[arg(long, env = "QUARTERDECK_ALLOW_UNPUSHED", value_parser = FalseyValueParser::new())]
    pub allow_unpushed: bool,
}

impl Scope {
    fn or(self, other: Self) -> Self {
        Self {
            regions: first(self.regions, other.regions),
            exclude_regions: first(self.exclude_regions, other.exclude_regions),
            allow_dirty: self.allow_dirty || other.allow_dirty,
            allow_unpushed: self.allow_unpushed || other.allow_unpushed,
        }
    }
}

/// How a deployment is driven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Drive {
    /// Start without being asked. A protected environment has to be named: `--yes=production`.
    #[arg(
        short,
        long,
        value_name = "ENVIRONMENT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        env = "QUARTERDECK_YES"
    )]
    pub yes: Option<Consent>,

    /// Without the console: leave after this time (`90s`, `15m`, `1h30m`), exit code 9; what was sent goes on.
    #[arg(long, value_name = "TIME", value_parser = time, env = "QUARTERDECK_WAIT_TIMEOUT")]
    pub wait_timeout: Option<Duration>,
}

impl Drive {
    fn or(self, other: Self) -> Self {
        Self {
            yes: self.yes.or(other.yes),
            wait_timeout: self.wait_timeout.or(other.wait_timeout),
        }
    }
}

/// Options of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Run {
    /// Which part of the configuration, and which guards.
    #[command(flatten)]
    pub scope: Scope,
    /// How it is driven.
    #[command(flatten)]
    pub drive: Drive,
}

impl Run {
    fn or(self, other: Self) -> Self {
        Self {
            scope: self.scope.or(other.scope),
            drive: self.drive.or(other.drive),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build, push and roll out (the default).
    Deploy(Deploy),
    /// Look at everything that a deployment would do and need, and change nothing.
    Plan(Plan),
    /// Take up a deployment that was left, or retry its hosts.
    Attach(Attach),
    /// List the deployments that were driven from here, the newest first.
    History(History),
    /// Look at a deployment of the history again.
    Show(Show),
    /// Run the whole thing against stand-ins on this machine: no AWS account, and no Docker unless you want it.
    Rehearse(Rehearse),
    /// Check the configuration, or print a commented example.
    #[command(subcommand)]
    Config(Config),
    /// Check the journal, or print its facts.
    #[command(subcommand)]
    Journal(Journal),
    /// Print version, paths, terminal and Docker address, for a bug report.
    Info,
    /// Print a shell's completion script.
    Completions(Completions),
    /// Print the manual page, of the whole or of one command.
    Man(Man),
}

/// `deploy`.
#[derive(Debug, Args)]
pub struct Deploy {
    /// Options of a deployment.
    #[command(flatten)]
    pub run: Run,

    /// The revision to deploy: a branch, a tag or a commit.
    #[arg(default_value = HEAD, env = "QUARTERDECK_REVISION")]
    pub revision: String,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// Which part of the configuration, and which guards.
    #[command(flatten)]
    pub scope: Scope,

    /// The revision to look at: a branch, a tag or a commit.
    #[arg(default_value = HEAD, env = "QUARTERDECK_REVISION")]
    pub revision: String,
}

/// `attach`.
#[derive(Debug, Args)]
pub struct Attach {
    /// The deployment: its id as `history` shows it, or `latest`. One that the history here does not have is looked for
    /// in SSM.
    #[arg(default_value = "latest", conflicts_with = "command_id")]
    pub id: String,

    /// How a deployment is reached of which nothing is known here.
    #[command(flatten)]
    pub reach: Reach,

    /// Without the console: send the command again to these hosts, once nothing is under way.
    #[arg(long, value_name = "WHICH", env = "QUARTERDECK_RETRY")]
    pub retry: Option<Retry>,

    /// Retry though the moving tag points at another image by now, which the hosts then pull.
    #[arg(long, env = "QUARTERDECK_DESPITE_MOVED_TAG", value_parser = FalseyValueParser::new())]
    pub despite_moved_tag: bool,

    /// How it is driven.
    #[command(flatten)]
    pub drive: Drive,
}

/// Where a deployment is found that the history here does not have, and with which credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Reach {
    /// The deployment that this SSM command belongs to, whoever sent it from wherever.
    #[arg(long, value_name = "ID", requires = "region", value_parser = command_id, env = "QUARTERDECK_COMMAND_ID")]
    pub command_id: Option<String>,

    /// The region of that command.
    #[arg(long, value_name = "REGION", value_parser = region, env = "QUARTERDECK_REGION")]
    pub region: Option<Region>,

    /// Where to look for a deployment that the history here does not have; the configuration's regions by default.
    #[arg(long, value_name = "REGION,…", value_delimiter = ',', value_parser = region, env = "QUARTERDECK_REGIONS")]
    pub regions: Vec<Region>,

    /// The AWS profile to use instead of the configuration's.
    #[arg(long, value_name = "NAME", env = "QUARTERDECK_PROFILE")]
    pub profile: Option<String>,

    /// The ARN of the role to assume instead of the configuration's.
    #[arg(long, value_name = "ARN", env = "QUARTERDECK_ROLE")]
    pub role: Option<String>,
}

/// `--retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Retry {
    /// Hosts whose script failed or timed out.
    Failed,
    /// Every host that did not succeed: also those that were not reached, not started or gave no report.
    Unsuccessful,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    /// At most so many.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = some, env = "QUARTERDECK_LIMIT")]
    pub limit: usize,
}

/// `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The deployment: its id as `history` shows it, or `latest`.
    #[arg(default_value = "latest")]
    pub id: String,
}

/// `rehearse`.
#[derive(Debug, Args)]
pub struct Rehearse {
    /// How many hosts the simulated fleet has.
    #[arg(long, value_name = "N", env = "QUARTERDECK_REHEARSAL_HOSTS")]
    pub hosts: Option<usize>,

    /// In how many regions, or in which: `3`, or `us-east-1,eu-west-1`.
    #[arg(long, value_name = "N", env = "QUARTERDECK_REHEARSAL_REGIONS")]
    pub regions: Option<Regions>,

    /// What chance is drawn from: the same seed tells the same story.
    #[arg(long, value_name = "N", env = "QUARTERDECK_REHEARSAL_SEED")]
    pub seed: Option<u64>,

    /// How many times faster than a real fleet its hosts work.
    #[arg(long, value_name = "FACTOR", env = "QUARTERDECK_REHEARSAL_SPEED")]
    pub speed: Option<f64>,

    /// A scenario file with a story of your own.
    #[arg(long, value_name = "FILE", env = "QUARTERDECK_REHEARSAL_SCENARIO")]
    pub scenario: Option<PathBuf>,

    /// Only serve, and print the environment in which another shell reaches the stand-ins.
    #[arg(long, env = "QUARTERDECK_REHEARSAL_SERVE", value_parser = FalseyValueParser::new())]
    pub serve: bool,

    /// Which Docker Engine builds and pushes: `auto` is the real one where it answers.
    #[arg(
        long,
        value_name = "WHICH",
        env = "QUARTERDECK_REHEARSAL_DOCKER",
        default_value = "auto"
    )]
    pub docker: DockerChoice,

    /// How it is driven.
    #[command(flatten)]
    pub drive: Drive,
}

/// `config`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Config {
    /// Check the configuration and tell every mistake in it.
    Check,
    /// Print a commented configuration to start from.
    Example,
}

/// `journal`.
#[derive(Debug, Clone, Subcommand)]
pub enum Journal {
    /// Read every fact of every deployment and tell what cannot be read.
    Check,
    /// Print the facts of one deployment, or of all, as JSON lines.
    Export {
        /// The deployment; all of them without it.
        id: Option<String>,
    },
}

/// `completions`.
#[derive(Debug, Clone, Copy, Args)]
pub struct Completions {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// The command whose page is wanted.
    pub command: Option<String>,
}

/// A mistake that quotes something which no terminal must get, cleaned. Such a word may come from a variable, too.
fn shown(mistake: &clap::Error) -> Option<Clean> {
    let harmless = |text: &str| Clean::block(text).as_str() == text;
    let mut quoted = mistake.context().map(|(_, value)| value.to_string());
    (!quoted.all(|text| harmless(&text))).then(|| Clean::block(&mistake.render().to_string()))
}

/// Regions that were named behind the command's word, or else before it.
fn first(one: Vec<Region>, two: Vec<Region>) -> Vec<Region> {
    if one.is_empty() { two } else { one }
}

fn region(text: &str) -> Result<Region, String> {
    match text.trim() {
        "" => Err("a region's name is missing".to_owned()),
        name => Ok(Region::new(name)),
    }
}

/// SSM refuses any other length.
fn command_id(text: &str) -> Result<String, String> {
    const LENGTH: usize = 36;
    let id = text.trim();
    let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
    if id.len() == LENGTH && id.chars().all(plain) {
        Ok(id.to_owned())
    } else {
        Err(format!(
            "an SSM command's id has {LENGTH} characters, such as 0f7c2a54-9d1e-4b6a-8c3f-2e5d7a9b1c04"
        ))
    }
}

/// How many; none is not a number of things to list.
fn some(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("a list has at least one line".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("write a whole number, such as 20".to_owned()),
    }
}

/// A time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let duration = text
        .parse::<jiff::SignedDuration>()
        .map_err(|_| "write a time such as 90s, 15m or 1h30m".to_owned())?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a time has to be longer than nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> (Global, Command) {
        let words = line.split(' ').filter(|word| !word.is_empty());
        Cli::try_parse_from(std::iter::once("quarterdeck").chain(words))
            .expect(line)
            .into_parts()
    }

    fn deploy(line: &str) -> Deploy {
        match parse(line).1 {
            Command::Deploy(deploy) => deploy,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_twin() {
        fn check(command: &clap::Command) {
            let flags = command.get_arguments().filter(|arg| arg.get_long().is_some());
            for flag in flags.filter(|flag| !["help", "version"].contains(&flag.get_id().as_str())) {
                let twin = flag.get_env().map(|name| name.to_string_lossy().into_owned());
                let name = format!("{} --{}", command.get_name(), flag.get_long().unwrap_or_default());
                assert!(twin.is_some_and(|twin| twin.starts_with("QUARTERDECK_")), "{name}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn without_a_command_head_is_deployed() {
        assert_eq!(deploy("").revision, "HEAD");
        assert_eq!(
            deploy("--regions us-east-1,us-east-2 -y").run,
            deploy("deploy --regions us-east-1,us-east-2 --yes").run
        );
        assert_eq!(deploy("deploy main").revision, "main");
    }

    #[test]
    fn options_before_the_commands_word_count() {
        let drive = deploy("--allow-dirty --wait-timeout 1h30m deploy --yes=production").run;
        assert!(drive.scope.allow_dirty);
        assert_eq!(drive.drive.wait_timeout, Some(Duration::from_secs(5400)));
        assert_eq!(drive.drive.yes, Some(Consent::To(Clean::line("production"))));
        let (global, _) = parse("--progress json history");
        assert_eq!(global.progress, Progress::Json);
        let (global, _) = parse("history --progress json");
        assert_eq!(global.progress, Progress::Json);
    }

    #[test]
    fn yes_takes_a_name_behind_an_equals_sign_alone() {
        assert_eq!(deploy("deploy -y").run.drive.yes, Some(Consent::Given));
        let named = deploy("deploy --yes main");
        assert_eq!(
            (named.run.drive.yes, named.revision.as_str()),
            (Some(Consent::Given), "main")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "hisotry",
            "--wait-timeout soon",
            "--wait-timeout 0s",
            "--regions ,",
            "--progress loud",
            "attach a b",
        ] {
            let words = std::iter::once("quarterdeck").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_quoted_in_a_mistake_reaches_no_terminal_as_it_is() {
        let harm = "x\u{1b}]0;title\u{7}\u{202e}y\u{200b}\u{9b}31mz";
        for words in [
            vec![harm],
            vec!["--progress", harm],
            vec!["--regions", "a", harm],
            vec![&format!("--{harm}")],
            vec!["rehearse", "--regions", harm],
            vec!["attach", "--command-id", harm],
        ] {
            let mistake = Cli::try_parse_from(["quarterdeck"].iter().chain(&words)).expect_err(harm);
            let text = shown(&mistake).expect("it is not told as it is");
            assert!(text.as_str().contains("xy31mz"), "{text}");
        }
        let mistake = Cli::try_parse_from(["quarterdeck", "hisotry"]).expect_err("it is a mistake");
        assert_eq!(shown(&mistake), None, "it keeps its colours");
        let help = Cli::try_parse_from(["quarterdeck", "--help"]).expect_err("it is told");
        assert_eq!(shown(&help), None);
    }

    #[test]
    fn the_help_says_what_there_is() {
        let mut command = Cli::command().term_width(100);
        insta::assert_snapshot!("help", command.render_long_help());
        let rehearse = command.find_subcommand_mut("rehearse").expect("there is a rehearsal");
        insta::assert_snapshot!("help_rehearse", rehearse.render_help());
    }
}
