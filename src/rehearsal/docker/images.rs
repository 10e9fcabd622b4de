//! The images that the engine has: configurations, layers, tags, and the builder's cache.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use super::tree::Layer;
use crate::rehearsal::ecr::manifest;

/// An image, finished or on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// `sha256:` of its configuration.
    pub id: String,
    /// The image configuration as JSON.
    pub config: Bytes,
    /// From the bottom to the top.
    pub layers: Vec<Layer>,
}

impl Image {
    /// An image out of a configuration, whose layers' digests are filled in.
    pub fn new(mut config: Value, layers: Vec<Layer>) -> Self {
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        let config = Bytes::from(config.to_string());
        Self {
            id: manifest::digest(&config),
            config,
            layers,
        }
    }

    /// The twelve digits that Docker prints.
    pub fn short(&self) -> &str {
        short(&self.id)
    }

    /// The configuration.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.config).unwrap_or_default()
    }
}

/// The first twelve digits of a digest.
pub(super) fn short(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..12).unwrap_or(hex)
}

/// All images of an engine.
pub(super) struct Images {
    /// Where layers are kept.
    pub folder: PathBuf,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    images: BTreeMap<String, Image>,
    /// `name:tag`, each with an image's id.
    tags: BTreeMap<String, String>,
    /// Steps that ran, by what they were made of.
    cache: BTreeMap<String, Image>,
    /// Layers that a registry is known to have: registry and digest, each with the repository they were pushed to.
    pushed: BTreeMap<(String, String), String>,
}

impl Images {
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            shelf: Mutex::default(),
        }
    }

    /// Takes an image, and a name for it.
    pub fn add(&self, image: Image, tag: Option<&str>) {
        let mut shelf = self.lock();
        if let Some(tag) = tag {
            shelf.tags.insert(with_tag(tag), image.id.clone());
        }
        shelf.images.insert(image.id.clone(), image);
    }

    /// The image that a name, a whole id or the beginning of one means.
    pub fn find(&self, name: &str) -> Option<Image> {
        let shelf = self.lock();
        let id = shelf.tags.get(&with_tag(name)).map_or(name, String::as_str);
        if let Some(image) = shelf.images.get(id) {
            return Some(image.clone());
        }
        let hex = id.strip_prefix("sha256:").unwrap_or(id);
        let mut alike = shelf.images.values().filter(|image| image.id[7..].starts_with(hex));
        let is_id = hex.len() >= 4 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        alike.next().filter(|_| is_id && alike.next().is_none()).cloned()
    }

    /// Whether any tag of this repository is known.
    pub fn has_repository(&self, repository: &str) -> bool {
        let shelf = self.lock();
        shelf
            .tags
            .keys()
            .any(|tag| tag.rsplit_once(':').is_some_and(|(name, _)| name == repository))
    }

    /// The names of an image.
    pub fn tags(&self, id: &str) -> Vec<String> {
        self.lock()
            .tags
            .iter()
            .filter(|(_, named)| *named == id)
            .map(|(tag, _)| tag.clone())
            .collect()
    }

    /// Every image that a build or a pull finished.
    pub fn all(&self) -> Vec<Image> {
        self.lock().images.values().cloned().collect()
    }

    /// Takes a name away, and the image with its last one; returns what went, as Docker lists it.
    pub fn remove(&self, name: &str) -> Option<Vec<Value>> {
        let image = self.find(name)?;
        let mut shelf = self.lock();
        let mut gone = Vec::new();
        let name = with_tag(name);
        let names: Vec<String> = if shelf.tags.contains_key(&name) {
            vec![name]
        } else {
            shelf
                .tags
                .iter()
                .filter(|(_, id)| **id == image.id)
                .map(|(tag, _)| tag.clone())
                .collect()
        };
        for name in names {
            shelf.tags.remove(&name);
            gone.push(json!({"Untagged": name}));
        }
        if !shelf.tags.values().any(|id| *id == image.id) {
            shelf.images.remove(&image.id);
            gone.push(json!({"Deleted": image.id}));
        }
        Some(gone)
    }

    /// The result of a step that ran before.
    pub fn cached(&self, key: &str) -> Option<Image> {
        self.lock().cache.get(key).cloned()
    }

    /// Keeps the result of a step.
    pub fn cache(&self, key: String, image: Image) {
        self.lock().cache.insert(key, image);
    }

    /// A repository of this registry, other than `repository`, that a layer was pushed to.
    pub fn pushed_to(&self, host: &str, digest: &str, repository: &str) -> Option<String> {
        let shelf = self.lock();
        let known = shelf.pushed.get(&(host.to_owned(), digest.to_owned()))?;
        (known != repository).then(|| known.clone())
    }

    /// Notes where a layer was pushed to.
    pub fn pushed(&self, host: &str, digest: &str, repository: &str) {
        self.lock()
            .pushed
            .insert((host.to_owned(), digest.to_owned()), repository.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name with its tag, `latest` without one. The colon of a port is not one of a tag.
pub(super) fn with_tag(name: &str) -> String {
    match name.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => name.to_owned(),
        Some(_) | None => format!("{name}:latest"),
    }
}
