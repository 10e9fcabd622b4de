//! One push: the tag, the request, its stream, and what it came to.
//!
//! bollard's type for push events has no layer ids. Its type for pull events has: so the push is asked for as a pull whose
//! path a request modifier rewrites, which works over every transport that bollard has.

mod errors;
mod layers;
mod watchdog;

use bollard::BollardRequest;
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptions, RemoveImageOptions, TagImageOptionsBuilder};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::auth;
use super::fault;
use super::link::Link;
use crate::engine::ports::{PushFailure, PushSpec, Pushed, Sink};
use crate::mask::Mask;
use crate::names::{Digest, Region};
use crate::problem::{Kind, Problem};
use crate::state::live::Progress;
use crate::text::Clean;
use crate::words;
use errors::Target;
use layers::Layers;
pub(super) use watchdog::Traffic;
use watchdog::{Look, Watchdog};

/// Tags the image and pushes that tag.
pub(super) async fn run(
    link: &Link,
    spec: PushSpec,
    sink: Sink,
    stop: CancellationToken,
    traffic: &Traffic,
) -> Result<Pushed, PushFailure> {
    let target = Target {
        repository: &spec.repository,
        tag: &spec.tag,
    };
    let mask = Mask::new([&spec.password]);
    let work = async {
        let path = path(&spec, &target)?;
        tag(link, &spec, &target, &mask).await?;
        push(link, &spec, path, &target, &mask, &sink, traffic).await
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(PushFailure::Cancelled),
        pushed = work => pushed,
    }
}

async fn tag(link: &Link, spec: &PushSpec, target: &Target<'_>, mask: &Mask) -> Result<(), PushFailure> {
    let options = TagImageOptionsBuilder::new()
        .repo(&spec.repository)
        .tag(&spec.tag)
        .build();
    let tagged = link.api.tag_image(spec.image.as_str(), Some(options)).await;
    tagged.map_err(|error| failure(link, target, mask, &error))
}

/// The digests under which the engine knows that it pushed the image there.
pub(super) async fn digests(link: &Link, image: &Digest, repository: &str) -> Vec<Digest> {
    let Ok(image) = link.api.inspect_image(image.as_str()).await else {
        return Vec::new();
    };
    let known = image.repo_digests.into_iter().flatten();
    known
        .filter_map(|known| Some(Digest::new(known.strip_prefix(repository)?.strip_prefix('@')?)))
        .collect()
}

/// Takes the registry's tag off its image. An image that has no other name stays as it is.
pub(super) async fn untag(link: &Link, name: &str) {
    let others = match link.api.inspect_image(name).await {
        Ok(image) => image.repo_tags.into_iter().flatten().any(|other| other != name),
        Err(_) => false,
    };
    if others && let Err(error) = link.api.remove_image(name, None::<RemoveImageOptions>, None).await {
        let error = Clean::line(&error.to_string());
        tracing::debug!(%error, "the registry's tag stays on the image");
    }
}

/// The request's path. An engine that is given no tag pushes every tag of the repository, so there must be one; and what
/// would end the path early must not be in it.
fn path(spec: &PushSpec, target: &Target<'_>) -> Result<String, PushFailure> {
    let fits = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if fits(&spec.tag, "._-") && fits(&spec.repository, "._-/:[]") {
        Ok(format!("/images/{}/push?tag={}", spec.repository, spec.tag))
    } else {
        Err(PushFailure::Final(target.problem(
            Kind::Config,
            "can't be asked for: repository or tag has characters that Docker does not allow",
            "use a-z, 0-9 and ._-/ in the repository's name and A-Z, a-z, 0-9 and ._- in the tag",
        )))
    }
}

async fn push(
    link: &Link,
    spec: &PushSpec,
    path: String,
    target: &Target<'_>,
    mask: &Mask,
    sink: &Sink,
    traffic: &Traffic,
) -> Result<Pushed, PushFailure> {
    let header = auth::registry_auth(&spec.user, &spec.password);
    let client = link
        .stream
        .clone()
        .with_request_modifier(move |request| header.put_on(redirected(request, &path)));
    let mut stream = client.create_image(None::<CreateImageOptions>, None, None);
    let mut layers = Layers::default();
    let error = follow(link, spec, target, sink, &mut stream, &mut layers, traffic).await?;
    match (error, layers.digest()) {
        (None, Some(digest)) => {
            let (layers_pushed, layers_present) = layers.counts();
            Ok(Pushed {
                digest: digest.clone(),
                layers_pushed,
                layers_present,
            })
        }
        (None, None) => Err(PushFailure::Transient(target.problem(
            Kind::Build,
            &format!(
                "ended without a digest: the Docker Engine at {} said nothing more",
                link.at.name()
            ),
            "it may have been stopped; look at its own log, then push again",
        ))),
        (Some(error), _) => Err(failure(link, target, mask, &error)),
    }
}

/// Reads the stream to its end; returns the error that ended it, unless the digest was known and it does not matter.
async fn follow(
    link: &Link,
    spec: &PushSpec,
    target: &Target<'_>,
    sink: &Sink,
    stream: &mut (impl Stream<Item = Result<CreateImageInfo, Error>> + Unpin),
    layers: &mut Layers,
    traffic: &Traffic,
) -> Result<Option<Error>, PushFailure> {
    let region = &spec.region;
    let mut watchdog = Watchdog::new(link.patience, traffic);
    let mut look_at = watchdog.next_look();
    loop {
        if layers.digest().is_some() {
            let rest = timeout(link.patience.closing, stream.next()).await;
            return Ok(match rest {
                Ok(Some(Err(error))) if !fault::is_connection(&error) => Some(error),
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(_)) | None) | Err(_) => None,
            });
        }
        let item = tokio::select! {
            item = stream.next() => item,
            () = sleep_until(look_at) => {
                match watchdog.look(layers.only_wait()) {
                    Look::Again(at) => look_at = at,
                    Look::Note(silent) => {
                        note(sink, region, &format!("stalled: no progress for {}", words::seconds(silent)));
                        look_at = watchdog.next_look();
                    }
                    Look::GiveUp(silent) => return Err(PushFailure::Transient(stalled(target, silent))),
                }
                continue;
            }
        };
        match item {
            Some(Ok(info)) => {
                if watchdog.heard() {
                    note(sink, region, "");
                }
                look_at = watchdog.next_look();
                if let Some((layer, phase)) = layers.take(&info) {
                    let region = region.clone();
                    let layer = Clean::line(&layer).into();
                    sink(Progress::Layer { region, layer, phase });
                }
            }
            Some(Err(error)) if !fault::is_unterminated(&error) => return Ok(Some(error)),
            Some(Err(_)) | None => return Ok(None),
        }
    }
}

/// The pull's request as the push's.
fn redirected(mut request: BollardRequest, path: &str) -> BollardRequest {
    let mut parts = request.uri().clone().into_parts();
    // Both were checked in `path`; if they failed all the same, the engine would refuse the pull, which names no image.
    parts.path_and_query = path.parse().ok();
    if let Ok(uri) = parts.try_into() {
        *request.uri_mut() = uri;
    }
    request
}

fn failure(link: &Link, target: &Target<'_>, mask: &Mask, error: &Error) -> PushFailure {
    match error {
        Error::DockerStreamError { error: says } | Error::DockerResponseServerError { message: says, .. } => {
            target.failure(&mask.text(says))
        }
        _ => {
            let lost = link.fault(error);
            let what = format!("was cut off: {}", lost.what);
            PushFailure::Transient(target.problem(lost.kind, &what, lost.remedy.as_str()))
        }
    }
}

fn stalled(target: &Target<'_>, silent: std::time::Duration) -> Problem {
    target.problem(
        Kind::Build,
        &format!(
            "stalled: neither engine nor registry moved for {}",
            words::seconds(silent)
        ),
        "push again, layers that are there are not sent again; if it stalls again, look at the engine's network",
    )
}

fn note(sink: &Sink, region: &Region, note: &str) {
    sink(Progress::PushNote {
        region: region.clone(),
        note: Clean::line(note),
    });
}
