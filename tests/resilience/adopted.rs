//! The machine that drove a deployment is lost, and another one takes it up with nothing but SSM's own memory.

use quarterdeck::engine::ports::Ledger;
use quarterdeck::engine::{Action, Whose};
use quarterdeck::names::{CommandId, DeploymentId, HostId, Region};
use quarterdeck::plan::ParameterValue;
use quarterdeck::problem::Kind;
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::{Fact, HostStatus, Outcome, Selection, SendTo};

use crate::scene::{EAST, OHIO, Process, SMALL, Scene, hosts};

const TOLERANT: (&str, &str) = ("max_errors = 0", "max_errors = \"100%\"");
/// An Ubuntu host of each region fails at its first attempt.
const TWO_FAIL: &str = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n\
                        [[host]]\nregion = \"us-east-2\"\nnumber = 1\nfates = [\"unhealthy\", \"success\"]\n";

/// A deployment whose machine is lost while its hosts are at work; its id, and one of its commands.
async fn lost(scene: &Scene) -> (DeploymentId, CommandId) {
    let mut process = scene.start().await;
    process
        .until("hosts at work", |process| {
            process.has_sent(EAST) && process.has_sent("us-east-2") && process.has_begun()
        })
        .await;
    let id = process.state.plan.as_ref().expect("it has begun").id;
    let command = process.rollout(EAST, "ubuntu").sends[0].command().cloned();
    drop(process);
    scene.forget();
    (id, command.expect("it was sent"))
}

/// How every host stands, without what only the plan of the lost machine knew.
fn stands(process: &Process) -> Vec<(Region, String, HostId, HostStatus)> {
    let lanes = process.state.lanes.iter();
    let rollouts = lanes.flat_map(|lane| lane.rollouts.iter().map(move |rollout| (lane, rollout)));
    let mut stands: Vec<_> = rollouts
        .flat_map(|(lane, rollout)| {
            let row = move |host: &quarterdeck::state::HostState| {
                (
                    lane.region.clone(),
                    rollout.name.to_string(),
                    host.id.clone(),
                    host.status().clone(),
                )
            };
            rollout.hosts.iter().map(row)
        })
        .collect();
    stands.sort_by(|one, two| (&one.0, &one.1, &one.2).cmp(&(&two.0, &two.1, &two.2)));
    stands
}

#[tokio::test]
async fn a_lost_machines_deployment_is_found_by_id_and_by_command_and_its_failed_hosts_are_retried() {
    for by_command in [true, false] {
        let scene = Scene::set_with(&format!("{SMALL}{TWO_FAIL}"), &[TOLERANT]).await;
        let (id, command) = lost(&scene).await;
        let whose = if by_command {
            Whose::Command(Region::new(EAST), command)
        } else {
            Whose::Called(id.short())
        };
        let adopted = scene.remembered(whose, false).await.expect("SSM remembers it");
        assert_eq!(adopted.deployment, id);
        let mut process = scene.adopt(adopted).await;
        assert_eq!(process.settled().await, Outcome::HostsFailed);
        let plan = process.state.plan.clone().expect("it has one");
        assert!(plan.is_adopted() && process.state.digest().is_none());
        let parameters = plan
            .lanes
            .iter()
            .flat_map(|lane| &lane.rollouts)
            .flat_map(|rollout| &rollout.parameters);
        // Without a configuration nobody knows what is no secret, except what the deployment says of itself anyway.
        for (name, value) in parameters {
            let secret = *value == ParameterValue::Secret;
            assert_eq!(secret, name == "image", "{name} is {value:?}");
        }
        let rows = stands(&process);
        assert_eq!(rows.len(), 8, "{rows:#?}");
        let failed: Vec<_> = rows
            .iter()
            .filter(|row| row.3 == HostStatus::Failed)
            .map(|row| row.2.clone())
            .collect();
        assert_eq!(failed.len(), 2, "{rows:#?}");
        assert!(
            rows.iter()
                .all(|row| failed.contains(&row.2) || row.3 == HostStatus::Success),
            "{rows:#?}"
        );

        let set = process.state.retry_set(&Selection::Failed(None));
        process.act(Action::CheckRetry(set.clone()));
        process.act(Action::Retry {
            set,
            despite_moved: Vec::new(),
        });
        assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
        let requests = scene.requests("SendCommand");
        assert_eq!(requests.len(), 6, "four at first, and one retry in each region");
        for region in [EAST, "us-east-2"] {
            let rollout = process.rollout(region, "ubuntu");
            let [first, second] = [0, 1].map(|at| {
                let token = rollout.sends[at].token.as_str();
                let sent = requests.iter().find(|request| request.body["Comment"] == token);
                sent.expect("it was sent").body.clone()
            });
            let mut again = first.clone();
            let members = again.as_object_mut().expect("it is an object");
            members.remove("Targets");
            members.insert("Comment".to_owned(), second["Comment"].clone());
            let SendTo::Hosts(retried) = &rollout.sends[1].to else {
                panic!("a retry names its hosts");
            };
            assert!(retried.iter().all(|host| failed.contains(host)));
            members.insert("InstanceIds".to_owned(), serde_json::json!(retried));
            assert_eq!(second, again, "{region}");
        }
        scene.sent_once(&process.state);
    }
}

#[tokio::test]
async fn with_the_configuration_its_plain_parameters_are_shown() {
    let scene = Scene::set(SMALL).await;
    let (id, _) = lost(&scene).await;
    let adopted = scene
        .remembered(Whose::Deployment(id), true)
        .await
        .expect("SSM remembers it");
    let mut lists = scene.requests("ListCommands");
    lists.retain(|request| request.body.get("CommandId").is_none());
    assert!(
        lists
            .iter()
            .any(|request| request.body["Filters"][0]["key"] == "InvokedAfter"),
        "what was sent before the deployment was made is not listed: {lists:?}"
    );
    let mut process = scene.adopt(adopted).await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    let plan = process.state.plan.clone().expect("it has one");
    assert_eq!(plan.app.as_str(), "sento");
    let rollout = plan.lanes[0]
        .rollouts
        .iter()
        .find(|rollout| rollout.name.as_str() == "linux");
    let os = &rollout.expect("it was sent").parameters["os"];
    assert!(
        matches!(os, ParameterValue::Plain(values) if values[0].as_str() == "Linux"),
        "{os:?}"
    );
    assert!(hosts(process.rollout(EAST, "linux"), |status| *status != HostStatus::Success).is_empty());
}

#[tokio::test]
async fn a_command_of_another_program_and_an_id_that_nobody_knows_are_told() {
    let scene = Scene::set(SMALL).await;
    lost(&scene).await;
    let foreign = scene.foreign(EAST).await;
    for (whose, says) in [
        (Whose::Command(Region::new(EAST), foreign), "that Quarterdeck sent"),
        (
            Whose::Command(Region::new("eu-west-9"), CommandId::new("x")),
            "is not among the regions",
        ),
        (
            Whose::Deployment(DeploymentId::from_u128(7)),
            "SSM has no command of deployment",
        ),
        (
            Whose::Called("abcdef".to_owned()),
            "SSM has no command of deployment abcdef in us-east-1, us-east-2",
        ),
    ] {
        let problem = scene.remembered(whose, false).await.err().expect("it is not known");
        assert_eq!(problem.kind, Kind::Config);
        assert!(problem.what.as_str().contains(says), "{says}: {problem}");
    }
}

/// Retries the failed hosts of both regions, which succeed then.
async fn retry(process: &mut Process, settled: usize) {
    let set = process.state.retry_set(&Selection::Failed(None));
    assert_eq!(set.len(), 2);
    process.act(Action::CheckRetry(set.clone()));
    process.act(Action::Retry {
        set,
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(settled).await, Outcome::Succeeded);
}

/// Another machine takes the deployment up with SSM's memory alone and retries its failed hosts. This one's journal knows
/// nothing of that.
async fn retried_elsewhere(scene: &Scene, id: DeploymentId) {
    let here = scene.state_dir();
    let aside = here.with_extension("aside");
    std::fs::rename(&here, &aside).expect("a folder moves");
    let adopted = scene.remembered(Whose::Deployment(id), false).await;
    let mut process = scene.adopt(adopted.expect("SSM remembers it")).await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    retry(&mut process, 2).await;
    process.leave().await;
    scene.forget();
    std::fs::rename(&aside, &here).expect("a folder moves");
}

/// Two machines have the same deployment, and neither knows the other's journal.
#[tokio::test]
async fn hosts_that_another_machine_retried_are_followed_and_not_sent_to_again() {
    for adopter_is_late in [true, false] {
        let scene = Scene::set_with(&format!("{SMALL}{TWO_FAIL}"), &[TOLERANT]).await;
        let here = scene.state_dir();
        let [first, second] = ["first", "second"].map(|machine| here.with_extension(machine));
        let carry = |from: &std::path::Path, to: &std::path::Path| std::fs::rename(from, to).expect("a folder moves");

        let mut process = scene.start().await;
        assert_eq!(process.settled().await, Outcome::HostsFailed);
        let id = process.state.plan.as_ref().expect("it has begun").id;
        process.leave().await;
        carry(&here, &first);
        let adopted = scene.remembered(Whose::Deployment(id), false).await;
        let mut process = scene.adopt(adopted.expect("SSM remembers it")).await;
        assert_eq!(process.settled().await, Outcome::HostsFailed);
        if !adopter_is_late {
            retry(&mut process, 2).await;
        }
        process.leave().await;
        carry(&here, &second);
        carry(&first, &here);
        if adopter_is_late {
            let mut process = scene.attach();
            assert_eq!(process.settled_again(2).await, Outcome::HostsFailed);
            retry(&mut process, 3).await;
            process.leave().await;
            carry(&here, &first);
            carry(&second, &here);
        }

        let mut late = scene.attach();
        assert_eq!(late.settled_again(2).await, Outcome::Succeeded);
        assert!(late.state.retry_set(&Selection::Unsuccessful(None)).is_empty());
        for region in [EAST, OHIO] {
            assert_eq!(late.rollout(region, "ubuntu").sends.len(), 2, "{region}");
        }
        assert_eq!(scene.requests("SendCommand").len(), 6);
        scene.sent_once(&late.state);
        // What it has taken in once is in its journal.
        late.leave().await;
        let mut again = scene.attach();
        assert_eq!(again.settled_again(3).await, Outcome::Succeeded);
        assert_eq!(again.rollout(EAST, "ubuntu").sends.len(), 2);
    }
}

/// A journal that was put back from a backup knows of no send. SSM does.
#[tokio::test]
async fn an_older_copy_of_the_journal_sends_nothing_again() {
    let scene = Scene::set(SMALL).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    let id = process.state.plan.as_ref().expect("it has begun").id;
    process.leave().await;
    let facts = scene.facts().into_iter().map(|recorded| recorded.fact);
    let older = facts.take_while(|fact| !matches!(fact, Fact::SendIntended { .. }));
    scene.forget();
    let kept = scene.journal().append(id, older.collect()).await;
    kept.expect("the facts are taken");

    let mut process = scene.attach();
    assert_eq!(process.settled().await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 4);
    scene.sent_once(&process.state);
}

#[tokio::test]
async fn a_region_out_of_reach_is_named_and_hides_no_other() {
    let scene = Scene::set(SMALL).await;
    let (id, _) = lost(&scene).await;
    let faults = scene.rehearsal.faults();
    let whole = scene.remembered(Whose::Deployment(id), false).await;
    let whole = whole.expect("SSM remembers it");
    assert!(whole.unasked.is_empty());

    faults.add(Rule::always(Act::ResetBefore).within(OHIO));
    for whose in [Whose::Deployment(id), Whose::Called(id.short())] {
        let adopted = scene.remembered(whose, false).await.expect("the other region answers");
        let unasked: Vec<&str> = adopted.unasked.iter().map(|(region, _)| region.as_str()).collect();
        assert_eq!(unasked, [OHIO]);
        let Some(Fact::DeploymentStarted { plan, .. }) = adopted.facts.first() else {
            panic!("the plan comes first");
        };
        assert_eq!(plan.lanes.len(), 1);
        let said = |says: &str| plan.warnings.iter().any(|warning| warning.as_str().contains(says));
        assert!(said("only what was sent in us-east-1 is shown") && said("us-east-2: could not be asked"));
    }

    let mut process = scene.adopt(whole).await;
    process
        .until("the region that answers", |process| {
            let over = |rollout| process.rollout(EAST, rollout).is_over();
            process.has_sent(EAST) && over("ubuntu") && over("linux")
        })
        .await;
    let said = process.notices.iter().any(|notice| {
        let what = notice.what.as_str();
        what.contains(OHIO) && what.contains("whether another machine has sent more")
    });
    assert!(said, "{:?}", process.notices);

    faults.add(Rule::always(Act::ResetBefore));
    let nothing = scene.remembered(Whose::Deployment(id), false).await;
    let problem = nothing.err().expect("nobody answers");
    assert_ne!(problem.kind, Kind::Config, "it may be there: {problem}");
}

/// The other machine counts on from what SSM shows, which is nothing of what SSM refused to this one.
#[tokio::test]
async fn a_retry_that_was_refused_here_and_sent_elsewhere_is_taken_in() {
    let scene = Scene::set_with(&format!("{SMALL}{TWO_FAIL}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let id = process.state.plan.as_ref().expect("it has begun").id;
    let rule = scene.rehearsal.faults().add(Rule::on("SendCommand", Act::Denied));
    process.act(Action::Retry {
        set: process.state.retry_set(&Selection::Failed(None)),
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(2).await, Outcome::NotAllowed);
    scene.rehearsal.faults().end(rule);
    process.leave().await;
    retried_elsewhere(&scene, id).await;

    let mut process = scene.attach();
    assert_eq!(process.settled_again(3).await, Outcome::Succeeded);
    assert!(process.state.retry_set(&Selection::Unsuccessful(None)).is_empty());
    assert_eq!(process.rollout(EAST, "ubuntu").sends.len(), 3);
    scene.sent_once(&process.state);
    process.leave().await;
    let mut again = scene.attach();
    assert_eq!(again.settled_again(4).await, Outcome::Succeeded);
    assert_eq!(again.rollout(EAST, "ubuntu").sends.len(), 3, "it is taken in once");
}

/// Whom another machine has retried may have succeeded: while nobody can say, nobody is retried.
#[tokio::test]
async fn no_host_is_retried_where_nobody_knows_what_another_machine_sent() {
    let scene = Scene::set_with(&format!("{SMALL}{TWO_FAIL}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let id = process.state.plan.as_ref().expect("it has begun").id;
    process.leave().await;
    retried_elsewhere(&scene, id).await;

    let faults = scene.rehearsal.faults();
    let denied = faults.add(Rule::on("ListCommands", Act::Denied).within(OHIO));
    let mut process = scene.attach();
    assert_eq!(process.settled_again(2).await, Outcome::HostsFailed);
    let set = process.state.retry_set(&Selection::Failed(None));
    assert_eq!(set.in_regions(), [Region::new(OHIO)]);
    let unasked = |process: &Process| {
        let notices = process.notices.iter();
        let unasked = notices.filter(|notice| notice.what.as_str().contains("could not be asked"));
        unasked.count()
    };
    assert_eq!(unasked(&process), 1, "{:?}", process.notices);
    let again = || Action::Retry {
        set: set.clone(),
        despite_moved: Vec::new(),
    };
    process.act(again());
    process.until("the refusal", |process| unasked(process) == 2).await;
    assert_eq!(scene.requests("SendCommand").len(), 6);
    faults.end(denied);
    process.act(again());
    assert_eq!(process.settled_again(3).await, Outcome::Succeeded);
    assert_eq!(scene.requests("SendCommand").len(), 6);
    scene.sent_once(&process.state);
}
