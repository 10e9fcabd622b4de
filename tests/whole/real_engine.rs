//! The whole chain with a real Docker Engine: it builds the sample and pushes it to the rehearsal's registries.

use serde_json::Value;

use crate::common::need;
use crate::shell::Place;

#[test]
fn a_rehearsal_on_the_real_docker_engine_ends_as_its_story_does() {
    if !need("docker") {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary folder can be made");
    let environment = std::env::var("DOCKER_HOST").map(|host| ("DOCKER_HOST".to_owned(), host));
    let place = Place::new(home.path()).with(home.path(), environment.into_iter().collect());
    let ran = place.run("rehearse --docker real --speed 20 --progress json -y");
    // Hosts fail in the story, and everything before them goes well.
    assert_eq!((ran.code, ran.err.as_str()), (Some(3), ""), "{ran:#?}");
    let told: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let facts = |kind: &str| -> Vec<&Value> { told.iter().filter(|one| one["fact"] == kind).collect() };
    let digests: Vec<&Value> = facts("push-succeeded")
        .into_iter()
        .map(|fact| &fact["digest"])
        .collect();
    assert_eq!(digests.len(), 2, "one push a region: {ran:#?}");
    assert_eq!(digests[0], digests[1], "the same image in both");
    assert_eq!(facts("build-succeeded").len(), 1, "built once");
    assert_eq!(facts("send-accepted").len(), 4);
    let summary = told.last().expect("there is a summary");
    assert_eq!(summary["digest"], *digests[0]);
    assert_eq!(summary["hosts"]["total"], 36);
}
