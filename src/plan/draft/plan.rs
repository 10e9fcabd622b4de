//! The plan itself, once nothing is pending and nothing forbids it.

use super::{Draft, Names, Said};
use crate::config::{LaneConfig, Parameter, ResolvedBuild, RolloutConfig};
use crate::names::{AccountId, BuildId, DeploymentId, Region};
use crate::plan::check::Subject;
use crate::plan::{BuildPlan, CurrentImage, LanePlan, ParameterValue, Plan, RolloutPlan, Value};
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// Regions whose build inputs resolve alike.
struct Group<'a> {
    inputs: ResolvedBuild,
    lanes: Vec<&'a LaneConfig>,
}

impl Draft<'_> {
    /// What will be done, or every reason why not; `None` while a check is pending.
    pub fn plan(&self, id: DeploymentId) -> Option<Result<Plan, Vec<Problem>>> {
        let mut problems = Vec::new();
        let mut told = Vec::new();
        for (subject, said) in self.said() {
            match said {
                Said::Pending => return None,
                Said::Passed(_) => {}
                Said::Warned { warnings, .. } => told.extend(warnings.iter().map(|warning| placed(&subject, warning))),
                Said::Failed(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Some(Err(problems));
        }
        let plan = self.assemble(id, told).ok_or_else(|| {
            vec![Problem::new(
                Kind::Unexpected,
                "every check passed, and the plan is incomplete all the same",
                "this is a defect of Quarterdeck: please report it",
            )]
        });
        Some(plan)
    }

    /// `None` when something was not found after all.
    fn assemble(&self, id: DeploymentId, mut warnings: Vec<Clean>) -> Option<Plan> {
        let commit = self.findings.commit.as_ref()?.as_ref().ok()?;
        let engine = match self.findings.engine.as_ref()? {
            Ok(engine) => Some(engine.clone()),
            Err(_) if self.needs_engine() == Some(false) => None,
            Err(_) => return None,
        };
        let revision = self.revision()?;
        let mut groups: Vec<Group<'_>> = Vec::new();
        for lane in &self.config.lanes {
            let inputs = lane.build.resolve(&self.names(lane, Some(&revision))?.vars);
            match groups.iter_mut().find(|group| group.inputs == inputs) {
                Some(group) => group.lanes.push(lane),
                None => groups.push(Group {
                    inputs,
                    lanes: vec![lane],
                }),
            }
        }
        let mut builds = Vec::new();
        for group in &groups {
            let regions: Vec<Region> = group
                .lanes
                .iter()
                .filter(|lane| !self.is_there(lane))
                .map(|lane| lane.region.clone())
                .collect();
            if !regions.is_empty() {
                builds.push(group.build(builds.len() + 1, regions));
            }
        }
        let lanes = self
            .config
            .lanes
            .iter()
            .map(|lane| self.lane(lane, &self.names(lane, Some(&revision))?, &builds))
            .collect::<Option<Vec<_>>>()?;
        warnings.extend(self.across(&groups));
        Some(Plan {
            id,
            app: self.config.app.clone(),
            environment: self.config.environment.clone(),
            rehearsal: self.rehearsal,
            made_at: self.now,
            commit: commit.clone(),
            source: self.config.source,
            engine,
            builds,
            lanes,
            warnings,
        })
    }

    fn lane(&self, lane: &LaneConfig, names: &Names<'_>, builds: &[BuildPlan]) -> Option<LanePlan> {
        let found = self.region(lane)?;
        let caller = found.caller.as_ref()?.as_ref().ok()?;
        let tags: Vec<Clean> = lane
            .tags
            .iter()
            .map(|tag| Clean::line(&tag.render(&names.vars)))
            .collect();
        let (sha_tag, moving_tags) = tags.split_first()?;
        Some(LanePlan {
            region: lane.region.clone(),
            account: caller.account.clone(),
            arn: caller.arn.clone(),
            build: builds
                .iter()
                .find(|build| build.regions.contains(&lane.region))
                .map(|build| build.id.clone()),
            repository: found.repository.as_ref()?.as_ref().ok()?.clone()?,
            sha_tag: sha_tag.clone(),
            moving_tags: moving_tags.to_vec(),
            already: found
                .image
                .as_ref()?
                .as_ref()
                .ok()?
                .as_ref()
                .map(|image| image.digest.clone()),
            current: self.current(lane),
            rollouts: lane
                .rollouts
                .iter()
                .map(|rollout| self.rollout(lane, rollout, names))
                .collect::<Option<_>>()?,
        })
    }

    fn current(&self, lane: &LaneConfig) -> Option<CurrentImage> {
        let found = self.region(lane)?;
        let image = found.current.as_ref()?.as_ref().ok()?.as_ref()?;
        let since = found.since.as_ref().and_then(|since| since.as_ref().ok()?.as_ref());
        Some(CurrentImage {
            digest: image.digest.clone(),
            pushed_at: image.pushed_at,
            commit: since.map(|since| since.running.clone()),
            new_commits: since.map_or_else(Vec::new, |since| since.subjects.clone()),
            new_commit_count: since.map(|since| since.ahead),
        })
    }

    fn rollout(&self, lane: &LaneConfig, rollout: &RolloutConfig, names: &Names<'_>) -> Option<RolloutPlan> {
        let found = self.region(lane)?;
        let document = found.documents.get(&rollout.name)?.as_ref().ok()?.as_ref()?;
        let value = |parameter: &Parameter| match parameter {
            Parameter::Plain(values) => ParameterValue::Plain(
                values
                    .iter()
                    .map(|value| Clean::block(&value.render(&names.vars)))
                    .collect(),
            ),
            Parameter::Secret(_) => ParameterValue::Secret,
        };
        Some(RolloutPlan {
            name: rollout.name.clone(),
            document: Clean::line(&rollout.document.render(&names.vars)),
            document_version: rollout.document_version.clone(),
            resolved_version: document.version.clone(),
            output_step: document.output_step(),
            parameters: rollout
                .parameters
                .iter()
                .map(|(key, parameter)| (key.clone(), value(parameter)))
                .collect(),
            targets: names.targets(rollout)?,
            delivery_timeout_secs: rollout.delivery_timeout_secs,
            max_concurrency: rollout.max_concurrency.clone(),
            max_errors: rollout.max_errors.clone(),
            expected: found.hosts.get(&rollout.name)?.as_ref().ok()?.clone(),
        })
    }

    /// Whether the lane's registry has the image already.
    fn is_there(&self, lane: &LaneConfig) -> bool {
        let image = self.region(lane).and_then(|found| found.image.as_ref());
        matches!(image, Some(Ok(Some(_))))
    }

    /// What has to be said about several regions at once.
    fn across(&self, groups: &[Group<'_>]) -> Vec<Clean> {
        let mut warnings = Vec::new();
        warnings.extend(self.accounts());
        for group in groups {
            warnings.extend(self.digests(group));
        }
        warnings.iter().map(|warning| Clean::line(warning)).collect()
    }

    /// Regions in more than one account, which may be meant and may be a wrong profile.
    fn accounts(&self) -> Option<String> {
        let mut accounts: Vec<(&AccountId, Vec<&str>)> = Vec::new();
        for lane in &self.config.lanes {
            let Some(Ok(caller)) = self.region(lane)?.caller.as_ref() else {
                continue;
            };
            match accounts.iter_mut().find(|(account, _)| *account == &caller.account) {
                Some((_, regions)) => regions.push(lane.region.as_str()),
                None => accounts.push((&caller.account, vec![lane.region.as_str()])),
            }
        }
        (accounts.len() > 1).then(|| {
            let told = accounts
                .iter()
                .map(|(account, regions)| format!("{account} in {}", regions.join(", ")));
            let told: Vec<String> = told.collect();
            format!("the regions belong to {} accounts: {}", accounts.len(), told.join("; "))
        })
    }

    /// Regions that should have the same image, and do not or may not in the end.
    fn digests(&self, group: &Group<'_>) -> Option<String> {
        let mut there = Vec::new();
        let mut missing = Vec::new();
        for lane in &group.lanes {
            match self.region(lane).and_then(|found| found.image.as_ref()) {
                Some(Ok(Some(image))) => there.push((lane.region.as_str(), &image.digest)),
                Some(Ok(None) | Err(_)) | None => missing.push(lane.region.as_str()),
            }
        }
        let (_, first) = there.first()?;
        let revision = self.revision();
        let lane = group.lanes.first()?;
        let tag = self.shown(lane.tags.first()?, self.names(lane, revision.as_ref()).as_ref());
        if there.iter().any(|(_, digest)| digest != first) {
            let told: Vec<String> = there
                .iter()
                .map(|(region, digest)| format!("{region} has {}", digest.short()))
                .collect();
            return Some(format!("{tag} names different images: {}", told.join(", ")));
        }
        (!missing.is_empty()).then(|| {
            let has: Vec<&str> = there.iter().map(|(region, _)| *region).collect();
            format!(
                "{tag} is in {} and is built again for {}: the digests may differ",
                has.join(", "),
                missing.join(", ")
            )
        })
    }
}

impl Group<'_> {
    fn build(&self, number: usize, regions: Vec<Region>) -> BuildPlan {
        let inputs = &self.inputs;
        let line = |text: &String| Clean::line(text);
        BuildPlan {
            id: BuildId::new(format!("build-{number}")),
            context: line(&inputs.context),
            dockerfile: line(&inputs.dockerfile),
            target: inputs.target.as_ref().map(line),
            args: inputs
                .args
                .iter()
                .map(|(name, input)| (name.clone(), Value::from(input)))
                .collect(),
            platform: inputs.platform.as_ref().map(line),
            labels: inputs
                .labels
                .iter()
                .map(|(name, label)| (name.clone(), Clean::block(label)))
                .collect(),
            regions,
        }
    }
}

/// A check's warning with its place.
fn placed(subject: &Subject, warning: &str) -> Clean {
    let region = subject.region().map_or_else(String::new, |region| format!("{region} "));
    Clean::line(&format!("{region}{}: {warning}", subject.title()))
}
