//! Secrets on their way through whole deployments by the real binary: they arrive, and are found nowhere else.
//!
//! Each secret is a sentinel. After every deployment the state folder and all that was printed is searched for it, byte by
//! byte: as it is, in base64 at any alignment, percent-encoded, and as JSON and Debug escape it.

#[path = "../common/pty.rs"]
#[expect(dead_code, reason = "signals and vanishing terminals are other tests' business")]
mod pty;

mod crash;
mod odd;
mod search;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use portable_pty::CommandBuilder;
use pty::Pty;
use quarterdeck::aws::REHEARSAL_ACCESS_KEY;
use quarterdeck::names::{HostId, Millis, Region};
use quarterdeck::rehearsal::docker::{DockerStandIn, FailingStep, Story};
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::rehearsal::fleet::Fate;
use quarterdeck::rehearsal::registry::{RegistryFault, When};
use quarterdeck::rehearsal::ssm::PULL_IMAGE;
use quarterdeck::rehearsal::{DockerChoice, Options, Regions, Rehearsal};
use search::Sought;

const SECRET_KEY: &str = "S3ntinel/SecretKey+of=40+characters/0000";
const SESSION: &str = "S3ntinel/Session+Token//with==everything";
const ENV_ARGUMENT: &str = "S3ntinel+env/argument%of~the=build";
const FILE_ARGUMENT: &str = "S3ntinel+file/argument%of~the=build";
const PARAMETER: &str = "S3ntinel+parameter/of%20the$document";
/// What is in every password of the stand-in's ECR.
const ECR_PASSWORD: &str = "\"type\":\"DATA_KEY\"";

const REGION: &str = "us-east-1";

/// A fleet, a registry, a Docker Engine and a repository whose build and document take secrets.
struct Scene {
    rehearsal: Rehearsal,
    docker: DockerStandIn,
    home: tempfile::TempDir,
    sought: Sought,
    /// More of the environment.
    more: Vec<(&'static str, String)>,
}

impl Scene {
    async fn set() -> Self {
        let options = Options {
            hosts: Some(4),
            regions: Some(Regions::Named(vec![REGION.to_owned()])),
            seed: Some(7),
            speed: Some(200.0),
            scenario: None,
            docker: DockerChoice::StandIn,
        };
        let rehearsal = Rehearsal::start(options).await.expect("the stand-ins start");
        let docker = DockerStandIn::start(rehearsal.dir(), Story::at_speed(200.0))
            .await
            .expect("the engine starts");
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join("token"), format!("{FILE_ARGUMENT}\n")).expect("written");
        let scene = Self {
            rehearsal,
            docker,
            home,
            sought: sought(),
            more: Vec::new(),
        };
        scene.rehearsal.desk().with_ssm(Millis::now(), |ssm| {
            let region = ssm.region_mut(REGION).expect("the world has it");
            let document = region.documents.get_mut(&format!("{REGION}-pull-image-document"));
            let text = PULL_IMAGE.replacen(
                "\"parameters\": {",
                "\"parameters\": {\"password\": {\"type\": \"String\"},",
                1,
            );
            document
                .expect("the region has it")
                .add_version(&text, Millis(0))
                .expect("it is a document");
        });
        scene.dockerfile("the tokens are");
        scene.configure("auto");
        scene
    }

    fn folder(&self) -> PathBuf {
        self.rehearsal.sample().path.clone()
    }

    fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// The workflow's configuration, with secrets, for one of the builders.
    fn configure(&self, builder: &str) {
        self.configure_build(&format!(
            "[build]\nbuilder = \"{builder}\"\nargs = {{ NPM_TOKEN = {{ secret_env = \"NPM_TOKEN\" }}, FILE_TOKEN = {{ secret_file = \"token\" }} }}"
        ));
    }

    /// The workflow's configuration, with a secret parameter and this build.
    fn configure_build(&self, build: &str) {
        let sample = std::fs::read_to_string(self.folder().join("config.toml")).expect("the sample has one");
        let sample = sample.replacen("[[rollout]]", &format!("{build}\n[[rollout]]"), 1);
        let secret = "parameters = { password = { secret_env = \"PASSWORD\" }, ";
        std::fs::write(
            self.home.path().join("config.toml"),
            sample.replace("parameters = { ", secret),
        )
        .expect("written");
    }

    /// A build that uses its arguments and prints them after these words.
    fn dockerfile(&self, words: &str) {
        let lines = [
            "FROM scratch",
            "ARG NPM_TOKEN",
            "ARG FILE_TOKEN",
            "WORKDIR /srv/$NPM_TOKEN",
            &format!("COPY config/ \"/{words}/$FILE_TOKEN/\""),
            &format!("RUN echo \"{words} $NPM_TOKEN and $FILE_TOKEN\""),
        ];
        std::fs::write(self.folder().join("Dockerfile"), lines.join("\n")).expect("written");
    }

    /// A commit that was not deployed yet.
    fn commit(&self) {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        let mut git = Command::new("git");
        git.current_dir(self.folder()).args(identity);
        git.args(["commit", "--quiet", "--all", "--allow-empty", "--message", "another"]);
        assert!(git.status().expect("git runs").success());
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.rehearsal.environment();
        environment.retain(|(name, _)| !matches!(*name, "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY"));
        environment.extend([
            ("AWS_ACCESS_KEY_ID", REHEARSAL_ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_SESSION_TOKEN", SESSION.to_owned()),
            ("NPM_TOKEN", ENV_ARGUMENT.to_owned()),
            ("PASSWORD", PARAMETER.to_owned()),
            ("DOCKER_HOST", self.docker.host().to_owned()),
            ("HOME", self.home.path().display().to_string()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("TERM", "xterm-256color".to_owned()),
            ("RUST_BACKTRACE", "full".to_owned()),
            ("RUST_LOG", "trace".to_owned()),
        ]);
        environment.extend(self.more.iter().cloned());
        environment
    }

    fn arguments(&self, line: &str) -> Vec<String> {
        let config = self.home.path().join("config.toml").display().to_string();
        let state = self.state().display().to_string();
        let usual = ["--config", &config, "--state-dir", &state, "--log-level", "trace"].map(str::to_owned);
        line.split_whitespace().map(str::to_owned).chain(usual).collect()
    }

    /// Runs the binary; what it printed holds no secret, and neither does the state folder.
    #[track_caller]
    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
        command
            .args(self.arguments(line))
            .current_dir(self.folder())
            .stdin(Stdio::null());
        let output = command
            .env_clear()
            .envs(self.environment())
            .output()
            .expect("the binary runs");
        self.sought
            .assert_not_in(&format!("what `{line}` printed"), &output.stdout);
        self.sought
            .assert_not_in(&format!("what `{line}` complained of"), &output.stderr);
        self.sought.assert_not_below(&self.state());
        output
    }

    fn pty(&self, line: &str) -> Pty {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_quarterdeck"));
        command.env_clear();
        command.args(self.arguments(line));
        command.cwd(self.folder());
        self.environment()
            .iter()
            .for_each(|(name, value)| command.env(name, value));
        Pty::start(command, 160, 50)
    }

    /// The whole logs of the builds so far.
    fn logs(&self) -> String {
        let mut logs = String::new();
        search::files(&self.state().join("logs"), &mut |path: &Path, bytes: &[u8]| {
            logs += &format!("{}\n{}", path.display(), String::from_utf8_lossy(bytes));
        });
        logs
    }
}

fn sought() -> Sought {
    let secrets = [SECRET_KEY, SESSION, ENV_ARGUMENT, FILE_ARGUMENT, PARAMETER];
    let mut sought = Sought::default();
    secrets.iter().for_each(|secret| sought.secret(secret));
    sought.inside_base64(ECR_PASSWORD);
    sought
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_arrive_where_they_are_needed_and_are_found_nowhere_else() {
    let scene = Scene::set().await;
    let (password, _) = scene.rehearsal.ecr().store().issue(&Region::new(REGION));
    assert!(scene.sought.is_in(password.as_bytes()), "a password would be found");

    // As it should be, but for a host that fails; its output is read.
    scene.commit();
    let hosts = scene.rehearsal.desk().with_ssm(Millis::now(), |ssm| {
        let fleet = ssm.region(REGION).expect("the world has it").fleet();
        fleet.nodes().iter().map(|node| node.id.clone()).collect::<Vec<_>>()
    });
    for host in &hosts {
        scene
            .rehearsal
            .tell(&Region::new(REGION), &HostId::new(host), &[Fate::DiskFull]);
    }
    let deployed = scene.run("deploy -y --allow-unpushed --progress plain --color never");
    assert_exit(&deployed, 3);
    let sent = scene.rehearsal.requests();
    let sent = sent
        .iter()
        .find(|request| request.operation == "SendCommand")
        .expect("a command was sent");
    assert!(
        sent.body.to_string().contains(PARAMETER),
        "the document got its parameter"
    );
    let logs = scene.logs();
    assert!(
        logs.contains("the tokens are *** and ***"),
        "the build got its arguments: {logs}"
    );

    // A build that fails where the secrets are, by the other builder.
    scene.configure("classic");
    scene.dockerfile("they were");
    scene.commit();
    for holds in ["COPY", "RUN"] {
        scene.docker.story().fail(FailingStep {
            holds: holds.to_owned(),
            code: 7,
            times: 1,
        });
    }
    for _ in 0..2 {
        assert_exit(&scene.run("deploy -y --allow-unpushed --progress json"), 5);
    }

    // A push and a command that are refused.
    let faults = scene
        .rehearsal
        .ecr()
        .faults(&Region::new(REGION))
        .expect("the region has a registry");
    faults.arm(
        When {
            method: None,
            path: "/",
            skip: 0,
            times: 50,
        },
        RegistryFault::Denied,
    );
    assert_exit(&scene.run("deploy -y --allow-unpushed --progress quiet"), 6);
    faults.clear();
    let denied = scene.rehearsal.faults().add(Rule::on("SendCommand", Act::Denied));
    assert_exit(&scene.run("deploy -y --allow-unpushed --progress plain"), 6);
    scene.rehearsal.faults().end(denied);

    // In the console.
    scene.dockerfile("at last the tokens are");
    scene.commit();
    let mut console = scene.pty("deploy --allow-unpushed --progress tui");
    let mut screens = vec![console.wait_for("start")];
    console.type_keys("\r");
    screens.push(console.wait_for("hosts failed:"));
    // Screens arrive from top to bottom. What stands in the footer may still be the last screen's, and a key right behind an
    // escape is another key.
    let pages = [
        ("l", "whole log in"),
        ("\x1b", "done, with failures"),
        ("a", "/ filter"),
        ("\r", "no space left on device"),
    ];
    for (key, shows) in pages {
        console.type_keys(key);
        screens.push(console.wait_for(shows));
    }
    console.type_keys("\x03\x03");
    console.wait();
    screens.push(console.screen());
    scene.sought.assert_not_in("the console", screens.concat().as_bytes());
    scene.sought.assert_not_below(&scene.state());

    // And whatever looks at it afterwards.
    for line in [
        "history",
        "show latest --progress plain",
        "show latest --progress json",
        "journal check",
        "info",
        "config check",
        "plan --progress plain --allow-unpushed",
    ] {
        scene.run(line);
    }
}
