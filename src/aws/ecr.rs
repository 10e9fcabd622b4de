//! The registry's API: login, what is there, and moving a tag without moving bytes.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{Image, ImageIdentifier, ImageTagMutability, Repository as SdkRepository};
use base64::Engine as _;
use secrecy::SecretString;

use super::fault::{Call, Failed, Service};
use super::link::{Clients, Link};
use crate::engine::ports::{AwsError, Ecr, FoundImage, FoundRepository, Login, Retagged};
use crate::names::{Digest, Millis};
use crate::plan::{Mutability, Repository};
use crate::problem::Kind;
use crate::text::Clean;

/// Every form of manifest. ECR converts a manifest that is read by its tag into one of the accepted types, and a converted
/// manifest has another digest (ECR user guide, "Container image manifest format support"); so nothing may be converted.
const MANIFESTS: [&str; 4] = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// ECR through the SDK.
pub(super) struct SdkEcr(pub Arc<Link>);

#[async_trait]
impl Ecr for SdkEcr {
    async fn login(&self) -> Result<Login, AwsError> {
        let clients = self.0.clients().await?;
        let call = clients.call(Service::Ecr, "GetAuthorizationToken");
        let answer = clients
            .ecr
            .get_authorization_token()
            .send()
            .await
            .map_err(|error| self.0.fault(&call, &error))?;
        let data = answer.authorization_data().first();
        data.and_then(|data| login(data.authorization_token()?, data.proxy_endpoint()?))
            .ok_or_else(|| self.0.fault(&call, Failed::garbled("it holds no login")))
    }

    async fn repository(&self, name: &str) -> Result<Option<FoundRepository>, AwsError> {
        let clients = self.0.clients().await?;
        let call = call(&clients, "DescribeRepositories", name);
        let answer = clients.ecr.describe_repositories().repository_names(name).send().await;
        match answer {
            Ok(answer) => Ok(answer.repositories().first().map(|found| FoundRepository {
                repository: repository(name, found),
            })),
            Err(error) if is(&error, "RepositoryNotFoundException") => Ok(None),
            Err(error) => Err(self.0.fault(&call, &error)),
        }
    }

    async fn image(&self, repository: &str, tag: &str) -> Result<Option<FoundImage>, AwsError> {
        let clients = self.0.clients().await?;
        self.describe(&clients, repository, tag).await
    }

    async fn retag(&self, repository: &str, from: &str, digest: &Digest, tag: &str) -> Result<Retagged, AwsError> {
        let clients = self.0.clients().await?;
        let image = self.manifest(&clients, repository, from, digest).await?;
        let call = call(&clients, "PutImage", repository).about(format!("tag `{tag}` in repository `{repository}`"));
        let put = clients
            .ecr
            .put_image()
            .repository_name(repository)
            .image_tag(tag)
            // Byte for byte: the digest is the manifest's.
            .set_image_manifest(image.image_manifest)
            .set_image_manifest_media_type(image.image_manifest_media_type)
            .image_digest(digest.as_str())
            .send()
            .await;
        match put {
            Ok(answer) => {
                let put = answer
                    .image()
                    .and_then(|image| image.image_id())
                    .and_then(|id| id.image_digest());
                match put {
                    Some(put) if put != digest.as_str() => Err(call.refused(
                        Kind::Build,
                        format!("put {put} where {digest} was meant"),
                        "push the image again",
                    )),
                    _ => Ok(Retagged::Moved),
                }
            }
            Err(error) if is(&error, "ImageAlreadyExistsException") || is(&error, "ImageTagAlreadyExistsException") => {
                let there = self.describe(&clients, repository, tag).await?;
                if there.is_some_and(|there| there.digest == *digest) {
                    Ok(Retagged::Already)
                } else if is(&error, "ImageTagAlreadyExistsException") {
                    Ok(Retagged::Immutable)
                } else {
                    Err(call.refused(
                        Kind::Build,
                        format!("was told that the tag names {digest} already, and it does not"),
                        "somebody else moves this tag: look who, then try again",
                    ))
                }
            }
            Err(error) => Err(self.0.fault(&call, &error)),
        }
    }
}

impl SdkEcr {
    async fn describe(&self, clients: &Clients, repository: &str, tag: &str) -> Result<Option<FoundImage>, AwsError> {
        let call =
            call(clients, "DescribeImages", repository).about(format!("tag `{tag}` in repository `{repository}`"));
        let answer = clients
            .ecr
            .describe_images()
            .repository_name(repository)
            .image_ids(ImageIdentifier::builder().image_tag(tag).build())
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is(&error, "ImageNotFoundException") => return Ok(None),
            Err(error) => return Err(self.0.fault(&call, &error)),
        };
        Ok(answer.image_details().iter().find_map(|image| {
            Some(FoundImage {
                digest: Digest::new(image.image_digest()?),
                tags: image.image_tags().iter().map(|tag| Clean::line(tag)).collect(),
                pushed_at: image
                    .image_pushed_at()
                    .and_then(|time| time.to_millis().ok())
                    .map(Millis),
            })
        }))
    }

    /// The manifest that `tag` names, if it is the one with this digest.
    async fn manifest(
        &self,
        clients: &Clients,
        repository: &str,
        tag: &str,
        digest: &Digest,
    ) -> Result<Image, AwsError> {
        let call =
            call(clients, "BatchGetImage", repository).about(format!("tag `{tag}` in repository `{repository}`"));
        let answer = clients
            .ecr
            .batch_get_image()
            .repository_name(repository)
            .image_ids(ImageIdentifier::builder().image_tag(tag).build())
            .set_accepted_media_types(Some(MANIFESTS.map(str::to_owned).to_vec()))
            .send()
            .await
            .map_err(|error| self.0.fault(&call, &error))?;
        let Some(image) = answer.images().first() else {
            let why = answer.failures().first().map(|failure| {
                let code = failure.failure_code().map_or("", |code| code.as_str());
                format!("{code}: {}", failure.failure_reason().unwrap_or_default())
            });
            let what = format!("found no image: {}", why.as_deref().unwrap_or("the answer is empty"));
            return Err(call.refused(Kind::Build, what, "push the image again"));
        };
        let found = image.image_id().and_then(|id| id.image_digest());
        if found != Some(digest.as_str()) {
            let found = found.unwrap_or("an image without a digest");
            return Err(call.refused(
                Kind::Build,
                format!("found {found}, not {digest} which was pushed"),
                "somebody else pushed this tag meanwhile: look who, then push again",
            ));
        }
        if image.image_manifest().is_none() {
            return Err(self.0.fault(&call, Failed::garbled("it holds no manifest")));
        }
        Ok(image.clone())
    }
}

fn call<'a>(clients: &'a Clients, operation: &'static str, repository: &str) -> Call<'a> {
    clients
        .call(Service::Ecr, operation)
        .about(format!("repository `{repository}`"))
        .on(&format!("arn:aws:ecr:REGION:*:repository/{repository}"))
}

fn is<E: ProvideErrorMetadata>(error: &SdkError<E>, code: &str) -> bool {
    error.code() == Some(code)
}

/// `AWS:<password>` in base64, and the registry's URL.
fn login(token: &str, endpoint: &str) -> Option<Login> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    let host = host.trim_end_matches('/');
    if password.is_empty() || host.is_empty() {
        return None;
    }
    Some(Login {
        user: user.to_owned(),
        password: SecretString::from(password),
        host: Clean::line(host).as_str().to_owned(),
    })
}

fn repository(name: &str, found: &SdkRepository) -> Repository {
    let filters = || {
        let filters = found.image_tag_mutability_exclusion_filters().iter();
        filters.map(|filter| Clean::line(filter.filter())).collect()
    };
    Repository {
        name: Clean::line(found.repository_name().unwrap_or(name)),
        uri: Clean::line(found.repository_uri().unwrap_or_default()),
        mutability: match found.image_tag_mutability() {
            Some(ImageTagMutability::Immutable) => Mutability::Immutable,
            Some(ImageTagMutability::ImmutableWithExclusion) => Mutability::ImmutableExcept(filters()),
            Some(ImageTagMutability::MutableWithExclusion) => Mutability::MutableExcept(filters()),
            // ECR's default, and the reading of a word to come: ECR itself refuses what it does not allow.
            _ => Mutability::Mutable,
        },
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_login_is_a_user_a_password_and_a_host_without_scheme() {
        let token = base64::engine::general_purpose::STANDARD.encode("AWS:pass:word");
        let login = login(&token, "https://1234.dkr.ecr.us-east-1.amazonaws.com/").expect("a login");
        assert_eq!(login.user, "AWS");
        assert_eq!(login.password.expose_secret(), "pass:word");
        assert_eq!(login.host, "1234.dkr.ecr.us-east-1.amazonaws.com");
    }

    #[test]
    fn a_token_that_is_none_is_no_login() {
        assert!(super::login("%%%", "https://x").is_none());
        let empty = base64::engine::general_purpose::STANDARD.encode("AWS:");
        assert!(super::login(&empty, "https://x").is_none());
    }
}
