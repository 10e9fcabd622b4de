//! A lane's push: the SHA tag, tried again where that helps, and verified with the registry.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::means::Means;
use super::ports::{AwsError, PushFailure, PushSpec, Pushed};
use super::work::Work;
use crate::names::{Digest, Region};
use crate::plan::LanePlan;
use crate::problem::{Kind, Problem};
use crate::state::Fact;
use crate::state::live::Progress;
use crate::text::Clean;

/// How often a push is tried by itself. The Docker Engine itself tries a layer five times within each of them.
const TRIES: u32 = 3;
/// How often the registry is asked for an image that was just pushed.
const LOOKS: u32 = 5;

/// What to push, and against what to hold it.
pub(super) struct Job {
    /// The image in the engine; `None` where the registry has it already.
    pub image: Option<Digest>,
    /// The digest that another lane of the same build pushed.
    pub twin: Option<(Region, Digest)>,
}

/// Pushes, and returns what to record.
pub(super) async fn run(means: Means, region: Region, job: Job, stop: CancellationToken) -> Vec<Fact> {
    let pushing = async {
        match push(&means, &region, &job).await {
            Ok(fact) => fact,
            Err(problem) => Fact::PushFailed {
                region: region.clone(),
                problem,
            },
        }
    };
    // Dropping the push's stream stops it on the engine too.
    let fact = tokio::select! {
        biased;
        () = stop.cancelled() => Fact::PushCancelled { region: region.clone() },
        fact = pushing => fact,
    };
    vec![fact]
}

async fn push(means: &Means, region: &Region, job: &Job) -> Result<Fact, Problem> {
    let lane = means.plan.lane(region).ok_or_else(|| unplanned(region))?;
    let Some(image) = &job.image else {
        return already(means, lane).await;
    };
    let mut login = login(means, region).await?;
    let mut renewed = false;
    let mut tries = 0;
    let pushed = loop {
        means.show(Progress::PushReset { region: region.clone() });
        // The reset has wiped every note before.
        if renewed {
            note(
                means,
                region,
                "the registry's token had expired: pushing with a fresh one",
            );
        }
        let spec = PushSpec {
            region: region.clone(),
            image: image.clone(),
            repository: lane.repository.uri.as_str().to_owned(),
            tag: lane.sha_tag.as_str().to_owned(),
            user: login.user.clone(),
            password: login.password.clone(),
        };
        // The whole task is dropped when it is to stop, so the engine's own token never fires here.
        let result = means
            .outside
            .docker
            .push(spec, means.sink(), CancellationToken::new())
            .await;
        match result {
            Ok(pushed) => break pushed,
            Err(PushFailure::Expired(_)) if !renewed => {
                renewed = true;
                tracing::info!(%region, "the registry's token has expired");
                login = self::login(means, region).await?;
            }
            Err(PushFailure::Transient(problem)) => {
                tries += 1;
                tracing::warn!(%region, tries, %problem, "a push broke off");
                if tries == TRIES {
                    return Err(problem);
                }
                pause(means, region, tries, &problem).await;
            }
            Err(PushFailure::TagImmutable(problem)) => return immutable(means, lane, job, problem).await,
            Err(PushFailure::Expired(problem) | PushFailure::Final(problem)) => return Err(problem),
            Err(PushFailure::Cancelled) => return Ok(Fact::PushCancelled { region: region.clone() }),
        }
    };
    note(means, region, "");
    verify(means, lane, &pushed).await?;
    Ok(Fact::PushSucceeded {
        region: region.clone(),
        digest: pushed.digest,
        layers_pushed: pushed.layers_pushed,
        layers_present: pushed.layers_present,
    })
}

async fn login(means: &Means, region: &Region) -> Result<super::ports::Login, Problem> {
    let ecr = &means.region(region)?.ecr;
    means
        .patiently(region, &Work::Push(region.clone()), || ecr.login())
        .await
}

/// Nothing is pushed where preflight saw the SHA tag, if it is still there.
async fn already(means: &Means, lane: &LanePlan) -> Result<Fact, Problem> {
    match found(means, lane).await? {
        Some(digest) => Ok(Fact::PushSkipped {
            region: lane.region.clone(),
            digest,
        }),
        None => Err(Problem::new(
            Kind::Build,
            format!(
                "{}: {}:{} was there when the plan was made and is gone now, so it was not built",
                lane.region, lane.repository.name, lane.sha_tag
            ),
            "plan again: the image will be built and pushed",
        )),
    }
}

/// The registry has the last word on what was pushed.
async fn verify(means: &Means, lane: &LanePlan, pushed: &Pushed) -> Result<(), Problem> {
    let mut seen = None;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        seen = found(means, lane).await?;
        if seen.as_ref() == Some(&pushed.digest) {
            break;
        }
    }
    let (region, name, tag) = (&lane.region, &lane.repository.name, &lane.sha_tag);
    match seen {
        Some(digest) if digest == pushed.digest => Ok(()),
        Some(digest) => Err(Problem::new(
            Kind::Build,
            format!(
                "{region}: {name}:{tag} holds {digest} after a push of {}",
                pushed.digest
            ),
            "somebody else may be pushing the same tag; push again once they are done",
        )),
        None => Err(Problem::new(
            Kind::Build,
            format!("{region}: the engine says that it pushed {name}:{tag}, and ECR does not have it"),
            "push again; if it stays so, compare the repository's address with the one that ECR's API serves",
        )),
    }
}

/// The same build has another digest in another region.
pub(super) fn differs(region: &Region, digest: &Digest, twin: &Region, other: &Digest) -> Problem {
    Problem::new(
        Kind::Build,
        format!("{region}: the same build has digest {digest} here and {other} in {twin}"),
        "push again; if it stays so, the Docker Engine compresses layers differently on each push: use its containerd image store",
    )
}

/// An immutable tag that appeared since preflight is a success if it holds what the other lanes pushed, or what this
/// engine pushed before its process died.
async fn immutable(means: &Means, lane: &LanePlan, job: &Job, problem: Problem) -> Result<Fact, Problem> {
    let mut ours: Vec<Digest> = job.twin.iter().map(|(_, twin)| twin.clone()).collect();
    if let Some(image) = &job.image {
        // In a containerd image store the image's id is its digest; elsewhere the engine remembers what it pushed where.
        ours.push(image.clone());
        ours.extend(means.outside.docker.digests(image, lane.repository.uri.as_str()).await);
    }
    match found(means, lane).await? {
        Some(digest) if ours.contains(&digest) => Ok(Fact::PushSkipped {
            region: lane.region.clone(),
            digest,
        }),
        Some(digest) => Err(Problem::new(
            Kind::Build,
            format!("{} (it holds {digest})", problem.what),
            "somebody pushed the same commit meanwhile: plan again, and the image that is there will be used",
        )),
        None => Err(problem),
    }
}

/// What the registry has under the SHA tag.
async fn found(means: &Means, lane: &LanePlan) -> Result<Option<Digest>, Problem> {
    let ecr = &means.region(&lane.region)?.ecr;
    let work = Work::Push(lane.region.clone());
    let look = || ecr.image(lane.repository.name.as_str(), lane.sha_tag.as_str());
    Ok(means
        .patiently(&lane.region, &work, look)
        .await?
        .map(|image| image.digest))
}

/// Waits before another try, telling why: 2, 8 and so on seconds, with up to a quarter more so that lanes spread.
async fn pause(means: &Means, region: &Region, tries: u32, problem: &Problem) {
    let pause = means.pace.push_pause * 4_u32.pow(tries - 1);
    let pause = pause.mul_f64(1.0 + fastrand::f64() / 4.0);
    let what = problem.what.as_str().lines().next().unwrap_or_default();
    let words = crate::words::seconds(pause);
    note(
        means,
        region,
        &format!("waiting {words} before try {} of {TRIES}: {what}", tries + 1),
    );
    tokio::time::sleep(pause).await;
}

fn note(means: &Means, region: &Region, note: &str) {
    means.show(Progress::PushNote {
        region: region.clone(),
        note: Clean::line(note),
    });
}

fn unplanned(region: &Region) -> Problem {
    Problem::new(Kind::Unexpected, format!("{region} is not in the plan"), "")
}

/// Moves a lane's tags to its digest, one after the other, and returns what to record. `Err` items of AWS become a
/// failed tag; the tags behind it stay where they are.
///
/// When it is to stop, the tag in hand is waited for no longer; where it points then is looked up by whoever goes on.
pub(super) async fn tags(
    means: Means,
    region: Region,
    digest: Digest,
    tags: Vec<Clean>,
    stop: CancellationToken,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    for tag in tags {
        let moved = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            moved = move_tag(&means, &region, &digest, &tag) => moved,
        };
        match moved {
            Ok(from) => facts.push(Fact::TagMoved {
                region: region.clone(),
                tag,
                from,
                to: digest.clone(),
            }),
            Err(problem) => {
                facts.push(Fact::TagFailed {
                    region: region.clone(),
                    tag,
                    problem,
                });
                break;
            }
        }
    }
    facts
}

/// Returns what the tag pointed at before.
async fn move_tag(means: &Means, region: &Region, digest: &Digest, tag: &Clean) -> Result<Option<Digest>, Problem> {
    use super::ports::Retagged;
    let lane = means.plan.lane(region).ok_or_else(|| unplanned(region))?;
    let ecr = &means.region(region)?.ecr;
    let name = lane.repository.name.as_str();
    let work = Work::Tags(region.clone());
    let before = means
        .patiently(region, &work, || ecr.image(name, tag.as_str()))
        .await?
        .map(|image| image.digest);
    if before.as_ref() == Some(digest) {
        return Ok(before);
    }
    let moving = || async {
        match ecr.retag(name, lane.sha_tag.as_str(), digest, tag.as_str()).await? {
            Retagged::Moved | Retagged::Already => Ok(()),
            Retagged::Immutable => Err(AwsError::Refused(Problem::new(
                Kind::Build,
                format!(
                    "{region}: the repository {name} is immutable, so {tag} cannot move to {}",
                    digest.short()
                ),
                format!("make the repository mutable, or add {tag} to its exclusion filters, and push again"),
            ))),
        }
    };
    means.patiently(region, &work, moving).await?;
    Ok(before)
}
