//! Whole files through the reader: what they come to, and what is said about their mistakes.

mod rules;

use std::env::VarError;
use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::secret::Secrets;
use super::*;
use crate::names::{COMMENT_MAX, DeploymentId, Region, RolloutName, Token};
use crate::plan::Source;
use crate::problem::{Kind, Problem};

const EXAMPLE: &str = include_str!("../../../config.toml.example");

/// A file with every table, which cases change in one place.
const BASE: &str = r#"
app = "sento"
regions = ["us-east-1", "us-east-2"]
[environment]
name = "QA"
[image]
repository = "sento"
tags = ["{sha}", "latest"]
[[rollout]]
name = "linux"
document = "pull-image"
targets = { "tag:OS" = ["Linux"] }
"#;

/// Reads a text in an environment that holds one variable, whatever the real one holds.
fn read(text: &str) -> Result<Config, ConfigErrors> {
    let env = |name: &str| match name {
        "NPM_TOKEN" => Ok("hunter2{sha}".to_owned()),
        "EMPTY" => Ok(String::new()),
        _ => Err(VarError::NotPresent),
    };
    let secrets = Secrets {
        env: &env,
        folder: Path::new("/nowhere"),
    };
    file::read(Path::new("config.toml"), text, secrets)
}

fn good(text: &str) -> Config {
    match read(text) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}"),
    }
}

/// The report about a file that has mistakes.
fn report(text: &str) -> String {
    match read(text) {
        Ok(_) => panic!("no mistake was found in:\n{text}"),
        Err(errors) => errors.to_string(),
    }
}

/// [`BASE`] with `key = …` lines put at the end of a table's header (or at the top, where the header is empty); a line
/// with a key that is there already takes its place.
fn with(header: &str, lines: &str) -> String {
    let key = lines.split('=').next().unwrap_or_default().trim();
    let mut out = String::new();
    let mut here = header.is_empty();
    let mut found = header.is_empty();
    if here {
        out.push_str(lines);
    }
    for line in BASE.lines() {
        if line.starts_with('[') {
            here = line == header;
            found |= here;
        }
        if here && line.split('=').next().unwrap_or_default().trim() == key {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if line == header && !line.is_empty() {
            out.push_str(lines);
            out.push('\n');
        }
    }
    if !found {
        out.push_str(&format!("{header}\n{lines}\n"));
    }
    out
}

#[test]
fn the_example_is_the_workflow() {
    let config = good(EXAMPLE);
    assert_eq!(config.app.as_str(), "sento");
    assert_eq!(config.branch.as_ref().map(|branch| branch.as_str()), Some("main"));
    assert_eq!(config.environment.name.as_str(), "QA");
    assert!(!config.environment.protected);
    assert_eq!((config.source, config.builder), (Source::Commit, BuilderChoice::Auto));

    let regions: Vec<_> = config.lanes.iter().map(|lane| lane.region.as_str()).collect();
    assert_eq!(regions, ["us-east-1", "us-east-2"]);
    let mut builds = Vec::new();
    for lane in &config.lanes {
        let region = lane.region.as_str();
        let vars = config.vars(lane, "123456789012", "4f1c0aa", "4f1");
        assert_eq!(lane.aws, AwsConfig::default());
        assert_eq!(lane.repository.render(&vars), format!("sento-{region}-processor-ecr"));
        let tags: Vec<_> = lane.tags.iter().map(|tag| tag.render(&vars)).collect();
        assert_eq!(tags, ["4f1c0aa", "latest"]);
        builds.push(lane.build.resolve(&vars));

        let sent: Vec<_> = lane.rollouts.iter().map(|rollout| sent(rollout, &vars)).collect();
        let common = |name: &str, os: &str, parameters: String| {
            format!(
                "{name}: {region}-pull-image-document $LATEST to tag:Environment=QA + tag:OS={os} with {parameters}, \
                 600 s, 50, 0"
            )
        };
        assert_eq!(
            sent,
            [
                common("ubuntu", "Ubuntu", format!("image=AI region={region}")),
                common("linux", "Linux", format!("image=AI os=Linux region={region}")),
            ]
        );
    }
    assert_eq!(
        (builds[0].context.as_str(), builds[0].dockerfile.as_str()),
        (".", "Dockerfile")
    );
    assert!(builds[0].args.is_empty() && builds[0].labels.is_empty());
    assert_eq!(builds[0], builds[1], "the regions share one build");
}

/// A rollout as it would go to SSM.
fn sent(rollout: &RolloutConfig, vars: &Vars<'_>) -> String {
    let fill = |templates: &[Template]| {
        templates
            .iter()
            .map(|one| one.render(vars))
            .collect::<Vec<_>>()
            .join(",")
    };
    let targets: Vec<_> = rollout
        .targets
        .iter()
        .map(|target| format!("{}={}", target.key, fill(&target.values)))
        .collect();
    let parameters: Vec<_> = rollout
        .parameters
        .iter()
        .map(|(name, value)| match value {
            Parameter::Plain(values) => format!("{name}={}", fill(values)),
            Parameter::Secret(_) => format!("{name}=?"),
        })
        .collect();
    format!(
        "{}: {} {} to {} with {}, {} s, {}, {}",
        rollout.name,
        rollout.document.render(vars),
        rollout.document_version,
        targets.join(" + "),
        parameters.join(" "),
        rollout.delivery_timeout_secs,
        rollout.max_concurrency,
        rollout.max_errors
    )
}

/// Takes the `# ` away from every line of the example that is a key or a header of its own.
#[test]
fn what_the_example_shows_commented_out_is_right_too() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("licence.key"), "key\n").expect("written");
    let text: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_toml(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        // A region has keys of its rollouts or rollouts of its own, not both.
        .take_while(|line| line != "[[region.us-east-2.rollout]]\n")
        .collect();
    let env = |name: &str| Ok(format!("the value of {name}"));
    let secrets = Secrets {
        env: &env,
        folder: folder.path(),
    };
    let config = file::read(Path::new("config.toml"), &text, secrets).unwrap_or_else(|errors| panic!("{errors}"));
    let ohio = &config.lanes[1];
    assert_eq!(ohio.aws.profile.as_deref(), Some("sento-QA"));
    assert_eq!(ohio.aws.role.as_deref(), Some("arn:aws:iam::210987654321:role/deploy"));
    assert_eq!(ohio.aws.endpoints.ssm.as_deref(), Some("https://ssm.internal.example"));
    assert_eq!(ohio.repository.to_string(), "sento-processor");
    let args: Vec<_> = ohio.build.args.keys().map(String::as_str).collect();
    assert_eq!(args, ["LICENCE_KEY", "NPM_TOKEN", "REGION_NAME", "VERSION"]);
    assert_eq!(ohio.rollouts[1].max_concurrency.as_str(), "10%");
    assert_eq!(config.lanes[0].rollouts[1].max_concurrency.as_str(), "50");
}

fn is_toml(line: &str) -> bool {
    let is_header = line.starts_with('[') && line.ends_with(']');
    let is_key = line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    is_header || is_key
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    insta::assert_snapshot!(report(
        r#"app = "sento"
regions = ["us-east-1", "us_east-2", "us-east-1"]
enviroment = "QA"

[environment]
name = "QA"
protected = "no"

[image]
repository = "Sento-{regoin}-processor"
tags = ["latest", "{account}"]

[build]
source = "comit"
context = "../elsewhere"
args = { NPM_TOKEN = { secret_env = "NOT_SET" }, "MY-ARG" = "1" }

[aws]
endpoint_url = "localhost:4566"

[[rollout]]
name = "Ubuntu"
document = "{branch}-pull-image"
targets = { "Tag:OS" = ["Ubuntu"] }
delivery_timeout = "10s"
max_concurrency = 0
max_errors = "101%"

[[rollout]]
name = "linux"
document = "ab"
tragets = { "tag:OS" = [] }

[region.us-west-2.build]
source = "commit"
"#
    ));
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    insta::assert_snapshot!(report("[image]\n[[rollout]]\n"));
}

#[test]
fn a_mistake_of_toml_looks_like_every_other() {
    insta::assert_snapshot!(report("app = \"sento\nregions = [\"us-east-1\"\n"));
}

#[test]
fn a_value_that_only_some_regions_spoil_is_told_with_the_region() {
    let text = with("[image]", r#"repository = "sento--{region}""#);
    insta::assert_snapshot!(report(&text));
}

/// The keys that a report lists as allowed in a table, so that none is listed and then not looked at.
#[test]
fn every_key_that_is_told_is_read() {
    let headers = [
        "",
        "[environment]",
        "[image]",
        "[build]",
        "[aws]",
        "[[rollout]]",
        "[region.us-east-2]",
        "[region.us-east-2.build]",
        "[region.us-east-2.rollout.linux]",
    ];
    for header in headers {
        let list = report(&with(header, "zzz = 1\n"));
        let list = list
            .lines()
            .find(|line| line.contains("help: keys "))
            .expect("the keys are told");
        let (_, keys) = list.rsplit_once(": ").expect("a list");
        for key in keys.split(", ") {
            // Nothing in the file is a time of day.
            let text = with(header, &format!("{key} = 12:00:00\n"));
            let text = match (header, key) {
                // A key at the top takes the place of the table of that name.
                ("", "environment" | "image" | "rollout") => text.replace(&format!("[{key}]"), "[zzz]"),
                _ => text,
            };
            let report = report(&text);
            assert!(
                report.contains("this is a date or time") || report.contains("can't differ between regions"),
                "{header} {key}:\n{report}"
            );
        }
    }
}

#[test]
fn a_mistake_among_thousands_is_told_at_its_line() {
    let text: String = (1..=2_000).map(|number| format!("unknown-{number} = 1\r\n")).collect();
    let errors = read(&text).expect_err("nothing in it is known");
    // `app`, `environment`, `image.repository`, `image.tags` and `regions` are missing.
    assert_eq!(errors.count(), 2_005);
    let report = errors.to_string();
    let expected = "error: unknown key `unknown-1999`\n    --> config.toml:1999:1\n     |\n1999 | unknown-1999 = 1";
    assert!(report.contains(expected), "{}", &report[report.len() - 4_000..]);
}

#[test]
fn a_misspelt_table_is_one_mistake() {
    for (header, wrong) in [
        ("[image]", "[imgae]"),
        ("[environment]", "[enviroment]"),
        ("[[rollout]]", "[[rollouts]]"),
    ] {
        let report = report(&BASE.replace(header, wrong));
        assert!(
            report.contains("did you mean") && report.ends_with("has 1 mistake"),
            "{report}"
        );
    }
}

#[test]
fn the_longest_names_that_are_taken_leave_room_for_a_token() {
    let region = Region::new("us-abcdefghijklmnopqrst-1");
    let text = BASE.replace("us-east-1", region.as_str());
    let rollout = RolloutName::new("r".repeat(32));
    good(&text.replace("\"linux\"", &format!("\"{rollout}\"")));
    let token = Token::compose(DeploymentId::from_u128(u128::MAX), &region, &rollout, 99_999);
    assert!(token.as_str().len() <= COMMENT_MAX, "{token}");
    assert!(report(&text.replace("us-abc", "us-abcc")).contains("is not a region's name"));
}

#[test]
fn two_rollouts_of_one_name_are_shown_together() {
    let again = &BASE[BASE.find("[[rollout]]").expect("a rollout")..];
    let report = report(&format!("{BASE}{again}"));
    assert!(report.contains("a rollout named `linux` is there twice"), "{report}");
    assert!(report.contains("first") && report.contains("again"), "{report}");
}

#[test]
fn a_region_s_own_words_go_before_the_general_ones() {
    let config = good(&format!(
        r#"{BASE}
        parameters = {{ image = "AI", mode = "slow" }}
        [build]
        context = "app/"
        args = {{ A = "1", B = "2" }}
        [aws]
        profile = "all"
        endpoint_url = "http://general"
        ecr_endpoint_url = "http://general-ecr"
        [region.us-east-2.build]
        context = "./other"
        args = {{ B = "3" }}
        [region.us-east-2.aws]
        endpoint_url = "http://own"
        [region.us-east-2.rollout.linux]
        targets = {{ "tag:Role" = "web" }}
        parameters = {{ mode = "fast" }}
        delivery_timeout = "10m"
        "#
    ));
    let [east, ohio] = config.lanes.as_slice() else {
        panic!("two lanes")
    };
    assert_eq!(
        (east.build.context.as_str(), ohio.build.context.as_str()),
        ("app", "other")
    );
    assert_eq!(east.aws.endpoints.ecr.as_deref(), Some("http://general-ecr"));
    assert_eq!(ohio.aws.endpoints.ecr.as_deref(), Some("http://own"));
    assert_eq!(ohio.aws.profile.as_deref(), Some("all"));
    let vars = config.vars(ohio, "", "4f1c", "4f");
    let args = ohio.build.resolve(&vars).args;
    assert_eq!((args["A"].expose(), args["B"].expose()), ("1", "3"));
    assert_eq!(
        sent(&ohio.rollouts[0], &vars),
        "linux: pull-image $DEFAULT to tag:Role=web with image=AI mode=fast, 600 s, 50, 0"
    );
}

#[test]
fn a_region_can_have_rollouts_of_its_own() {
    let own = r#"
        [[region.us-east-2.rollout]]
        name = "canary"
        document = "pull-image"
        targets = { InstanceIds = "i-01234567" }
    "#;
    let config = good(&format!("{BASE}{own}"));
    let names = |lane: &LaneConfig| {
        lane.rollouts
            .iter()
            .map(|rollout| rollout.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&config.lanes[0]), [RolloutName::new("linux")]);
    assert_eq!(names(&config.lanes[1]), [RolloutName::new("canary")]);
}

#[test]
fn a_secret_is_read_and_never_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("token"), "hunter2-file\r\n").expect("written");
    let text = with(
        "[build]",
        r#"args = { A = { secret_env = "NPM_TOKEN" }, B = { secret_file = "token" } }"#,
    );
    let env = |_: &str| Ok("hunter2{sha}".to_owned());
    let secrets = Secrets {
        env: &env,
        folder: folder.path(),
    };
    let config = file::read(Path::new("config.toml"), &text, secrets).expect("a good file");
    let secret = |name: &str| match &config.lanes[0].build.args[name] {
        Input::Secret(secret) => secret.expose_secret().to_owned(),
        Input::Plain(template) => panic!("{template} is no secret"),
    };
    assert_eq!(
        (secret("A"), secret("B")),
        ("hunter2{sha}".to_owned(), "hunter2-file".to_owned())
    );
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_secret_file_without_an_end_is_refused_and_not_read_to_it() {
    let text = with("[build]", r#"args = { A = { secret_file = "/dev/zero" } }"#);
    let errors = report(&text);
    assert!(errors.contains("it is longer than 64 KiB"), "{errors}");
}

#[test]
fn a_file_that_is_not_there_says_how_to_get_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let errors = load(&path).expect_err("no file");
    assert!(errors.to_string().contains("quarterdeck config example"), "{errors}");
    assert_eq!(Problem::from(errors).kind, Kind::Config);

    std::fs::write(&path, b"app = \"sento\"\n# \xff\n").expect("written");
    let errors = load(&path).expect_err("no UTF-8");
    assert!(errors.to_string().contains(":2:3"), "{errors}");

    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    let errors = load(&path).expect_err("a folder is no file");
    assert!(errors.to_string().contains("could not be read"), "{errors}");
}

#[test]
fn a_report_holds_nothing_that_a_terminal_would_obey() {
    let errors = read("app = \r1\rx \"\u{1b}[31m\u{202e}x\u{9b}\"\n\"\u{1b}\\u001bc\" = 1\n\"\\u202e\" = 2\n")
        .expect_err("foreign");
    let report = errors.to_string();
    let bad = report
        .chars()
        .find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
    assert_eq!(bad, None, "{report:?}");
    assert!(errors.render(true).contains('\u{1b}'), "colour where it is asked for");
    let problem = Problem::from(errors);
    assert_eq!((problem.kind, problem.kind.exit() as u8), (Kind::Config, 2));
}

#[test]
fn regions_can_be_picked_and_left_out() {
    let regions = |names: &[&str]| names.iter().map(Region::new).collect::<Vec<_>>();
    let keep = |only: &[&str], except: &[&str]| {
        let mut config = good(BASE);
        config.keep_regions(&regions(only), &regions(except)).map(|()| {
            let left: Vec<_> = config.lanes.iter().map(|lane| lane.region.to_string()).collect();
            left.join(" ")
        })
    };
    assert_eq!(keep(&[], &[]).as_deref(), Ok("us-east-1 us-east-2"));
    assert_eq!(keep(&["us-east-2"], &[]).as_deref(), Ok("us-east-2"));
    assert_eq!(keep(&[], &["us-east-2"]).as_deref(), Ok("us-east-1"));
    for (only, except, what) in [
        (&["us-east2"][..], &[][..], "--regions names us-east2"),
        (&[], &["eu-west-1"], "--exclude-regions names eu-west-1"),
        (&["us-east-1"], &["us-east-1"], "leave no region"),
    ] {
        let problem = keep(only, except).expect_err("a problem");
        assert_eq!(problem.kind, Kind::Config);
        assert!(problem.to_string().contains(what), "{problem}");
        assert!(problem.remedy.as_str().contains("us-east-1, us-east-2"), "{problem}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The example with a stretch of it replaced: by nothing, by TOML's own characters, by anything.
    #[test]
    fn an_edit_anywhere_is_read_or_told_at_places_of_the_file(
        at in 0usize..12_000,
        length in 0usize..40,
        put in r#"([a-z"'{}\[\]=.,\n#0-9é\-]{0,6}|\PC{0,4})"#,
    ) {
        let start = EXAMPLE.floor_char_boundary(at.min(EXAMPLE.len()));
        let end = EXAMPLE.ceil_char_boundary((start + length).min(EXAMPLE.len()));
        let text = format!("{}{put}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
        if let Err(errors) = read(&text) {
            prop_assert!(errors.count() > 0);
            for place in errors.places() {
                prop_assert!(text.get(place.clone()).is_some(), "{:?} of {} bytes", place, text.len());
            }
            let _ = (errors.render(true), errors.render(false));
        }
    }

    #[test]
    fn any_text_at_all_is_told(text in any::<String>()) {
        if let Err(errors) = read(&text) {
            prop_assert!(errors.places().into_iter().all(|place| text.get(place).is_some()));
            let _ = errors.render(false);
        }
    }
}
