//! Faults at the wire, as clients feel them.

use quarterdeck::engine::ports::{AwsError, Recipients};
use quarterdeck::names::{Millis, Token};
use quarterdeck::rehearsal::Options;
use quarterdeck::rehearsal::faults::{Act, Rule};
use quarterdeck::state::HostStatus;

use crate::ports::{ended, ports, qa, request, start};

#[tokio::test]
async fn an_answer_that_is_lost_leaves_one_command_which_can_be_found() {
    for act in [Act::ResetAfter, Act::ServerErrorAfter(500), Act::NoAnswer] {
        let rehearsal = start(Options::default()).await;
        let ssm = ports(&rehearsal, "us-east-1").await.ssm;
        let rule = rehearsal.faults().add(Rule::on("SendCommand", act.clone()).times(1));
        let since = Millis(Millis::now().0 - 60_000);
        let lost = ssm
            .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:lost"))
            .await;
        assert!(matches!(lost, Err(AwsError::Unknown(_))), "{act:?}: {lost:?}");
        assert_eq!(
            (rehearsal.count("SendCommand"), rehearsal.faults().struck(rule)),
            (1, 1)
        );
        let found = loop {
            if let Some(found) = ssm.find(&Token::new("qd:lost"), since).await.expect("a list") {
                break found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert!(!ended(ssm.as_ref(), &found.command).await.is_empty());
    }
}

#[tokio::test]
async fn a_call_that_is_reset_before_it_arrives_leaves_nothing() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    rehearsal
        .faults()
        .add(Rule::on("SendCommand", Act::ResetBefore).times(1));
    let lost = ssm
        .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:1"))
        .await;
    assert!(matches!(lost, Err(AwsError::Unknown(_))), "{lost:?}");
    let commands = rehearsal.desk().with_ssm(Millis::now(), |ssm| {
        ssm.region("us-east-1").map(|region| region.fleet().commands().len())
    });
    assert_eq!(commands, Some(0));
}

#[tokio::test]
async fn refusals_at_the_front_are_what_they_are() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    for act in [Act::Throttle, Act::Expired, Act::Denied] {
        rehearsal.faults().add(Rule::on("SendCommand", act.clone()).times(1));
        let refused = ssm
            .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:1"))
            .await;
        let as_meant = match &refused {
            Err(AwsError::Throttled(_)) => act == Act::Throttle,
            Err(AwsError::Expired(_)) => act == Act::Expired,
            Err(AwsError::Refused(_)) => act == Act::Denied,
            _ => false,
        };
        assert!(as_meant, "{act:?}: {refused:?}");
    }
}

#[tokio::test]
async fn an_unknown_word_is_seen_as_it_is() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let sent = ssm
        .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:1"))
        .await
        .expect("taken");
    ended(ssm.as_ref(), &sent.command).await;
    rehearsal
        .faults()
        .add(Rule::on("ListCommandInvocations", Act::UnknownWord("QuantumFlux".to_owned())).times(1));
    let page = ssm.invocations(&sent.command, None, None).await.expect("a page");
    assert!(
        matches!(&page.invocations[0].status, HostStatus::Other { details, .. } if details.as_str() == "QuantumFlux")
    );
}

#[tokio::test]
async fn lists_can_be_empty_for_a_while() {
    let rehearsal = start(Options::default()).await;
    let ssm = ports(&rehearsal, "us-east-1").await.ssm;
    let sent = ssm
        .send(&request("us-east-1", Recipients::Targets(qa("Linux")), "qd:1"))
        .await
        .expect("taken");
    let rule = rehearsal
        .faults()
        .add(Rule::on("ListCommandInvocations", Act::EmptyLists));
    let empty = async {
        while rehearsal.faults().struck(rule) < 3 {
            let page = ssm.invocations(&sent.command, None, None).await.expect("a page");
            assert!(page.invocations.is_empty());
        }
    };
    empty.await;
    rehearsal.faults().end(rule);
    assert!(!ended(ssm.as_ref(), &sent.command).await.is_empty());
}
