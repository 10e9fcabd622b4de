//! From what preflight found to checks and, when none of them forbids it, to a plan. Pure: no clock, no waiting.
//!
//! A [`Draft`] is a view of three things: what the configuration wants, what the operator allowed, and what was found so
//! far. It says what can be looked at next ([`Draft::looks`]), how every check stands ([`Draft::checks`]) and, once
//! nothing is pending, what will be done or why not ([`Draft::plan`]). A check goes from pending to one result; what has
//! to be said about several regions at once is a warning of the plan, so that no region waits for another's answer.

mod account;
mod commit;
mod document;
mod engine;
mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod hosts;
mod image;
mod plan;
mod repository;
mod said;
#[cfg(test)]
mod tests;
mod under_way;

pub use findings::{Finding, Findings, Found, Look, RegionFindings, Since};

use self::said::{Said, passed, settle, warned};
use super::check::{Check, Subject};
use super::{Source, Target};
use crate::config::{Config, LaneConfig, RolloutConfig, Template, Variable, Vars};
use crate::names::{CommitId, Millis};
use crate::text::Clean;

/// Guards that the operator opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guards {
    /// Deploy though the working directory differs from the commit (the image holds the commit all the same).
    pub allow_dirty: bool,
    /// Deploy a commit that is not on the configured branch, or that no remote has.
    pub allow_unpushed: bool,
}

/// A deployment as far as it is known.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// What is wanted.
    pub config: &'a Config,
    /// What the operator allowed.
    pub guards: Guards,
    /// Whether everything is the rehearsal's.
    pub rehearsal: bool,
    /// What was found so far.
    pub findings: &'a Findings,
    /// The present moment, for ages.
    pub now: Millis,
}

/// Why a look was not made; it reads after "not looked at: ".
type Missing = &'static str;

const NO_ACCOUNT: Missing = "the account is not known";
const NO_COMMIT: Missing = "the commit is not known";
const NO_REPOSITORY: Missing = "the repository is not known";

/// What `{sha}` and `{short_sha}` stand for.
struct Revision {
    sha: String,
    short: String,
}

/// A lane's templates, filled in as far as is known.
struct Names<'a> {
    vars: Vars<'a>,
    /// Whether `{sha}` and `{short_sha}` have a value.
    commit_known: bool,
}

impl Names<'_> {
    fn fill(&self, template: &Template) -> Option<String> {
        (self.commit_known || !needs_commit(template)).then(|| template.render(&self.vars))
    }

    fn targets(&self, rollout: &RolloutConfig) -> Option<Vec<Target>> {
        rollout
            .targets
            .iter()
            .map(|target| {
                let values = target.values.iter().map(|value| Some(Clean::line(&self.fill(value)?)));
                Some(Target {
                    key: target.key.clone(),
                    values: values.collect::<Option<_>>()?,
                })
            })
            .collect()
    }
}

fn needs_commit(template: &Template) -> bool {
    template.uses(Variable::Sha) || template.uses(Variable::ShortSha)
}

impl<'a> Draft<'a> {
    /// Every look that what is known so far makes possible, those that were made included.
    pub fn looks(&self) -> Vec<Look> {
        let mut looks = vec![Look::Commit, Look::Engine, Look::Journal];
        if let Some(Ok(commit)) = &self.findings.commit {
            if self.config.source == Source::Worktree {
                looks.push(Look::Changes(commit.id.clone()));
            }
            looks.extend(
                self.dockerfiles()
                    .into_iter()
                    .map(|path| Look::File(commit.id.clone(), path)),
            );
        }
        let revision = self.revision();
        for lane in &self.config.lanes {
            looks.push(Look::Account(lane.region.clone()));
            if let Some(names) = self.names(lane, revision.as_ref()) {
                looks.extend(self.lane_looks(lane, &names));
            }
        }
        looks
    }

    /// A lane's looks, once its account is known.
    fn lane_looks(&self, lane: &LaneConfig, names: &Names<'_>) -> Vec<Look> {
        let region = &lane.region;
        let repository = lane.repository.render(&names.vars);
        let mut looks = Vec::new();
        if !lane.rollouts.is_empty() {
            looks.push(Look::UnderWay(region.clone()));
        }
        for rollout in &lane.rollouts {
            if let Some(name) = names.fill(&rollout.document) {
                looks.push(Look::Document {
                    region: region.clone(),
                    rollout: rollout.name.clone(),
                    name,
                    version: rollout.document_version.to_string(),
                });
            }
            if let Some(targets) = names.targets(rollout) {
                looks.push(Look::Hosts {
                    region: region.clone(),
                    rollout: rollout.name.clone(),
                    targets,
                });
            }
        }
        let found = self.findings.regions.get(region);
        if let Some(Ok(Some(_))) = found.and_then(|found| found.repository.as_ref()) {
            if let Some(tag) = lane.tags.first().and_then(|tag| names.fill(tag)) {
                looks.push(Look::Image {
                    region: region.clone(),
                    repository: repository.clone(),
                    tag,
                });
            }
            if let Some(tag) = lane.tags.get(1).and_then(|tag| names.fill(tag)) {
                looks.push(Look::Current {
                    region: region.clone(),
                    repository: repository.clone(),
                    tag,
                });
            }
        }
        looks.push(Look::Repository(region.clone(), repository));
        looks.extend(self.since_look(lane));
        looks
    }

    /// Every check as it stands, in the order of the plan's screen.
    pub fn checks(&self) -> Vec<Check> {
        let said = self.said().into_iter();
        said.map(|(subject, said)| Check {
            subject,
            state: said.into(),
        })
        .collect()
    }

    fn said(&self) -> Vec<(Subject, Said)> {
        let mut said = vec![
            (Subject::Commit, self.commit_check()),
            (Subject::Dockerfile, self.dockerfile_check()),
            (Subject::Engine, self.engine_check()),
            (Subject::Journal, self.journal_check()),
        ];
        let revision = self.revision();
        for lane in &self.config.lanes {
            let names = self.names(lane, revision.as_ref());
            let names = names.as_ref();
            let region = || lane.region.clone();
            said.push((Subject::Account(region()), self.account_check(lane)));
            said.push((Subject::Repository(region()), self.repository_check(lane, names)));
            said.push((Subject::Image(region()), self.image_check(lane, names)));
            if lane.tags.len() > 1 {
                said.push((Subject::Current(region()), self.current_check(lane, names)));
            }
            if !lane.rollouts.is_empty() {
                said.push((Subject::UnderWay(region()), self.under_way_check(lane, names)));
            }
            for rollout in &lane.rollouts {
                let document = Subject::Document(region(), rollout.name.clone());
                said.push((document, self.document_check(lane, rollout, names)));
                let hosts = Subject::Hosts(region(), rollout.name.clone());
                said.push((hosts, self.hosts_check(lane, rollout, names)));
            }
        }
        said
    }

    /// What a deployment from this machine meets before it starts.
    fn journal_check(&self) -> Said {
        settle(self.findings.journal.as_ref(), None, |notes| match notes.as_slice() {
            [] => passed(format!(
                "nobody else deploys {} to {} from here",
                self.config.app, self.config.environment.name
            )),
            notes => warned(notes.iter().map(ToString::to_string), ""),
        })
    }

    /// What `{sha}` stands for; `None` until it is known.
    fn revision(&self) -> Option<Revision> {
        let commit = self.findings.commit.as_ref()?.as_ref().ok()?;
        let mark = match self.config.source {
            Source::Commit => String::new(),
            Source::Worktree => {
                let changes = self.findings.changes.as_ref()?.as_ref().ok()?;
                if commit.dirty_count > 0 {
                    format!("-dirty-{changes}")
                } else {
                    String::new()
                }
            }
        };
        Some(Revision {
            sha: format!("{}{mark}", commit.id),
            short: format!("{}{mark}", commit.id.short()),
        })
    }

    /// Whether `{sha}` will never be known; `None` until that is known.
    fn commit_failed(&self) -> Option<bool> {
        match self.findings.commit.as_ref()? {
            Err(_) => Some(true),
            Ok(_) => match self.config.source {
                Source::Commit => Some(false),
                Source::Worktree => self.findings.changes.as_ref().map(Result::is_err),
            },
        }
    }

    /// A lane's names; `None` until its account is known.
    fn names<'b>(&'b self, lane: &'b LaneConfig, revision: Option<&'b Revision>) -> Option<Names<'b>> {
        let caller = self
            .findings
            .regions
            .get(&lane.region)?
            .caller
            .as_ref()?
            .as_ref()
            .ok()?;
        let (sha, short) = revision.map_or(("", ""), |revision| (&revision.sha, &revision.short));
        Some(Names {
            vars: self.config.vars(lane, caller.account.as_str(), sha, short),
            commit_known: revision.is_some(),
        })
    }

    fn region(&self, lane: &LaneConfig) -> Option<&'a RegionFindings> {
        self.findings.regions.get(&lane.region)
    }

    /// Why a look that needs the account and fills in these templates cannot be made. It is told once all of its
    /// reasons are known, so that it is told once.
    fn missing<'t>(&self, lane: &LaneConfig, templates: impl IntoIterator<Item = &'t Template>) -> Option<Missing> {
        let caller = self.region(lane)?.caller.as_ref()?;
        let no_commit = templates.into_iter().any(needs_commit) && self.commit_failed()?;
        match (caller, no_commit) {
            (Err(_), _) => Some(NO_ACCOUNT),
            (Ok(_), true) => Some(NO_COMMIT),
            (Ok(_), false) => None,
        }
    }

    /// Why a look into the lane's repository cannot be made.
    fn missing_in_repository(&self, lane: &LaneConfig, template: &Template) -> Option<Missing> {
        self.missing(lane, [template]).or_else(|| {
            let repository = self.region(lane)?.repository.as_ref()?;
            let decided = !needs_commit(template) || self.commit_failed().is_some();
            (decided && matches!(repository, Err(_) | Ok(None))).then_some(NO_REPOSITORY)
        })
    }
}

/// What will be shown and stored of `text` is what will be sent. Where cleaning would change it, it can only be sent as a secret.
fn is_showable(text: &str) -> bool {
    Clean::block(text).as_str() == text
}

/// A tag with the commit's id shortened, for people.
fn short_tag(tag: &str, commit: &CommitId) -> String {
    tag.replacen(commit.as_str(), commit.short(), 1)
}
