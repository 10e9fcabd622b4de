//! The operations: what each reads from the request, and what it answers.

use serde_json::{Value, json};

use super::store::{Refusal, Repository, Store, StoredImage};
use crate::names::{Millis, Region};
use crate::plan::Mutability;
use crate::rehearsal::registry::Registry;
use crate::rehearsal::wire::{Answer, Fault};
use crate::text::Clean;

/// How many entries a page has unless the request says otherwise.
const PAGE: usize = 100;

/// AWS's JSON writes moments as seconds with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit 53 bits")]
pub(super) fn seconds(at: Millis) -> f64 {
    at.0 as f64 / 1000.0
}

/// One request.
pub(super) struct Ask<'a> {
    pub registry: &'a Registry,
    pub body: &'a Value,
    pub store: &'a Store,
    pub region: &'a Region,
}

impl Ask<'_> {
    pub fn describe_repositories(&self) -> Answer {
        let named = self.texts("repositoryNames");
        if named.is_some() && (!self.body["nextToken"].is_null() || !self.body["maxResults"].is_null()) {
            return Err(invalid(
                "nextToken and maxResults can't be used together with repositoryNames",
            ));
        }
        let (names, next) = match named {
            Some(names) => (names, None),
            None => self.page(self.store.names(self.region))?,
        };
        let found: Result<Vec<Value>, Refusal> = names
            .iter()
            .map(|name| {
                self.store
                    .look(self.region, name, |repository| self.repository(name, repository))
            })
            .collect();
        Ok(with_next(json!({"repositories": found?}), next))
    }

    pub fn create_repository(&self) -> Answer {
        let name = self.text("repositoryName")?;
        if self.store.names(self.region).iter().any(|taken| taken == name) {
            return Err(Fault::client(
                "RepositoryAlreadyExistsException",
                format!(
                    "The repository with name '{name}' already exists in the registry with id '{}'",
                    self.store.account()
                ),
            ));
        }
        let filters = self.body["imageTagMutabilityExclusionFilters"].as_array();
        let filters = filters
            .into_iter()
            .flatten()
            .filter_map(|filter| filter["filter"].as_str())
            .map(Clean::line)
            .collect();
        let mutability = match self.body["imageTagMutability"].as_str() {
            None | Some("MUTABLE") => Mutability::Mutable,
            Some("IMMUTABLE") => Mutability::Immutable,
            Some("IMMUTABLE_WITH_EXCLUSION") => Mutability::ImmutableExcept(filters),
            Some("MUTABLE_WITH_EXCLUSION") => Mutability::MutableExcept(filters),
            Some(_) => return Err(unsatisfied("imageTagMutability")),
        };
        self.store.create(self.region, name, mutability);
        let made = self
            .store
            .look(self.region, name, |repository| self.repository(name, repository))?;
        Ok(json!({"repository": made}))
    }

    pub fn describe_images(&self) -> Answer {
        let name = self.text("repositoryName")?;
        let wanted = self.body["imageIds"].as_array();
        if wanted.is_some() && (!self.body["nextToken"].is_null() || !self.body["maxResults"].is_null()) {
            return Err(invalid("nextToken and maxResults can't be used together with imageIds"));
        }
        let account = self.store.account();
        let found = self.store.look(self.region, name, |repository| match wanted {
            Some(ids) => ids
                .iter()
                .map(|id| match lookup(repository, id) {
                    Ok((digest, image)) => Ok(detail(name, account.as_str(), repository, digest, image)),
                    Err(_) => Err(Fault::client(
                        "ImageNotFoundException",
                        format!(
                            "The image with imageId {} does not exist within the repository with name '{name}' in the registry with id '{account}'",
                            spelled(id)
                        ),
                    )),
                })
                .collect::<Result<Vec<_>, _>>(),
            None => {
                let images = repository.images.iter();
                let images = images.filter(|(digest, _)| self.wants(repository.tags_of(digest).next().is_some()));
                Ok(images.map(|(digest, image)| detail(name, account.as_str(), repository, digest, image)).collect())
            }
        })??;
        let (details, next) = if wanted.is_some() {
            (found, None)
        } else {
            self.page(found)?
        };
        Ok(with_next(json!({"imageDetails": details}), next))
    }

    pub fn list_images(&self) -> Answer {
        let name = self.text("repositoryName")?;
        let ids = self.store.look(self.region, name, |repository| {
            let tagged = repository
                .tags
                .iter()
                .map(|(tag, digest)| json!({"imageDigest": digest, "imageTag": tag}));
            let bare = repository
                .images
                .keys()
                .filter(|digest| repository.tags_of(digest).next().is_none());
            let tagged = tagged.filter(|_| self.wants(true));
            let bare = bare
                .filter(|_| self.wants(false))
                .map(|digest| json!({"imageDigest": digest}));
            tagged.chain(bare).collect::<Vec<_>>()
        })?;
        let (ids, next) = self.page(ids)?;
        Ok(with_next(json!({"imageIds": ids}), next))
    }

    /// A manifest is never converted here: an image in a type that is not accepted is a failure of its own.
    pub fn batch_get_image(&self) -> Answer {
        let name = self.text("repositoryName")?;
        let ids = self.body["imageIds"]
            .as_array()
            .ok_or_else(|| unsatisfied("imageIds"))?;
        let accepted = self.texts("acceptedMediaTypes");
        let account = self.store.account().as_str();
        self.store
            .look(self.region, name, |repository| {
                let (mut images, mut failures) = (Vec::new(), Vec::new());
                for id in ids {
                    let found = lookup(repository, id).and_then(|(digest, image)| {
                        let media_type = &image.manifest.media_type;
                        match &accepted {
                            Some(types) if !types.contains(media_type) => {
                                Err(("ImageNotFound", "Requested image not found in an accepted media type"))
                            }
                            Some(_) | None => Ok((digest, image)),
                        }
                    });
                    match found {
                        Ok((digest, image)) => {
                            images.push(whole(name, account, digest, id["imageTag"].as_str(), image))
                        }
                        Err((code, reason)) => {
                            failures.push(json!({"imageId": id, "failureCode": code, "failureReason": reason}))
                        }
                    }
                }
                json!({"images": images, "failures": failures})
            })
            .map_err(Fault::from)
    }

    pub fn batch_check_layer_availability(&self) -> Answer {
        let name = self.text("repositoryName")?;
        let digests = self.texts("layerDigests").ok_or_else(|| unsatisfied("layerDigests"))?;
        self.store
            .look(self.region, name, |repository| {
                let (mut layers, mut failures) = (Vec::new(), Vec::new());
                for digest in digests {
                    let size = repository.blobs.get(&digest);
                    match size {
                        Some(size) => layers
                            .push(json!({"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size})),
                        None if is_digest(&digest) => {
                            layers.push(json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"}))
                        }
                        None => failures.push(json!({
                            "layerDigest": digest,
                            "failureCode": "InvalidLayerDigest",
                            "failureReason": "Invalid layer digest",
                        })),
                    }
                }
                json!({"layers": layers, "failures": failures})
            })
            .map_err(Fault::from)
    }

    pub fn put_image(&self) -> Answer {
        let name = self.text("repositoryName")?;
        let manifest = self.text("imageManifest")?;
        let tag = self.body["imageTag"].as_str();
        let digest = self.store.put(
            self.region,
            name,
            tag,
            manifest.as_bytes(),
            self.body["imageManifestMediaType"].as_str(),
            self.body["imageDigest"].as_str(),
            Millis::now(),
        )?;
        let account = self.store.account().as_str();
        let image = self.store.look(self.region, name, |repository| {
            repository
                .find(digest.as_str())
                .map(|(digest, image)| whole(name, account, digest, tag, image))
        })?;
        Ok(json!({"image": image}))
    }

    fn repository(&self, name: &str, repository: &Repository) -> Value {
        let account = self.store.account();
        let (mutability, filters) = match &repository.mutability {
            Mutability::Mutable => ("MUTABLE", None),
            Mutability::Immutable => ("IMMUTABLE", None),
            Mutability::ImmutableExcept(filters) => ("IMMUTABLE_WITH_EXCLUSION", Some(filters)),
            Mutability::MutableExcept(filters) => ("MUTABLE_WITH_EXCLUSION", Some(filters)),
        };
        let mut value = json!({
            "repositoryArn": format!("arn:aws:ecr:{}:{account}:repository/{name}", self.region),
            "registryId": account.as_str(),
            "repositoryName": name,
            "repositoryUri": format!("{}/{name}", self.registry.host()),
            "createdAt": seconds(repository.created),
            "imageTagMutability": mutability,
            "imageScanningConfiguration": {"scanOnPush": false},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        });
        if let Some(filters) = filters {
            let filters = filters
                .iter()
                .map(|filter| json!({"filterType": "WILDCARD", "filter": filter.as_str()}));
            value["imageTagMutabilityExclusionFilters"] = filters.collect();
        }
        value
    }

    /// Whether `filter.tagStatus` lets an image through that has a tag, or has none.
    fn wants(&self, tagged: bool) -> bool {
        match self.body["filter"]["tagStatus"].as_str() {
            Some("TAGGED") => tagged,
            Some("UNTAGGED") => !tagged,
            _ => true,
        }
    }

    /// One page of `all`; the token is the place where the next begins.
    fn page<T>(&self, all: Vec<T>) -> Result<(Vec<T>, Option<String>), Fault> {
        let start = match self.body["nextToken"].as_str() {
            None => 0,
            Some(token) => token.parse::<usize>().map_err(|_| unsatisfied("nextToken"))?,
        };
        let size = self.body["maxResults"]
            .as_u64()
            .map_or(PAGE, |size| usize::try_from(size).unwrap_or(PAGE));
        let end = start.saturating_add(size);
        let next = (end < all.len()).then(|| end.to_string());
        Ok((all.into_iter().skip(start).take(size).collect(), next))
    }

    fn text(&self, member: &'static str) -> Result<&str, Fault> {
        self.body[member]
            .as_str()
            .filter(|text| !text.is_empty())
            .ok_or_else(|| unsatisfied(member))
    }

    fn texts(&self, member: &str) -> Option<Vec<String>> {
        let list = self.body[member].as_array().filter(|list| !list.is_empty())?;
        Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

fn unsatisfied(member: &str) -> Fault {
    invalid(&format!(
        "Invalid parameter at '{member}' failed to satisfy constraint: 'must not be null'"
    ))
}

fn invalid(why: &str) -> Fault {
    Fault::client("InvalidParameterException", why)
}

fn with_next(mut value: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        value["nextToken"] = next.into();
    }
    value
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The image that an ImageIdentifier means, or BatchGetImage's code and reason for its absence.
fn lookup<'a>(
    repository: &'a Repository,
    id: &Value,
) -> Result<(&'a str, &'a StoredImage), (&'static str, &'static str)> {
    let absent = ("ImageNotFound", "Requested image not found");
    match (id["imageTag"].as_str(), id["imageDigest"].as_str()) {
        (None, None) => Err((
            "MissingDigestAndTag",
            "Invalid request parameters: both tag and digest cannot be null",
        )),
        (_, Some(digest)) if !is_digest(digest) => Err((
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )),
        (None, Some(digest)) => repository.find(digest).ok_or(absent),
        (Some(tag), digest) => {
            let named = repository.tags.get(tag).ok_or(absent)?;
            if digest.is_some_and(|digest| digest != named) {
                return Err(("ImageTagDoesNotMatchDigest", "Image tag does not match digest"));
            }
            repository.find(named).ok_or(absent)
        }
    }
}

/// An ImageIdentifier as ECR prints it in errors.
fn spelled(id: &Value) -> String {
    let member = |name: &str| id[name].as_str().unwrap_or("null").to_owned();
    format!(
        "{{imageDigest:'{}', imageTag:'{}'}}",
        member("imageDigest"),
        member("imageTag")
    )
}

/// An ImageDetail. As in ECR, the size is that of configuration and layers.
fn detail(name: &str, account: &str, repository: &Repository, digest: &str, image: &StoredImage) -> Value {
    let mut value = json!({
        "registryId": account,
        "repositoryName": name,
        "imageDigest": digest,
        "imageSizeInBytes": image.manifest.blobs.iter().map(|(_, size)| size).sum::<u64>(),
        "imagePushedAt": seconds(image.pushed),
        "imageManifestMediaType": image.manifest.media_type,
        "imageStatus": "ACTIVE",
    });
    let tags: Vec<&str> = repository.tags_of(digest).collect();
    if !tags.is_empty() {
        value["imageTags"] = tags.into();
    }
    value
}

/// An Image: the manifest is the stored bytes as text, so that whoever puts it again puts the same digest.
fn whole(name: &str, account: &str, digest: &str, tag: Option<&str>, image: &StoredImage) -> Value {
    let mut id = json!({"imageDigest": digest});
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    json!({
        "registryId": account,
        "repositoryName": name,
        "imageId": id,
        "imageManifest": String::from_utf8_lossy(&image.bytes),
        "imageManifestMediaType": image.manifest.media_type,
    })
}
