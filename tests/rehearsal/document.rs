//! The document that a host runs, run by a real shell with a played Docker and systemd.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use quarterdeck::rehearsal::ssm::PULL_IMAGE;
use serde_json::Value;

/// What is played: each program notes its call, and the image is up once the unit was restarted.
const PLAYED: [(&str, &str); 4] = [
    (
        "aws",
        "case \"$*\" in *get-caller-identity*) echo 123456789012 ;; *) echo password ;; esac",
    ),
    (
        "docker",
        r#"case "$1" in
  login) cat >/dev/null; test -d "$DOCKER_CONFIG" && echo "$DOCKER_CONFIG" >"$WORLD/config"; echo 'Login Succeeded' ;;
  pull) test ! -e "$WORLD/no-image" || { echo 'manifest unknown' >&2; exit 1; }; echo "Digest: sha256:abc" ;;
  images) echo sha256:abc ;;
  ps) test -e "$WORLD/up" && test ! -e "$WORLD/ill" && echo 4f1c2ab; exit 0 ;;
esac"#,
    ),
    (
        "systemctl",
        r#"case "$1" in is-active) test -e "$WORLD/up" ;; restart) touch "$WORLD/up" ;; esac"#,
    ),
    ("journalctl", "echo 'queue refused the connection'"),
];

/// A host that is not there.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a directory");
        for (name, body) in PLAYED {
            let note = "echo \"$(basename \"$0\") $*\" >>\"$WORLD/calls\"";
            write(&bin.join(name), &format!("#!/bin/sh\n{note}\n{body}\n"));
        }
        // Waiting for health takes no time here.
        write(&bin.join("sleep"), "#!/bin/sh\n");
        write(&bin.join("flock"), "#!/bin/sh\n");
        Self(folder)
    }

    fn run(&self) -> Output {
        let parameters = [("image", "AI"), ("region", "us-east-2"), ("os", "Linux")];
        let mut script = script();
        for (name, value) in parameters.into_iter().chain(defaults()) {
            script = script.replace(&format!("{{{{ {name} }}}}"), value);
        }
        let script = script.replace("/run/lock/", &format!("{}/", self.0.path().display()));
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("bash")
            .args(["-c", &script])
            .env("PATH", format!("{}:{path}", self.0.path().join("bin").display()))
            .env("WORLD", self.0.path())
            .output()
            .expect("bash starts")
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.0.path().join("calls")).unwrap_or_default()
    }

    fn is(&self, what: &str) {
        fs::write(self.0.path().join(what), "").expect("a file");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

fn content() -> Value {
    serde_json::from_str(PULL_IMAGE).expect("the document is JSON")
}

fn script() -> String {
    let lines = &content()["mainSteps"][0]["inputs"]["runCommand"];
    let lines = lines.as_array().expect("lines").iter();
    lines
        .map(|line| line.as_str().expect("a line"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn defaults() -> [(&'static str, &'static str); 2] {
    [("repository", "sento-REGION-processor-ecr"), ("tag", "latest")]
}

#[test]
fn every_variable_of_the_document_is_one_of_its_parameters() {
    let content = content();
    let parameters: HashSet<&str> = content["parameters"]
        .as_object()
        .expect("parameters")
        .keys()
        .map(String::as_str)
        .collect();
    let used: HashSet<&str> = PULL_IMAGE
        .split("{{")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
        .collect();
    assert_eq!(used, parameters);
    for (name, value) in defaults() {
        assert_eq!(content["parameters"][name]["default"], value);
    }
}

#[test]
fn a_host_pulls_the_regions_image_and_restarts_its_service() {
    let host = Host::new();
    let output = host.run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = host.calls();
    let reference = "123456789012.dkr.ecr.us-east-2.amazonaws.com/sento-us-east-2-processor-ecr:latest";
    assert!(calls.contains(&format!("docker pull {reference}")), "{calls}");
    assert!(calls.contains("systemctl restart image-ai.service"), "{calls}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("image-ai.service is up with sha256:abc"));
    let config = fs::read_to_string(host.0.path().join("config")).expect("docker logged in");
    assert!(!Path::new(config.trim()).exists(), "the password goes with the script");
}

#[test]
fn running_it_twice_restarts_once() {
    let host = Host::new();
    assert!(host.run().status.success());
    let again = host.run();
    assert!(again.status.success());
    assert!(String::from_utf8_lossy(&again.stdout).contains("already runs"));
    assert_eq!(host.calls().matches("systemctl restart").count(), 1);
}

#[test]
fn a_pull_that_fails_stops_the_script_before_the_service_is_touched() {
    let host = Host::new();
    host.is("no-image");
    let output = host.run();
    assert_eq!(output.status.code(), Some(1));
    assert!(!host.calls().contains("systemctl restart"));
}

#[test]
fn a_service_that_does_not_become_healthy_is_a_failure_with_its_journal() {
    let host = Host::new();
    host.is("ill");
    let output = host.run();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("did not become healthy") && errors.contains("queue refused"),
        "{errors}"
    );
}
