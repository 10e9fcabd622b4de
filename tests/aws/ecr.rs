//! The registry's API and STS.

use base64::Engine as _;
use quarterdeck::engine::ports::{AwsError, Retagged};
use quarterdeck::names::Digest;
use quarterdeck::plan::Mutability;
use quarterdeck::problem::Kind;
use quarterdeck::text::Clean;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};

const OURS: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
/// Spaces and escapes that a re-encoded manifest would lose.
const MANIFEST: &str = "{ \"schemaVersion\" : 2,\n  \"x\": \"\\u00e9\" }";

#[tokio::test]
async fn a_login_is_decoded_at_once() {
    let token = base64::engine::general_purpose::STANDARD.encode("AWS:password-1");
    let server = Server::start(move |_, _| {
        Reply::Json(
            json!({"authorizationData": [{"authorizationToken": token, "proxyEndpoint": "http://127.0.0.1:5001"}]}),
        )
    })
    .await;
    let login = server.ports("login").await.ecr.login().await.expect("a login");
    assert_eq!((login.user.as_str(), login.host.as_str()), ("AWS", "127.0.0.1:5001"));
    assert_eq!(login.password.expose_secret(), "password-1");
}

#[tokio::test]
async fn a_repository_has_its_address_and_what_may_move() {
    let server = Server::start(|request, _| match request.body["repositoryNames"][0].as_str() {
        Some("absent") => Reply::error(
            "RepositoryNotFoundException",
            "The repository with name 'absent' does not exist",
        ),
        _ => Reply::Json(
            json!({"repositories": [{"repositoryName": "sento", "repositoryUri": "127.0.0.1:5001/sento",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest*"}]}]}),
        ),
    })
    .await;
    let ecr = server.ports("repository").await.ecr;
    let found = ecr
        .repository("sento")
        .await
        .expect("it answers")
        .expect("it is there")
        .repository;
    assert_eq!(found.uri.as_str(), "127.0.0.1:5001/sento");
    assert_eq!(
        found.mutability,
        Mutability::ImmutableExcept(vec![Clean::line("latest*")])
    );
    assert_eq!(ecr.repository("absent").await, Ok(None));
}

#[tokio::test]
async fn an_image_is_looked_up_by_its_tag() {
    let server = Server::start(|request, _| match request.body["imageIds"][0]["imageTag"].as_str() {
        Some("absent") => Reply::error("ImageNotFoundException", "The image with imageId {..} does not exist"),
        _ => Reply::Json(
            json!({"imageDetails": [{"imageDigest": OURS, "imageTags": ["4f1c", "latest"], "imagePushedAt": 5.5}]}),
        ),
    })
    .await;
    let ecr = server.ports("image").await.ecr;
    let found = ecr
        .image("sento", "latest")
        .await
        .expect("it answers")
        .expect("it is there");
    assert_eq!(
        (found.digest.as_str(), found.tags.len(), found.pushed_at.map(|at| at.0)),
        (OURS, 2, Some(5500))
    );
    assert_eq!(ecr.image("sento", "absent").await, Ok(None));
}

/// A registry whose SHA tag has `sha` and whose `latest` has `latest`, and which answers PutImage with `put`.
fn registry(sha: &'static str, latest: &'static str, put: Reply) -> impl Fn(&Request, usize) -> Reply {
    move |request, _| match request.operation.as_str() {
        "BatchGetImage" => Reply::Json(json!({"failures": [], "images": [{
            "imageId": {"imageDigest": sha, "imageTag": "4f1c"}, "imageManifest": MANIFEST,
            "imageManifestMediaType": "application/vnd.oci.image.index.v1+json"}]})),
        "DescribeImages" => Reply::Json(json!({"imageDetails": [{"imageDigest": latest}]})),
        "PutImage" => put.clone(),
        other => Reply::error("InvalidAction", other),
    }
}

async fn retag(region: &str, server: &Server) -> Result<Retagged, AwsError> {
    server
        .ports(region)
        .await
        .ecr
        .retag("sento", "4f1c", &Digest::new(OURS), "latest")
        .await
}

#[tokio::test]
async fn a_tag_moves_with_the_manifest_byte_for_byte() {
    let put = Reply::Json(json!({"image": {"imageId": {"imageDigest": OURS, "imageTag": "latest"}}}));
    let server = Server::start(registry(OURS, OTHER, put)).await;
    assert_eq!(retag("retag-1", &server).await, Ok(Retagged::Moved));
    let [get, put] = &server.requests()[..] else {
        panic!("two calls: {:?}", server.requests())
    };
    assert_eq!(get.body["acceptedMediaTypes"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        put.body,
        json!({"repositoryName": "sento", "imageTag": "latest", "imageManifest": MANIFEST, "imageDigest": OURS,
               "imageManifestMediaType": "application/vnd.oci.image.index.v1+json"})
    );
}

#[tokio::test]
async fn a_tag_that_names_the_digest_already_is_a_success_and_another_is_immutable() {
    let exists = Reply::error(
        "ImageAlreadyExistsException",
        "Image with digest and tag already exists",
    );
    let server = Server::start(registry(OURS, OURS, exists)).await;
    assert_eq!(retag("retag-2", &server).await, Ok(Retagged::Already));

    let immutable = Reply::error(
        "ImageTagAlreadyExistsException",
        "The image tag 'latest' already exists",
    );
    let server = Server::start(registry(OURS, OURS, immutable.clone())).await;
    assert_eq!(retag("retag-3", &server).await, Ok(Retagged::Already));
    let server = Server::start(registry(OURS, OTHER, immutable)).await;
    assert_eq!(retag("retag-4", &server).await, Ok(Retagged::Immutable));
}

#[tokio::test]
async fn a_tag_is_not_moved_to_an_image_that_was_not_pushed_here() {
    let server = Server::start(registry(OTHER, OTHER, Reply::Json(json!({})))).await;
    let error = retag("retag-5", &server).await.expect_err("another digest");
    assert!(
        matches!(&error, AwsError::Refused(problem) if problem.kind == Kind::Build && problem.what.as_str().contains(OTHER))
    );
    assert_eq!(server.count("PutImage"), 0);

    let server = Server::start(|_, _| {
        let failures = json!([{"imageId": {"imageTag": "4f1c"}, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}]);
        Reply::Json(json!({"images": Value::Array(vec![]), "failures": failures}))
    })
    .await;
    let error = retag("retag-6", &server).await.expect_err("no image");
    assert!(
        error.problem().what.as_str().contains("Requested image not found"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_identity_names_the_endpoint_that_is_not_aws() {
    let server = Server::start(|_, _| Reply::Raw {
        status: 200,
        headers: vec![],
        body: "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
            <Arn>arn:aws:sts::123456789012:assumed-role/deploy/ada</Arn><UserId>X</UserId><Account>123456789012</Account>\
            </GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
            .to_owned(),
    })
    .await;
    let caller = server
        .ports("identity")
        .await
        .sts
        .identity()
        .await
        .expect("an identity");
    assert_eq!(caller.account.as_str(), "123456789012");
    assert_eq!(caller.arn.as_str(), "arn:aws:sts::123456789012:assumed-role/deploy/ada");
    assert_eq!(
        caller.endpoint.map(|endpoint| endpoint.as_str().to_owned()),
        Some(server.url.clone())
    );
    assert_eq!(server.requests()[0].text, "Action=GetCallerIdentity&Version=2011-06-15");
}
