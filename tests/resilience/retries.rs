//! A retry goes to exactly the hosts that it names, at most fifty at a time, and says first what it would pull.

use std::collections::BTreeSet;

use quarterdeck::engine::Action;
use quarterdeck::names::{HostId, Millis, Region, RolloutName};
use quarterdeck::rehearsal::fleet::Fate;
use quarterdeck::rehearsal::sample::Sample;
use quarterdeck::state::{Fact, HostStatus, Outcome, Selection, SendPhase, SendTo};
use serde_json::json;

use crate::scene::{EAST, OHIO, Process, SMALL, Scene, TINY, hosts, phase, rows};

/// No host keeps others from starting, so that the story alone decides who fails.
const TOLERANT: (&str, &str) = ("max_errors = 0", "max_errors = \"100%\"");
/// An Ubuntu and an Amazon Linux host fail at their first attempt.
const TWO_FAIL: &str = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n\
                        [[host]]\nregion = \"us-east-1\"\nnumber = 4\nfates = [\"unhealthy\", \"success\"]\n";

fn failed(process: &Process, name: &str) -> Vec<HostId> {
    hosts(process.rollout(EAST, name), |status| *status == HostStatus::Failed)
}

#[tokio::test]
async fn a_retry_goes_to_exactly_the_hosts_that_failed_with_the_same_command() {
    let scene = Scene::set_with(&format!("{TINY}{TWO_FAIL}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let names = ["ubuntu", "linux"];
    let expected = names.map(|name| failed(&process, name));
    assert_eq!(expected.each_ref().map(Vec::len), [1, 1]);
    process
        .until("what the hosts printed", |process| {
            process.count(|fact| matches!(fact, Fact::OutputRead { .. })) == 2
        })
        .await;
    let set = process.state.retry_set(&Selection::Failed(None));
    process.act(Action::Retry {
        set,
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    let sent = scene.requests("SendCommand");
    assert_eq!(sent.len(), 4);
    for (name, expected) in names.iter().zip(&expected) {
        let rollout = process.rollout(EAST, name);
        let [first, second] = [0, 1].map(|at| {
            let comment = json!(rollout.sends[at].token.as_str());
            let request = sent.iter().find(|request| request.body["Comment"] == comment);
            request.expect("it was sent").body.clone()
        });
        let ids: Vec<&str> = expected.iter().map(HostId::as_str).collect();
        let mut like_the_first = first.clone();
        like_the_first["Comment"] = second["Comment"].clone();
        like_the_first.as_object_mut().expect("it is one").remove("Targets");
        like_the_first["InstanceIds"] = json!(ids);
        assert_eq!(second, like_the_first, "{name}");
        for host in &rollout.hosts {
            let attempts = if expected.contains(&host.id) { 2 } else { 1 };
            assert_eq!(host.attempts.len(), attempts, "{:#?}", rows(&process.state));
        }
        let host = rollout.host(&expected[0]).expect("it is there");
        assert_eq!(host.attempts[0].status, HostStatus::Failed, "the first attempt is kept");
        let output = host.attempts[0].output.as_ref().expect("with what it printed");
        assert!(!output.stderr.is_empty());
        assert_eq!(host.attempts[0].exit_code, Some(1));
    }
    scene.sent_once(&process.state);
}

#[tokio::test]
async fn a_host_that_succeeded_is_never_retried() {
    let scene = Scene::set(TINY).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::Succeeded);
    let host = process.rollout(EAST, "ubuntu").hosts[0].id.clone();
    let key = (Region::new(EAST), process.rollout(EAST, "ubuntu").name.clone());
    let mut set = process.state.retry_set(&Selection::Unsuccessful(None));
    assert!(set.is_empty());
    set.hosts.insert(key, vec![host]);
    process.act(Action::Retry {
        despite_moved: set.in_regions(),
        set,
    });
    process.until("a refusal", |process| !process.notices.is_empty()).await;
    assert!(process.notices[0].what.as_str().contains("nothing to retry"));
    assert_eq!(scene.requests("SendCommand").len(), 2);
}

/// SSM takes fifty instance ids at most; the next ones go out when those before are done, so that MaxConcurrency holds.
#[tokio::test]
async fn a_large_retry_goes_out_in_chunks_of_fifty_one_after_the_other() {
    // 78 Ubuntu and 52 Amazon Linux hosts.
    let story = "regions = [\"us-east-1\"]\nhosts = 130\n[trouble]\nfail = 130\n";
    let scene = Scene::set_with(story, &[TOLERANT]).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    let set = process.state.retry_set(&Selection::Failed(None));
    assert_eq!(set.len(), 130);
    process.act(Action::Retry {
        set,
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    for (name, sizes) in [("ubuntu", [50, 28]), ("linux", [50, 2])] {
        let rollout = process.rollout(EAST, name);
        let chunks: Vec<&Vec<HostId>> = rollout
            .sends
            .iter()
            .filter_map(|send| match &send.to {
                SendTo::Targets => None,
                SendTo::Hosts(hosts) => Some(hosts),
            })
            .collect();
        assert_eq!(chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>(), sizes);
        let all: BTreeSet<&HostId> = chunks.into_iter().flatten().collect();
        assert_eq!(all.len(), rollout.hosts.len(), "every host once");
        let first = rollout.sends[1].command().expect("SSM has it").clone();
        let second = rollout.sends[2].token.clone();
        let ended = process.first(|fact| matches!(fact, Fact::CommandEnded { command, .. } if *command == first));
        let intended = process.first(|fact| matches!(fact, Fact::SendIntended { token, .. } if *token == second));
        assert!(ended.is_some() && ended < intended, "{ended:?} {intended:?}");
        assert!(rollout.hosts.iter().all(|host| host.attempts.len() == 2));
    }
    scene.sent_once(&process.state);
}

/// What max_errors allows, it allows of the whole retry: a second chunk does not go out into the same wall.
#[tokio::test]
async fn a_retry_that_fails_again_stops_before_its_next_chunk_and_says_so() {
    let story = "regions = [\"us-east-1\"]\nhosts = 130\n[trouble]\nfail = 130\n";
    let scene = Scene::set(story).await;
    let mut process = scene.start().await;
    process.settled().await;
    let ids: Vec<HostId> = process
        .rollout(EAST, "ubuntu")
        .hosts
        .iter()
        .map(|host| host.id.clone())
        .collect();
    for id in &ids {
        assert!(scene.rehearsal.tell(&Region::new(EAST), id, &[Fate::DiskFull]));
    }
    let all = process.state.retry_set(&Selection::Unsuccessful(None));
    let mut set = all.clone();
    set.hosts.retain(|(_, name), _| name.as_str() == "ubuntu");
    assert!(set.len() > 50, "the fleet fails as a whole: {}", set.len());
    let left = set.len() - 50;
    process.act(Action::Retry {
        set,
        despite_moved: Vec::new(),
    });
    assert_eq!(process.settled_again(2).await, Outcome::HostsFailed);
    let stopped = process.rollout(EAST, "ubuntu").retry.stopped.clone();
    let said = stopped.expect("it says that it stopped");
    assert!(
        said.what.as_str().contains(&format!("stopped before {left} host")),
        "{said}"
    );
    assert_eq!(process.rollout(EAST, "ubuntu").sends.len(), 2);
}

/// The operator's word holds for all of it, whichever process sends the rest.
#[tokio::test]
async fn what_is_left_of_a_retry_goes_out_when_the_deployment_is_taken_up() {
    let story = "regions = [\"us-east-1\"]\nhosts = 130\n[trouble]\nfail = 130\n";
    let scene = Scene::set_with(story, &[TOLERANT]).await;
    let mut process = scene.start().await;
    process.settled().await;
    let set = process.state.retry_set(&Selection::Failed(None));
    process.act(Action::Retry {
        despite_moved: set.in_regions(),
        set,
    });
    process
        .until("the first commands", |_| scene.requests("SendCommand").len() == 4)
        .await;
    process.leave().await;
    let left = process.state.left.clone().expect("it says what was left");
    assert!(
        left.as_str().contains("a retry of 30 hosts has not gone out yet"),
        "{left}"
    );
    drop(process);
    let mut process = scene.attach();
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
    for (name, sizes) in [("ubuntu", [50, 28]), ("linux", [50, 2])] {
        let rollout = process.rollout(EAST, name);
        let sent: Vec<usize> = rollout
            .sends
            .iter()
            .filter_map(|send| match &send.to {
                SendTo::Targets => None,
                SendTo::Hosts(hosts) => Some(hosts.len()),
            })
            .collect();
        assert_eq!(sent, sizes, "{name}");
        assert!(rollout.hosts.iter().all(|host| host.attempts.len() == 2), "{name}");
    }
    scene.sent_once(&process.state);
}

/// Hosts pull `latest`. When that is not this deployment's image any more, nothing goes out before the operator knows.
#[tokio::test]
async fn a_moved_latest_is_said_before_a_retry_and_sent_only_on_another_word() {
    let scene = Scene::set_with(&format!("{TINY}{TWO_FAIL}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    process.settled().await;
    let region = Region::new(EAST);
    let other = scene
        .rehearsal
        .ecr()
        .preload(
            &region,
            &Sample::repository(&region),
            &["latest"],
            b"somebody else's",
            Millis::now(),
        )
        .expect("the repository is there");
    let set = process.state.retry_set(&Selection::Failed(None));
    process.act(Action::Retry {
        set: set.clone(),
        despite_moved: Vec::new(),
    });
    process.until("the warning", |process| process.checked.is_some()).await;
    let (asked, moved) = process.checked.take().expect("it was checked");
    assert_eq!(asked, set);
    assert_eq!(moved.len(), 1);
    assert_eq!((moved[0].tag.as_str(), moved[0].now.as_ref()), ("latest", Some(&other)));
    assert_eq!(scene.requests("SendCommand").len(), 2, "nothing went out");
    process.act(Action::Retry {
        despite_moved: set.in_regions(),
        set,
    });
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

/// The operator was told of one region's tag. What moved elsewhere is news.
#[tokio::test]
async fn a_moved_tag_is_allowed_for_in_the_regions_that_were_told() {
    let fail = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n\
                [[host]]\nregion = \"us-east-2\"\nnumber = 1\nfates = [\"disk-full\", \"success\"]\n";
    let scene = Scene::set_with(&format!("{SMALL}{fail}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    assert_eq!(process.settled().await, Outcome::HostsFailed);
    for name in [EAST, OHIO] {
        let region = Region::new(name);
        let (ecr, repository) = (scene.rehearsal.ecr(), Sample::repository(&region));
        ecr.preload(&region, &repository, &["latest"], b"somebody else's", Millis::now())
            .expect("the repository is there");
    }
    let set = process.state.retry_set(&Selection::Failed(None));
    process.act(Action::Retry {
        despite_moved: vec![Region::new(EAST)],
        set: set.clone(),
    });
    process.until("the question", |process| process.checked.is_some()).await;
    let (_, moved) = process.checked.take().expect("it was checked");
    assert_eq!(
        moved.iter().map(|moved| moved.region.as_str()).collect::<Vec<_>>(),
        [OHIO]
    );
    assert_eq!(scene.requests("SendCommand").len(), 4, "nothing went out");
    process.act(Action::Retry {
        despite_moved: set.in_regions(),
        set,
    });
    assert_eq!(process.settled_again(2).await, Outcome::Succeeded);
}

/// It did not go out, so the host is what it was: still among the failed, and still of unknown fate where it was.
#[tokio::test]
async fn a_retry_that_ssm_refuses_leaves_its_hosts_as_they_were() {
    use quarterdeck::rehearsal::faults::{Act, Rule};
    let scene = Scene::set_with(&format!("{TINY}{TWO_FAIL}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    process.settled().await;
    scene
        .rehearsal
        .faults()
        .add(Rule::on("SendCommand", Act::Denied).times(2));
    let before = process.state.retry_set(&Selection::Failed(None));
    process.act(Action::Retry {
        set: before.clone(),
        despite_moved: before.in_regions(),
    });
    assert_eq!(process.settled_again(2).await, Outcome::NotAllowed);
    assert_eq!(failed(&process, "ubuntu").len(), 1);
    let set = process.state.retry_set(&Selection::Failed(None));
    assert_eq!(set, before);
    process.act(Action::Retry {
        despite_moved: set.in_regions(),
        set,
    });
    assert_eq!(process.settled_again(3).await, Outcome::Succeeded);
    scene.sent_once(&process.state);
}

/// While the tags are looked at, another question and a cancel elsewhere take nothing back of what the operator confirmed.
#[tokio::test]
async fn a_confirmed_retry_is_dropped_by_nothing_but_its_own_cancel() {
    use quarterdeck::engine::Scope;
    use quarterdeck::rehearsal::faults::{Act, Rule};
    for (cancelled, sent) in [("linux", "ubuntu"), ("ubuntu", "linux")] {
        let scene = Scene::set_with(&format!("{TINY}{TWO_FAIL}"), &[TOLERANT]).await;
        let mut process = scene.start().await;
        process.settled().await;
        let faults = scene.rehearsal.faults();
        let held = faults.add(Rule::on("DescribeImages", Act::Throttle));
        let all = process.state.retry_set(&Selection::Failed(None));
        let mut other = all.clone();
        other.hosts.retain(|(_, name), _| name.as_str() == cancelled);
        process.act(Action::Retry {
            set: all.clone(),
            despite_moved: Vec::new(),
        });
        process.until("the look", |_| faults.struck(held) > 0).await;
        process.act(Action::CheckRetry(other));
        process.act(Action::Cancel(Scope::Rollout(
            Region::new(EAST),
            RolloutName::new(cancelled),
        )));
        process
            .until("the word on it", |process| {
                let said = "the retry of 1 host is taken back";
                process.notices.iter().any(|notice| notice.what.as_str().contains(said))
            })
            .await;
        faults.end(held);
        process
            .until("the answer to the question", |process| process.checked.is_some())
            .await;
        process.settled_again(2).await;
        assert_eq!(failed(&process, sent).len(), 0, "{sent}");
        assert_eq!(failed(&process, cancelled).len(), 1, "{cancelled}");
        assert_eq!(scene.requests("SendCommand").len(), 3);
        scene.sent_once(&process.state);
    }
}

/// Where it cannot be looked up, nobody knows what the hosts would pull, and that is said.
#[tokio::test]
async fn a_latest_that_cannot_be_looked_up_is_said_before_a_retry() {
    use quarterdeck::rehearsal::faults::{Act, Rule};
    let scene = Scene::set_with(&format!("{TINY}{TWO_FAIL}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    process.settled().await;
    scene.rehearsal.faults().add(Rule::on("DescribeImages", Act::Denied));
    let set = process.state.retry_set(&Selection::Failed(None));
    process.act(Action::CheckRetry(set));
    process.until("the warning", |process| process.checked.is_some()).await;
    let (_, moved) = process.checked.take().expect("it was checked");
    let problem = moved[0].problem.as_ref().expect("it says why");
    assert!(problem.what.as_str().contains("ecr:DescribeImages"), "{problem}");
    assert_eq!(scene.requests("SendCommand").len(), 2);
}

/// A retry of thousands takes hours. What is left of it does not pull what somebody else deploys meanwhile, unless the
/// operator said so from the start.
#[tokio::test]
async fn a_latest_that_moves_during_a_retry_stops_the_rest_of_it() {
    for despite in [false, true] {
        let story = "regions = [\"us-east-1\"]\nhosts = 130\n[trouble]\nfail = 130\n";
        let scene = Scene::set_with(story, &[TOLERANT]).await;
        let mut process = scene.start().await;
        process.settled().await;
        let mut set = process.state.retry_set(&Selection::Failed(None));
        set.hosts.retain(|(_, name), _| name.as_str() == "ubuntu");
        process.act(Action::Retry {
            set,
            despite_moved: if despite { vec![Region::new(EAST)] } else { Vec::new() },
        });
        process
            .until("the first command", |process| {
                matches!(phase(process.rollout(EAST, "ubuntu")), Some(SendPhase::Accepted { .. }))
                    && process.rollout(EAST, "ubuntu").sends.len() == 2
            })
            .await;
        let (region, now) = (Region::new(EAST), Millis::now());
        let (ecr, name) = (scene.rehearsal.ecr(), Sample::repository(&region));
        ecr.preload(&region, &name, &["latest"], b"somebody else's", now)
            .expect("the repository is there");
        process.settled_again(2).await;
        let rollout = process.rollout(EAST, "ubuntu");
        let again = rollout.hosts.iter().filter(|host| host.attempts.len() == 2);
        let succeeded = again.filter(|host| *host.status() == HostStatus::Success).count();
        match phase(rollout) {
            Some(SendPhase::Refused(said)) => {
                assert_eq!((despite, succeeded), (false, 50), "{said}");
                assert!(said.what.as_str().contains("latest points at"), "{said}");
            }
            _ => assert_eq!((despite, succeeded), (true, 78)),
        }
    }
}

/// SSM refuses a command to all of its instance ids for one that is gone; asking again would come to the same for ever.
#[tokio::test]
async fn a_retry_leaves_out_the_host_that_is_gone_and_says_who_it_is() {
    use quarterdeck::rehearsal::faults::{Act, Rule};
    let story = "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"offline\"]\n\
                 [[host]]\nregion = \"us-east-1\"\nnumber = 2\nfates = [\"disk-full\", \"success\"]\n";
    for despite_moved in [Vec::new(), vec![Region::new(EAST)]] {
        let scene = Scene::set_with(&format!("{TINY}{story}"), &[TOLERANT]).await;
        let mut process = scene.start().await;
        process.settled().await;
        let failed = failed(&process, "ubuntu");
        assert_eq!(failed.len(), 2);
        let retry = |process: &Process| Action::Retry {
            set: process.state.retry_set(&Selection::Failed(None)),
            despite_moved: despite_moved.clone(),
        };
        process.act(retry(&process));
        process.settled_again(2).await;
        process
            .until("who is left out", |process| !process.notices.is_empty())
            .await;
        let attempts = |id: &HostId| process.rollout(EAST, "ubuntu").host(id).map(|host| host.attempts.len());
        let (gone, other): (Vec<&HostId>, Vec<&HostId>) = failed.iter().partition(|id| attempts(id) == Some(1));
        assert_eq!((gone.len(), other.len()), (1, 1), "{:?}", rows(&process.state));
        let said = process.notices[0].what.as_str();
        assert!(
            said.contains(gone[0].as_str()) && !said.contains(other[0].as_str()),
            "{said}"
        );
        // Alone it is not sent to either; and where nobody can say, SSM has the last word.
        process.act(retry(&process));
        process.until("it again", |process| process.notices.len() == 2).await;
        assert_eq!(scene.requests("SendCommand").len(), 3);
        scene
            .rehearsal
            .faults()
            .add(Rule::on("DescribeInstanceInformation", Act::Denied));
        process.act(retry(&process));
        process.settled_again(3).await;
        process
            .until("why it is not known", |process| process.notices.len() == 3)
            .await;
        assert!(process.notices[2].what.as_str().contains("could not be looked up"));
        assert_eq!(scene.requests("SendCommand").len(), 4);
    }
}

/// Both were confirmed before either went out. Failing again is no reason to be sent to for the second.
#[tokio::test]
async fn a_host_that_is_named_by_two_retries_at_once_is_sent_to_once() {
    use quarterdeck::rehearsal::faults::{Act, Rule};
    let stubborn =
        "[[host]]\nregion = \"us-east-1\"\nnumber = 1\nfates = [\"disk-full\", \"disk-full\", \"success\"]\n";
    let scene = Scene::set_with(&format!("{TINY}{stubborn}"), &[TOLERANT]).await;
    let mut process = scene.start().await;
    process.settled().await;
    let faults = scene.rehearsal.faults();
    let held = faults.add(Rule::on("DescribeImages", Act::Throttle));
    let set = process.state.retry_set(&Selection::Failed(None));
    assert_eq!(set.len(), 1);
    for despite_moved in [Vec::new(), set.in_regions()] {
        let set = set.clone();
        process.act(Action::Retry { set, despite_moved });
    }
    process
        .until("the second one's command", |process| {
            let last = phase(process.rollout(EAST, "ubuntu"));
            process.rollout(EAST, "ubuntu").sends.len() == 2 && matches!(last, Some(SendPhase::Accepted { .. }))
        })
        .await;
    faults.end(held);
    process
        .until("the word on the first one", |process| {
            let said = |notice: &quarterdeck::problem::Problem| notice.what.as_str().contains("nothing to retry");
            process.notices.iter().any(said)
        })
        .await;
    assert_eq!(process.settled_again(2).await, Outcome::HostsFailed);
    assert_eq!(process.count(|fact| matches!(fact, Fact::RetryIntended { .. })), 1);
    assert_eq!(scene.requests("SendCommand").len(), 3);
}
