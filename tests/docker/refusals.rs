//! What a registry refuses, as a real engine tells it.

use std::net::Ipv4Addr;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse as _;
use quarterdeck::engine::ports::{Docker as _, PushFailure};
use tokio_util::sync::CancellationToken;

use crate::push::ready;
use crate::rig::{Images, Watch, engine, push_spec};

/// A registry that answers every upload so; returns its host and port.
async fn refusing(status: StatusCode, body: &'static str) -> String {
    let answer = move |method: Method, uri: axum::http::Uri| async move {
        match (method, uri.path()) {
            (_, "/v2/") => StatusCode::OK.into_response(),
            (Method::HEAD, _) => StatusCode::NOT_FOUND.into_response(),
            _ => (status, [("content-type", "application/json")], body).into_response(),
        }
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    address.to_string()
}

fn word(failure: &PushFailure) -> &'static str {
    match failure {
        PushFailure::Cancelled => "cancelled",
        PushFailure::Expired(_) => "expired",
        PushFailure::Transient(_) => "transient",
        PushFailure::TagImmutable(_) => "immutable",
        PushFailure::Final(_) => "final",
    }
}

#[tokio::test]
async fn every_refusal_of_a_registry_has_its_word_and_its_remedy() {
    if !ready() {
        return;
    }
    let mut images = Images::import().await;
    let image = images.base_id().await;
    let cases = [
        (
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#,
            "expired",
            "fresh token",
        ),
        (
            403,
            r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#,
            "expired",
            "fresh token",
        ),
        (
            403,
            r#"{"errors":[{"code":"DENIED","message":"User: arn:aws:iam::123456789012:user/x is not authorized to perform: ecr:InitiateLayerUpload"}]}"#,
            "final",
            "InitiateLayerUpload",
        ),
        (
            404,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name 'app' does not exist in the registry with id '123456789012'"}]}"#,
            "final",
            "aws ecr create-repository --repository-name app",
        ),
        (404, "not json", "final", "aws ecr create-repository"),
        (
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}"#,
            "transient",
            "wait",
        ),
        (500, "{}", "transient", "again"),
        (
            400,
            r#"{"errors":[{"code":"TAG_INVALID","message":"The image tag '4f1c2ab' already exists in the 'app' repository and cannot be overwritten because the repository is immutable."}]}"#,
            "immutable",
            "another commit",
        ),
    ];
    // Side by side: before it believes some of them, an engine tries for most of a minute.
    let results = futures_util::future::join_all(cases.map(|(status, body, ..)| {
        let image = &image;
        async move {
            let host = refusing(StatusCode::from_u16(status).expect("a status"), body).await;
            let repository = format!("{host}/app");
            let spec = push_spec(image, &repository, "password");
            let result = engine()
                .push(spec, Watch::default().sink(), CancellationToken::new())
                .await;
            (repository, result.expect_err("it is refused"))
        }
    }));
    for ((status, body, expected, remedy), (repository, failure)) in cases.into_iter().zip(results.await) {
        images.keep_track(format!("{repository}:4f1c2ab"));
        assert_eq!(word(&failure), expected, "{status} {body}: {failure:?}");
        let (PushFailure::Expired(problem)
        | PushFailure::Transient(problem)
        | PushFailure::TagImmutable(problem)
        | PushFailure::Final(problem)) = failure
        else {
            panic!("nobody cancelled");
        };
        assert!(
            problem.what.as_str().contains(&format!("{repository}:4f1c2ab")),
            "{problem}"
        );
        assert!(problem.remedy.as_str().contains(remedy), "{problem}");
    }
}
