//! Every question that the engine asks, through the real SDK.

use std::time::Duration;

use quarterdeck::aws::{Patience, Realm, connect_with};
use quarterdeck::config::{AwsConfig, Endpoints};
use quarterdeck::engine::ports::{AwsError, Invocation, Only, Recipients, RegionPorts, SendRequest, Ssm};
use quarterdeck::names::{CommandId, HostId, Millis, Region, Token};
use quarterdeck::plan::{Ping, Target};
use quarterdeck::rehearsal::{ACCOUNT, Options, Rehearsal};
use quarterdeck::state::HostStatus;
use quarterdeck::text::Clean;
use secrecy::SecretString;

/// Fast enough for a test, and slow enough for every state to be seen.
pub const SPEED: f64 = 20.0;

pub async fn start(options: Options) -> Rehearsal {
    let speed = options.speed.or(Some(SPEED));
    Rehearsal::start(Options { speed, ..options })
        .await
        .expect("loopback has a free port")
}

/// A region's clients that lead to the rehearsal.
pub async fn ports(rehearsal: &Rehearsal, region: &str) -> RegionPorts {
    let api = Some(rehearsal.api());
    let settings = AwsConfig {
        endpoints: Endpoints {
            ssm: api.clone(),
            ecr: api.clone(),
            sts: api,
        },
        ..AwsConfig::default()
    };
    let patience = Patience {
        attempt: Duration::from_secs(2),
        backoff: Duration::from_millis(5),
        ..Patience::default()
    };
    connect_with(&settings, &Region::new(region), Realm::Rehearsal, patience)
        .await
        .expect("three loopback endpoints make a rehearsal")
}

pub fn tag(key: &str, value: &str) -> Target {
    Target {
        key: Clean::line(&format!("tag:{key}")),
        values: vec![Clean::line(value)],
    }
}

/// The workflow's targets.
pub fn qa(os: &str) -> Vec<Target> {
    vec![tag("Environment", "QA"), tag("OS", os)]
}

/// The workflow's command, with a limit that no story reaches.
pub fn request(region: &str, to: Recipients, token: &str) -> SendRequest {
    let one = |value: &str| vec![SecretString::from(value)];
    SendRequest {
        document: format!("{region}-pull-image-document"),
        document_version: "$LATEST".to_owned(),
        parameters: [("image".to_owned(), one("AI")), ("region".to_owned(), one(region))].into(),
        secrets: Vec::new(),
        to,
        delivery_timeout_secs: 600,
        max_concurrency: "50".to_owned(),
        max_errors: "100%".to_owned(),
        token: Token::new(token),
    }
}

/// Reads all pages until every invocation has ended.
pub async fn ended(ssm: &dyn Ssm, command: &CommandId) -> Vec<Invocation> {
    let everything = async {
        loop {
            let all = listed(ssm, command, None).await;
            if !all.is_empty() && all.iter().all(|invocation| invocation.status.is_end()) {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), everything)
        .await
        .expect("every command ends")
}

async fn listed(ssm: &dyn Ssm, command: &CommandId, only: Option<Only>) -> Vec<Invocation> {
    let (mut all, mut next) = (Vec::new(), None::<String>);
    loop {
        let page = ssm.invocations(command, only, next.as_deref()).await.expect("a page");
        all.extend(page.invocations);
        next = page.next;
        if next.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn the_caller_is_the_rehearsals_and_the_endpoint_is_told() {
    let rehearsal = start(Options::default()).await;
    let caller = ports(&rehearsal, "us-east-1")
        .await
        .sts
        .identity()
        .await
        .expect("STS answers");
    assert_eq!(caller.account.as_str(), ACCOUNT);
    assert_eq!(caller.endpoint.expect("not AWS's own").as_str(), rehearsal.api());
}

#[tokio::test]
async fn the_fleet_is_listed_by_tags_over_all_pages_with_its_offline_host() {
    let rehearsal = start(Options {
        hosts: Some(260),
        ..Options::default()
    })
    .await;
    let ssm = ports(&rehearsal, "us-east-2").await.ssm;
    let (ubuntu, linux) = (ssm.hosts(&qa("Ubuntu")).await, ssm.hosts(&qa("Linux")).await);
    let (ubuntu, linux) = (ubuntu.expect("a list"), linux.expect("a list"));
    assert_eq!((ubuntu.len(), linux.len()), (78, 52));
    let offline = ubuntu
        .iter()
        .chain(&linux)
        .filter(|host| host.ping == Ping::ConnectionLost);
    assert_eq!(offline.count(), 1);
    assert!(
        ubuntu
            .iter()
            .all(|host| host.platform.as_str() == "Ubuntu" && host.name.as_str().starts_with("ip-10-"))
    );
    assert!(ssm.hosts(&qa("Windows")).await.expect("a list").is_empty());
}

#[tokio::test]
async fn the_document_is_there_with_all_that_the_plan_wants_to_know() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let document = ssm.document("us-east-1-pull-image-document", "$LATEST").await;
    let document = document.expect("an answer").expect("the document");
    assert_eq!(
        (document.version.as_str(), document.execution_timeout_secs),
        ("1", Some(900))
    );
    assert_eq!(document.steps, [Clean::line("pullAndRestart")]);
    let required: Vec<_> = document
        .parameters
        .iter()
        .filter(|parameter| parameter.required)
        .collect();
    assert_eq!(required.len(), 2, "image and region, as the workflow gives them");
    for (name, version) in [
        ("us-east-2-pull-image-document", "$LATEST"),
        ("us-east-1-pull-image-document", "7"),
    ] {
        assert!(
            ssm.document(name, version).await.expect("an answer").is_none(),
            "{name} {version}"
        );
    }
}

#[tokio::test]
async fn a_rollout_goes_wrong_on_some_hosts_and_a_retry_of_those_turns_them_green() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-2").await.ssm;
    let expected = ssm.hosts(&qa("Ubuntu")).await.expect("a list");
    let first = ssm
        .send(&request("us-east-2", Recipients::Targets(qa("Ubuntu")), "qd:1"))
        .await
        .expect("taken");
    let all = ended(ssm.as_ref(), &first.command).await;
    let mut hosts: Vec<&str> = all.iter().map(|invocation| invocation.host.as_str()).collect();
    hosts.sort_unstable();
    let names: Vec<&str> = expected.iter().map(|host| host.id.as_str()).collect();
    assert_eq!(hosts, names, "each host once, and no other");
    let again: Vec<HostId> = all
        .iter()
        .filter(|invocation| invocation.status != HostStatus::Success)
        .map(|invocation| invocation.host.clone())
        .collect();
    assert!(!again.is_empty(), "the story has failures in every region");
    let counts = ssm
        .counts(&first.command)
        .await
        .expect("an answer")
        .expect("the command");
    assert!(counts.ended);
    assert_eq!(
        (counts.targets as usize, counts.completed as usize),
        (all.len(), all.len())
    );

    let retry = request("us-east-2", Recipients::Hosts(again.clone()), "qd:2");
    let second = ssm.send(&retry).await.expect("the offline host is back");
    let all = ended(ssm.as_ref(), &second.command).await;
    assert_eq!(all.len(), again.len());
    assert!(
        all.iter().all(|invocation| invocation.status == HostStatus::Success),
        "{all:?}"
    );
    assert_eq!(rehearsal.count("SendCommand"), 2);
}

#[tokio::test]
async fn a_failed_hosts_output_and_exit_code_can_be_read() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let mut failures = 0;
    for os in ["Ubuntu", "Linux"] {
        let sent = ssm
            .send(&request("us-east-1", Recipients::Targets(qa(os)), os))
            .await
            .expect("taken");
        ended(ssm.as_ref(), &sent.command).await;
        for invocation in listed(ssm.as_ref(), &sent.command, Some(Only::Failed)).await {
            failures += 1;
            let output = ssm
                .output(&sent.command, &invocation.host, Some("pullAndRestart"))
                .await;
            let (output, code) = output.expect("an answer").expect("an output");
            assert_eq!(code, Some(1));
            assert!(output.stdout.as_str().starts_with("Login Succeeded"));
            assert!(
                output
                    .stderr
                    .as_str()
                    .ends_with("failed to run commands: exit status 1")
            );
        }
    }
    assert_eq!(failures, 2);
}

#[tokio::test]
async fn a_command_is_found_by_its_comment_and_not_before_it_was_sent() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let before = Millis::now();
    let sent = ssm
        .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:me"))
        .await
        .expect("taken");
    ended(ssm.as_ref(), &sent.command).await;
    let minute = |offset: i64| Millis(before.0 + offset * 60_000);
    let found = ssm.find(&Token::new("qd:me"), minute(-1)).await.expect("a list");
    assert_eq!(found, Some(sent));
    assert_eq!(ssm.find(&Token::new("qd:me"), minute(1)).await, Ok(None));
    assert_eq!(ssm.find(&Token::new("qd:you"), minute(-1)).await, Ok(None));
}

#[tokio::test]
async fn a_command_is_not_seen_at_once() {
    // At the speed of AWS nothing is visible in the first fifth of a second.
    let rehearsal = Rehearsal::start(Options::default()).await.expect("a port");
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let sent = ssm
        .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:me"))
        .await
        .expect("taken");
    let page = ssm.invocations(&sent.command, None, None).await.expect("an answer");
    assert!(page.invocations.is_empty() && page.next.is_none());
    assert_eq!(ssm.counts(&sent.command).await, Ok(None));
}

#[tokio::test]
async fn a_cancelled_command_follows_its_hosts_to_their_end() {
    let rehearsal = start(Options {
        speed: Some(5.0),
        ..Options::default()
    })
    .await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let sent = ssm
        .send(&request("us-east-1", Recipients::Targets(qa("Ubuntu")), "qd:x"))
        .await
        .expect("taken");
    while listed(ssm.as_ref(), &sent.command, Some(Only::InProgress)).await.len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ssm.cancel(&sent.command).await.expect("it is asked");
    let all = ended(ssm.as_ref(), &sent.command).await;
    let cancelled = all
        .iter()
        .filter(|invocation| invocation.status == HostStatus::Cancelled);
    assert!(cancelled.count() > 1, "{all:?}");
    let counts = ssm
        .counts(&sent.command)
        .await
        .expect("an answer")
        .expect("the command");
    assert_eq!(counts.details.as_str(), "Cancelled");
}

#[tokio::test]
async fn a_command_that_the_document_does_not_take_is_refused() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let good = request("us-east-1", Recipients::Targets(qa("Ubuntu")), "qd:1");
    let with = |name: &str, value: &str| {
        let mut request = good.clone();
        request
            .parameters
            .insert(name.to_owned(), vec![SecretString::from(value)]);
        request
    };
    let mut short = good.clone();
    short.parameters.remove("image");
    let mut hurried = good.clone();
    hurried.delivery_timeout_secs = 29;
    let stranger = request(
        "us-east-1",
        Recipients::Hosts(vec![HostId::new("i-0123456789abcdef0")]),
        "qd:1",
    );
    for (request, code) in [
        (with("os", "Windows"), "InvalidParameters"),
        (with("colour", "green"), "InvalidParameters"),
        (with("image", "a b; rm -rf /"), "InvalidParameters"),
        (short, "InvalidParameters"),
        (hurried, "ValidationException"),
        (stranger, "InvalidInstanceId"),
    ] {
        match ssm.send(&request).await {
            Err(AwsError::Refused(problem)) => assert!(problem.to_string().contains(code), "{code}: {problem}"),
            other => panic!("{code} was expected, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_region_without_anything_says_so() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "eu-west-1").await.ssm;
    assert!(ssm.hosts(&qa("Ubuntu")).await.expect("a list").is_empty());
    assert!(
        ssm.document("eu-west-1-pull-image-document", "$LATEST")
            .await
            .expect("an answer")
            .is_none()
    );
}
