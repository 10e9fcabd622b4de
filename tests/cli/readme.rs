//! What the README says that the code knows better. Its tables of options and keys are made from the program's own, and
//! its lists of exit codes, settings, facts and permissions are held against them.
//!
//! `UPDATE_README=1 cargo test --test cli readme` makes the tables anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clap::CommandFactory;
use quarterdeck::cli::Cli;
use quarterdeck::console::keymap::{ANYWHERE, BINDINGS, Binding, Place};
use quarterdeck::problem::Exit;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

fn readme() -> String {
    std::fs::read_to_string(PATH).expect("the README is there")
}

/// Tests that make their tables anew at the same time would lose one.
static WRITING: Mutex<()> = Mutex::new(());

/// Holds the block between `<!-- NAME` and `<!-- end of NAME` against what it should be.
fn block(name: &str, wanted: &str) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = readme();
    let (begin, end) = (format!("<!-- {name}: made by"), format!("<!-- end of {name} -->"));
    let from = text.find(&begin).expect("the block begins");
    let from = from + text[from..].find("-->\n").expect("its first line ends") + "-->\n".len();
    let to = from + text[from..].find(&end).expect("the block ends");
    if std::env::var_os("UPDATE_README").is_some() {
        let made = format!("{}{wanted}{}", &text[..from], &text[to..]);
        std::fs::write(PATH, made).expect("the README can be written");
        return;
    }
    assert!(
        text[from..to] == *wanted,
        "the README's {name} are old: UPDATE_README=1 cargo test --test cli readme makes them anew\n{wanted}"
    );
}

#[test]
fn the_table_of_options_is_the_command_lines() {
    let cli = Cli::command();
    let mut made = String::new();
    let mut table = |title: &str, args: &[&clap::Arg]| {
        if args.is_empty() {
            return;
        }
        made += &format!("\n{title}\n\n| option | variable | meaning |\n|---|---|---|\n");
        args.iter().for_each(|arg| made += &row(arg));
    };
    let options = |command: &clap::Command| -> Vec<clap::Arg> {
        let own = command.get_arguments().filter(|arg| arg.get_env().is_some());
        own.cloned().collect()
    };
    let top = options(&cli);
    let global: Vec<&clap::Arg> = top.iter().filter(|arg| arg.is_global_set()).collect();
    table("Of every command:", &global);
    let of = |name: &str| options(cli.find_subcommand(name).expect("the command is there"));
    let deploy = of("deploy");
    table("Of `deploy`:", &deploy.iter().collect::<Vec<_>>());
    let is_of_deploy =
        |arg: &clap::Arg| arg.get_long().is_some() && deploy.iter().any(|one| one.get_env() == arg.get_env());
    for name in ["plan", "attach", "history", "rehearse"] {
        let own = of(name);
        let (of_deploy, own): (Vec<&clap::Arg>, Vec<&clap::Arg>) = own.iter().partition(|arg| is_of_deploy(arg));
        let same: Vec<String> = of_deploy
            .iter()
            .filter_map(|arg| Some(format!("`--{}`", arg.get_long()?)))
            .collect();
        let title = match same.is_empty() {
            true => format!("Of `{name}`:"),
            false => format!("Of `{name}`, which also takes {} as `deploy` does:", same.join(", ")),
        };
        table(&title, &own);
    }
    block("options", &format!("{made}\n"));
}

/// One option: how it is written, its variable, its help and its default.
fn row(arg: &clap::Arg) -> String {
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().and_then(|names| names.first()).filter(|_| takes);
    let value = value.map(|name| name.to_string()).unwrap_or_default();
    let optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
    let written = match (arg.get_long(), arg.get_short()) {
        (None, _) => format!("`[{value}]`"),
        (Some(long), short) => {
            let short = short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
            let value = match (value.as_str(), optional) {
                ("", _) => String::new(),
                (value, true) if takes => format!("[=<{value}>]"),
                (value, _) => format!(" <{value}>"),
            };
            format!("{short}`--{long}{value}`")
        }
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let default: Vec<&str> = arg
        .get_default_values()
        .iter()
        .filter_map(|value| value.to_str())
        .collect();
    let default = match default.first() {
        Some(value) => format!(" Default: `{value}`."),
        None => String::new(),
    };
    let choices = match takes {
        true => arg.get_possible_values(),
        false => Vec::new(),
    };
    let choices: Vec<String> = choices.iter().map(|value| format!("`{}`", value.get_name())).collect();
    let choices = match choices.is_empty() {
        true => String::new(),
        false => format!(" One of {}.", choices.join(", ")),
    };
    let env = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
    format!(
        "| {written} | `{env}` | {}.{choices}{default} |\n",
        help.trim_end_matches('.')
    )
}

#[test]
fn the_table_of_keys_is_the_consoles() {
    let mut made = "\n| key | where | what it does |\n|---|---|---|\n".to_owned();
    for binding in BINDINGS.iter().filter(|binding| !binding.help.is_empty()) {
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{}`", key.name())).collect();
        made += &format!("| {} | {} | {} |\n", keys.join(" "), places(binding), binding.help);
    }
    block("keys", &format!("{made}\n"));
}

/// Where a key is pressed, in as few words as there are.
fn places(binding: &Binding) -> String {
    const SCREENS: [Place; 6] = [
        Place::Plan,
        Place::Lanes,
        Place::Lane,
        Place::Hosts,
        Place::Host,
        Place::Log,
    ];
    let has = |place: &Place| binding.places.contains(place);
    if ANYWHERE.iter().all(has) {
        return "anywhere".to_owned();
    }
    let mut said: Vec<&str> = Vec::new();
    let mut rest: Vec<Place> = binding.places.to_vec();
    if SCREENS.iter().all(has) {
        said.push("every screen");
        rest.retain(|place| !SCREENS.contains(place));
    } else if SCREENS[1..].iter().all(has) {
        said.push("every screen but the plan");
        rest.retain(|place| !SCREENS.contains(place));
    }
    said.extend(rest.iter().map(|place| match place {
        Place::Plan => "plan",
        Place::Lanes => "lanes",
        Place::Lane => "one lane",
        Place::Hosts => "hosts",
        Place::Host => "host",
        Place::Log => "build log",
        Place::Help => "help",
        Place::Confirm => "a question",
        Place::Choose => "a menu",
        Place::Text => "a line of text",
    }));
    said.join(", ")
}

#[test]
fn every_exit_code_is_told() {
    let name = |exit: Exit| match exit {
        Exit::Success
        | Exit::Unexpected
        | Exit::Config
        | Exit::Hosts
        | Exit::NoHosts
        | Exit::Build
        | Exit::Credentials
        | Exit::Locked
        | Exit::Guard
        | Exit::Left
        | Exit::Cancelled
        | Exit::Interrupted
        | Exit::Terminated => exit as u8,
    };
    let codes: BTreeSet<u8> = [
        Exit::Success,
        Exit::Unexpected,
        Exit::Config,
        Exit::Hosts,
        Exit::NoHosts,
        Exit::Build,
        Exit::Credentials,
        Exit::Locked,
        Exit::Guard,
        Exit::Left,
        Exit::Cancelled,
        Exit::Interrupted,
        Exit::Terminated,
    ]
    .map(name)
    .into();
    let text = readme();
    let (_, section) = text.split_once("\n## Exit codes\n").expect("the section is there");
    let rows = section.lines().take_while(|line| !line.starts_with("## "));
    let told: BTreeSet<u8> = rows
        .filter_map(|line| line.split('|').nth(1)?.trim().parse().ok())
        .collect();
    assert_eq!(told, codes);
}

#[test]
fn every_command_and_every_key_of_the_example_is_told() {
    let text = readme();
    for command in Cli::command().get_subcommands() {
        let name = format!("`quarterdeck {}", command.get_name());
        assert!(text.contains(&name), "{name} is not told");
    }
    let example = include_str!("../../config.toml.example");
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let keys: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| is_key(key))
        .collect();
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        assert!(text.contains(&format!("`{key}`")), "the key {key} is not told");
    }
}

#[test]
fn every_json_line_and_every_fact_is_told() {
    let text = readme();
    let sources = [
        include_str!("../../src/headless/json.rs"),
        include_str!("../../src/headless/summary.rs"),
        include_str!("../../src/commands/history.rs"),
    ];
    for source in sources {
        for (_, rest) in source
            .match_indices("\"type\": \"")
            .map(|(at, found)| source.split_at(at + found.len()))
        {
            let name = rest.split('"').next().unwrap_or_default();
            assert!(text.contains(&format!("| `{name}` |")), "the line {name} is not told");
        }
    }
    let facts = include_str!("../../src/state/fact.rs");
    let (_, facts) = facts.split_once("pub enum Fact {\n").expect("the enum is there");
    let (facts, _) = facts.split_once("\n}\n").expect("and ends");
    let variants = facts
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" {"))
        .filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()));
    let mut told = 0;
    for variant in variants {
        let kind = kebab(variant);
        assert!(text.contains(&format!("`{kind}`")), "the fact {kind} is not told");
        told += 1;
    }
    assert!(told > 20, "only {told} facts were found");
}

/// `SendIntended` to `send-intended`.
fn kebab(name: &str) -> String {
    let mut made = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !made.is_empty() {
            made.push('-');
        }
        made.push(c.to_ascii_lowercase());
    }
    made
}

/// What the Docker Engine asks of ECR during a push, in ECR's words.
const PUSH: [&str; 5] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];

#[test]
fn the_policy_allows_exactly_what_is_called() {
    let mut called: BTreeSet<String> = PUSH.map(str::to_owned).into();
    let sources = [
        ("ssm", include_str!("../../src/aws/ssm/mod.rs")),
        ("ecr", include_str!("../../src/aws/ecr.rs")),
    ];
    for (service, source) in sources {
        let dense: String = source.chars().filter(|c| !c.is_whitespace()).collect();
        let client = format!("clients.{service}.");
        for (at, found) in dense.match_indices(&client) {
            let operation = dense[at + found.len()..].split('(').next().unwrap_or_default();
            called.insert(format!("{service}:{}", pascal(operation)));
        }
    }
    let text = readme();
    let (_, policy) = text
        .split_once("```json\n{\n  \"Version\"")
        .expect("the policy is there");
    let (policy, _) = policy.split_once("```").expect("and ends");
    let policy: serde_json::Value = serde_json::from_str(&format!("{{\"Version\"{policy}")).expect("it is JSON");
    let mut allowed = BTreeSet::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        match &statement["Action"] {
            serde_json::Value::String(action) => {
                allowed.insert(action.clone());
            }
            actions => allowed.extend(
                actions
                    .as_array()
                    .expect("actions")
                    .iter()
                    .map(|action| action.as_str().expect("an action").to_owned()),
            ),
        }
    }
    assert_eq!(allowed, called);
}

/// `list_commands` to `ListCommands`.
fn pascal(name: &str) -> String {
    let words = name.split('_').filter_map(|word| {
        let mut letters = word.chars();
        Some(format!("{}{}", letters.next()?.to_ascii_uppercase(), letters.as_str()))
    });
    words.collect()
}

/// Somebody on call looks for the words that are on the screen.
#[test]
fn what_is_seen_when_something_fails_is_in_the_programs_own_words() {
    let text = readme();
    let (_, section) = text.split_once("\n## When something fails\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("and its end");
    let mut sources = String::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let mut seen = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let what = row.split(" | ").nth(1).expect("a second column");
        // What the program fills in is left out.
        for words in what.split('`').skip(1).step_by(2).flat_map(|said| said.split('…')) {
            let words = words.trim();
            assert!(sources.contains(words), "nothing says `{words}`: {row}");
            seen += usize::from(!words.is_empty());
        }
    }
    assert!(seen > 15, "only {seen} were found");
}

/// All of the program's source text but the stand-ins'.
fn gather(dir: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("rehearsal") {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(&path).expect("a text"));
        }
    }
}
