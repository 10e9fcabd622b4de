//! Nothing secret in an error or a Debug print, however AWS or the network put it.

use quarterdeck::engine::ports::{AwsError, SendRequest};
use quarterdeck::names::CommandId;
use secrecy::SecretString;
use serde_json::json;

use crate::server::{Reply, Server};
use crate::ssm::{COMMAND, request};

const SENTINEL: &str = "s3ntinel-Value+/=";
const SHORT: &str = "k9";

fn assert_clean(error: &AwsError) {
    for text in [
        format!("{error:?}"),
        error.problem().to_string(),
        serde_json::to_string(error.problem()).expect("a problem is data"),
    ] {
        assert!(!text.contains(SENTINEL) && !text.contains(SHORT), "{text}");
    }
}

#[tokio::test]
async fn a_parameter_that_aws_echoes_is_hidden_in_every_error() {
    let mut request = request();
    request.secrets = vec![SecretString::from(SENTINEL), SecretString::from(SHORT)];
    request
        .parameters
        .insert("password".to_owned(), request.secrets.clone());
    let echo = format!("Value '{{password=[{SENTINEL}, {SHORT}]}}' at 'parameters' failed to satisfy constraint");
    let codes = [
        "ValidationException",
        "InvalidParameters",
        "ThrottlingException",
        "ExpiredTokenException",
        "AccessDeniedException",
        "InvalidSignatureException",
        "InternalServerError",
        "NeverHeardOfException",
    ];
    for code in codes {
        let body = json!({"__type": code, "message": echo}).to_string();
        let reply = Reply::Raw {
            status: 400,
            headers: vec![],
            body,
        };
        let server = Server::start(move |_, _| reply.clone()).await;
        let error = server
            .ports("secrets-1")
            .await
            .ssm
            .send(&request)
            .await
            .expect_err(code);
        assert_clean(&error);
    }
    for reply in [
        Reply::Close,
        Reply::Raw {
            status: 502,
            headers: vec![],
            body: echo.clone(),
        },
    ] {
        let server = Server::start(move |_, _| reply.clone()).await;
        let error = server
            .ports("secrets-2")
            .await
            .ssm
            .send(&request)
            .await
            .expect_err("an error");
        assert_clean(&error);
    }
}

#[tokio::test]
async fn an_error_still_says_what_is_not_secret() {
    let secrets = vec![SecretString::from(SENTINEL), SecretString::from("e")];
    let mut request = SendRequest {
        secrets: secrets.clone(),
        ..request()
    };
    request.parameters.insert("token".to_owned(), secrets);
    let says = format!("the parameter token has the value {SENTINEL}, which is not allowed in us-east-1");
    let server = Server::start(move |_, _| Reply::error("InvalidParameters", &says)).await;
    let error = server
        .ports("secrets-3")
        .await
        .ssm
        .send(&request)
        .await
        .expect_err("refused");
    let what = error.problem().what.as_str();
    assert!(
        what.contains("the parameter token has the value ***, which is not allowed in us-east-1"),
        "{what}"
    );
}

#[tokio::test]
async fn a_signature_error_does_not_show_the_request_that_it_quotes() {
    let says = format!(
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should have been\n\
        'POST\n/\n\nhost:ssm\nx-amz-security-token:{SENTINEL}\n'"
    );
    for code in [
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "AccessDeniedException",
    ] {
        let says = says.clone();
        let server = Server::start(move |_, _| Reply::error(code, &says)).await;
        let error = server
            .ports("secrets-4")
            .await
            .ssm
            .counts(&CommandId::new(COMMAND))
            .await
            .expect_err(code);
        assert_clean(&error);
    }
}

#[tokio::test]
async fn a_login_that_can_not_be_read_is_not_quoted() {
    let server = Server::start(|_, _| {
        Reply::Json(json!({"authorizationData": [{"authorizationToken": SENTINEL, "proxyEndpoint": "https://x"}]}))
    })
    .await;
    let error = server
        .ports("secrets-5")
        .await
        .ecr
        .login()
        .await
        .err()
        .expect("no login");
    assert_clean(&error);
}
