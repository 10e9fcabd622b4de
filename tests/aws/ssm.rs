//! Run Command's calls, member by member, and their listings to the last page.

use quarterdeck::engine::ports::{AwsError, Only, Recipients, SendRequest};
use quarterdeck::engine::{Whose, adopt};
use quarterdeck::names::{CommandId, DeploymentId, HostId, Millis, Region, RolloutName, Token};
use quarterdeck::plan::{Ping, Target};
use quarterdeck::state::{Driver, HostStatus};
use quarterdeck::text::Clean;
use secrecy::SecretString;
use serde_json::json;

use crate::server::{Reply, Server};

pub const COMMAND: &str = "0831e1a8-a1ac-4257-a1fd-c831b48c4107";

/// The workflow's command for its Ubuntu hosts.
pub fn request() -> SendRequest {
    let one = |value: &str| vec![SecretString::from(value)];
    SendRequest {
        document: "us-east-1-pull-image-document".to_owned(),
        document_version: "$LATEST".to_owned(),
        parameters: [("image".to_owned(), one("AI")), ("region".to_owned(), one("us-east-1"))].into(),
        secrets: Vec::new(),
        to: Recipients::Targets(vec![tag("Environment", &["QA"]), tag("OS", &["Ubuntu"])]),
        delivery_timeout_secs: 600,
        max_concurrency: "50".to_owned(),
        max_errors: "0".to_owned(),
        token: Token::new("qd:1:us-east-1:ubuntu:1"),
    }
}

pub fn tag(key: &str, values: &[&str]) -> Target {
    Target {
        key: Clean::line(&format!("tag:{key}")),
        values: values.iter().map(|value| Clean::line(value)).collect(),
    }
}

#[tokio::test]
async fn a_command_goes_out_as_the_workflow_sends_it() {
    let server =
        Server::start(|_, _| Reply::Json(json!({"Command": {"CommandId": COMMAND, "ExpiresAfter": 1.72031040025E9}})))
            .await;
    let accepted = server
        .ports("send-1")
        .await
        .ssm
        .send(&request())
        .await
        .expect("SSM takes it");
    assert_eq!(accepted.command.as_str(), COMMAND);
    assert_eq!(accepted.expires_at, Some(Millis(1_720_310_400_250)));
    let sent = &server.requests()[0];
    assert_eq!(
        sent.body,
        json!({
            "DocumentName": "us-east-1-pull-image-document",
            "DocumentVersion": "$LATEST",
            "Targets": [{"Key": "tag:Environment", "Values": ["QA"]}, {"Key": "tag:OS", "Values": ["Ubuntu"]}],
            "TimeoutSeconds": 600,
            "Comment": "qd:1:us-east-1:ubuntu:1",
            "Parameters": {"image": ["AI"], "region": ["us-east-1"]},
            "MaxConcurrency": "50",
            "MaxErrors": "0",
        })
    );
    assert!(
        sent.headers["user-agent"].contains("app/quarterdeck")
            || sent.headers["x-amz-user-agent"].contains("app/quarterdeck")
    );
}

#[tokio::test]
async fn a_retry_goes_to_instance_ids_and_never_to_none_or_to_more_than_fifty() {
    let server = Server::start(|_, _| Reply::Json(json!({"Command": {"CommandId": COMMAND}}))).await;
    let ssm = server.ports("send-2").await.ssm;
    let hosts = |count: usize| SendRequest {
        to: Recipients::Hosts((0..count).map(|at| HostId::new(format!("i-{at:017}"))).collect()),
        ..request()
    };
    ssm.send(&hosts(50)).await.expect("50 is allowed");
    assert_eq!(
        server.requests()[0].body["InstanceIds"].as_array().map(Vec::len),
        Some(50)
    );
    assert!(server.requests()[0].body.get("Targets").is_none());
    for bad in [
        hosts(0),
        hosts(51),
        SendRequest {
            to: Recipients::Targets(vec![]),
            ..request()
        },
    ] {
        assert!(matches!(ssm.send(&bad).await, Err(AwsError::Refused(_))));
    }
    assert_eq!(server.count("SendCommand"), 1);
}

#[tokio::test]
async fn hosts_are_listed_through_short_and_empty_pages_to_the_empty_token() {
    let host = |id: &str, ping: &str| json!({"InstanceId": id, "PingStatus": ping, "PlatformName": "Ubuntu", "ComputerName": format!("{id}.local")});
    let pages = [
        json!({"InstanceInformationList": [host("i-2", "Online")], "NextToken": "a"}),
        json!({"InstanceInformationList": [], "NextToken": "b"}),
        json!({"InstanceInformationList": [host("i-1", "ConnectionLost"), host("i-2", "Online")], "NextToken": ""}),
    ];
    let server = Server::start(move |_, nth| Reply::Json(pages[nth].clone())).await;
    let targets = [tag("Environment", &["QA", "Staging"]), tag("OS", &["Ubuntu"])];
    let hosts = server
        .ports("hosts-1")
        .await
        .ssm
        .hosts(&targets)
        .await
        .expect("three pages");
    let told: Vec<_> = hosts.iter().map(|host| (host.id.as_str(), host.ping.clone())).collect();
    assert_eq!(told, [("i-1", Ping::ConnectionLost), ("i-2", Ping::Online)]);
    assert_eq!(hosts[0].name.as_str(), "i-1.local");
    let first = &server.requests()[0].body;
    assert_eq!(first["MaxResults"], 50);
    assert_eq!(
        first["Filters"][0],
        json!({"Key": "tag:Environment", "Values": ["QA", "Staging"]})
    );
    assert_eq!(server.requests()[2].body["NextToken"], "b");
}

#[tokio::test]
async fn a_list_of_hosts_that_leads_in_circles_is_none() {
    let server = Server::start(|_, nth| {
        Reply::Json(json!({"InstanceInformationList": [{"InstanceId": format!("i-{nth}")}], "NextToken": "same"}))
    })
    .await;
    let ssm = server.ports("hosts-2").await.ssm;
    let error = ssm
        .hosts(&[tag("OS", &["Ubuntu"])])
        .await
        .expect_err("nobody knows the others");
    assert!(matches!(&error, AwsError::Unknown(problem) if problem.what.as_str().contains("gave a page twice")));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn targets_that_ssm_can_not_list_are_refused_without_a_call() {
    let server = Server::start(|_, _| Reply::Json(json!({}))).await;
    let group = Target {
        key: Clean::line("resource-groups:Name"),
        values: vec![Clean::line("web")],
    };
    let error = server
        .ports("hosts-3")
        .await
        .ssm
        .hosts(&[group])
        .await
        .expect_err("not listable");
    assert!(matches!(&error, AwsError::Refused(problem) if problem.what.as_str().contains("resource-groups:Name")));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_lost_command_is_found_by_its_comment_on_the_last_page() {
    let pages = [
        json!({"Commands": [{"CommandId": "x", "Comment": "somebody else's"}], "NextToken": "a"}),
        json!({"Commands": [], "NextToken": "b"}),
        json!({"Commands": [{"CommandId": COMMAND, "Comment": "qd:1:us-east-1:ubuntu:1", "ExpiresAfter": 5}]}),
    ];
    let server = Server::start(move |_, nth| Reply::Json(pages[nth].clone())).await;
    let ssm = server.ports("find-1").await.ssm;
    let found = ssm
        .find(&Token::new("qd:1:us-east-1:ubuntu:1"), Millis(1_720_310_400_999))
        .await;
    assert_eq!(
        found.expect("it answers").map(|found| found.command),
        Some(CommandId::new(COMMAND))
    );
    let first = &server.requests()[0].body;
    assert_eq!(
        first["Filters"],
        json!([{"key": "InvokedAfter", "value": "2024-07-07T00:00:00Z"}])
    );
}

#[tokio::test]
async fn a_list_that_can_not_be_read_to_its_end_does_not_say_that_the_command_is_absent() {
    let server = Server::start(|_, _| Reply::Json(json!({"Commands": [], "NextToken": "same"}))).await;
    let found = server.ports("find-2").await.ssm.find(&Token::new("t"), Millis(0)).await;
    assert!(matches!(found, Err(AwsError::Unknown(_))), "{found:?}");
    let server = Server::start(|_, _| Reply::Json(json!({"Commands": [], "NextToken": ""}))).await;
    let found = server.ports("find-3").await.ssm.find(&Token::new("t"), Millis(0)).await;
    assert_eq!(found, Ok(None));
}

#[tokio::test]
async fn sent_commands_are_listed_since_a_moment_where_it_is_known() {
    let server = Server::start(|_, _| Reply::Json(json!({"Commands": []}))).await;
    let ssm = server.ports("sent").await.ssm;
    for since in [Some(Millis(1_720_310_400_999)), None] {
        assert!(ssm.sent("qd:", since).await.expect("it answers").is_empty());
    }
    let requests = server.requests();
    assert_eq!(
        requests[0].body["Filters"],
        json!([{"key": "InvokedAfter", "value": "2024-07-07T00:00:00Z"}])
    );
    assert_eq!(requests[1].body.get("Filters"), None);
}

/// A host that is not read would be expected by nobody, and the deployment green without it.
#[tokio::test]
async fn a_deployment_whose_hosts_can_not_be_listed_to_the_end_is_not_adopted() {
    let (id, region) = (DeploymentId::from_u128(7), Region::new("us-east-1"));
    let token = Token::compose(id, &region, &RolloutName::new("ubuntu"), 1);
    let server = Server::start(move |request, _| match request.operation.as_str() {
        "ListCommands" => Reply::Json(json!({"Commands": [{
            "CommandId": COMMAND, "Comment": token.as_str(), "DocumentName": "pull-image",
            "Targets": [{"Key": "tag:OS", "Values": ["Ubuntu"]}]}]})),
        "ListCommandInvocations" => {
            let next = if request.body["NextToken"] == "a" { "b" } else { "a" };
            Reply::Json(json!({"CommandInvocations": [], "NextToken": next}))
        }
        "GetCallerIdentity" => Reply::Raw {
            status: 200,
            headers: vec![],
            body: "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                   <Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>X</UserId><Account>123456789012</Account>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>"
                .to_owned(),
        },
        _ => Reply::error("InvalidDocument", ""),
    })
    .await;
    let regions = [(region, server.ports("us-east-1").await)].into();
    let driver = Driver {
        user: Clean::line("ada"),
        machine: Clean::line("laptop"),
        pid: 1,
        version: Clean::line("0"),
    };
    let adopted = adopt(
        Whose::Deployment(id),
        std::time::Duration::MAX,
        &regions,
        None,
        driver,
        true,
        Millis(0),
    )
    .await;
    let problem = adopted.err().expect("the list has no end");
    assert!(problem.what.as_str().contains("leads in circles"), "{problem}");
    assert_eq!(server.count("ListCommandInvocations"), 3);
}

#[tokio::test]
async fn counts_say_how_a_command_stands() {
    let server = Server::start(|request, _| match request.body["CommandId"].as_str() {
        Some(COMMAND) => Reply::Json(json!({"Commands": [{
            "CommandId": COMMAND, "Status": "InProgress", "StatusDetails": "InProgress",
            "TargetCount": 9, "CompletedCount": 4, "ErrorCount": 1, "DeliveryTimedOutCount": 2}]})),
        Some("unknown") => Reply::error("InvalidCommandId", ""),
        _ => Reply::Json(json!({"Commands": []})),
    })
    .await;
    let ssm = server.ports("counts").await.ssm;
    let counts = ssm
        .counts(&CommandId::new(COMMAND))
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(
        (
            counts.targets,
            counts.completed,
            counts.errors,
            counts.delivery_timed_out
        ),
        (9, 4, 1, 2)
    );
    assert!(!counts.ended && counts.status.as_str() == "InProgress");
    assert_eq!(ssm.counts(&CommandId::new("unknown")).await, Ok(None));
    assert_eq!(ssm.counts(&CommandId::new("not yet")).await, Ok(None));
}

#[tokio::test]
async fn a_page_of_invocations_has_hosts_states_and_the_next_token() {
    let server = Server::start(|_, _| {
        Reply::Json(json!({"NextToken": "n", "CommandInvocations": [
            {"InstanceId": "i-1", "Status": "TimedOut", "StatusDetails": "Delivery Timed Out", "CommandPlugins": []},
            {"InstanceId": "i-2", "Status": "Failed", "StatusDetails": "Undeliverable"},
            {"InstanceId": "i-3", "Status": "Sleeping", "StatusDetails": "Sleeping"}]}))
    })
    .await;
    let ssm = server.ports("invocations").await.ssm;
    let page = ssm
        .invocations(&CommandId::new(COMMAND), Some(Only::TimedOut), Some("m"))
        .await
        .expect("a page");
    assert_eq!(page.next.as_deref(), Some("n"));
    let states: Vec<_> = page
        .invocations
        .iter()
        .map(|invocation| invocation.status.word())
        .collect();
    assert_eq!(states, ["not delivered", "undeliverable", "Sleeping"]);
    assert_eq!(page.invocations[0].status, HostStatus::DeliveryTimedOut);
    assert_eq!(
        server.requests()[0].body,
        json!({"CommandId": COMMAND, "MaxResults": 50, "NextToken": "m", "Details": false,
               "Filters": [{"key": "Status", "value": "TimedOut"}]})
    );
}

#[tokio::test]
async fn output_is_clean_and_its_cut_and_exit_code_are_told() {
    let server = Server::start(|request, _| match request.body["InstanceId"].as_str() {
        Some("i-1") => Reply::Json(json!({"ResponseCode": 3, "Status": "Failed", "StatusDetails": "Failed",
            "StandardOutputContent": "\u{1b}[31mpulling\u{1b}[0m\n--output truncated--", "StandardErrorContent": "no"})),
        Some("i-2") => Reply::error("InvocationDoesNotExist", ""),
        _ => Reply::error("InvalidCommandId", ""),
    })
    .await;
    let ssm = server.ports("output").await.ssm;
    let read = async |host: &str| {
        ssm.output(&CommandId::new(COMMAND), &HostId::new(host), Some("pull"))
            .await
    };
    let (output, code) = read("i-1").await.expect("it answers").expect("it is there");
    assert_eq!((output.stdout.as_str(), output.stdout_cut), ("pulling", true));
    assert_eq!(
        (output.stderr.as_str(), output.stderr_cut, code),
        ("no", false, Some(3))
    );
    assert_eq!(server.requests()[0].body["PluginName"], "pull");
    assert_eq!(read("i-2").await, Ok(None));
    assert_eq!(read("i-3").await, Ok(None));
}

#[tokio::test]
async fn a_document_is_described_with_what_only_its_content_says() {
    let server = Server::start(|request, _| match (request.operation.as_str(), request.body["Name"].as_str()) {
        ("DescribeDocument", Some("absent")) => Reply::error("InvalidDocument", "Document with name absent does not exist."),
        ("DescribeDocument", Some("old")) => Reply::error("InvalidDocumentVersion", ""),
        ("DescribeDocument", Some("automation")) => {
            Reply::Json(json!({"Document": {"DocumentType": "Automation", "Status": "Active"}}))
        }
        ("DescribeDocument", _) => Reply::Json(json!({"Document": {"Status": "Active", "DocumentVersion": "7",
            "DocumentType": "Command", "PlatformTypes": ["Linux"],
            "Parameters": [{"Name": "image", "Type": "String"}, {"Name": "paths", "Type": "StringList", "DefaultValue": ""}]}})),
        _ => Reply::Json(json!({"Content": r#"{"schemaVersion":"2.2","parameters":{"image":{"allowedValues":["AI"]}},
            "mainSteps":[{"name":"pull","inputs":{"timeoutSeconds":"600"}}]}"#})),
    })
    .await;
    let ssm = server.ports("document").await.ssm;
    let document = ssm
        .document("pull", "$LATEST")
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(document.version.as_str(), "7");
    assert_eq!(server.requests()[0].body["DocumentVersion"], "$LATEST");
    assert_eq!(server.requests()[1].body["DocumentVersion"], "7");
    assert!(document.parameters[0].required && !document.parameters[1].required && document.parameters[1].is_list);
    assert_eq!(document.parameters[0].allowed_values, [Clean::line("AI")]);
    assert_eq!(document.execution_timeout_secs, Some(600));
    assert_eq!(ssm.document("absent", "$LATEST").await, Ok(None));
    assert_eq!(ssm.document("old", "99").await, Ok(None));
    assert!(matches!(
        ssm.document("automation", "1").await,
        Err(AwsError::Refused(_))
    ));
}

#[tokio::test]
async fn cancelling_names_the_command_and_no_host() {
    let server = Server::start(|_, _| Reply::Json(json!({}))).await;
    server
        .ports("cancel")
        .await
        .ssm
        .cancel(&CommandId::new(COMMAND))
        .await
        .expect("an empty answer is good");
    assert_eq!(server.requests()[0].body, json!({"CommandId": COMMAND}));
}
