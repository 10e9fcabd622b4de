//! What AWS answers, through the real SDK into the engine's words: no answer makes it panic, and no text of it comes out
//! that a terminal would obey.
#![no_main]

use std::fmt;
use std::time::Duration;

use arbitrary::Arbitrary;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use libfuzzer_sys::fuzz_target;
use quarterdeck::aws::{Patience, Realm, connect_through};
use quarterdeck::config::{AwsConfig, Endpoints};
use quarterdeck::engine::ports::{AwsError, RegionPorts};
use quarterdeck::names::{CommandId, Digest, HostId, Millis, Region, Token};
use quarterdeck::plan::Target;
use quarterdeck::text::Clean;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    call: u8,
    status: u8,
    /// Two answers: calls that go through pages, or that make two requests, get the second one from then on.
    bodies: [&'a str; 2],
}

const STATUSES: [u16; 6] = [200, 200, 200, 400, 403, 500];

fuzz_target!(|input: Input| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.expect("a runtime can be made").block_on(async {
        let status = STATUSES[usize::from(input.status) % STATUSES.len()];
        let ports = connect(status, input.bodies.map(str::to_owned)).await;
        // A page token that repeats for ever must not hold anybody for ever.
        let said = tokio::time::timeout(Duration::from_secs(600), call(&ports, input.call)).await;
        if let Some(error) = said.expect("the call comes to an end") {
            let problem = error.problem();
            for text in [&problem.what, &problem.remedy] {
                assert!(!text.is_empty());
                assert_eq!(Clean::block(text.as_str()), *text);
            }
        }
    });
});

/// Makes a call; its error, if it came to one.
async fn call(ports: &RegionPorts, which: u8) -> Option<AwsError> {
    let command = CommandId::new("5c3a1b2e-0000-4000-8000-000000000001");
    let targets = [Target {
        key: Clean::line("tag:OS"),
        values: vec![Clean::line("Ubuntu")],
    }];
    let (ssm, ecr) = (&ports.ssm, &ports.ecr);
    match which % 14 {
        0 => ssm.hosts(&targets).await.err(),
        1 => ssm.document("pull-image", "$LATEST").await.err(),
        2 => ssm.find(&Token::new("qd:1:us-east-1:ubuntu:1"), Millis(0)).await.err(),
        3 => ssm.under_way().await.err(),
        4 => ssm.sent("qd:", None).await.err(),
        5 => ssm.sent_as(&command).await.err(),
        6 => ssm.counts(&command).await.err(),
        7 => ssm.invocations(&command, None, None).await.err(),
        8 => ssm
            .output(&command, &HostId::new("i-0123456789abcdef0"), None)
            .await
            .err(),
        9 => ports.sts.identity().await.err(),
        10 => ecr.login().await.err(),
        11 => ecr.repository("sento").await.err(),
        12 => ecr.image("sento", "latest").await.err(),
        _ => {
            let digest = Digest::new(format!("sha256:{}", "0".repeat(64)));
            ecr.retag("sento", "4f1c0aa", &digest, "latest").await.err()
        }
    }
}

async fn connect(status: u16, bodies: [String; 2]) -> RegionPorts {
    let endpoint = Some("http://127.0.0.1:9".to_owned());
    let config = AwsConfig {
        endpoints: Endpoints {
            ssm: endpoint.clone(),
            ecr: endpoint.clone(),
            sts: endpoint,
        },
        ..AwsConfig::default()
    };
    let patience = Patience {
        attempts: 1,
        poll_attempts: 1,
        ..Patience::default()
    };
    let wire = SharedHttpClient::new(Wire {
        status,
        bodies,
        asked: Default::default(),
    });
    let ports = connect_through(&config, &Region::new("us-east-1"), Realm::Rehearsal, patience, wire).await;
    ports.unwrap_or_else(|problem| panic!("{problem}"))
}

/// The SDK's HTTP client, without a network.
#[derive(Clone)]
struct Wire {
    status: u16,
    bodies: [String; 2],
    asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let asked = self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let status = StatusCode::try_from(self.status).expect("a status is a status");
        let body = self.bodies[asked.min(1)].clone();
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        })
    }
}
