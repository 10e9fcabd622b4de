//! What operators read, and what it takes to start.

use std::fmt::Write;

use super::fixture::{self, NOW, east, linux, ohio, ubuntu};
use super::*;
use crate::config::Parameter;
use crate::names::{AccountId, CommandId, DeploymentId, Region, RolloutName};
use crate::plan::check::CheckState;
use crate::plan::found::UnderWay;
use crate::plan::{Commit, Mutability, ParameterValue, Ping, Plan};
use crate::problem::{Kind, Problem};

/// A configuration and what was found, to be bent by a test.
struct Case {
    config: Config,
    findings: Findings,
    guards: Guards,
    rehearsal: bool,
}

impl Case {
    fn new() -> Self {
        let config = fixture::config();
        Self {
            findings: fixture::findings(&config),
            config,
            guards: Guards::default(),
            rehearsal: false,
        }
    }

    fn draft(&self) -> Draft<'_> {
        Draft {
            config: &self.config,
            guards: self.guards,
            rehearsal: self.rehearsal,
            findings: &self.findings,
            now: NOW,
        }
    }

    fn commit(&mut self) -> &mut Commit {
        match &mut self.findings.commit {
            Some(Ok(commit)) => commit,
            Some(Err(_)) | None => panic!("the fixture has a commit"),
        }
    }

    fn region(&mut self, region: &Region) -> &mut RegionFindings {
        self.findings
            .regions
            .get_mut(region)
            .expect("the fixture has the region")
    }

    fn state(&self, subject: &Subject) -> CheckState {
        let mut checks = self.draft().checks().into_iter();
        let check = checks.find(|check| check.subject == *subject);
        check.expect("the check is there").state
    }

    /// A check as text: its mark, its words, and the remedy.
    fn told(&self, subject: &Subject) -> String {
        tell(&self.state(subject))
    }

    fn plan(&self) -> Plan {
        let plan = self
            .draft()
            .plan(DeploymentId::from_u128(7))
            .expect("nothing is pending");
        plan.unwrap_or_else(|problems| panic!("nothing forbids it: {problems:#?}"))
    }

    fn problems(&self) -> Vec<Problem> {
        let plan = self
            .draft()
            .plan(DeploymentId::from_u128(7))
            .expect("nothing is pending");
        plan.expect_err("something forbids it")
    }
}

fn tell(state: &CheckState) -> String {
    match state {
        CheckState::Pending => "pending".to_owned(),
        CheckState::Passed(text) => format!("passed: {text}"),
        CheckState::Warned(text) => format!("warned: {text}"),
        CheckState::Failed(problem) => format!("failed ({:?}): {problem}", problem.kind),
    }
}

fn all(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let region = check
            .subject
            .region()
            .map_or_else(String::new, |region| format!("{region} "));
        writeln!(text, "{region}{}: {}", check.subject.title(), tell(&check.state)).expect("a string takes it");
    }
    text
}

#[test]
fn every_check_is_told_when_all_is_well() {
    insta::assert_snapshot!(all(&Case::new().draft().checks()));
}

#[test]
fn every_check_is_pending_at_first_and_only_what_needs_nothing_is_looked_at() {
    let mut case = Case::new();
    case.findings = Findings::default();
    let checks = case.draft().checks();
    assert_eq!(checks.len(), 4 + 2 * (5 + 2 * 2));
    assert!(checks.iter().all(|check| check.state == CheckState::Pending));
    assert_eq!(
        case.draft().looks(),
        [
            Look::Commit,
            Look::Engine,
            Look::Journal,
            Look::Account(east()),
            Look::Account(ohio())
        ]
    );
    assert!(case.draft().plan(DeploymentId::from_u128(7)).is_none());
}

#[test]
fn first_lines_fit_the_screen() {
    for check in Case::new().draft().checks() {
        let text = tell(&check.state);
        let first = text.lines().next().unwrap_or_default().trim_start_matches("passed: ");
        assert!(first.chars().count() <= 60, "{first}");
    }
}

#[test]
fn a_plan_holds_what_was_found() {
    let plan = Case::new().plan();
    assert_eq!(plan.builds.len(), 1);
    assert_eq!(plan.builds[0].regions, [east(), ohio()]);
    let lane = plan.lane(&ohio()).expect("the lane is planned");
    assert_eq!(lane.build, Some(plan.builds[0].id.clone()));
    assert_eq!(lane.sha_tag.as_str(), fixture::commit().id.as_str());
    assert_eq!(lane.moving_tags, [Clean::line("latest")]);
    let current = lane.current.as_ref().expect("something runs");
    assert_eq!(
        (current.new_commit_count, &current.commit),
        (Some(2), &Some(fixture::running()))
    );
    let rollout = lane.rollout(&linux()).expect("the rollout is planned");
    assert_eq!(rollout.document.as_str(), "us-east-2-pull-image-document");
    assert_eq!(
        (rollout.document_version.as_str(), rollout.resolved_version.as_str()),
        ("$LATEST", "7")
    );
    assert_eq!(
        rollout.parameters["region"],
        ParameterValue::Plain(vec![Clean::line("us-east-2")])
    );
    assert_eq!(rollout.targets[1].values, [Clean::line("Linux")]);
    assert_eq!(rollout.expected.len(), 3);
    assert_eq!(rollout.output_step, None);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

mod builds;
mod commit;
mod document;
mod hosts;
mod lane;
mod property;
