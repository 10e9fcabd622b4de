use std::fmt::Write as _;
use std::time::Duration;

use super::credentials::Lack;
use super::*;
use crate::aws::link::Origin;
use crate::config::Endpoints;
use crate::names::Region;

fn scene(origin: Origin) -> Scene {
    Scene {
        region: Region::new("us-east-1"),
        realm: Realm::Aws,
        endpoints: Endpoints::default(),
        origin,
        role: Some("arn:aws:iam::123456789012:role/deploy".to_owned()),
        attempt: Duration::from_secs(15),
    }
}

fn answer(code: &str, says: &str) -> Failed {
    Failed::Answer {
        code: code.to_owned(),
        says: says.to_owned(),
        status: if code.starts_with("Internal") { 500 } else { 400 },
        skew_secs: Some(0),
    }
}

#[test]
fn every_failure_says_what_was_tried_on_what_and_what_to_do() {
    let says = |text: &str| text.to_owned();
    let failures = [
        answer("ThrottlingException", "Rate exceeded"),
        answer(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        answer(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        answer(
            "InvalidSignatureException",
            "Signature expired: 20241124T000000Z is now earlier than 20241124T001000Z",
        ),
        answer(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
        ),
        Failed::Answer {
            code: says("InvalidSignatureException"),
            says: says("Signature not yet current"),
            status: 400,
            skew_secs: Some(-900),
        },
        answer(
            "AccessDeniedException",
            "User: arn:aws:sts::123456789012:assumed-role/ci/x is not authorized to perform: ssm:SendCommand on resource: arn:aws:ssm:us-east-1:123456789012:document/pull because no identity-based policy allows the ssm:SendCommand action",
        ),
        answer(
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized to perform: ssm:SendCommand with an explicit deny in a service control policy",
        ),
        answer("InvalidDocument", "Document with name pull does not exist."),
        answer("InvalidDocumentVersion", ""),
        answer("InvalidParameters", "Parameter \"os\" is not defined in document"),
        answer(
            "InvalidInstanceId",
            "Instances [[i-0abc]] not in a valid state for account 123456789012",
        ),
        answer("InternalServerError", ""),
        answer("QuantumFluxException", "The flux is out"),
        answer("", "says something"),
        Failed::TimedOut,
        Failed::Unreachable {
            name_unknown: true,
            says: says("dns error: failed to lookup address information: Name or service not known"),
        },
        Failed::Unreachable {
            name_unknown: false,
            says: says("tcp connect error: Connection refused (os error 111)"),
        },
        Failed::Broken {
            says: says("connection closed before message completed"),
        },
        Failed::Garbled {
            status: 502,
            says: says("no error code in it"),
        },
        Failed::Garbled {
            status: 407,
            says: says("no error code in it"),
        },
        Failed::NoCredentials(Lack::Nowhere),
        Failed::NoCredentials(Lack::SignedOut),
        Failed::NoCredentials(Lack::ProcessFailed),
        Failed::NoCredentials(Lack::TimedOut),
        Failed::NoCredentials(Lack::Role(Box::new(answer(
            "AccessDenied",
            "User: arn:aws:iam::1:user/ada is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/deploy",
        )))),
        Failed::NoCredentials(Lack::Role(Box::new(Failed::TimedOut))),
        Failed::NotBuilt {
            says: says("Invalid Configuration: Missing Region"),
        },
    ];
    let scene = scene(Origin::Profile("work".to_owned()));
    let call = Call::new(&scene, Service::Ssm, "SendCommand")
        .about("document `pull`")
        .on("arn:aws:ssm:REGION:*:document/pull");
    let mut text = String::new();
    for failed in failures {
        let error = call.error(failed);
        let word = match &error {
            AwsError::Throttled(_) => "throttled",
            AwsError::Expired(_) => "expired",
            AwsError::Unknown(_) => "unknown",
            AwsError::Refused(_) => "refused",
        };
        writeln!(text, "[{word}, {:?}] {}\n", error.problem().kind, error.problem()).expect("a string takes text");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_remedy_for_missing_credentials_follows_where_they_come_from() {
    let told = |origin| {
        let scene = scene(origin);
        let error = Call::new(&scene, Service::Sts, "GetCallerIdentity").error(Failed::NoCredentials(Lack::Nowhere));
        error.problem().remedy.as_str().to_owned()
    };
    assert!(told(Origin::Profile("work".to_owned())).contains("aws configure sso"));
    assert!(told(Origin::Environment).contains("AWS_ACCESS_KEY_ID"));
    assert!(told(Origin::Chain).contains("aws sso login --profile NAME"));
    assert!(told(Origin::Rehearsal).contains("rehearsal"));
}
