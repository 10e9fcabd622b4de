//! What each failure means, whatever form the wire gives it, and how often the request goes out.

use quarterdeck::engine::ports::AwsError;
use quarterdeck::names::{CommandId, Millis, Token};
use quarterdeck::problem::Kind;
use serde_json::json;

use crate::server::{Reply, Server, ports_at};
use crate::ssm::{COMMAND, request, tag};

/// A reply's headers.
type Headers = Vec<(&'static str, String)>;

fn word(error: &AwsError) -> &'static str {
    match error {
        AwsError::Throttled(_) => "throttled",
        AwsError::Expired(_) => "expired",
        AwsError::Unknown(_) => "unknown",
        AwsError::Refused(_) => "refused",
    }
}

#[tokio::test]
async fn an_error_means_the_same_in_every_form_of_the_wire_and_a_command_goes_out_once() {
    let cases = [
        ("ThrottlingException", 400, "throttled", Kind::Unexpected, "another try"),
        ("ThrottlingException", 503, "throttled", Kind::Unexpected, "another try"),
        (
            "ExpiredTokenException",
            400,
            "expired",
            Kind::Credentials,
            "start the rehearsal again",
        ),
        (
            "UnrecognizedClientException",
            400,
            "expired",
            Kind::Credentials,
            "region enabled",
        ),
        (
            "AccessDeniedException",
            400,
            "refused",
            Kind::Credentials,
            "\"Action\":\"ssm:SendCommand\"",
        ),
        ("InvalidSignatureException", 400, "refused", Kind::Credentials, "keys"),
        (
            "InvalidDocument",
            400,
            "refused",
            Kind::Config,
            "no such Command document",
        ),
        (
            "InvalidDocumentVersion",
            400,
            "refused",
            Kind::Config,
            "document_version",
        ),
        (
            "InvalidParameters",
            400,
            "refused",
            Kind::Config,
            "rollout's parameters",
        ),
        ("InvalidInstanceId", 400, "refused", Kind::Config, "plan anew"),
        ("UnsupportedPlatformType", 400, "refused", Kind::Config, "platform"),
        ("MaxDocumentSizeExceeded", 400, "refused", Kind::Config, "64 KB"),
        ("DuplicateInstanceId", 400, "refused", Kind::Unexpected, "twice"),
        ("ValidationException", 400, "refused", Kind::Config, "values"),
        (
            "SomethingNewException",
            400,
            "refused",
            Kind::Unexpected,
            "documentation",
        ),
        (
            "InternalServerError",
            500,
            "unknown",
            Kind::Unexpected,
            "looked for by its Comment",
        ),
        (
            "InternalFailure",
            500,
            "unknown",
            Kind::Unexpected,
            "looked for by its Comment",
        ),
        (
            "ServiceUnavailable",
            503,
            "unknown",
            Kind::Unexpected,
            "looked for by its Comment",
        ),
    ];
    for (code, status, expected, kind, remedy) in cases {
        let forms: [(&str, Headers, String); 4] = [
            (
                "body",
                vec![],
                json!({"__type": code, "Message": "says so"}).to_string(),
            ),
            (
                "namespace",
                vec![],
                json!({"__type": format!("com.amazonaws.ssm#{code}"), "message": "says so"}).to_string(),
            ),
            (
                "header",
                vec![("x-amzn-errortype", code.to_owned())],
                json!({"message": "says so"}).to_string(),
            ),
            (
                "header with a URL",
                vec![(
                    "x-amzn-errortype",
                    format!("{code}:http://internal.amazon.com/coral/com.amazonaws.ssm/"),
                )],
                json!({"message": "says so"}).to_string(),
            ),
        ];
        for (form, headers, body) in forms {
            let reply = Reply::Raw { status, headers, body };
            let server = Server::start(move |_, _| reply.clone()).await;
            let error = server
                .ports("wire-forms")
                .await
                .ssm
                .send(&request())
                .await
                .expect_err(code);
            let problem = error.problem();
            let told = format!("{code} {status} in {form}: {error:?}");
            assert_eq!(word(&error), expected, "{told}");
            assert_eq!(problem.kind, kind, "{told}");
            assert!(problem.remedy.as_str().contains(remedy), "{told}");
            assert!(
                problem.what.as_str().contains("us-east-1-pull-image-document")
                    && problem.what.as_str().contains("wire-forms"),
                "{told}"
            );
            assert_eq!(server.count("SendCommand"), 1, "{told}");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_command_is_not_sent_again() {
    let html = Reply::Raw {
        status: 502,
        headers: vec![],
        body: "<html>Bad Gateway</html>".to_owned(),
    };
    let half = Reply::Raw {
        status: 200,
        headers: vec![],
        body: "{\"Command\": {\"Comm".to_owned(),
    };
    let cut = Reply::Raw {
        status: 200,
        headers: vec![("connection", "close".to_owned())],
        body: String::new(),
    };
    let portal = Reply::Raw {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html>Log in to the network</html>".to_owned(),
    };
    let nothing = Reply::Raw {
        status: 200,
        headers: vec![],
        body: "{}".to_owned(),
    };
    for (name, reply) in [
        ("closed after the request", Reply::Close),
        ("no answer", Reply::Hang),
        ("a proxy's page", html),
        ("half an answer", half),
        ("an empty answer", cut),
        ("a network's login page", portal),
        ("an answer without a command", nothing),
    ] {
        let server = Server::start(move |_, _| reply.clone()).await;
        let error = server.ports("lost-1").await.ssm.send(&request()).await.expect_err(name);
        assert_eq!(word(&error), "unknown", "{name}: {error:?}");
        assert!(
            error.problem().remedy.as_str().contains("looked for by its Comment"),
            "{name}: {error:?}"
        );
        assert_eq!(server.count("SendCommand"), 1, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_closes_before_the_request_is_read_is_unknown_and_not_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = accepted.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            drop(stream);
        }
    });
    let error = ports_at(&url, "lost-2")
        .await
        .ssm
        .send(&request())
        .await
        .expect_err("closed");
    assert_eq!(word(&error), "unknown", "{error:?}");
    assert_eq!(accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let ports = ports_at(&url, "gone").await;
    for error in [
        ports.ssm.send(&request()).await.expect_err("no server"),
        ports.ssm.hosts(&[tag("OS", &["Ubuntu"])]).await.expect_err("no server"),
        ports.ecr.login().await.err().expect("no server"),
        ports.sts.identity().await.expect_err("no server"),
    ] {
        let what = error.problem().what.as_str().to_owned();
        assert!(
            word(&error) == "unknown" && what.contains(&url) && what.contains("could not reach"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_poller_hears_of_throttling_after_two_attempts_and_other_reads_are_patient() {
    let throttle = || Reply::error("ThrottlingException", "Rate exceeded");
    let server = Server::start(move |_, _| throttle()).await;
    let ssm = server.ports("throttled-1").await.ssm;
    let command = CommandId::new(COMMAND);
    assert!(matches!(ssm.counts(&command).await, Err(AwsError::Throttled(_))));
    assert_eq!(server.count("ListCommands"), 2);
    assert!(matches!(
        ssm.invocations(&command, None, None).await,
        Err(AwsError::Throttled(_))
    ));
    assert_eq!(server.count("ListCommandInvocations"), 2);

    let server = Server::start(move |_, nth| match nth {
        0 | 1 => Reply::error("ThrottlingException", "Rate exceeded"),
        _ => Reply::Json(json!({"Commands": []})),
    })
    .await;
    assert_eq!(
        server
            .ports("throttled-2")
            .await
            .ssm
            .find(&Token::new("t"), Millis(0))
            .await,
        Ok(None)
    );
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_denial_names_the_action_and_the_resource_that_aws_named() {
    let says = "User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: ssm:SendCommand on resource: \
        arn:aws:ec2:us-east-1:1:instance/i-1 because no identity-based policy allows the ssm:SendCommand action";
    let server = Server::start(move |_, _| Reply::error("AccessDeniedException", says)).await;
    let error = server
        .ports("denied")
        .await
        .ssm
        .send(&request())
        .await
        .expect_err("denied");
    let remedy = error.problem().remedy.as_str().to_owned();
    assert!(
        remedy.contains(
            r#"{"Effect":"Allow","Action":"ssm:SendCommand","Resource":"arn:aws:ec2:us-east-1:1:instance/i-1"}"#
        ),
        "{remedy}"
    );
    assert!(remedy.contains("both the document and the instances"), "{remedy}");
}

#[tokio::test]
async fn a_wrong_clock_is_told_with_the_measured_difference() {
    let server = Server::start(|_, _| Reply::Raw {
        status: 400,
        headers: vec![("date", "Tue, 01 Jan 2030 00:00:00 GMT".to_owned())],
        body: json!({"__type": "InvalidSignatureException", "message": "Signature expired: 1 is now earlier than 2"})
            .to_string(),
    })
    .await;
    let error = server
        .ports("skewed")
        .await
        .ssm
        .counts(&CommandId::new(COMMAND))
        .await
        .expect_err("skewed");
    let problem = error.problem();
    assert!(
        problem.what.as_str().contains("clock is") && problem.what.as_str().contains(" h behind AWS's"),
        "{problem}"
    );
    assert!(problem.remedy.as_str().contains("clock"), "{problem}");
}

#[tokio::test]
async fn a_missing_repository_and_a_used_up_quota_say_what_to_do() {
    let server = Server::start(|request, _| match request.operation.as_str() {
        "DescribeImages" => Reply::error(
            "RepositoryNotFoundException",
            "The repository with name 'sento' does not exist",
        ),
        _ => Reply::error("LimitExceededException", "too many images"),
    })
    .await;
    let ecr = server.ports("quota").await.ecr;
    let error = ecr.image("sento", "latest").await.expect_err("no repository");
    assert!(
        error.problem().kind == Kind::Config && error.problem().remedy.as_str().contains("create-repository"),
        "{error:?}"
    );
    let error = ecr.login().await.err().expect("quota");
    assert!(
        matches!(&error, AwsError::Refused(problem) if problem.remedy.as_str().contains("quota")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_kept_connection_that_breaks_does_not_send_the_command_again() {
    let server = Server::start(|request, _| match request.operation.as_str() {
        "SendCommand" => Reply::Close,
        _ => Reply::Json(json!({})),
    })
    .await;
    let ssm = server.ports("lost-3").await.ssm;
    ssm.cancel(&CommandId::new(COMMAND))
        .await
        .expect("the connection is kept for the next request");
    let error = ssm.send(&request()).await.expect_err("closed");
    assert_eq!((word(&error), server.count("SendCommand")), ("unknown", 1), "{error:?}");
}
