//! What holds whatever is found, in whatever order.

use proptest::prelude::*;

use super::*;
use crate::config::Input;

/// Takes findings apart into the answers that they came from.
fn answers(findings: &Findings) -> Vec<Finding> {
    let mut answers = Vec::new();
    answers.extend(findings.commit.clone().map(Finding::Commit));
    answers.extend(findings.engine.clone().map(Finding::Engine));
    answers.extend(findings.journal.clone().map(Finding::Journal));
    answers.extend(
        findings
            .files
            .clone()
            .into_iter()
            .map(|(path, found)| Finding::File(path, found)),
    );
    for (region, found) in findings.regions.clone() {
        let at = || region.clone();
        answers.extend(found.caller.map(|found| Finding::Account(at(), found)));
        answers.extend(found.repository.map(|found| Finding::Repository(at(), found)));
        answers.extend(found.image.map(|found| Finding::Image(at(), found)));
        answers.extend(found.current.map(|found| Finding::Current(at(), found)));
        answers.extend(found.since.map(|found| Finding::Since(at(), found)));
        answers.extend(found.under_way.map(|found| Finding::UnderWay(at(), found)));
        answers.extend(
            found
                .documents
                .into_iter()
                .map(|(rollout, found)| Finding::Document(at(), rollout, found)),
        );
        answers.extend(
            found
                .hosts
                .into_iter()
                .map(|(rollout, found)| Finding::Hosts(at(), rollout, found)),
        );
    }
    answers
}

/// Turns the `n`-th answer into a failure.
fn fail(finding: Finding) -> Finding {
    let problem = || Problem::new(Kind::Unexpected, "the network is gone", "try again");
    match finding {
        Finding::Commit(_) => Finding::Commit(Err(problem())),
        Finding::Changes(_) => Finding::Changes(Err(problem())),
        Finding::File(path, _) => Finding::File(path, Err(problem())),
        Finding::Engine(_) => Finding::Engine(Err(problem())),
        Finding::Journal(_) => Finding::Journal(Err(problem())),
        Finding::Account(region, _) => Finding::Account(region, Err(problem())),
        Finding::Repository(region, _) => Finding::Repository(region, Err(problem())),
        Finding::Image(region, _) => Finding::Image(region, Err(problem())),
        Finding::Current(region, _) => Finding::Current(region, Err(problem())),
        Finding::Since(region, _) => Finding::Since(region, Err(problem())),
        Finding::UnderWay(region, _) => Finding::UnderWay(region, Err(problem())),
        Finding::Document(region, rollout, _) => Finding::Document(region, rollout, Err(problem())),
        Finding::Hosts(region, rollout, _) => Finding::Hosts(region, rollout, Err(problem())),
    }
}

/// The look that an answer belongs to.
fn answered(look: &Look, finding: &Finding) -> bool {
    match (look, finding) {
        (Look::Commit, Finding::Commit(_))
        | (Look::Changes(_), Finding::Changes(_))
        | (Look::Engine, Finding::Engine(_))
        | (Look::Journal, Finding::Journal(_)) => true,
        (Look::File(_, path), Finding::File(other, _)) => path == other,
        (Look::Account(region), Finding::Account(other, _))
        | (Look::Repository(region, _), Finding::Repository(other, _))
        | (Look::Image { region, .. }, Finding::Image(other, _))
        | (Look::Current { region, .. }, Finding::Current(other, _))
        | (Look::UnderWay(region), Finding::UnderWay(other, _))
        | (Look::Since { region, .. }, Finding::Since(other, _)) => region == other,
        (Look::Document { region, rollout, .. }, Finding::Document(other, theirs, _))
        | (Look::Hosts { region, rollout, .. }, Finding::Hosts(other, theirs, _)) => {
            region == other && rollout == theirs
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn whatever_fails_and_in_whatever_order_it_arrives_every_check_gets_one_result(
        failing in proptest::collection::vec(0_usize..100, 0..4),
        order in proptest::collection::vec(0_usize..1000, 200),
    ) {
        let mut case = Case::new();
        let mut answers = answers(&case.findings);
        for at in failing {
            let at = at % answers.len();
            answers[at] = fail(answers[at].clone());
        }
        case.findings = Findings::default();
        let mut before = case.draft().checks();
        for pick in order {
            // Only what is asked for is answered.
            let looks = case.draft().looks();
            let mut open: Vec<usize> = Vec::new();
            for (at, answer) in answers.iter().enumerate() {
                if looks.iter().any(|look| answered(look, answer)) {
                    open.push(at);
                }
            }
            if open.is_empty() {
                break;
            }
            let answer = answers.remove(open[pick % open.len()]);
            case.findings.add(answer);
            let after = case.draft().checks();
            for (old, new) in before.iter().zip(&after) {
                prop_assert!(
                    old.state == CheckState::Pending || old.state == new.state,
                    "{:?} went from {:?} to {:?}", old.subject, old.state, new.state
                );
            }
            before = after;
        }
        let failed = before.iter().any(|check| matches!(check.state, CheckState::Failed(_)));
        prop_assert!(before.iter().all(|check| check.state != CheckState::Pending), "{}", all(&before));
        let plan = case.draft().plan(DeploymentId::from_u128(7)).expect("nothing is pending");
        prop_assert_eq!(plan.is_err(), failed, "{:?}", plan);
    }

    #[test]
    fn every_region_that_lacks_the_image_has_exactly_one_build(
        there in proptest::collection::vec(any::<bool>(), 2..8),
        variants in proptest::collection::vec(0_u8..3, 8),
    ) {
        let mut case = Case::new();
        let model = case.config.lanes[0].clone();
        case.config.lanes = (0..there.len()).map(|number| {
            let mut lane = model.clone();
            lane.region = Region::new(format!("us-east-{number}"));
            let variant = Input::Plain(fixture::template(&variants[number].to_string()));
            lane.build.args.insert("VARIANT".to_owned(), variant);
            lane
        }).collect();
        case.findings = fixture::findings(&case.config);
        for (lane, there) in case.config.lanes.clone().iter().zip(&there) {
            if *there {
                case.region(&lane.region).image = Some(Ok(Some(fixture::image('b', &[]))));
            }
        }
        let plan = case.plan();
        for (lane, there) in plan.lanes.iter().zip(&there) {
            let builds: Vec<_> = plan.builds.iter().filter(|build| build.regions.contains(&lane.region)).collect();
            prop_assert_eq!(builds.len(), usize::from(!there));
            prop_assert_eq!(lane.build.as_ref(), builds.first().map(|build| &build.id));
        }
        for build in &plan.builds {
            prop_assert!(!build.regions.is_empty());
        }
        let ids: std::collections::BTreeSet<_> = plan.builds.iter().map(|build| &build.id).collect();
        prop_assert_eq!(ids.len(), plan.builds.len());
    }
}
