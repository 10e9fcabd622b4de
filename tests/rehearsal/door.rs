//! The door itself: who is let in, and when it closes.

use std::time::Duration;

use quarterdeck::aws::REHEARSAL_ACCESS_KEY;
use quarterdeck::engine::ports::Recipients;
use quarterdeck::names::Millis;
use quarterdeck::rehearsal::fleet::Fate;
use quarterdeck::rehearsal::{Options, Rehearsal};
use quarterdeck::state::HostStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::{ended, ports, qa, request, start};

/// One request by hand; what comes back, as text.
async fn post(rehearsal: &Rehearsal, headers: &str, body: &str) -> String {
    let address = rehearsal.api().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.expect("the door is open");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it is answered");
    answer
}

fn signed(key: &str, service: &str) -> String {
    format!(
        "authorization: AWS4-HMAC-SHA256 Credential={key}/20261125/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n"
    )
}

#[tokio::test]
async fn a_request_with_a_real_key_is_refused_and_leaves_no_trace() {
    let rehearsal = start(Options::default()).await;
    let target = "x-amz-target: AmazonSSM.SendCommand\r\n";
    let answer = post(
        &rehearsal,
        &format!("{}{target}", signed("AKIAREALREALREALREAL", "ssm")),
        "{}",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("UnrecognizedClientException"),
        "{answer}"
    );
    let answer = post(&rehearsal, target, "{}").await;
    assert!(answer.contains("MissingAuthenticationTokenException"), "{answer}");
    assert!(rehearsal.requests().is_empty());
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let rehearsal = start(Options::default()).await;
    let key = REHEARSAL_ACCESS_KEY;
    for (service, target, body, code) in [
        ("ssm", "AmazonSSM.PutParameter", "{}", "UnknownOperationException"),
        (
            "ssm",
            "AmazonEC2ContainerRegistry_V20150921.PutImage",
            "{}",
            "UnknownOperationException",
        ),
        ("ssm", "AmazonSSM.SendCommand", "not json", "SerializationException"),
        ("ssm", "AmazonSSM.SendCommand", "[]", "SerializationException"),
        ("s3", "AmazonSSM.SendCommand", "{}", "UnknownOperationException"),
    ] {
        let headers = format!("{}x-amz-target: {target}\r\n", signed(key, service));
        let answer = post(&rehearsal, &headers, body).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains(code),
            "{service} {target} {body}: {answer}"
        );
        assert!(answer.contains("x-amzn-requestid"), "{answer}");
    }
}

#[tokio::test]
async fn the_door_closes_with_the_rehearsal_and_its_files_go() {
    let rehearsal = start(Options::default()).await;
    let address = rehearsal.api().replace("http://", "");
    drop(rehearsal);
    let closed = async {
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(5), closed).await;
    closed.expect("the port is given back");
}

#[tokio::test]
async fn a_host_can_be_given_another_story() {
    let rehearsal = start(Options::default()).await;
    let region = &rehearsal.regions()[0];
    let ssm = ports(&rehearsal, region.as_str()).await.ssm;
    let host = ssm.hosts(&qa("Linux")).await.expect("a list")[0].id.clone();
    assert!(rehearsal.tell(region, &host, &[Fate::Noisy]));
    let to = Recipients::Hosts(vec![host.clone()]);
    let sent = ssm.send(&request(region.as_str(), to, "qd:1")).await.expect("taken");
    let all = ended(ssm.as_ref(), &sent.command).await;
    assert_eq!(all[0].status, HostStatus::Failed);
    let (output, code) = ssm
        .output(&sent.command, &host, None)
        .await
        .expect("an answer")
        .expect("an output");
    assert!(output.stdout_cut && output.stderr_cut);
    assert_eq!(code, Some(3));
}

#[tokio::test]
async fn a_scenario_is_played_as_it_is_told() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("night.toml");
    let text = "hosts = 4\nregions = [\"eu-west-1\"]\nspeed = 20.0\nclock-ahead = 60\n[trouble]\n\
                [[host]]\nregion = \"eu-west-1\"\nnumber = 1\nappears = \"never\"\n\
                [[fault]]\nact = \"throttle\"\noperation = \"CancelCommand\"\ntimes = 1\n";
    std::fs::write(&path, text).expect("a file");
    let rehearsal = Rehearsal::start(Options {
        scenario: Some(path),
        ..Options::default()
    })
    .await
    .expect("a scenario");
    let ssm = ports(&rehearsal, "eu-west-1").await.ssm;
    let before = Millis::now();
    let sent = ssm
        .send(&request("eu-west-1", Recipients::Targets(qa("Ubuntu")), "qd:1"))
        .await
        .expect("taken");
    let expires = sent.expires_at.expect("it says when");
    assert!(
        // 25 minutes of delivery and execution pass 1,200 times faster here, and the clock says a minute more.
        expires.since(before).as_millis() >= 1_250 + 60_000,
        "AWS's clock is ahead"
    );
    assert_eq!(ssm.hosts(&qa("Ubuntu")).await.expect("a list").len(), 3);
    let all = ended(ssm.as_ref(), &sent.command).await;
    assert_eq!(all.len(), 2, "one never appears");
    assert!(all.iter().all(|one| one.status == HostStatus::Success));
    ssm.cancel(&sent.command)
        .await
        .expect("the SDK tries again after throttling");
    assert_eq!(rehearsal.faults().struck(0), 1);
}
