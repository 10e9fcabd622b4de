//! The registry protocol, request by request.

use axum::http::{Method, StatusCode};
use proptest::prelude::*;
use quarterdeck::plan::Mutability;
use quarterdeck::rehearsal::ecr::manifest::Manifest;
use quarterdeck::rehearsal::registry::{RegistryFault, When};
use serde_json::json;

use crate::scene::{REPOSITORY, Scene, digest};

fn uploads() -> String {
    format!("/v2/{REPOSITORY}/blobs/uploads/")
}

#[tokio::test]
async fn without_credentials_the_challenge_is_ecrs() {
    let scene = Scene::open(Mutability::Mutable).await;
    let reply = scene.ask_as(Method::GET, "/v2/", &[], "").await.expect("it answers");
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        reply.header("www-authenticate"),
        format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", scene.host())
    );
    assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
    assert_eq!(scene.ask(Method::GET, "/v2/", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_expired_token_is_told_from_a_wrong_one() {
    let scene = Scene::open(Mutability::Mutable).await;
    let login = |password: &str| {
        use base64::Engine as _;
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"))
        )
    };
    let password = scene.password();
    scene.ecr.store().expire_tokens(&scene.region);
    let expired = scene
        .ask_as(Method::GET, "/v2/", &[("authorization", &login(&password))], "")
        .await
        .expect("an answer");
    assert_eq!(expired.status, StatusCode::FORBIDDEN);
    assert!(
        expired
            .text()
            .contains("Your authorization token has expired. Reauthenticate and try again."),
        "{}",
        expired.text()
    );
    let wrong = scene
        .ask_as(Method::GET, "/v2/", &[("authorization", &login("guess"))], "")
        .await
        .expect("an answer");
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_blob_that_is_not_what_was_promised_is_refused_and_forgotten() {
    let scene = Scene::open(Mutability::Mutable).await;
    let session = scene.ask(Method::POST, &uploads(), &[], "").await;
    let place = session.header("location").to_owned();
    let put = scene
        .ask(
            Method::PUT,
            &format!("{place}?digest={}", digest(b"promised")),
            &[],
            "other",
        )
        .await;
    assert_eq!(put.status, StatusCode::BAD_REQUEST);
    assert!(put.text().contains("DIGEST_INVALID"), "{}", put.text());
    let again = scene
        .ask(
            Method::PUT,
            &format!("{place}?digest={}", digest(b"promised")),
            &[],
            "promised",
        )
        .await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    let blob = scene
        .ask(
            Method::HEAD,
            &format!("/v2/{REPOSITORY}/blobs/{}", digest(b"other")),
            &[],
            "",
        )
        .await;
    assert_eq!(blob.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_with_what_is_there() {
    let scene = Scene::open(Mutability::Mutable).await;
    let place = scene
        .ask(Method::POST, &uploads(), &[], "")
        .await
        .header("location")
        .to_owned();
    let first = scene
        .ask(Method::PATCH, &place, &[("content-range", "0-4")], "first")
        .await;
    assert_eq!((first.status, first.header("range")), (StatusCode::ACCEPTED, "0-4"));
    let gap = scene
        .ask(Method::PATCH, &place, &[("content-range", "9-12")], "gap!")
        .await;
    assert_eq!(
        (gap.status, gap.header("range")),
        (StatusCode::RANGE_NOT_SATISFIABLE, "0-4")
    );
    let close = scene
        .ask(Method::PUT, &format!("{place}?digest={}", digest(b"first")), &[], "")
        .await;
    assert_eq!(close.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_blob_can_be_mounted_from_another_repository_of_the_region() {
    let scene = Scene::open(Mutability::Mutable).await;
    scene.ecr.create_repository(&scene.region, "other", Mutability::Mutable);
    let blob = digest(b"layer");
    let whole = scene
        .ask(Method::POST, &format!("{}?digest={blob}", uploads()), &[], "layer")
        .await;
    assert_eq!(whole.status, StatusCode::CREATED);
    let mount = |from: &'static str| format!("/v2/other/blobs/uploads/?mount={blob}&from={from}");
    let nowhere = scene.ask(Method::POST, &mount("nowhere"), &[], "").await;
    assert_eq!(
        nowhere.status,
        StatusCode::ACCEPTED,
        "a mount that can't be is an upload"
    );
    let mounted = scene.ask(Method::POST, &mount("sento%2Fprocessor"), &[], "").await;
    assert_eq!(mounted.status, StatusCode::CREATED);
    let pulled = scene
        .ask(Method::GET, &format!("/v2/other/blobs/{blob}"), &[], "")
        .await;
    assert_eq!(pulled.text(), "layer");
}

#[tokio::test]
async fn an_index_needs_its_images_and_comes_back_byte_for_byte() {
    let scene = Scene::open(Mutability::Mutable).await;
    let config = digest(b"{}");
    scene
        .ask(Method::POST, &format!("{}?digest={config}", uploads()), &[], "{}")
        .await;
    let image = Manifest::compose(&(config, 2), &[]);
    let index = json!({"schemaVersion": 2, "manifests": [{"digest": digest(&image), "size": image.len()}]}).to_string();
    let put = |reference: &str| format!("/v2/{REPOSITORY}/manifests/{reference}");
    let kind = [("content-type", "application/vnd.oci.image.index.v1+json")];
    let early = scene.ask(Method::PUT, &put("v1"), &kind, index.clone()).await;
    assert_eq!(early.status, StatusCode::NOT_FOUND, "{}", early.text());
    assert_eq!(
        scene.ask(Method::PUT, &put(&digest(&image)), &[], image).await.status,
        StatusCode::CREATED
    );
    let done = scene.ask(Method::PUT, &put("v1"), &kind, index.clone()).await;
    assert_eq!(
        (done.status, done.header("docker-content-digest")),
        (StatusCode::CREATED, digest(index.as_bytes()).as_str())
    );
    let head = scene.ask(Method::HEAD, &put("v1"), &[], "").await;
    assert_eq!(head.header("content-length"), index.len().to_string());
    let got = scene.ask(Method::GET, &put("v1"), &[], "").await;
    assert_eq!((got.text(), got.header("content-type")), (index, kind[0].1));
}

#[tokio::test]
async fn a_cut_connection_is_no_answer_and_the_next_one_is_fine() {
    let scene = Scene::open(Mutability::Mutable).await;
    for after in [0, 3] {
        let faults = scene.ecr.faults(&scene.region).expect("the region is there");
        faults.arm(When::next("PATCH", "/uploads/"), RegistryFault::Reset { after });
        let place = scene
            .ask(Method::POST, &uploads(), &[], "")
            .await
            .header("location")
            .to_owned();
        let login = [("authorization", basic(&scene))];
        let login = [(login[0].0, login[0].1.as_str())];
        assert!(
            scene.ask_as(Method::PATCH, &place, &login, "four").await.is_err(),
            "after {after} bytes"
        );
        assert_eq!(scene.ask(Method::GET, "/v2/", &[], "").await.status, StatusCode::OK);
    }
}

fn basic(scene: &Scene) -> String {
    use base64::Engine as _;
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", scene.password()))
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_blob_is_the_same_however_it_was_cut(bytes in proptest::collection::vec(any::<u8>(), 0..4000), cuts in proptest::collection::vec(0..4000_usize, 0..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let got = runtime.block_on(async {
            let scene = Scene::open(Mutability::Mutable).await;
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let place = scene.ask(Method::POST, &uploads(), &[], "").await.header("location").to_owned();
            let mut from = 0;
            for cut in cuts {
                let reply = scene.ask(Method::PATCH, &place, &[], bytes[from..cut].to_vec()).await;
                assert_eq!(reply.header("range"), format!("0-{}", cut.saturating_sub(1)));
                from = cut;
            }
            let close = format!("{place}?digest={}", digest(&bytes));
            assert_eq!(scene.ask(Method::PUT, &close, &[], bytes[from..].to_vec()).await.status, StatusCode::CREATED);
            scene.ask(Method::GET, &format!("/v2/{REPOSITORY}/blobs/{}", digest(&bytes)), &[], "").await.body
        });
        prop_assert_eq!(got.as_ref(), bytes.as_slice());
    }
}
