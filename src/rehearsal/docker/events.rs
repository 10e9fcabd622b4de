//! The stream of JSON objects that builds and pushes answer with.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How many events may wait for a reader that is slow.
const WAITING: usize = 64;

/// Where a running build or push puts its events.
#[derive(Clone)]
pub(super) struct Events(mpsc::Sender<Bytes>);

/// The reader is gone, so nobody wants the rest.
#[derive(Debug)]
pub(super) struct Gone;

impl Events {
    /// Sends one object, and a line break as Docker does.
    pub async fn send(&self, event: Value) -> Result<(), Gone> {
        self.0.send(Bytes::from(format!("{event}\r\n"))).await.map_err(|_| Gone)
    }

    /// A line of a build.
    pub async fn stream(&self, text: impl Into<String>) -> Result<(), Gone> {
        self.send(json!({"stream": text.into()})).await
    }

    /// The end, badly.
    pub async fn error(&self, message: &str, code: Option<i64>) -> Result<(), Gone> {
        let mut detail = json!({"message": message});
        if let Some(code) = code {
            detail["code"] = code.into();
        }
        self.send(json!({"errorDetail": detail, "error": message})).await
    }
}

/// Starts `work` and returns its events as a response's body. Whoever drops the body stops the work.
pub(super) fn body<F>(work: impl FnOnce(Events) -> F) -> Body
where
    F: Future<Output = Result<(), Gone>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING);
    let work = work(Events(sender));
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        // A reader that is gone is not told.
        let _ = work.await;
    }));
    Body::from_stream(stream::unfold((receiver, task), |(mut receiver, task)| async move {
        let event = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(event), (receiver, task)))
    }))
}
