//! Which regions share a build, and which need none.

use super::*;
use crate::config::Input;
use crate::plan::Value;

fn there(case: &mut Case, region: &Region, digit: char) {
    case.region(region).image = Some(Ok(Some(fixture::image(digit, &[]))));
}

#[test]
fn regions_with_different_inputs_have_builds_of_their_own() {
    let mut case = Case::new();
    for lane in &mut case.config.lanes {
        let region = Input::Plain(fixture::template("{region}"));
        lane.build.args.insert("REGION".to_owned(), region);
    }
    let plan = case.plan();
    assert_eq!(plan.builds.len(), 2);
    for (lane, build) in plan.lanes.iter().zip(&plan.builds) {
        assert_eq!(build.regions, std::slice::from_ref(&lane.region));
        assert_eq!(lane.build.as_ref(), Some(&build.id));
        assert_eq!(build.args["REGION"], Value::Plain(Clean::line(lane.region.as_str())));
    }
}

#[test]
fn a_secret_argument_is_in_the_plan_by_its_name_only() {
    let mut case = Case::new();
    for lane in &mut case.config.lanes {
        let secret = Input::Secret("hunter2".into());
        lane.build.args.insert("TOKEN".to_owned(), secret);
    }
    let plan = case.plan();
    assert_eq!(plan.builds.len(), 1);
    assert_eq!(plan.builds[0].args["TOKEN"], Value::Secret);
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn an_image_that_is_everywhere_is_not_built() {
    let mut case = Case::new();
    there(&mut case, &east(), 'b');
    there(&mut case, &ohio(), 'b');
    assert_eq!(
        case.told(&Subject::Image(east())).lines().next(),
        Some("passed: 4f1c2ab is there already, pushed 1 day ago: not pushed again")
    );
    let plan = case.plan();
    assert!(
        plan.builds.is_empty() && plan.warnings.is_empty(),
        "{:?}",
        plan.warnings
    );
    assert!(plan.lanes.iter().all(|lane| lane.build.is_none()));
    assert_eq!(plan.lanes[0].already, Some(fixture::digest('b')));
}

#[test]
fn an_image_that_one_region_lacks_is_built_for_it_and_may_differ() {
    let mut case = Case::new();
    there(&mut case, &east(), 'b');
    let plan = case.plan();
    assert_eq!(plan.builds[0].regions, [ohio()]);
    assert_eq!(
        (plan.lanes[0].build.is_none(), plan.lanes[1].build.is_some()),
        (true, true)
    );
    assert_eq!(
        plan.warnings,
        [Clean::line(
            "4f1c2ab is in us-east-1 and is built again for us-east-2: the digests may differ"
        )]
    );
}

#[test]
fn one_tag_for_different_images_is_told() {
    let mut case = Case::new();
    there(&mut case, &east(), 'b');
    there(&mut case, &ohio(), 'c');
    assert_eq!(
        case.plan().warnings,
        [Clean::line(
            "4f1c2ab names different images: us-east-1 has bbbbbbbbbbbb, us-east-2 has cccccccccccc"
        )]
    );
}

#[test]
fn a_build_argument_that_showing_would_change_is_refused() {
    let mut case = Case::new();
    let motd = Input::Plain(fixture::template("a\tb"));
    case.config.lanes[0].build.args.insert("MOTD".to_owned(), motd);
    let told = case.told(&Subject::Dockerfile);
    assert!(
        told.contains("the build argument `MOTD`") && told.contains("mark it as a secret"),
        "{told}"
    );
}
