//! An engine that says exactly what a test wants, chunk by chunk, and remembers what it was asked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;

/// How an answer's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Whole,
    /// With a broken connection.
    Broken,
}

/// What the engine answers to a path.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    chunks: Vec<String>,
    ending: Ending,
}

/// A request that it got.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /build?t=…`.
    pub line: String,
    /// By name.
    pub headers: HashMap<String, String>,
}

/// The engine.
pub struct Daemon {
    /// Its socket.
    pub socket: PathBuf,
    asked: Arc<Mutex<Vec<Asked>>>,
    _dir: tempfile::TempDir,
}

/// An answer of these chunks.
pub fn says(status: u16, chunks: &[&str], ending: Ending) -> Answer {
    Answer {
        status,
        chunks: chunks.iter().map(|chunk| (*chunk).to_owned()).collect(),
        ending,
    }
}

impl Daemon {
    /// Starts one that answers to these beginnings of paths, and 201 with nothing to every other.
    pub fn start(answers: Vec<(&'static str, Answer)>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let socket = dir.path().join("docker.sock");
        let listener = tokio::net::UnixListener::bind(&socket).expect("it is bound");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let remembers = asked.clone();
        let app = Router::new().fallback(move |request: Request| {
            let (answers, remembers) = (answers.clone(), remembers.clone());
            async move { answer(request, &answers, &remembers).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            socket,
            asked,
            _dir: dir,
        }
    }

    /// The request whose line begins so.
    pub fn asked(&self, beginning: &str) -> Asked {
        let asked = self.asked.lock().expect("no test panics with it");
        let found = asked.iter().find(|asked| asked.line.starts_with(beginning));
        found
            .cloned()
            .unwrap_or_else(|| panic!("{beginning} was asked for: {asked:?}"))
    }
}

async fn answer(request: Request, answers: &[(&'static str, Answer)], remembers: &Mutex<Vec<Asked>>) -> Response {
    let (head, body) = request.into_parts();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    remembers.lock().expect("no test panics with it").push(Asked {
        line: format!("{} {}", head.method, head.uri),
        headers: headers.collect(),
    });
    // As an engine does: everything is read before anything is said.
    let mut body = body.into_data_stream();
    while let Some(Ok(_)) = body.next().await {}
    let found = answers.iter().find(|(path, _)| head.uri.path().starts_with(path));
    let answer = found.map_or_else(|| says(201, &[], Ending::Whole), |(_, answer)| answer.clone());
    let end = (answer.ending == Ending::Broken).then(|| Err(std::io::Error::other("broken on purpose")));
    let chunks = futures_util::stream::iter(answer.chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))).chain(end));
    // A chunk at a time, so that they arrive apart.
    let chunks = chunks.then(|chunk| async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        chunk
    });
    let response = Response::builder()
        .status(answer.status)
        .header("content-type", "application/json");
    response
        .body(Body::from_stream(chunks))
        .expect("the answer is good HTTP")
}
