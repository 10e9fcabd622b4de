//! Commands that print and end.

use std::process::Stdio;

use super::{Ran, Shell};

#[test]
fn an_empty_history_says_so() {
    let shell = Shell::new();
    assert!(
        shell
            .run("history")
            .went_well()
            .starts_with("no deployment was driven from here yet")
    );
    assert_eq!(shell.run("history --progress json").went_well(), "");
    assert!(
        shell
            .run("journal check")
            .went_well()
            .starts_with("0 deployments with 0 facts")
    );
    // Looking leaves nothing behind.
    assert!(!shell.path().join(".local").exists());
}

#[test]
fn a_folder_and_a_file_may_be_called_anything() {
    let shell = Shell::new();
    let harm = "x\u{1b}]0;title\u{7}\u{202e}y\u{200b}\u{9b}31mz";
    let file = format!("{harm}.toml");
    shell.write(&file, shell.run("config example").went_well());
    for line in ["history", "journal check", "config check", "show"] {
        let output = shell
            .command(line)
            .args(["--state-dir", harm, "--config", &file])
            .output();
        let output = output.expect("the binary runs");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("it is text");
        assert!(said.contains("xy31mz"), "{line}: {said}");
        let harmful = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{200b}".contains(c));
        assert!(!said.contains(harmful), "{line}: {said:?}");
    }
}

#[test]
fn the_example_passes_the_check() {
    let shell = Shell::new();
    shell.write("config.toml", shell.run("config example").went_well());
    assert!(shell.run("config check").went_well().contains("2 regions, 4 rollouts"));
}

#[test]
fn every_shell_gets_a_completion_script() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = shell.run(&format!("completions {name}"));
        assert!(ran.went_well().contains("rehearse"), "{name}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let shell = Shell::new();
    assert!(shell.run("man").went_well().contains("quarterdeck"));
    for command in [
        "deploy", "plan", "attach", "history", "show", "rehearse", "config", "journal", "info",
    ] {
        assert!(
            shell.run(&format!("man {command}")).went_well().contains(command),
            "{command}"
        );
    }
}

#[test]
fn info_names_the_places_and_no_secret() {
    let shell = Shell::new();
    let output = shell
        .command("info --state-dir here")
        .env("AWS_SECRET_ACCESS_KEY", "sentinel")
        .env("AWS_PROFILE", "qa")
        .env("DOCKER_HOST", "tcp://10.0.0.7:2375")
        .output()
        .expect("the binary runs");
    let ran = Ran::new(&output);
    let text = ran.went_well();
    for part in [
        env!("CARGO_PKG_VERSION"),
        "here/journal.db (not there)",
        "config.toml (not there)",
        "whole: 0 deployments with 0 facts",
        "tcp://10.0.0.7:2375 (DOCKER_HOST)",
        "AWS_PROFILE",
        "input is none",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("sentinel"), "{text}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let shell = Shell::new();
    for line in ["completions bash", "man", "history", "config example"] {
        let mut child = shell
            .command(line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the binary ends");
        Ran::new(&output).went_well();
    }
}

#[test]
fn a_variable_is_as_good_as_a_flag() {
    let shell = Shell::new();
    let output = shell
        .command("history")
        .env("QUARTERDECK_PROGRESS", "json")
        .output()
        .expect("the binary runs");
    assert_eq!(Ran::new(&output).went_well(), "");
}
