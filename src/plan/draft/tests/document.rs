//! Whether a document takes the parameters.

use super::*;
use crate::plan::found::{Document, DocumentParameter};

fn subject() -> Subject {
    Subject::Document(east(), linux())
}

fn bend(case: &mut Case, bend: impl FnOnce(&mut Document)) {
    let documents = &mut case.region(&east()).documents;
    if let Some(Ok(Some(document))) = documents.get_mut(&linux()) {
        bend(document);
    }
}

fn parameter<'a>(document: &'a mut Document, name: &str) -> &'a mut DocumentParameter {
    let mut parameters = document.parameters.iter_mut();
    let found = parameters.find(|parameter| parameter.name.as_str() == name);
    found.expect("the fixture has the parameter")
}

fn set(case: &mut Case, name: &str, values: &[&str]) {
    let values = values.iter().map(|value| fixture::template(value)).collect();
    let rollout: &mut RolloutConfig = &mut case.config.lanes[0].rollouts[1];
    rollout.parameters.insert(name.to_owned(), Parameter::Plain(values));
}

#[test]
fn a_document_that_the_region_does_not_have_is_named() {
    let mut case = Case::new();
    case.region(&east()).documents.insert(linux(), Ok(None));
    insta::assert_snapshot!(case.told(&subject()));
    assert_eq!(case.problems()[0].kind, Kind::Config);
}

#[test]
fn parameters_that_the_document_does_not_take_are_all_named() {
    let mut case = Case::new();
    set(&mut case, "imgae", &["AI"]);
    set(&mut case, "colour", &["blue"]);
    set(&mut case, "os", &["Linux", "Ubuntu"]);
    let rollout = &mut case.config.lanes[0].rollouts[1];
    rollout.parameters.remove("image");
    insta::assert_snapshot!(case.told(&subject()));
}

#[test]
fn values_are_held_against_what_the_document_allows() {
    let mut case = Case::new();
    bend(&mut case, |document| {
        parameter(document, "image").allowed_values = vec![Clean::line("web"), Clean::line("worker")];
        parameter(document, "region").allowed_pattern = Some(Clean::line("^eu-[a-z]+-[0-9]$"));
    });
    insta::assert_snapshot!(case.told(&subject()));
    set(&mut case, "image", &["web"]);
    set(&mut case, "region", &["eu-west-1"]);
    assert!(case.told(&subject()).starts_with("passed"), "{}", case.told(&subject()));
}

#[test]
fn what_only_ssm_can_judge_is_left_to_it() {
    let mut case = Case::new();
    bend(&mut case, |document| {
        // A look-ahead is Java's and not ours; a reference is filled in by SSM.
        parameter(document, "image").allowed_pattern = Some(Clean::line("^(?!latest).*$"));
        parameter(document, "region").allowed_values = vec![Clean::line("us-east-9")];
    });
    let reference = crate::config::Template::literal("{{ssm:/sento/region}}");
    let rollout = &mut case.config.lanes[0].rollouts[1];
    rollout
        .parameters
        .insert("region".to_owned(), Parameter::Plain(vec![reference]));
    assert!(case.told(&subject()).starts_with("passed"), "{}", case.told(&subject()));
}

#[test]
fn a_list_takes_several_values_and_a_secret_is_never_quoted() {
    let mut case = Case::new();
    bend(&mut case, |document| {
        parameter(document, "os").is_list = true;
        parameter(document, "image").allowed_values = vec![Clean::line("web")];
    });
    set(&mut case, "os", &["Linux", "Ubuntu"]);
    let rollout = &mut case.config.lanes[0].rollouts[1];
    rollout
        .parameters
        .insert("image".to_owned(), Parameter::Secret("hunter2".into()));
    let told = case.told(&subject());
    assert!(
        told.contains("`image` does not take its secret value, only web"),
        "{told}"
    );
    assert!(!told.contains("hunter2") && !told.contains("`os`"), "{told}");
}

#[test]
fn a_value_that_showing_would_change_is_refused() {
    let mut case = Case::new();
    set(&mut case, "image", &["a\u{200b}b"]);
    let told = case.told(&subject());
    assert!(told.contains("`image` holds control or invisible characters"), "{told}");
}

#[test]
fn the_output_of_the_last_of_several_steps_is_fetched() {
    let mut case = Case::new();
    bend(&mut case, |document| document.steps.push(Clean::line("restart")));
    let plan = case.plan();
    let step = |name: RolloutName| {
        plan.lanes[0]
            .rollout(&name)
            .and_then(|rollout| rollout.output_step.clone())
    };
    assert_eq!((step(ubuntu()), step(linux())), (None, Some(Clean::line("restart"))));
}
