//! Whole deployments by the binary, against the rehearsal's stand-ins.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Ran, Shell};

const FAST: &str = "rehearse --docker stand-in --speed 40";

#[test]
fn without_yes_nothing_is_started() {
    let shell = Shell::new();
    let ran = shell.run(FAST);
    assert_eq!(ran.code, Some(8), "{ran:#?}");
    assert!(ran.out.contains("-> pass --yes to start"), "{ran:#?}");
    let ran = shell.run(&format!("{FAST} --progress json"));
    let last = ran.out.lines().last().expect("there is a summary");
    let summary: Value = serde_json::from_str(last).expect("a line is an object");
    assert_eq!(summary["outcome"], "not-started");
    assert_eq!(summary["rehearsal"], true, "{summary}");
}

#[test]
fn json_tells_every_fact_and_ends_with_the_summary_and_its_exit_code() {
    let shell = Shell::new();
    let ran = shell.run(&format!("{FAST} -y --progress json"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let objects: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let summary = objects.last().expect("there is a summary");
    assert_eq!((&summary["type"], &summary["exit"]), (&"summary".into(), &3.into()));
    let numbers = objects.iter().filter_map(|object| object["seq"].as_u64());
    assert!(numbers.eq(1..=objects.iter().filter(|object| object["type"] == "fact").count() as u64));
    let log = std::fs::read_to_string(shell.path().join(".local/state/quarterdeck/rehearsal/quarterdeck.log"));
    let log = log.expect("there is a log");
    for part in ["SSM has the command", "command ended", "settled"] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    assert!(!log.contains(quarterdeck::aws::REHEARSAL_SECRET_KEY), "{log}");
    // A rehearsal is in no real history.
    assert!(shell.run("history").went_well().starts_with("no deployment"));
}

#[test]
fn an_interrupt_leaves_the_hosts_running_with_exit_code_9() {
    let shell = Shell::new();
    let mut child = shell
        .command("rehearse --docker stand-in --speed 2 -y --progress plain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe"))
        .lines()
        .map_while(Result::ok);
    lines
        .find(|line| line.contains("taken by SSM"))
        .expect("a command is sent");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is still there");
    let last = lines.last().expect("it has last words");
    assert!(last.contains("until this rehearsal's stand-ins end"), "{last}");
    let ran = Ran::new(&child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(9), ""));
}

/// The stand-ins alone, as long as this is held.
struct Served {
    child: Child,
    environment: Vec<(String, String)>,
}

impl Served {
    fn start(shell: &Shell) -> Self {
        let mut child = shell
            .command(&format!("{FAST} --serve"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let out = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut environment = Vec::new();
        for line in out.lines().map_while(Result::ok) {
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
                environment.push((name.to_owned(), value.to_owned()));
            } else if let Some(folder) = line.strip_prefix("cd ") {
                environment.push(("PWD".to_owned(), folder.to_owned()));
                break;
            }
        }
        Self { child, environment }
    }

    /// Runs a command in the sample repository, as another shell would.
    fn run(&self, shell: &Shell, line: &str) -> Ran {
        let folder = self.environment.iter().find(|(name, _)| name == "PWD");
        let (_, folder) = folder.expect("it names its folder");
        let mut command = shell.command(line);
        command.current_dir(folder).envs(self.environment.iter().cloned());
        Ran::new(&command.output().expect("the binary runs"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn what_failed_is_retried_from_the_command_line_until_every_host_succeeded() {
    let shell = Shell::new();
    let served = Served::start(&shell);
    let ran = served.run(&shell, "deploy -y --progress quiet");
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let ran = served.run(&shell, "attach --retry unsuccessful -y --progress plain");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.out.contains("36 of 36 hosts succeeded"), "{ran:#?}");
    // Nothing is left to retry, and nothing is sent.
    let ran = served.run(&shell, "attach --retry unsuccessful -y --progress quiet");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
}
