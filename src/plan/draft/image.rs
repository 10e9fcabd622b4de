//! The image that is there already, the one that runs now, and the commits between them.

use super::{Draft, Look, Names, Said, Since, passed, settle, short_tag, warned};
use crate::config::{LaneConfig, Template};
use crate::names::CommitId;
use crate::plan::found::FoundImage;
use crate::words;

/// Commits that a check lists.
const LISTED: usize = 6;

impl Draft<'_> {
    pub(super) fn image_check(&self, lane: &LaneConfig, names: Option<&Names<'_>>) -> Said {
        let Some(template) = lane.tags.first() else {
            return passed("no tag is configured");
        };
        let found = self.region(lane).and_then(|found| found.image.as_ref());
        settle(found, self.missing_in_repository(lane, template), |image| {
            let tag = self.shown(template, names);
            match image {
                None => passed(format!("{tag} is not there yet: it will be built and pushed")),
                Some(image) => passed(format!(
                    "{tag} is there already{}: not pushed again\n{}",
                    self.pushed(image),
                    image.digest
                )),
            }
        })
    }

    pub(super) fn current_check(&self, lane: &LaneConfig, names: Option<&Names<'_>>) -> Said {
        let Some(template) = lane.tags.get(1) else {
            return passed("no tag moves");
        };
        let region = self.region(lane);
        let found = region.and_then(|found| found.current.as_ref());
        settle(found, self.missing_in_repository(lane, template), |current| {
            let tag = self.shown(template, names);
            let Some(image) = current else {
                return passed(format!("nothing: there is no {tag} yet"));
            };
            match &self.findings.commit {
                None => return Said::Pending,
                Some(Err(_)) => return passed(self.bare(image)),
                Some(Ok(_)) if self.since_look(lane).is_none() => return passed(self.unknown(image)),
                Some(Ok(_)) => {}
            }
            // git's answer: what it could not tell stops nobody.
            match region.and_then(|found| found.since.as_ref()) {
                None => Said::Pending,
                Some(Err(problem)) => warned([self.incomparable(image)], problem.what.to_string()),
                Some(Ok(None)) => passed(self.unknown(image)),
                Some(Ok(Some(since))) => {
                    let compared = self.compared(image, since);
                    let subjects = subjects(since);
                    if since.behind == 0 {
                        passed(format!("{compared}{subjects}"))
                    } else {
                        warned([compared], subjects.trim_start().to_owned())
                    }
                }
            }
        })
    }

    /// What runs, and how far the deployed commit is from it.
    fn compared(&self, image: &FoundImage, since: &Since) -> String {
        let running = format!("{}{}", since.running.short(), self.pushed(image));
        let ahead = words::plural(since.ahead as usize, "commit");
        let behind = words::plural(since.behind as usize, "commit");
        match (since.ahead, since.behind) {
            (0, 0) => format!("{running}: this commit already"),
            (_, 0) => format!("{running}; {ahead} on top of it"),
            (0, _) => format!("{running}: this goes back by {behind}"),
            (_, _) => format!("{running}: this drops {behind} and adds {ahead}"),
        }
    }

    fn unknown(&self, image: &FoundImage) -> String {
        format!("{}; no tag names a commit of this repository", self.bare(image))
    }

    fn incomparable(&self, image: &FoundImage) -> String {
        format!("{}; the commits since then can't be listed", self.bare(image))
    }

    fn bare(&self, image: &FoundImage) -> String {
        format!("sha256:{}{}", image.digest.short(), self.pushed(image))
    }

    fn pushed(&self, image: &FoundImage) -> String {
        image
            .pushed_at
            .map_or_else(String::new, |at| format!(", pushed {}", words::ago(self.now, at)))
    }

    /// A tag for people.
    pub(super) fn shown(&self, template: &Template, names: Option<&Names<'_>>) -> String {
        let tag = names
            .and_then(|names| names.fill(template))
            .unwrap_or_else(|| template.to_string());
        match &self.findings.commit {
            Some(Ok(commit)) => short_tag(&tag, &commit.id),
            Some(Err(_)) | None => tag,
        }
    }

    /// The comparison of what runs with what is deployed, once both are known and can be compared.
    pub(super) fn since_look(&self, lane: &LaneConfig) -> Option<Look> {
        let commit = self.findings.commit.as_ref()?.as_ref().ok()?;
        let image = self.region(lane)?.current.as_ref()?.as_ref().ok()?.as_ref()?;
        let running: Vec<CommitId> = image.tags.iter().filter_map(|tag| commit_in(tag.as_str())).collect();
        (!running.is_empty()).then(|| Look::Since {
            region: lane.region.clone(),
            running,
            commit: commit.id.clone(),
        })
    }
}

/// The commits that come on top, a line each.
fn subjects(since: &Since) -> String {
    let listed = since.subjects.len().min(LISTED);
    let mut lines: String = since.subjects[..listed]
        .iter()
        .map(|subject| format!("\n+ {subject}"))
        .collect();
    let more = (since.ahead as usize).saturating_sub(listed);
    if more > 0 && listed > 0 {
        lines.push_str(&format!("\nand {more} more"));
    }
    lines
}

/// The full commit id that a tag holds, as in `4f1c…`, `main-4f1c…` and `4f1c…-dirty-…`.
fn commit_in(tag: &str) -> Option<CommitId> {
    let is_id = |word: &&str| {
        matches!(word.len(), 40 | 64) && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    tag.split(['-', '_', '.']).find(is_id).map(CommitId::new)
}
