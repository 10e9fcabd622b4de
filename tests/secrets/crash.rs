//! What a crash prints: the hook's report and the Debug of everything that holds a secret.

use std::path::Path;
use std::process::Command;

use quarterdeck::config;
use quarterdeck::engine::ports::Login;
use secrecy::SecretString;

use super::search::Sought;

/// Says to this binary that it is the process that crashes.
const CHILD: &str = "QUARTERDECK_TEST_CRASH";
const SECRET: &str = "S3ntinel+of/the=crash%report";

const CONFIG: &str = r#"
app = "sento"
regions = ["us-east-1"]
environment = { name = "QA" }
image = { repository = "sento", tags = ["{sha}", "latest"] }
build = { args = { TOKEN = { secret_env = "TOKEN" } } }
[[rollout]]
name = "all"
document = "pull"
targets = { "tag:OS" = ["Linux"] }
parameters = { password = { secret_env = "TOKEN" } }
"#;

#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    color_eyre::install().expect("nothing is installed yet");
    let config = config::parse(Path::new("config.toml"), CONFIG).unwrap_or_else(|errors| panic!("{errors}"));
    let lane = &config.lanes[0];
    let resolved = lane.build.resolve(&config.vars(lane, "1", "2", "3"));
    let login = Login {
        user: "AWS".to_owned(),
        password: SecretString::from(SECRET),
        host: "host".to_owned(),
    };
    let held = format!("{config:?} {resolved:?} {:?}", login.password);
    assert!(held.contains("TOKEN"), "it is printed by its name");
    println!("{:?}", color_eyre::Report::msg(held.clone()));
    panic!("{held}");
}

#[test]
fn a_crash_report_holds_no_secret() {
    let output = Command::new(std::env::current_exe().expect("a test knows its binary"))
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("TOKEN", SECRET)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("this binary runs");
    let mut sought = Sought::default();
    sought.secret(SECRET);
    let said = [output.stdout, output.stderr].concat();
    assert!(!output.status.success() && String::from_utf8_lossy(&said).contains("TOKEN"));
    sought.assert_not_in("the crash report", &said);
}
