//! Blobs: uploads in one piece or in chunks, straight to disk, and their digests held against what was promised.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::Desk;
use super::answer::{self, CONTENT_DIGEST, Refused, UPLOAD_ID};
use super::route::Ask;
use crate::rehearsal::ecr::manifest;

/// Uploads that are not complete. One that a request is working on is not in it.
#[derive(Default)]
pub(super) struct Uploads(Mutex<HashMap<String, Upload>>);

impl Uploads {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<String, Upload>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes an upload out, for as long as a request works on it.
    fn take(&self, repository: &str, id: &str) -> Result<Upload, Refused> {
        let taken = self.with(|uploads| match uploads.get(id) {
            Some(upload) if upload.repository == repository => uploads.remove(id),
            Some(_) | None => None,
        });
        taken.ok_or_else(|| {
            let message = format!("The upload {id} of repository '{repository}' does not exist or is being written to");
            Refused::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message)
        })
    }

    fn put_back(&self, upload: Upload) {
        self.with(|uploads| uploads.insert(upload.id.clone(), upload));
    }
}

/// An upload; its file goes when it is dropped.
struct Upload {
    id: String,
    repository: String,
    part: Part,
    written: u64,
    hash: Sha256,
}

/// A file that nobody will miss.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It is gone already when the upload was completed.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Upload {
    fn new(desk: &Desk, repository: &str) -> Self {
        let id = uuid::Uuid::now_v7().to_string();
        Self {
            part: Part(desk.store.upload_path(&desk.region, &id)),
            id,
            repository: repository.to_owned(),
            written: 0,
            hash: Sha256::new(),
        }
    }

    /// Appends a body, chunk by chunk as fast as the line lets it pass.
    async fn append(&mut self, desk: &Desk, body: Body) -> Result<(), Refused> {
        let file = OpenOptions::new().create(true).append(true).open(&self.part.0).await;
        let mut file = file.map_err(|error| Refused::disk(&error))?;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| {
                Refused::new(
                    StatusCode::BAD_REQUEST,
                    "BLOB_UPLOAD_INVALID",
                    "The upload ended before its body did",
                )
            })?;
            desk.pace.pass(chunk.len()).await;
            self.hash.update(&chunk);
            file.write_all(&chunk).await.map_err(|error| Refused::disk(&error))?;
            self.written += chunk.len() as u64;
        }
        file.flush().await.map_err(|error| Refused::disk(&error))
    }

    /// Makes the upload a blob of its repository, if it is what was promised.
    async fn complete(self, desk: &Desk, promised: &str) -> Result<Response, Refused> {
        let digest = manifest::named(self.hash.clone().finalize().as_slice());
        if digest != promised {
            let message = format!("The digest {promised} does not match the uploaded content, {digest}");
            return Err(Refused::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message));
        }
        let place = desk.store.blob_path(&desk.region, &digest);
        tokio::fs::rename(&self.part.0, &place)
            .await
            .map_err(|error| Refused::disk(&error))?;
        desk.store
            .has_blob(&desk.region, &self.repository, &digest, self.written);
        Ok(created(desk, &self.repository, &digest))
    }

    fn response(&self, desk: &Desk, status: StatusCode) -> Response {
        let headers = [
            (
                header::LOCATION,
                format!("http://{}/v2/{}/blobs/uploads/{}", desk.host, self.repository, self.id),
            ),
            // The protocol has no way to say "nothing yet"; registries answer 0-0.
            (header::RANGE, format!("0-{}", self.written.saturating_sub(1))),
            (UPLOAD_ID, self.id.clone()),
        ];
        answer::empty(status, headers)
    }
}

/// POST: a session, a whole blob, or a blob that another repository has.
pub(super) async fn open(desk: &Desk, name: String, ask: Ask, request: Request) -> Result<Response, Refused> {
    desk.store.look(&desk.region, &name, |_| ())?;
    let mut upload = Upload::new(desk, &name);
    match ask {
        Ask::Mount { digest, from } => {
            let size = from.and_then(|from| size(desk, &from, &digest).ok().flatten());
            if let Some(size) = size {
                desk.store.has_blob(&desk.region, &name, &digest, size);
                return Ok(created(desk, &name, &digest));
            }
        }
        Ask::Whole { digest } => {
            upload.append(desk, request.into_body()).await?;
            return upload.complete(desk, &digest).await;
        }
        Ask::Session => {}
    }
    // An empty file, so that an empty blob can be completed too.
    File::create(&upload.part.0)
        .await
        .map_err(|error| Refused::disk(&error))?;
    let response = upload.response(desk, StatusCode::ACCEPTED);
    desk.uploads.put_back(upload);
    Ok(response)
}

/// GET: how much of it is there.
pub(super) fn status(desk: &Desk, name: &str, id: &str) -> Result<Response, Refused> {
    let upload = desk.uploads.take(name, id)?;
    let response = upload.response(desk, StatusCode::NO_CONTENT);
    desk.uploads.put_back(upload);
    Ok(response)
}

/// PATCH: one more chunk. A chunk that breaks off takes the upload with it: engines start a new one.
pub(super) async fn append(desk: &Desk, name: &str, id: &str, request: Request) -> Result<Response, Refused> {
    let mut upload = desk.uploads.take(name, id)?;
    let range = request
        .headers()
        .get(header::CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .map(start);
    if range.is_some_and(|start| start != Some(upload.written)) {
        let response = upload.response(desk, StatusCode::RANGE_NOT_SATISFIABLE);
        desk.uploads.put_back(upload);
        return Ok(response);
    }
    upload.append(desk, request.into_body()).await?;
    let response = upload.response(desk, StatusCode::ACCEPTED);
    desk.uploads.put_back(upload);
    Ok(response)
}

/// PUT: the last chunk, if there is one, and the digest of the whole.
pub(super) async fn close(
    desk: &Desk,
    name: &str,
    id: &str,
    digest: Option<String>,
    request: Request,
) -> Result<Response, Refused> {
    let Some(digest) = digest else {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            "The digest parameter is missing",
        ));
    };
    let mut upload = desk.uploads.take(name, id)?;
    upload.append(desk, request.into_body()).await?;
    upload.complete(desk, &digest).await
}

/// DELETE: forgets it.
pub(super) fn abandon(desk: &Desk, name: &str, id: &str) -> Result<Response, Refused> {
    desk.uploads.take(name, id)?;
    Ok(answer::empty(StatusCode::NO_CONTENT, []))
}

/// GET and HEAD of a blob.
pub(super) async fn get(desk: &Desk, name: &str, digest: &str, head: bool) -> Result<Response, Refused> {
    let size = size(desk, name, digest)?.ok_or_else(|| {
        let message = format!("The layer {digest} does not exist in the repository '{name}'");
        Refused::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message)
    })?;
    let body = if head {
        Body::empty()
    } else {
        file(&desk.store.blob_path(&desk.region, digest)).await?
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (CONTENT_DIGEST, digest.to_owned()),
    ];
    Ok(answer::with(StatusCode::OK, headers, body))
}

async fn file(path: &Path) -> Result<Body, Refused> {
    let file = File::open(path).await.map_err(|error| Refused::disk(&error))?;
    Ok(Body::from_stream(ReaderStream::new(file)))
}

fn size(desk: &Desk, name: &str, digest: &str) -> Result<Option<u64>, Refused> {
    Ok(desk
        .store
        .look(&desk.region, name, |repository| repository.blobs.get(digest).copied())?)
}

fn created(desk: &Desk, name: &str, digest: &str) -> Response {
    let headers = [
        (
            header::LOCATION,
            format!("http://{}/v2/{name}/blobs/{digest}", desk.host),
        ),
        (CONTENT_DIGEST, digest.to_owned()),
    ];
    answer::empty(StatusCode::CREATED, headers)
}

/// Where a `Content-Range` begins: `0-99`, or `bytes 0-99/200`.
fn start(range: &str) -> Option<u64> {
    range.trim_start_matches("bytes").trim().split_once('-')?.0.parse().ok()
}
