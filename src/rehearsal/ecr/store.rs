//! What ECR holds: repositories, images, tags and layers of every region, and the tokens it gave out.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use bytes::Bytes;
use serde_json::json;

use super::manifest::{self, Manifest};
use crate::names::{AccountId, Digest, Millis, Region};
use crate::plan::Mutability;

/// An authorization token is good for twelve hours.
const TOKEN_LIFE_MS: i64 = 12 * 3600 * 1000;

/// The bytes of randomness in a token: real ones are about as long as this makes them.
const TOKEN_BYTES: usize = 900;

/// All regions' repositories. Manifests are in memory, layers are files.
pub struct Store {
    root: PathBuf,
    account: AccountId,
    regions: Mutex<BTreeMap<String, Shelf>>,
}

/// One region.
#[derive(Default)]
struct Shelf {
    repositories: BTreeMap<String, Repository>,
    tokens: Vec<Token>,
}

struct Token {
    password: String,
    expires: Millis,
}

/// One repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// When it was made.
    pub created: Millis,
    /// Whether tags can move.
    pub mutability: Mutability,
    /// Images by digest.
    pub images: BTreeMap<String, StoredImage>,
    /// Tags, each with the digest that it names.
    pub tags: BTreeMap<String, String>,
    /// Layers and configurations with their sizes.
    pub blobs: BTreeMap<String, u64>,
}

/// One image or index.
#[derive(Debug, Clone)]
pub struct StoredImage {
    /// The manifest, byte for byte as it came.
    pub bytes: Bytes,
    /// What it says.
    pub manifest: Manifest,
    /// When it was pushed first.
    pub pushed: Millis,
}

impl Repository {
    /// The tags of an image.
    pub fn tags_of<'a>(&'a self, digest: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags
            .iter()
            .filter(move |(_, named)| *named == digest)
            .map(|(tag, _)| tag.as_str())
    }

    /// The image that a tag or a digest names, with its digest.
    pub fn find(&self, reference: &str) -> Option<(&str, &StoredImage)> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        self.images
            .get_key_value(digest)
            .map(|(digest, image)| (digest.as_str(), image))
    }
}

/// Whether a password opens a region's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Granted,
    /// It did.
    Expired,
    /// It never did.
    Unknown,
}

/// Why ECR does not take an image, in its words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such repository in this region.
    #[error("The repository with name '{repository}' does not exist in the registry with id '{account}'")]
    NoRepository {
        /// The name.
        repository: String,
        /// The registry's account.
        account: AccountId,
    },
    /// The tag names this very image already.
    #[error(
        "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{repository}' in registry with id '{account}'"
    )]
    SameImage {
        /// The image.
        digest: String,
        /// The tag, `null` without one.
        tag: String,
        /// The repository.
        repository: String,
        /// The registry's account.
        account: AccountId,
    },
    /// The tag exists and can't move, not even to the image that it names.
    #[error(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the repository is immutable."
    )]
    Immutable {
        /// The tag.
        tag: String,
        /// The repository.
        repository: String,
    },
    /// The manifest names layers that were not uploaded.
    #[error("Layers with digests '[{}]' not found in the repository with name '{repository}' in registry with id '{account}'", digests.join(", "))]
    NoLayers {
        /// The layers.
        digests: Vec<String>,
        /// The repository.
        repository: String,
        /// The registry's account.
        account: AccountId,
    },
    /// The index names images that were not pushed.
    #[error("Images with digests '[{}]' required for pushing image into repository with name '{repository}' in the registry with id '{account}' do not exist", digests.join(", "))]
    NoImages {
        /// The images.
        digests: Vec<String>,
        /// The repository.
        repository: String,
        /// The registry's account.
        account: AccountId,
    },
    /// The manifest is not the one that the caller means.
    #[error("The provided image digest '{asked}' does not match the digest of the image manifest '{found}'")]
    OtherDigest {
        /// What the caller means.
        asked: String,
        /// What the manifest is.
        found: String,
    },
    /// The bytes are no manifest.
    #[error("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'")]
    NoManifest,
    /// The tag breaks the grammar of tags.
    #[error(
        "Invalid parameter at 'imageTag' failed to satisfy constraint: 'must match [a-zA-Z0-9_][a-zA-Z0-9._-]{{0,127}}'"
    )]
    BadTag,
}

impl Store {
    /// An empty store whose layers are kept under `root`.
    pub fn new(root: &Path, account: AccountId) -> Self {
        Self {
            root: root.to_owned(),
            account,
            regions: Mutex::default(),
        }
    }

    /// The account that all registries belong to.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Makes a repository; one that exists keeps its images and takes the new mutability.
    pub fn create(&self, region: &Region, name: &str, mutability: Mutability) {
        let mut regions = self.lock();
        let repositories = &mut regions.entry(region.to_string()).or_default().repositories;
        let repository = repositories.entry(name.to_owned()).or_insert_with(|| Repository {
            created: Millis::now(),
            mutability: Mutability::Mutable,
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            blobs: BTreeMap::new(),
        });
        repository.mutability = mutability;
    }

    /// The names of a region's repositories, in order.
    pub fn names(&self, region: &Region) -> Vec<String> {
        let regions = self.lock();
        regions
            .get(region.as_str())
            .map(|shelf| shelf.repositories.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Looks into a repository.
    ///
    /// # Errors
    ///
    /// When it does not exist.
    pub fn look<T>(&self, region: &Region, name: &str, look: impl FnOnce(&Repository) -> T) -> Result<T, Refusal> {
        let mut regions = self.lock();
        self.repository(&mut regions, region, name)
            .map(|repository| look(repository))
    }

    /// Takes an image: verbatim bytes, under a tag or under its digest alone.
    ///
    /// `guard` is the digest that the caller means it to have.
    ///
    /// # Errors
    ///
    /// With ECR's reason for not taking it. [`Refusal::SameImage`] is no failure for a registry, only for the API.
    #[expect(clippy::too_many_arguments, reason = "they are PutImage's own parameters")]
    pub fn put(
        &self,
        region: &Region,
        name: &str,
        tag: Option<&str>,
        bytes: &[u8],
        sent_as: Option<&str>,
        guard: Option<&str>,
        now: Millis,
    ) -> Result<Digest, Refusal> {
        let mut regions = self.lock();
        let account = self.account.clone();
        let repository = self.repository(&mut regions, region, name)?;
        let manifest = Manifest::read(bytes, sent_as).ok_or(Refusal::NoManifest)?;
        let digest = manifest::digest(bytes);
        if let Some(asked) = guard.filter(|asked| *asked != digest) {
            return Err(Refusal::OtherDigest {
                asked: asked.to_owned(),
                found: digest,
            });
        }
        let absent = |named: Vec<&String>| named.into_iter().cloned().collect::<Vec<_>>();
        let digests = absent(
            manifest
                .blobs
                .iter()
                .map(|(digest, _)| digest)
                .filter(|digest| !repository.blobs.contains_key(*digest))
                .collect(),
        );
        if !digests.is_empty() {
            return Err(Refusal::NoLayers {
                digests,
                repository: name.to_owned(),
                account,
            });
        }
        let digests = absent(
            manifest
                .images
                .iter()
                .filter(|digest| !repository.images.contains_key(*digest))
                .collect(),
        );
        if !digests.is_empty() {
            return Err(Refusal::NoImages {
                digests,
                repository: name.to_owned(),
                account,
            });
        }
        let same = || Refusal::SameImage {
            digest: digest.clone(),
            tag: tag.unwrap_or("null").to_owned(),
            repository: name.to_owned(),
            account: account.clone(),
        };
        match tag {
            None if repository.images.contains_key(&digest) => return Err(same()),
            None => {}
            Some(tag) if !is_tag(tag) => return Err(Refusal::BadTag),
            Some(tag) => match repository.tags.get(tag) {
                Some(_) if !repository.mutability.lets_move(tag) => {
                    return Err(Refusal::Immutable {
                        tag: tag.to_owned(),
                        repository: name.to_owned(),
                    });
                }
                Some(named) if *named == digest => return Err(same()),
                Some(_) | None => {
                    repository.tags.insert(tag.to_owned(), digest.clone());
                }
            },
        }
        let image = StoredImage {
            bytes: Bytes::copy_from_slice(bytes),
            manifest,
            pushed: now,
        };
        repository.images.entry(digest.clone()).or_insert(image);
        Ok(Digest::new(digest))
    }

    /// Keeps a blob that is in memory and returns its digest.
    pub(super) fn keep(&self, region: &Region, name: &str, bytes: &[u8]) -> io::Result<String> {
        let digest = manifest::digest(bytes);
        let path = self.blob_path(region, &digest);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, bytes)?;
        self.has_blob(region, name, &digest, bytes.len() as u64);
        Ok(digest)
    }

    /// Where a region keeps a blob; repositories of a region share the file.
    pub fn blob_path(&self, region: &Region, digest: &str) -> PathBuf {
        self.root
            .join(region.as_str())
            .join("blobs")
            .join(digest.replace(':', "-"))
    }

    /// Where a region keeps an upload that is not complete.
    pub fn upload_path(&self, region: &Region, upload: &str) -> PathBuf {
        self.root.join(region.as_str()).join("uploads").join(upload)
    }

    /// Notes that a repository has a blob, whose file is in its place already.
    pub fn has_blob(&self, region: &Region, name: &str, digest: &str, size: u64) {
        let mut regions = self.lock();
        if let Ok(repository) = self.repository(&mut regions, region, name) {
            repository.blobs.insert(digest.to_owned(), size);
        }
    }

    /// A new registry password for a region, and when it expires.
    pub fn issue(&self, region: &Region) -> (String, Millis) {
        let expires = Millis(Millis::now().0 + TOKEN_LIFE_MS);
        let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(TOKEN_BYTES).collect();
        let encoder = base64::engine::general_purpose::STANDARD;
        // What a real password holds, in the same order and about the same length.
        let inside = json!({
            "payload": encoder.encode(random),
            "version": "2",
            "type": "DATA_KEY",
            "expiration": expires.0 / 1000,
        });
        let password = encoder.encode(inside.to_string());
        let token = Token {
            password: password.clone(),
            expires,
        };
        self.lock().entry(region.to_string()).or_default().tokens.push(token);
        (password, expires)
    }

    /// Whether a password opens a region's registry at `now`.
    pub fn admits(&self, region: &Region, password: &str, now: Millis) -> Admission {
        let regions = self.lock();
        let tokens = regions
            .get(region.as_str())
            .map(|shelf| shelf.tokens.as_slice())
            .unwrap_or_default();
        match tokens.iter().find(|token| token.password == password) {
            Some(token) if token.expires > now => Admission::Granted,
            Some(_) => Admission::Expired,
            None => Admission::Unknown,
        }
    }

    /// Makes every password that a region gave out expire at once.
    pub fn expire_tokens(&self, region: &Region) {
        for token in &mut self.lock().entry(region.to_string()).or_default().tokens {
            token.expires = Millis(0);
        }
    }

    fn repository<'a>(
        &self,
        regions: &'a mut BTreeMap<String, Shelf>,
        region: &Region,
        name: &str,
    ) -> Result<&'a mut Repository, Refusal> {
        let shelf = regions.get_mut(region.as_str());
        shelf
            .and_then(|shelf| shelf.repositories.get_mut(name))
            .ok_or_else(|| Refusal::NoRepository {
                repository: name.to_owned(),
                account: self.account.clone(),
            })
    }

    /// No section that holds the lock can leave it half changed, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Shelf>> {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The grammar of tags, as the registry protocol has it.
fn is_tag(tag: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
    tag.len() <= 128 && tag.chars().all(allowed) && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Clean;

    fn store(mutability: Mutability) -> (tempfile::TempDir, Store, Region, Vec<u8>) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::new(dir.path(), AccountId::new("123456789012"));
        let region = Region::new("us-east-1");
        store.create(&region, "app", mutability);
        let blob = store.keep(&region, "app", b"{}").expect("it is kept");
        (dir, store, region, Manifest::compose(&(blob, 2), &[]))
    }

    fn other(manifest: &[u8]) -> Vec<u8> {
        [manifest, b"\n"].concat()
    }

    #[test]
    fn an_immutable_tag_is_refused_even_to_its_own_image() {
        let (_dir, store, region, manifest) = store(Mutability::ImmutableExcept(vec![Clean::line("latest*")]));
        let put = |tag: &str, bytes: &[u8]| store.put(&region, "app", Some(tag), bytes, None, None, Millis(1));
        put("v1", &manifest).expect("the tag is new");
        assert!(matches!(put("v1", &manifest), Err(Refusal::Immutable { .. })));
        assert!(matches!(put("v1", &other(&manifest)), Err(Refusal::Immutable { .. })));
        put("latest", &manifest).expect("the tag is new");
        assert!(matches!(put("latest", &manifest), Err(Refusal::SameImage { .. })));
        put("latest", &other(&manifest)).expect("an excluded tag can move");
    }

    #[test]
    fn a_manifest_whose_layers_are_absent_is_refused_and_nothing_changes() {
        let (_dir, store, region, _) = store(Mutability::Mutable);
        let manifest = Manifest::compose(&("sha256:gone".to_owned(), 1), &[]);
        let refusal = store
            .put(&region, "app", Some("v1"), &manifest, None, None, Millis(1))
            .expect_err("no layers");
        assert!(refusal.to_string().contains("sha256:gone"), "{refusal}");
        assert!(
            store
                .look(&region, "app", |repository| repository.tags.is_empty())
                .expect("it is there")
        );
    }

    #[test]
    fn a_password_opens_its_own_region_until_it_expires() {
        let (_dir, store, region, _) = store(Mutability::Mutable);
        let (password, expires) = store.issue(&region);
        assert_eq!(store.admits(&region, &password, Millis::now()), Admission::Granted);
        assert_eq!(store.admits(&region, &password, expires), Admission::Expired);
        assert_eq!(
            store.admits(&Region::new("us-east-2"), &password, Millis::now()),
            Admission::Unknown
        );
        store.expire_tokens(&region);
        assert_eq!(store.admits(&region, &password, Millis::now()), Admission::Expired);
    }
}
