//! Pushing: layers side by side, then the configuration, then the manifest, told as an engine tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use base64::Engine as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::sync::Semaphore;
use tokio_util::io::ReaderStream;

use super::client::{Client, Trouble};
use super::events::{Events, Gone};
use super::images::{Image, Images, short, with_tag};
use super::story::Story;
use super::tree::Layer;
use crate::rehearsal::ecr::manifest::{self, DOCKER_MANIFEST, Manifest};

/// dockerd's `max-concurrent-uploads`: layers of all pushes together (measured against a real engine).
pub(super) const SLOTS: usize = 5;
/// How often dockerd tries a layer.
const ATTEMPTS: u32 = 5;
/// A layer's progress is told ten times a second at most.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How much of a layer is sent at a time.
const CHUNK: usize = 32 * 1024;

/// One push.
pub(super) struct Push {
    pub images: Arc<Images>,
    pub story: Story,
    /// The engine's, one for each layer that is on its way.
    pub slots: Arc<Semaphore>,
    /// `host[:port]/name`.
    pub reference: String,
    pub tag: String,
    /// The `X-Registry-Auth` header.
    pub auth: Option<String>,
}

/// Why a push ends early.
enum End {
    Gone,
    Trouble(Trouble),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Push {
    /// Pushes; what goes wrong is the stream's last event.
    pub async fn run(self, events: Events) -> Result<(), Gone> {
        match self.push(&events).await {
            Ok(()) => Ok(()),
            Err(End::Gone) => Err(Gone),
            Err(End::Trouble(trouble)) => events.error(&trouble.message, None).await,
        }
    }

    async fn push(&self, events: &Events) -> Result<(), End> {
        events
            .send(json!({"status": format!("The push refers to repository [{}]", self.reference)}))
            .await?;
        let final_ = |message: String| {
            End::Trouble(Trouble {
                message,
                passing: false,
            })
        };
        let (host, name) = self.reference.split_once('/').unwrap_or((&self.reference, ""));
        let login = self.auth.as_deref().and_then(login);
        let login = login
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.as_str()));
        let client = Client::new(host, login)
            .ok_or_else(|| final_(format!("the rehearsal's engine pushes to loopback only, not to {host}")))?;
        let Some(image) = self.images.find(&format!("{}:{}", self.reference, self.tag)) else {
            return Err(final_(if self.images.has_repository(&self.reference) {
                format!("tag does not exist: {}:{}", self.reference, self.tag)
            } else {
                format!("An image does not exist locally with the tag: {}", self.reference)
            }));
        };
        client.ping().await?;
        self.layers(&client, host, name, &image, events).await?;
        let config = (image.id.clone(), image.config.len());
        self.blob(&client, name, &config.0, Body::from(image.config.clone()))
            .await?;
        let layers: Vec<(String, usize)> = image
            .layers
            .iter()
            .map(|layer| (layer.digest.clone(), usize::try_from(layer.size).unwrap_or(usize::MAX)))
            .collect();
        let bytes = Manifest::compose(&config, &layers);
        let (digest, size) = (manifest::digest(&bytes), bytes.len());
        let path = format!("/v2/{name}/manifests/{}", self.tag);
        client
            .ask(
                Method::PUT,
                &path,
                &[("content-type", DOCKER_MANIFEST)],
                Body::from(bytes),
            )
            .await?;
        events
            .send(json!({"status": format!("{}: digest: {digest} size: {size}", self.tag)}))
            .await?;
        events
            .send(json!({"progressDetail": {}, "aux": {"Tag": self.tag, "Digest": digest, "Size": size}}))
            .await?;
        Ok(())
    }

    /// All layers, from the top as Docker lists them; the first that fails ends the push.
    async fn layers(&self, client: &Client, host: &str, name: &str, image: &Image, events: &Events) -> Result<(), End> {
        let layers: Vec<&Layer> = image.layers.iter().rev().collect();
        for layer in &layers {
            events.send(event(layer, "Preparing")).await?;
        }
        let uploads = layers
            .into_iter()
            .map(|layer| self.layer(client, host, name, layer, events));
        let mut uploads: FuturesUnordered<_> = uploads.collect();
        while let Some(done) = uploads.next().await {
            done?;
        }
        Ok(())
    }

    async fn layer(&self, client: &Client, host: &str, name: &str, layer: &Layer, events: &Events) -> Result<(), End> {
        let _slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) => {
                events.send(event(layer, "Waiting")).await?;
                self.slots.acquire().await.map_err(|_| Gone)?
            }
        };
        let mut attempt = 1;
        let status = loop {
            match self.layer_once(client, host, name, layer, events).await {
                Ok(status) => break status,
                Err(End::Trouble(trouble)) if trouble.passing && attempt < ATTEMPTS => {
                    for seconds in (1..=attempt * 5).rev() {
                        let plural = if seconds == 1 { "" } else { "s" };
                        events
                            .send(event(layer, &format!("Retrying in {seconds} second{plural}")))
                            .await?;
                        self.story.pause(Duration::from_secs(1)).await;
                    }
                    attempt += 1;
                }
                Err(end) => return Err(end),
            }
        };
        self.images.pushed(host, &layer.digest, name);
        events.send(event(layer, &status)).await?;
        Ok(())
    }

    /// One attempt; the layer's last word if it succeeds.
    async fn layer_once(
        &self,
        client: &Client,
        host: &str,
        name: &str,
        layer: &Layer,
        events: &Events,
    ) -> Result<String, End> {
        if client.has(name, &layer.digest).await? {
            return Ok("Layer already exists".to_owned());
        }
        let from = self.images.pushed_to(host, &layer.digest, name);
        let path = match &from {
            Some(from) => format!("/v2/{name}/blobs/uploads/?mount={}&from={from}", layer.digest),
            None => format!("/v2/{name}/blobs/uploads/"),
        };
        let opened = client.ask(Method::POST, &path, &[], Body::empty()).await?;
        if let (StatusCode::CREATED, Some(from)) = (opened.status, from) {
            return Ok(format!("Mounted from {from}"));
        }
        let place = location(&opened.headers)?;
        let file = File::open(&layer.path).await.map_err(|error| Trouble {
            message: error.to_string(),
            passing: false,
        })?;
        let sent = Arc::new(AtomicU64::new(0));
        let counter = sent.clone();
        let chunks = ReaderStream::with_capacity(file, CHUNK).inspect(move |chunk: &std::io::Result<Bytes>| {
            counter.fetch_add(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64), Ordering::Relaxed);
        });
        let upload = client.ask(Method::PATCH, &place, &[], Body::from_stream(chunks));
        let reply = tell(layer, &sent, events, upload).await?;
        let place = location(&reply.headers).unwrap_or(place);
        client
            .ask(
                Method::PUT,
                &format!("{place}?digest={}", layer.digest),
                &[],
                Body::empty(),
            )
            .await?;
        Ok("Pushed".to_owned())
    }

    /// A small blob, in one piece.
    async fn blob(&self, client: &Client, name: &str, digest: &str, body: Body) -> Result<(), Trouble> {
        if client.has(name, digest).await? {
            return Ok(());
        }
        let opened = client
            .ask(Method::POST, &format!("/v2/{name}/blobs/uploads/"), &[], Body::empty())
            .await?;
        let place = location(&opened.headers)?;
        client
            .ask(Method::PUT, &format!("{place}?digest={digest}"), &[], body)
            .await
            .map(drop)
    }
}

/// Waits for an upload and tells how far it is meanwhile.
async fn tell<T>(
    layer: &Layer,
    sent: &AtomicU64,
    events: &Events,
    upload: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, End> {
    let mut upload = std::pin::pin!(upload);
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let mut told = 0;
    loop {
        tokio::select! {
            done = &mut upload => return Ok(done?),
            _ = ticks.tick() => {
                let current = sent.load(Ordering::Relaxed);
                if current != told {
                    told = current;
                    let mut event = event(layer, "Pushing");
                    event["progressDetail"] = json!({"current": current, "total": layer.content});
                    events.send(event).await?;
                }
            }
        }
    }
}

fn location(headers: &axum::http::HeaderMap) -> Result<String, Trouble> {
    let place = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    place.map(str::to_owned).ok_or_else(|| Trouble {
        message: "missing location header".to_owned(),
        passing: false,
    })
}

fn event(layer: &Layer, status: &str) -> Value {
    json!({"id": short(&layer.digest), "status": status, "progressDetail": {}})
}

/// User and password out of `X-Registry-Auth`. Engines read the URL-safe alphabet, padded, and take anything else for none.
fn login(header: &str) -> Option<(String, String)> {
    let bytes = base64::engine::general_purpose::URL_SAFE.decode(header).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Some((text("username")?, text("password")?))
}

/// The tag that a push names, which an engine would take from the reference otherwise.
pub(super) fn split_reference(name: &str, tag: Option<String>) -> (String, String) {
    match tag.filter(|tag| !tag.is_empty()) {
        Some(tag) => (name.to_owned(), tag),
        None => {
            let whole = with_tag(name);
            let (name, tag) = whole.rsplit_once(':').unwrap_or((name, "latest"));
            (name.to_owned(), tag.to_owned())
        }
    }
}
