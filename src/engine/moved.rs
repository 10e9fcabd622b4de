//! The look at moving tags before something is sent: would the hosts still pull this deployment's image?

use futures_util::future::join_all;

use super::MovedTag;
use super::means::Means;
use super::work::Work;
use crate::names::{Digest, Region};
use crate::problem::Problem;
use crate::text::Clean;

/// The tags that do not point at their lane's digest. A tag that cannot be looked up is told as one of them: nobody knows
/// where it points.
pub(super) async fn tags(means: &Means, work: &Work, digests: &[(Region, Digest)]) -> Vec<MovedTag> {
    let looks = digests
        .iter()
        .filter_map(|(region, digest)| Some((means.plan.lane(region)?, digest)))
        .flat_map(|(lane, digest)| lane.moving_tags.iter().map(move |tag| (lane, digest, tag)))
        .map(|(lane, digest, tag)| async move {
            let found = look(means, work, &lane.region, lane.repository.name.as_str(), tag).await;
            let (now, problem) = match found {
                Ok(now) => (now, None),
                Err(problem) => (None, Some(problem)),
            };
            (now.as_ref() != Some(digest)).then(|| MovedTag {
                region: lane.region.clone(),
                tag: tag.clone(),
                now,
                problem,
            })
        });
    join_all(looks).await.into_iter().flatten().collect()
}

async fn look(
    means: &Means,
    work: &Work,
    region: &Region,
    repository: &str,
    tag: &Clean,
) -> Result<Option<Digest>, Problem> {
    let ecr = &means.region(region)?.ecr;
    let call = || ecr.image(repository, tag.as_str());
    let image = means.patiently(region, work, call).await?;
    Ok(image.map(|image| image.digest))
}
