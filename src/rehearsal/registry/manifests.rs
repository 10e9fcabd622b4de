//! Manifests by tag and by digest, and the list of tags.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde_json::json;

use super::Desk;
use super::answer::{self, CONTENT_DIGEST, Refused};
use crate::names::Millis;
use crate::rehearsal::ecr::manifest::MAX_BYTES;
use crate::rehearsal::ecr::store::Refusal;

pub(super) fn tags(desk: &Desk, name: &str) -> Result<Response, Refused> {
    let tags: Vec<String> = desk.store.look(&desk.region, name, |repository| {
        repository.tags.keys().cloned().collect()
    })?;
    Ok(answer::json(
        StatusCode::OK,
        &json!({"name": name, "tags": tags}).to_string(),
    ))
}

/// For HEAD too: the server leaves the body out.
pub(super) fn get(desk: &Desk, name: &str, reference: &str) -> Result<Response, Refused> {
    let found = desk.store.look(&desk.region, name, |repository| {
        let (digest, image) = repository.find(reference)?;
        Some((
            digest.to_owned(),
            image.manifest.media_type.clone(),
            image.bytes.clone(),
        ))
    })?;
    let (digest, media_type, bytes) =
        found.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found"))?;
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_LENGTH, bytes.len().to_string()),
        (CONTENT_DIGEST, digest),
    ];
    Ok(answer::with(StatusCode::OK, headers, Body::from(bytes)))
}

pub(super) async fn put(desk: &Desk, name: &str, reference: &str, request: Request) -> Result<Response, Refused> {
    let sent_as = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let bytes = to_bytes(request.into_body(), MAX_BYTES).await.map_err(|_| {
        Refused::new(
            StatusCode::BAD_REQUEST,
            "MANIFEST_INVALID",
            "The manifest is incomplete or too large",
        )
    })?;
    // A digest in the place of a tag: the manifest has to be that one, and gets no tag.
    let (tag, guard) = match reference.split_once(':') {
        Some(_) => (None, Some(reference)),
        None => (Some(reference), None),
    };
    let put = desk.store.put(
        &desk.region,
        name,
        tag,
        &bytes,
        sent_as.as_deref(),
        guard,
        Millis::now(),
    );
    let digest = match put {
        Ok(digest) => digest.to_string(),
        Err(Refusal::SameImage { digest, .. }) => digest,
        Err(refusal) => return Err(refusal.into()),
    };
    let headers = [
        (
            header::LOCATION,
            format!("http://{}/v2/{name}/manifests/{digest}", desk.host),
        ),
        (CONTENT_DIGEST, digest),
    ];
    Ok(answer::empty(StatusCode::CREATED, headers))
}
