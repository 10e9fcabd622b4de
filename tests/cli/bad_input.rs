//! What goes wrong before anything begins: each with a clear word and its exit code.

use super::Shell;

#[test]
fn bad_usage_is_told_with_what_is_allowed() {
    let shell = Shell::new();
    shell
        .run("--progress loud")
        .failed(2, "[possible values: auto, tui, plain, json, quiet]");
    shell.run("hisotry").failed(2, "'history'");
    shell.run("deploy --wait-timeout soon").failed(2, "90s, 15m or 1h30m");
    shell.run("history -n 0").failed(2, "a list has at least one line");
    shell.run("man nothing").failed(2, "the commands are deploy");
}

#[test]
fn a_missing_configuration_is_told_by_every_command_that_needs_one() {
    let shell = Shell::new();
    for line in ["deploy", "plan", "config check", "", "--config other.toml plan"] {
        let ran = shell.run(line);
        ran.failed(2, "there is no ");
        ran.failed(2, "help: write one with `quarterdeck config example > config.toml`");
        assert!(!ran.err.contains(" |\n"), "{}", ran.err);
    }
}

#[test]
fn all_mistakes_of_a_configuration_are_told_at_once() {
    let shell = Shell::new();
    shell.write("config.toml", "app = 3\nregoins = []\n");
    let ran = shell.run("config check");
    ran.failed(2, "regoins");
    ran.failed(2, "app");
}

#[test]
fn a_region_that_is_not_in_the_configuration_is_refused() {
    let shell = Shell::new();
    shell.write("config.toml", &shell.run("config example").out);
    shell.run("plan --regions mars-1").failed(2, "--regions names mars-1");
    shell
        .run("deploy --exclude-regions us-east-1,us-east-2")
        .failed(2, "leave no region");
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let shell = Shell::new();
    shell.write("config.toml", &shell.run("config example").out);
    shell.write("file", "");
    let ran = shell.run("deploy --state-dir file/state");
    ran.failed(2, "cannot write to the state folder: file/state");
    ran.failed(2, "QUARTERDECK_STATE_DIR");
}

#[test]
fn a_deployment_that_nobody_knows_is_not_shown() {
    let shell = Shell::new();
    shell.run("show abcdef").failed(2, "no deployment is called \"abcdef\"");
    for line in ["attach", "show"] {
        shell.run(line).failed(2, "no deployment was driven from here yet");
    }
    shell.run("attach foo").failed(2, "no deployment is called \"foo\"");
    let ran = shell.run("attach 0193abcd");
    ran.failed(2, "no region is known to look for it in");
    ran.failed(2, "--regions");
    ran.failed(2, "--command-id ID --region REGION");
    shell
        .run("journal export abcdef")
        .failed(2, "no deployment is called \"abcdef\"");
}

#[test]
fn the_console_without_a_terminal_is_refused() {
    let shell = Shell::new();
    shell.run("deploy --progress tui").failed(2, "--progress plain");
}

#[test]
fn a_journal_that_cannot_be_read_is_named_as_that() {
    let shell = Shell::new();
    // Whoever is root may read any file, and nobody can read a folder as one.
    std::fs::create_dir_all(shell.path().join(".local/state/quarterdeck/journal.db")).expect("it can be made");
    for line in ["history", "show", "journal check"] {
        let ran = shell.run(line);
        ran.failed(2, "cannot read the journal ");
        ran.failed(2, "journal.db: ");
    }
}
