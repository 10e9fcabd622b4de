//! The stand-in against AWS's own model (botocore) and AWS's own client (the `aws` command).

use std::process::Output;

use quarterdeck::rehearsal::{ACCOUNT, Options, Rehearsal, TIMEOUTS_FASTER};
use tokio::process::Command;

use crate::common::need;
use crate::ports::{SPEED, start};

/// Runs a client that can reach the rehearsal and nothing else.
async fn run(rehearsal: &Rehearsal, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
    ] {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .envs(rehearsal.environment())
        .env("AWS_PAGER", "")
        .kill_on_drop(true)
        .output()
        .await
        .expect("the program starts")
}

#[tokio::test]
async fn every_reply_and_every_error_agrees_with_botocores_service_model() {
    if !need("botocore") {
        return;
    }
    let rehearsal = start(Options::default()).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rehearsal/botocore_conformance.py");
    let faster = (SPEED * TIMEOUTS_FASTER).to_string();
    let output = run(&rehearsal, "python3", &[script, &rehearsal.api(), "us-east-1", &faster]).await;
    let (told, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let findings: Vec<&str> = told.lines().filter(|line| line.starts_with("OFF")).collect();
    assert!(output.status.success(), "{}\n{errors}", findings.join("\n"));
    assert!(
        told.lines().last().is_some_and(|line| line.ends_with(" 0 problems")),
        "{told}"
    );
}

#[tokio::test]
async fn the_aws_command_works_against_it() {
    if !need("aws") {
        return;
    }
    let rehearsal = start(Options::default()).await;
    let aws = async |arguments: &[&str]| {
        let output = run(&rehearsal, "aws", arguments).await;
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(
            output.status.success(),
            "{arguments:?}\n{told}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        told
    };
    let identity = aws(&["sts", "get-caller-identity", "--query", "Account", "--output", "text"]).await;
    assert_eq!(identity, ACCOUNT);
    let repositories = aws(&[
        "ecr",
        "describe-repositories",
        "--query",
        "repositories[].repositoryName",
        "--output",
        "text",
    ])
    .await;
    assert_eq!(repositories, "sento-us-east-1-processor-ecr");
    // The workflow's own command line.
    let command = aws(&[
        "ssm",
        "send-command",
        "--document-name",
        "us-east-1-pull-image-document",
        "--document-version",
        "$LATEST",
        "--targets",
        "Key=tag:Environment,Values=QA",
        "Key=tag:OS,Values=Ubuntu",
        "--parameters",
        "image=AI,region=us-east-1",
        "--timeout-seconds",
        "600",
        "--max-concurrency",
        "50",
        "--max-errors",
        "0",
        "--query",
        "Command.CommandId",
        "--output",
        "text",
    ])
    .await;
    let invocations = aws(&[
        "ssm",
        "list-command-invocations",
        "--command-id",
        &command,
        "--query",
        "length(CommandInvocations)",
    ])
    .await;
    assert_eq!(invocations, "12");
}
