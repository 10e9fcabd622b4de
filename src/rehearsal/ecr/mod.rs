//! The stand-in for ECR: its API here, its registry in [`super::registry`], and one [`Store`] behind both.
//!
//! Names, texts and shapes of the answers are the service's own (ECR 2015-09-21); what ECR refuses is refused for the
//! same reason and in the same words.

mod answers;
pub mod manifest;
pub mod store;

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use super::registry::{Registry, RegistryFaults};
use super::wire::{Answer, Fault};
use crate::names::{AccountId, Digest, Region};
use crate::plan::Mutability;
use crate::problem::{Kind, Problem};
use answers::Ask;
use manifest::Manifest;
use store::{Refusal, Store};

/// ECR in every region of a rehearsal. Its registries stop when it is dropped.
pub struct EcrStandIn {
    store: Arc<Store>,
    registries: Vec<Registry>,
}

impl EcrStandIn {
    /// Starts one registry a region, each on a free port of its own on loopback: the address is all that tells a
    /// registry which region it is.
    ///
    /// Layers are kept as files under `dir`, never in memory; removing the directory is the caller's business.
    ///
    /// # Errors
    ///
    /// When the directory can't be written or loopback has no free port.
    pub async fn start(dir: &Path, account: &AccountId, regions: &[Region]) -> Result<Self, Problem> {
        let store = Arc::new(Store::new(dir, account.clone()));
        let mut registries = Vec::with_capacity(regions.len());
        for region in regions {
            let started = Registry::start(store.clone(), region.clone()).await;
            registries.push(started.map_err(|error| {
                Problem::new(
                    Kind::Unexpected,
                    format!("could not start the rehearsal's registry for {region}: {error}"),
                    format!("see that {} can be written and has room", dir.display()),
                )
            })?);
        }
        Ok(Self { store, registries })
    }

    /// What ECR has, for setting a scene without going over the wire.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// `host:port` of a region's registry; `None` for a region that this rehearsal does not have.
    pub fn host(&self, region: &Region) -> Option<String> {
        self.registry(region.as_str()).map(Registry::host)
    }

    /// What a region's registry is to do wrong.
    pub fn faults(&self, region: &Region) -> Option<&RegistryFaults> {
        self.registry(region.as_str()).map(Registry::faults)
    }

    /// Lets uploads to each registry pass at `bytes_per_second`, so that there is something to watch; `None` lifts the limit.
    pub fn limit_uploads(&self, bytes_per_second: Option<u64>) {
        for registry in &self.registries {
            registry.limit_uploads(bytes_per_second);
        }
    }

    /// Makes a repository; one that exists keeps its images and takes the new mutability.
    pub fn create_repository(&self, region: &Region, name: &str, mutability: Mutability) {
        self.store.create(region, name, mutability);
    }

    /// Answers one operation of `AmazonEC2ContainerRegistry_V20150921`.
    ///
    /// # Errors
    ///
    /// With the fault that ECR would answer.
    pub fn handle(&self, region: &str, operation: &str, body: &Value) -> Answer {
        let Some(registry) = self.registry(region) else {
            return Err(Fault::client(
                "InvalidParameterException",
                format!("this rehearsal has no region {region}"),
            ));
        };
        let ask = Ask {
            registry,
            body,
            store: &self.store,
            region: registry.region(),
        };
        match operation {
            "GetAuthorizationToken" => Ok(authorization(registry, &self.store)),
            "DescribeRepositories" => ask.describe_repositories(),
            "CreateRepository" => ask.create_repository(),
            "DescribeImages" => ask.describe_images(),
            "ListImages" => ask.list_images(),
            "BatchGetImage" => ask.batch_get_image(),
            "BatchCheckLayerAvailability" => ask.batch_check_layer_availability(),
            "PutImage" => ask.put_image(),
            other => Err(Fault::client(
                "UnknownOperationException",
                format!("the rehearsal does not play {other}"),
            )),
        }
    }

    /// Puts a small image, made of `content`, under `tags` into a repository, as if it had been pushed at `pushed_at`.
    ///
    /// # Errors
    ///
    /// When the repository does not exist, forbids it, or the disk is full.
    pub fn preload(
        &self,
        region: &Region,
        repository: &str,
        tags: &[&str],
        content: &[u8],
        pushed_at: crate::names::Millis,
    ) -> Result<Digest, Problem> {
        let failed = |why: String| {
            Problem::new(
                Kind::Unexpected,
                format!("could not put the rehearsal's earlier image into {repository} in {region}: {why}"),
                "start the rehearsal again",
            )
        };
        let layer = manifest::layer(content).map_err(|error| failed(error.to_string()))?;
        let config = manifest::config(&layer);
        let mut blobs = Vec::new();
        for bytes in [&config, &layer] {
            let stored = self.store.keep(region, repository, bytes);
            blobs.push((stored.map_err(|error| failed(error.to_string()))?, bytes.len()));
        }
        let manifest = Manifest::compose(&blobs[0], &blobs[1..]);
        let mut digest = None;
        for tag in tags {
            let put = self
                .store
                .put(region, repository, Some(tag), &manifest, None, None, pushed_at);
            digest = Some(put.map_err(|refusal| failed(refusal.to_string()))?);
        }
        digest.ok_or_else(|| failed("it has no tag".to_owned()))
    }

    fn registry(&self, region: &str) -> Option<&Registry> {
        self.registries
            .iter()
            .find(|registry| registry.region().as_str() == region)
    }
}

/// A token, good for this region's registry alone.
fn authorization(registry: &Registry, store: &Store) -> Value {
    let (password, expires) = store.issue(registry.region());
    let token = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{password}"));
    json!({"authorizationData": [{
        "authorizationToken": token,
        "expiresAt": answers::seconds(expires),
        "proxyEndpoint": format!("http://{}", registry.host()),
    }]})
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::NoRepository { .. } => "RepositoryNotFoundException",
            Refusal::SameImage { .. } => "ImageAlreadyExistsException",
            Refusal::Immutable { .. } => "ImageTagAlreadyExistsException",
            Refusal::NoLayers { .. } => "LayersNotFoundException",
            Refusal::NoImages { .. } => "ReferencedImagesNotFoundException",
            Refusal::OtherDigest { .. } => "ImageDigestDoesNotMatchException",
            Refusal::NoManifest | Refusal::BadTag => "InvalidParameterException",
        };
        Self::client(code, refusal.to_string())
    }
}
