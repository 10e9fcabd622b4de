//! Where requests go and whose credentials sign them.
//!
//! What depends on the environment runs in a process of its own: [`probe`], called with that environment and nothing else.

use std::path::Path;
use std::process::Stdio;

use quarterdeck::aws::{REHEARSAL_ACCESS_KEY, Realm, connect_with};
use quarterdeck::config::{AwsConfig, Endpoints};
use quarterdeck::names::{AccountId, Region};
use quarterdeck::problem::Kind;
use serde_json::json;

use crate::server::{Reply, Request, Server, everywhere, hasty};
use crate::ssm::request;

const SENTINEL: &str = "s3ntinel-secret-key";

/// Does what the variables say, and prints what came of it. Run by the tests below only.
#[tokio::test]
#[ignore = "needs the environment that the other tests give it"]
async fn probe() {
    let set = |name: &str| std::env::var(name).ok();
    let Some(what) = set("PROBE") else { return };
    let url = set("PROBE_ENDPOINT");
    let config = AwsConfig {
        profile: set("PROBE_PROFILE"),
        role: set("PROBE_ROLE"),
        endpoints: url.as_deref().map(everywhere).unwrap_or_default(),
    };
    let realm = if set("PROBE_REHEARSAL").is_some() {
        Realm::Rehearsal
    } else {
        Realm::Aws
    };
    let region = Region::new(set("PROBE_REGION").as_deref().unwrap_or("eu-test-1"));
    let ports = match connect_with(&config, &region, realm, hasty()).await {
        Ok(ports) => ports,
        Err(problem) => return println!("PROBED {problem:?}"),
    };
    if what == "all" {
        let ssm = ports.ssm.send(&request()).await.map_err(|error| format!("{error:?}"));
        let ecr = ports.ecr.login().await.map(drop).map_err(|error| format!("{error:?}"));
        println!("PROBED {ssm:?} {ecr:?}");
    }
    println!("PROBED {:?}", ports.sts.identity().await);
    if what == "login between" {
        let file = set("AWS_SHARED_CREDENTIALS_FILE").expect("the test names the file");
        std::fs::write(file, profile("default", "AKIAFRESH")).expect("the file can be written");
        println!("PROBED {:?}", ports.sts.identity().await);
    }
    if what == "others login between" {
        ports.sts.expect(&AccountId::new("1"));
        let file = set("AWS_SHARED_CREDENTIALS_FILE").expect("the test names the file");
        for key in ["AKIAOTHER", "AKIAFRESH"] {
            std::fs::write(&file, profile("default", key)).expect("the file can be written");
            let found = ports.ssm.document("deploy", "1").await.map(|found| found.is_some());
            println!("PROBED {found:?}");
        }
    }
}

fn profile(name: &str, key: &str) -> String {
    format!("[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {SENTINEL}\naws_session_token = {SENTINEL}\n")
}

/// Runs [`probe`] with this environment and returns what it printed; no print may hold the sentinel.
async fn probed(home: &Path, env: &[(&str, &str)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().expect("a test knows its program"));
    command
        .args(["realm::probe", "--exact", "--ignored", "--nocapture"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("PROBE", "identity")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_SHARED_CREDENTIALS_FILE", home.join("credentials"))
        .env("AWS_CONFIG_FILE", home.join("config"))
        .envs(env.iter().copied())
        .stdin(Stdio::null());
    let output = command.output().await.expect("the test's program starts");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("PROBED"), "{text}");
    assert!(!text.contains(SENTINEL), "{text}");
    text
}

/// Answers who signed: the access key stands in for the ARN.
fn who(request: &Request, _: usize) -> Reply {
    let key = signer(request);
    let body = match request.operation.as_str() {
        "AssumeRole" => format!(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIAROLE</AccessKeyId>\
             <SecretAccessKey>{SENTINEL}</SecretAccessKey><SessionToken>{SENTINEL}</SessionToken>\
             <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ),
        _ => format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{key}</Arn><Account>1</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        ),
    };
    Reply::Raw {
        status: 200,
        headers: vec![],
        body,
    }
}

/// The access key id in the signature.
fn signer(request: &Request) -> String {
    let signed = request.headers["authorization"]
        .split_once("Credential=")
        .expect("it is signed")
        .1;
    signed.split('/').next().unwrap_or_default().to_owned()
}

fn raw(status: u16, body: &str) -> Reply {
    Reply::Raw {
        status,
        headers: vec![],
        body: body.to_owned(),
    }
}

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
    ("AWS_SECRET_ACCESS_KEY", SENTINEL),
];

#[tokio::test]
async fn a_rehearsal_needs_three_loopback_endpoints() {
    let good = everywhere("http://127.0.0.1:1");
    let bad = [
        Endpoints::default(),
        Endpoints {
            sts: None,
            ..good.clone()
        },
        Endpoints {
            ssm: Some("https://ssm.us-east-1.amazonaws.com".to_owned()),
            ..good.clone()
        },
        Endpoints {
            ecr: Some("http://127.0.0.1@example.com".to_owned()),
            ..good.clone()
        },
    ];
    for endpoints in bad {
        let config = AwsConfig {
            endpoints,
            ..AwsConfig::default()
        };
        let problem = connect_with(&config, &Region::new("r"), Realm::Rehearsal, hasty())
            .await
            .err()
            .expect("refused");
        assert_eq!(problem.kind, Kind::Guard, "{problem}");
    }
}

#[tokio::test]
async fn a_rehearsal_takes_nothing_from_the_environment() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("credentials"), profile("work", "AKIAPROFILE")).expect("written");
    let server = Server::start(who).await;
    let told = probed(
        home.path(),
        &[
            KEYS[0],
            KEYS[1],
            ("PROBE_REHEARSAL", "1"),
            ("PROBE_ENDPOINT", &server.url),
            ("PROBE_PROFILE", "work"),
            ("PROBE_ROLE", "arn:aws:iam::1:role/deploy"),
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
            ("AWS_USE_FIPS_ENDPOINT", "true"),
            ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
            ("AWS_MAX_ATTEMPTS", "never"),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ],
    )
    .await;
    assert!(
        told.contains("Ok(Caller") && told.contains(REHEARSAL_ACCESS_KEY),
        "{told}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn an_endpoint_out_of_the_environment_is_told_with_the_identity() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(who).await;
    let told = probed(home.path(), &[KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", &server.url)]).await;
    assert!(
        told.contains("AKIAENVIRONMENT") && told.contains(&format!("endpoint: Some(\"{}\")", server.url)),
        "{told}"
    );

    // One service's endpoint is enough, though it is not the one that answers.
    let ssm = "http://user:pass@127.0.0.1:9/path";
    let told = probed(
        home.path(),
        &[
            KEYS[0],
            KEYS[1],
            ("AWS_ENDPOINT_URL_STS", &server.url),
            ("AWS_ENDPOINT_URL_SSM", ssm),
        ],
    )
    .await;
    assert!(
        told.contains(&format!(
            "endpoint: Some(\"ssm http://127.0.0.1:9, sts {}\")",
            server.url
        )),
        "{told}"
    );
}

#[tokio::test]
async fn an_endpoint_out_of_the_profile_is_told_too() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(who).await;
    std::fs::write(home.path().join("credentials"), profile("work", "AKIAPROFILE")).expect("written");
    std::fs::write(
        home.path().join("config"),
        format!("[profile work]\nendpoint_url = {}\n", server.url),
    )
    .expect("written");
    let told = probed(home.path(), &[("PROBE_PROFILE", "work")]).await;
    assert!(
        told.contains("AKIAPROFILE") && told.contains(&format!("endpoint: Some(\"{}\")", server.url)),
        "{told}"
    );
}

#[tokio::test]
async fn fips_or_dual_stack_with_a_custom_endpoint_is_a_problem_that_names_the_setting() {
    let home = tempfile::tempdir().expect("a folder");
    for variable in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        let told = probed(
            home.path(),
            &[
                KEYS[0],
                KEYS[1],
                ("PROBE_ENDPOINT", "http://127.0.0.1:1"),
                (variable, "true"),
            ],
        )
        .await;
        assert!(
            told.contains("kind: Config") && told.contains(&format!("unset {variable}")),
            "{told}"
        );
    }
}

#[tokio::test]
async fn the_configured_profile_goes_before_keys_in_the_environment() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("credentials"), profile("work", "AKIAPROFILE")).expect("written");
    let server = Server::start(who).await;
    let told = probed(
        home.path(),
        &[
            KEYS[0],
            KEYS[1],
            ("PROBE_ENDPOINT", &server.url),
            ("PROBE_PROFILE", "work"),
        ],
    )
    .await;
    assert!(told.contains("AKIAPROFILE"), "{told}");
}

#[tokio::test]
async fn a_role_is_assumed_at_the_same_endpoint_and_signs_what_follows() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(who).await;
    let role = ("PROBE_ROLE", "arn:aws:iam::1:role/deploy");
    let told = probed(home.path(), &[KEYS[0], KEYS[1], role, ("PROBE_ENDPOINT", &server.url)]).await;
    assert!(told.contains("AKIAROLE"), "{told}");
    let requests = server.requests();
    assert_eq!(requests[0].operation, "AssumeRole");
    assert!(
        requests[0].text.contains("RoleSessionName=quarterdeck"),
        "{}",
        requests[0].text
    );
    assert_eq!(
        (signer(&requests[0]).as_str(), signer(&requests[1]).as_str()),
        ("AKIAENVIRONMENT", "AKIAROLE")
    );
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_names_the_role_and_the_statement() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, _| Reply::Raw {
        status: 403,
        headers: vec![],
        body: "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/ada is not \
            authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/deploy</Message></Error></ErrorResponse>"
            .to_owned(),
    })
    .await;
    let role = ("PROBE_ROLE", "arn:aws:iam::1:role/deploy");
    let told = probed(
        home.path(),
        &[
            KEYS[0],
            KEYS[1],
            role,
            ("PROBE_ENDPOINT", &server.url),
            ("PROBE", "all"),
        ],
    )
    .await;
    assert!(
        told.contains("Refused") && told.contains("kind: Credentials") && !told.contains("Unknown"),
        "{told}"
    );
    assert!(
        told.contains("sts:AssumeRole of role arn:aws:iam::1:role/deploy") && told.contains("trust policy"),
        "{told}"
    );
    assert_eq!(server.count("SendCommand"), 0);
}

#[tokio::test]
async fn without_credentials_the_remedy_is_a_command() {
    let home = tempfile::tempdir().expect("a folder");
    let endpoint = ("PROBE_ENDPOINT", "http://127.0.0.1:1");
    let told = probed(home.path(), &[endpoint, ("PROBE", "all")]).await;
    assert!(told.contains("Expired") && told.contains("kind: Credentials"), "{told}");
    assert!(
        told.contains("aws sso login --profile NAME") && !told.contains("Unknown"),
        "{told}"
    );

    let told = probed(home.path(), &[endpoint, ("PROBE_PROFILE", "absent")]).await;
    assert!(
        told.contains("Expired") && told.contains("the profile `absent`"),
        "{told}"
    );

    let sso = "[profile work]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = deploy\n\
        [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n";
    std::fs::write(home.path().join("config"), sso).expect("written");
    let told = probed(home.path(), &[endpoint, ("AWS_PROFILE", "work")]).await;
    assert!(
        told.contains("Expired") && told.contains("aws sso login --profile work"),
        "{told}"
    );

    let process = format!("[profile work]\ncredential_process = sh -c 'echo {SENTINEL} >&2; exit 3'\n");
    std::fs::write(home.path().join("config"), process).expect("written");
    let told = probed(home.path(), &[endpoint, ("AWS_PROFILE", "work")]).await;
    assert!(
        told.contains("Expired") && told.contains("credential_process failed"),
        "{told}"
    );
}

#[tokio::test]
async fn expired_credentials_are_read_anew_after_a_login() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("credentials"), profile("default", "AKIASTALE")).expect("written");
    let server = Server::start(|request, nth| match signer(request).as_str() {
        "AKIASTALE" => Reply::Raw {
            status: 403,
            headers: vec![],
            body:
                "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The security token included in the request is \
                expired</Message></Error></ErrorResponse>"
                    .to_owned(),
        },
        _ => who(request, nth),
    })
    .await;
    let told = probed(
        home.path(),
        &[("PROBE", "login between"), ("PROBE_ENDPOINT", &server.url)],
    )
    .await;
    assert!(
        told.contains("Err(Expired") && told.contains("Ok(Caller") && told.contains("AKIAFRESH"),
        "{told}"
    );
}

/// Another account has hosts with the same tags, and commands of none of the same ids.
#[tokio::test]
async fn after_a_login_to_another_account_nothing_is_asked_with_it_but_whose_it_is() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("credentials"), profile("default", "AKIASTALE")).expect("written");
    let server = Server::start(|request, nth| match signer(request).as_str() {
        "AKIASTALE" => raw(
            403,
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>it has expired</Message></Error></ErrorResponse>",
        ),
        _ if request.operation == "DescribeDocument" => raw(400, "{\"__type\": \"InvalidDocument\"}"),
        "AKIAOTHER" => raw(
            200,
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>them</Arn><Account>2</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>",
        ),
        _ => who(request, nth),
    })
    .await;
    let told = probed(
        home.path(),
        &[("PROBE", "others login between"), ("PROBE_ENDPOINT", &server.url)],
    )
    .await;
    assert!(
        told.contains("Err(Expired") && told.contains("are of account 2 by now (them)") && told.contains("Ok(false)"),
        "{told}"
    );
    let requests = server.requests();
    let asked = requests
        .iter()
        .filter(|request| request.operation == "DescribeDocument");
    assert_eq!(asked.map(signer).collect::<Vec<_>>(), ["AKIAFRESH"]);
}

#[tokio::test]
async fn every_client_speaks_tls() {
    use tokio::io::AsyncReadExt;
    let home = tempfile::tempdir().expect("a folder");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let hellos = tokio::spawn(async move {
        let mut hellos = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            // A TLS record of the type handshake; the answer is that the connection ends.
            hellos += usize::from(stream.read_u8().await.is_ok_and(|byte| byte == 0x16));
            if hellos == 3 {
                break;
            }
        }
        hellos
    });
    let told = probed(
        home.path(),
        &[KEYS[0], KEYS[1], ("PROBE_ENDPOINT", &url), ("PROBE", "all")],
    )
    .await;
    assert!(told.contains("Unknown") && told.contains(&url), "{told}");
    assert!(hellos.await.is_ok_and(|hellos| hellos == 3), "{told}");
}

#[tokio::test]
async fn a_host_name_that_does_not_exist_is_told_as_such() {
    let home = tempfile::tempdir().expect("a folder");
    let told = probed(
        home.path(),
        &[KEYS[0], KEYS[1], ("PROBE_ENDPOINT", "http://nowhere.invalid")],
    )
    .await;
    assert!(
        told.contains("could not reach STS at http://nowhere.invalid") && told.contains("kind: Config"),
        "{told}"
    );
}

#[tokio::test]
async fn a_region_that_can_not_be_one_is_refused_before_anything_leaves() {
    let home = tempfile::tempdir().expect("a folder");
    let told = probed(
        home.path(),
        &[KEYS[0], KEYS[1], ("PROBE_REGION", "us east 1"), ("PROBE", "all")],
    )
    .await;
    assert!(
        told.contains("Refused") && told.contains("kind: Config") && !told.contains("Unknown"),
        "{told}"
    );
}

#[tokio::test]
async fn what_a_server_says_of_a_missing_action_is_not_taken_for_aws() {
    let server = Server::start(|_, _| Reply::Json(json!({}))).await;
    let error = server
        .ports("realm-1")
        .await
        .sts
        .identity()
        .await
        .expect_err("JSON is no STS answer");
    assert!(error.problem().what.as_str().contains("not AWS's"), "{error:?}");
}
