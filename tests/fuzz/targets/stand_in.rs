//! The stand-in's door: whatever it is asked, it neither panics nor answers with something that is no answer.
//!
//! An input is a row of requests, so that later ones meet commands that earlier ones sent. Their bodies are written in a
//! shorthand: JSON, in which `@` stands for the id of the first command.
#![no_main]

use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use quarterdeck::aws::REHEARSAL_ACCESS_KEY;
use quarterdeck::names::{AccountId, Millis, Region};
use quarterdeck::plan::Mutability;
use quarterdeck::rehearsal::ecr::EcrStandIn;
use quarterdeck::rehearsal::faults::Faults;
use quarterdeck::rehearsal::fleet::Pace;
use quarterdeck::rehearsal::fleet::story::node;
use quarterdeck::rehearsal::server::{Exchange, exchange};
use quarterdeck::rehearsal::ssm::{Ssm, World};
use quarterdeck::rehearsal::{ACCOUNT, AnyImage, Desk};
use serde_json::Value;

#[derive(Debug, Arbitrary)]
struct Request<'a> {
    operation: u8,
    /// Milliseconds since the request before.
    later: u32,
    body: &'a str,
}

const SINCE: Millis = Millis(1_764_000_000_000);
const REGION: &str = "us-east-1";
const REPOSITORY: &str = "sento-us-east-1-processor-ecr";

const OPERATIONS: [(&str, &str); 20] = [
    ("ssm", "SendCommand"),
    ("ssm", "ListCommands"),
    ("ssm", "ListCommandInvocations"),
    ("ssm", "GetCommandInvocation"),
    ("ssm", "CancelCommand"),
    ("ssm", "DescribeInstanceInformation"),
    ("ssm", "DescribeDocument"),
    ("ssm", "GetDocument"),
    ("ssm", "ListDocuments"),
    ("ssm", "Nonsense"),
    ("ecr", "GetAuthorizationToken"),
    ("ecr", "DescribeRepositories"),
    ("ecr", "CreateRepository"),
    ("ecr", "DescribeImages"),
    ("ecr", "ListImages"),
    ("ecr", "BatchGetImage"),
    ("ecr", "BatchCheckLayerAvailability"),
    ("ecr", "PutImage"),
    ("sts", ""),
    ("ec2", ""),
];

/// ECR with one repository and one image; its registry is there and nobody asks it. Pushes of one run meet those of others,
/// which no answer depends on.
static ECR: LazyLock<Arc<EcrStandIn>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = Box::leak(Box::new(runtime.expect("a runtime can be made")));
    let dir = std::env::temp_dir().join(format!("quarterdeck-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("the temporary folder can be written");
    let region = Region::new(REGION);
    let started = runtime.block_on(EcrStandIn::start(
        &dir,
        &AccountId::new(ACCOUNT),
        std::slice::from_ref(&region),
    ));
    let ecr = started.expect("loopback has a free port");
    ecr.create_repository(&region, REPOSITORY, Mutability::Mutable);
    ecr.preload(&region, REPOSITORY, &["latest", "4f1c0aa"], b"image", SINCE)
        .expect("the repository is there");
    Arc::new(ecr)
});

fuzz_target!(|requests: Vec<Request>| {
    let desk = desk();
    let mut now = SINCE;
    for (serial, request) in requests.iter().take(12).enumerate() {
        now.0 += i64::from(request.later);
        let (service, operation) = OPERATIONS[usize::from(request.operation) % OPERATIONS.len()];
        let first = desk.with_ssm(now, |ssm| Some(ssm.region(REGION)?.command_id(0)?.to_owned()));
        let body = request.body.replace('@', &first.unwrap_or_default());
        let headers = headers(service, operation);
        match exchange(&desk, now, serial as u64, &headers, body.as_bytes()) {
            Exchange::Response(response, _) => assert_well_formed(service, &response),
            Exchange::Reset | Exchange::Silence => panic!("no fault was asked for"),
        }
    }
});

fn desk() -> Desk {
    let nodes = (0..8).map(|at| node(7, REGION, at, "QA")).collect();
    let world = World {
        seed: 7,
        pace: Pace::REAL,
        since: SINCE,
        regions: vec![(REGION.to_owned(), nodes)],
        images: Arc::new(AnyImage),
    };
    let api = Arc::new(|region: &str, operation: &str, body: &Value| ECR.handle(region, operation, body));
    Desk::new(Ssm::new(world), api, Faults::new(SINCE, Vec::new()))
}

fn headers(service: &str, operation: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential={REHEARSAL_ACCESS_KEY}/20261125/{REGION}/{service}/aws4_request, Signature=0"
    );
    headers.insert("authorization", HeaderValue::from_str(&scope).expect("a good header"));
    let target = match service {
        "ssm" => format!("AmazonSSM.{operation}"),
        "ecr" => format!("AmazonEC2ContainerRegistry_V20150921.{operation}"),
        _ => return headers,
    };
    headers.insert("x-amz-target", HeaderValue::from_str(&target).expect("a good header"));
    headers
}

fn assert_well_formed(service: &str, response: &http::Response<String>) {
    let status = response.status().as_u16();
    assert!(matches!(status, 200 | 400), "{status}: {}", response.body());
    // Whose request has no target is taken for one to STS, which speaks XML.
    if matches!(service, "sts" | "ec2") {
        let body = response.body();
        assert!(body.starts_with('<') && body.ends_with('>'), "{body}");
        assert!(
            !body.contains(|c: char| c.is_control()),
            "XML has no control characters: {body:?}"
        );
        return;
    }
    let body: Value = serde_json::from_str(response.body()).expect("the body is JSON");
    assert!(body.is_object());
    assert_eq!(
        status == 400,
        body.get("__type").is_some_and(Value::is_string),
        "{body}"
    );
    assert_eq!(status == 400, response.headers().contains_key("x-amzn-errortype"));
}
