//! Whether somebody else is rolling out to the same hosts.

use super::{Draft, Names, Said, passed, settle, warned};
use crate::config::LaneConfig;
use crate::words::plural;

impl Draft<'_> {
    /// The deploy lock ends at this machine. A command of another deployment with one of the lane's documents shows what
    /// is going on elsewhere; it is a warning, since the operator may know better, and the command may be stuck.
    pub(super) fn under_way_check(&self, lane: &LaneConfig, names: Option<&Names<'_>>) -> Said {
        let found = self.region(lane).and_then(|found| found.under_way.as_ref());
        let missing = self.missing(lane, []);
        settle(found, missing, |commands| {
            let documents: Vec<String> = lane
                .rollouts
                .iter()
                .filter_map(|rollout| names?.fill(&rollout.document))
                .collect();
            let ours = |document: &str| documents.iter().any(|known| known == document);
            let mut others: Vec<_> = commands.iter().filter(|one| ours(one.document.as_str())).collect();
            others.sort_by(|a, b| (&a.deployment, &a.rollout).cmp(&(&b.deployment, &b.rollout)));
            if others.is_empty() {
                return passed("no other deployment runs these documents here");
            }
            let warning = |other: &&crate::plan::found::UnderWay| {
                let short = other.deployment.short();
                format!(
                    "deployment {short} is rolling out {} here now, command {}",
                    other.rollout, other.command
                )
            };
            let told = others.iter().map(warning);
            let what = plural(others.len(), "command");
            warned(
                told,
                format!("{what} of another deployment: hosts may get both images in turn"),
            )
        })
    }
}
