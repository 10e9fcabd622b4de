//! Deployments to stand-ins that another process serves, and the same ones taken up from a machine that knows nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Ran, Shell};

/// `rehearse --serve`, and what it prints.
struct Served {
    child: Child,
    environment: Vec<(String, String)>,
    folder: String,
}

impl Served {
    fn start(shell: &Shell, line: &str) -> Self {
        let mut command = shell.command(line);
        let child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut served = Self {
            child,
            environment: Vec::new(),
            folder: String::new(),
        };
        let lines = BufReader::new(served.child.stdout.take().expect("it is a pipe")).lines();
        for line in lines.map_while(Result::ok) {
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
                served.environment.push((name.to_owned(), value.to_owned()));
            } else if let Some(folder) = line.strip_prefix("cd ") {
                served.folder = folder.to_owned();
                return served;
            }
        }
        panic!("it did not say where the repository is");
    }

    /// Runs a command where the printed environment is set.
    fn run(&self, shell: &Shell, line: &str, folder: Option<&str>) -> Ran {
        let mut command = shell.command(line);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = folder {
            command.current_dir(folder);
        } else {
            // Neither git nor docker is here.
            command
                .env("PATH", "/nonexistent")
                .env("DOCKER_HOST", "unix:///nonexistent");
        }
        Ran::new(&command.output().expect("the binary runs"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

fn objects(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line} in {ran:#?}")))
        .collect()
}

fn summary(ran: &Ran) -> Value {
    objects(ran)
        .pop()
        .unwrap_or_else(|| panic!("nothing was said: {ran:#?}"))
}

/// Region, rollout and id of every command that SSM took, oldest first.
fn commands(ran: &Ran) -> Vec<(String, String)> {
    let taken = objects(ran)
        .into_iter()
        .filter(|object| object["fact"] == "send-accepted");
    taken
        .map(|object| {
            let token = object["token"].as_str().expect("a send has a token").to_owned();
            let region = token.split(':').nth(2).expect("it names a region").to_owned();
            (region, object["command"].as_str().expect("it has an id").to_owned())
        })
        .collect()
}

/// The hosts that did not succeed, with how they ended.
fn unsuccessful(summary: &Value) -> Vec<String> {
    let hosts = summary["unsuccessful"].as_array().expect("it is a list").iter();
    let mut hosts: Vec<String> = hosts
        .map(|host| {
            format!(
                "{} {} {} {} {}",
                host["region"], host["rollout"], host["host"], host["name"], host["status"]
            )
        })
        .collect();
    hosts.sort();
    hosts
}

#[test]
fn a_deployment_is_taken_up_by_one_of_its_commands_where_nothing_is_known_of_it() {
    let (here, there) = (Shell::new(), Shell::new());
    let served = Served::start(&here, "rehearse --serve --docker stand-in --speed 40 --hosts 16");
    let deployed = served.run(&here, "deploy -y --progress json", Some(&served.folder));
    assert_eq!(deployed.code, Some(3), "{deployed:#?}");
    let told = summary(&deployed);
    assert_eq!(told["rehearsal"], true);
    let (region, command) = commands(&deployed).remove(0);

    let attach = format!("attach --command-id {command} --region {region} --regions us-east-1,us-east-2");
    let adopted = served.run(&there, &format!("{attach} --progress json"), None);
    assert_eq!(adopted.code, Some(3), "{adopted:#?}");
    let found = summary(&adopted);
    assert_eq!(found["deployment"], told["deployment"]);
    assert_eq!(found["hosts"], told["hosts"]);
    assert_eq!(unsuccessful(&found), unsuccessful(&told));
    assert_eq!((&found["commit"], &found["digest"]), (&"unknown".into(), &Value::Null));

    // Once adopted, the journal has it: nothing of its beginning is there twice.
    let plain = served.run(&there, &attach, None);
    assert_eq!(plain.code, Some(3), "{plain:#?}");
    for said in [
        "found in SSM by",
        "note: rebuilt from SSM alone: commit, build and digest are unknown",
    ] {
        assert_eq!(plain.out.matches(said).count(), 1, "{said}: {plain:#?}");
    }
    // What was found is not told as sent now, and what is not known is not told as secret.
    for said in [
        "ubuntu: command found in SSM: ",
        "only what was sent in us-east-1, us-east-2 is shown",
        "# add with its value in SSM, the parameter image",
    ] {
        assert!(plain.out.contains(said), "{said}: {plain:#?}");
    }
    assert!(!plain.out.contains("sending the command"), "{plain:#?}");
    // A command does not say to which other regions its deployment went.
    let narrow = Shell::new();
    let ran = served.run(
        &narrow,
        &format!("attach --command-id {command} --region {region}"),
        None,
    );
    assert!(
        ran.out.contains(&format!(
            "only what was sent in {region} is shown: it may have gone to other regions"
        )),
        "{ran:#?}"
    );

    let id = told["deployment"].as_str().expect("it has an id");
    let short = &id[id.len() - 8..];
    let history = served.run(&there, "history --progress json", None);
    assert_eq!(objects(&history).len(), 1, "{history:#?}");

    // The values of the parameters are in no journal, and come from SSM again.
    let retried = served.run(
        &there,
        &format!("attach {short} --retry unsuccessful --yes --progress json"),
        None,
    );
    let sent = objects(&retried)
        .into_iter()
        .filter(|object| object["fact"] == "send-intended" && object["to"] != "targets");
    let mut hosts: Vec<String> = sent
        .flat_map(|object| object["to"]["hosts"].as_array().cloned().unwrap_or_default())
        .map(|host| host.to_string())
        .collect();
    hosts.sort();
    let mut failed: Vec<String> = told["unsuccessful"]
        .as_array()
        .expect("it is a list")
        .iter()
        .map(|host| host["host"].to_string())
        .collect();
    failed.sort();
    assert_eq!(hosts, failed, "{retried:#?}");
    let after = summary(&retried);
    assert!(
        after["hosts"]["succeeded"].as_u64() > told["hosts"]["succeeded"].as_u64(),
        "{after:#}"
    );
}

#[test]
fn what_nobody_knows_and_what_is_not_quarterdecks_is_told() {
    let shell = Shell::new();
    let served = Served::start(&shell, "rehearse --serve --docker stand-in --hosts 4");
    let unknown = "00000000-0000-4000-8000-000000000000";
    served
        .run(
            &shell,
            &format!("attach --command-id {unknown} --region us-east-1"),
            None,
        )
        .failed(
            2,
            "SSM has no command 00000000-0000-4000-8000-000000000000 that Quarterdeck sent",
        );
    served
        .run(&shell, &format!("attach {unknown} --regions us-east-1,us-east-2"), None)
        .failed(
            2,
            "SSM has no command of deployment 00000000-0000-4000-8000-000000000000 in us-east-1, us-east-2",
        );
    served
        .run(&shell, &format!("attach {unknown}"), None)
        .failed(2, "no deployment is called");
    served
        .run(&shell, &format!("attach --command-id {unknown}"), None)
        .failed(2, "--region");
    served
        .run(&shell, "attach --command-id foo --region us-east-1", None)
        .failed(2, "an SSM command's id has 36 characters");
}

#[test]
fn a_rehearsals_key_without_its_address_goes_nowhere() {
    let shell = Shell::new();
    let output = shell
        .command("attach --command-id 00000000-0000-4000-8000-000000000000 --region us-east-1")
        .env("AWS_ACCESS_KEY_ID", quarterdeck::aws::REHEARSAL_ACCESS_KEY)
        .output()
        .expect("the binary runs");
    Ran::new(&output).failed(8, "a rehearsal's access key and no AWS_ENDPOINT_URL");
}

#[test]
fn an_ended_rehearsal_cannot_be_attached_to_and_it_is_said_how_to_rehearse_that() {
    let shell = Shell::new();
    let rehearsed = shell.run("rehearse --docker stand-in --speed 40 --hosts 16 -y --progress json");
    let id = summary(&rehearsed)["deployment"]
        .as_str()
        .expect("it has an id")
        .to_owned();
    let ran = shell.run(&format!("attach {id}"));
    ran.failed(8, "its hosts ended with the process that simulated them");
    ran.failed(8, "quarterdeck rehearse --serve");

    // Another rehearsal's stand-ins have the same journal and know nothing of it.
    let served = Served::start(&shell, "rehearse --serve --docker stand-in --speed 40 --hosts 16");
    served
        .run(&shell, &format!("attach {id}"), None)
        .failed(8, "its hosts ended with the process that simulated them");
}

#[test]
fn another_applications_deployment_is_not_taken_up_with_this_configuration() {
    let shell = Shell::new();
    let served = Served::start(&shell, "rehearse --serve --docker stand-in --speed 40 --hosts 16");
    let deployed = served.run(&shell, "deploy -y --progress json", Some(&served.folder));
    let id = summary(&deployed)["deployment"]
        .as_str()
        .expect("it has an id")
        .to_owned();
    let ours = std::path::Path::new(&served.folder).join("config.toml");
    let text = std::fs::read_to_string(ours).expect("the sample has a configuration");
    let other = tempfile::tempdir().expect("a folder");
    let text = text.replacen("app = \"sento\"", "app = \"other\"", 1);
    std::fs::write(other.path().join("config.toml"), text).expect("it can be written");
    let folder = other.path().to_str();

    let latest = served.run(&shell, "attach -y --progress plain", folder);
    assert_eq!(latest.code, Some(2), "{latest:#?}");
    assert!(latest.err.contains("no deployment of other to"), "{latest:#?}");
    let named = served.run(&shell, &format!("attach {id} -y --progress plain"), folder);
    assert_eq!(named.code, Some(2), "{named:#?}");
    assert!(named.err.contains("is of sento to"), "{named:#?}");
    let (region, command) = commands(&deployed).remove(0);
    let attach = format!("attach --command-id {command} --region {region} -y --progress plain");
    let found = served.run(&shell, &attach, folder);
    assert_eq!(found.code, Some(2), "{found:#?}");
    assert!(found.err.contains("is of sento to"), "{found:#?}");
}

/// What is asked before there is a face is asked no longer than the caller waits.
#[test]
fn a_region_that_does_not_answer_holds_nobody_longer_than_they_wait() {
    let shell = Shell::new();
    let scenario = tempfile::NamedTempFile::new().expect("a file");
    let silent = "[[fault]]\nact = \"no-answer\"\nregion = \"us-east-2\"\noperation = \"ListCommands\"\nskip = 1\n";
    std::fs::write(scenario.path(), silent).expect("it can be written");
    let serve = format!(
        "rehearse --serve --docker stand-in --speed 40 --hosts 16 --scenario {}",
        scenario.path().display()
    );
    let served = Served::start(&shell, &serve);
    let deployed = served.run(
        &shell,
        "deploy -y --wait-timeout 3s --progress json",
        Some(&served.folder),
    );
    assert_eq!(deployed.code, Some(9), "{deployed:#?}");
    let begun = std::time::Instant::now();
    let attached = served.run(
        &shell,
        "attach --wait-timeout 2s --progress plain",
        Some(&served.folder),
    );
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(attached.code, Some(9), "{attached:#?}");
    for said in ["asking AWS what was sent", "left before AWS had answered"] {
        assert!(attached.err.contains(said), "{said}: {attached:#?}");
    }
}
