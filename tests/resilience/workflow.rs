//! What goes out, over the wire: the commands that the workflow sent, and nothing else.

use quarterdeck::state::Outcome;
use serde_json::json;

use crate::scene::{EAST, OHIO, SMALL, Scene, phase, tag};

#[tokio::test]
async fn exactly_the_workflows_two_commands_go_out_in_each_region() {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    let sent = scene.requests("SendCommand");
    assert_eq!(sent.len(), 4);
    for region in [EAST, OHIO] {
        for (name, os) in [("ubuntu", "Ubuntu"), ("linux", "Linux")] {
            let id = process.state.plan.as_ref().expect("it was planned").id;
            let mut parameters = json!({"image": ["AI"], "region": [region]});
            if name == "linux" {
                parameters["os"] = json!(["Linux"]);
            }
            let expected = json!({
                "DocumentName": format!("{region}-pull-image-document"),
                "DocumentVersion": "$LATEST",
                "Targets": [
                    {"Key": "tag:Environment", "Values": ["QA"]},
                    {"Key": "tag:OS", "Values": [os]},
                ],
                "Parameters": parameters,
                "TimeoutSeconds": 600,
                "MaxConcurrency": "50",
                "MaxErrors": "0",
                "Comment": process.rollout(region, name).sends[0].token.as_str(),
            });
            let of = |request: &&quarterdeck::rehearsal::Request| {
                request.region == region && request.body["Comment"] == expected["Comment"]
            };
            let found: Vec<_> = sent.iter().filter(of).collect();
            assert_eq!(found.len(), 1, "{region} {name}");
            assert_eq!(found[0].body, expected, "{region} {name}");
            let (deployment, whose, which, serial) =
                process.rollout(region, name).sends[0].token.parts().expect("a token");
            assert_eq!(
                (deployment, whose.as_str(), which.as_str(), serial),
                (id, region, name, 1),
                "the Comment says what it belongs to"
            );
            assert!(phase(process.rollout(region, name)).is_some());
        }
    }
}

/// Hosts pull `latest`: it moves to the new image before anybody is told, and both regions have the same one.
#[tokio::test]
async fn latest_points_at_the_new_image_everywhere_before_a_command_goes_out() {
    let scene = Scene::set(SMALL).await;
    let before = tag(&scene, EAST, "latest").expect("the sample runs something");
    let mut process = scene.start().await;
    process.until("the first send", |process| process.has_sent(EAST)).await;
    let now = tag(&scene, EAST, "latest").expect("it moved");
    assert_ne!(now, before);
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(tag(&scene, OHIO, "latest").as_ref(), Some(&now));
    assert_eq!(tag(&scene, OHIO, crate::machine::COMMIT), Some(now));
    for request in scene.requests("SendCommand") {
        let put = scene
            .requests("PutImage")
            .into_iter()
            .find(|put| put.region == request.region);
        assert!(put.expect("the tag was moved").at <= request.at);
    }
}
