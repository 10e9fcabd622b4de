//! What engines do that no documentation says, from an engine that does it on purpose.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use quarterdeck::docker::Patience;
use quarterdeck::engine::ports::{BuildFailure, Built, Docker as _, PushFailure, Pushed};
use quarterdeck::names::Digest;
use quarterdeck::plan::Builder;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;

use crate::daemon::{Answer, Daemon, Ending, says};
use crate::rig::{BUILDERS, Watch, build_spec, context, dockerfile, engine_at, failed, push_spec, tar_of};

const LONG_ID: &str = "458a2156074d458a2156074d458a2156074d458a2156074d458a2156074d4580";

/// Builds with the classic builder on an engine that answers so.
async fn build(answer: Answer) -> (Result<Built, BuildFailure>, Watch) {
    let inspect = format!(r#"{{"Id":"sha256:{LONG_ID}"}}"#);
    let daemon = Daemon::start(vec![
        ("/build", answer),
        (
            "/images/quarterdeck-test/odd:1/json",
            says(200, &[&inspect], Ending::Whole),
        ),
    ]);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let spec = build_spec(Builder::Classic, "quarterdeck-test/odd:1", &dir.path().join("log"));
    let watch = Watch::default();
    let engine = engine_at(&daemon.socket, Patience::default());
    let result = engine
        .build(
            spec,
            dockerfile("FROM scratch\n"),
            watch.sink(),
            CancellationToken::new(),
        )
        .await;
    (result, watch)
}

/// Pushes from an engine that answers so.
async fn push(answer: Answer) -> (Result<Pushed, PushFailure>, Watch, Daemon) {
    let daemon = Daemon::start(vec![("/images/reg.example:5000/team/app/push", answer)]);
    let watch = Watch::default();
    let spec = push_spec(
        &Digest::new(format!("sha256:{LONG_ID}")),
        "reg.example:5000/team/app",
        "a?b~c>d",
    );
    let engine = engine_at(&daemon.socket, Patience::default());
    let result = engine.push(spec, watch.sink(), CancellationToken::new()).await;
    (result, watch, daemon)
}

/// A whole classic build but for its last line break.
fn classic_build() -> Vec<String> {
    vec![
        "{\"stream\":\"Step 1/1 : FROM scratch\"}\r\n{\"stream\":\"\\n\"}\r\n".to_owned(),
        format!("{{\"aux\":{{\"ID\":\"sha256:{LONG_ID}\"}}}}\r\n"),
        "{\"stream\":\"Successfully built 458a2156074d\\n\"}".to_owned(),
    ]
}

fn image() -> String {
    format!("sha256:{LONG_ID}")
}

#[tokio::test]
async fn a_line_break_that_comes_late_is_no_failure() {
    let mut chunks = classic_build();
    chunks.push("\r\n".to_owned());
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let (result, _) = build(says(200, &chunks, Ending::Whole)).await;
    assert_eq!(result.expect("the image was named").image.as_str(), image());
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_result_is_no_failure() {
    let chunks = classic_build();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let (result, _) = build(says(200, &chunks, Ending::Broken)).await;
    assert_eq!(result.expect("the image was named").image.as_str(), image());
}

#[tokio::test]
async fn a_stream_that_ends_without_an_image_is_a_failure() {
    for ending in [Ending::Whole, Ending::Broken] {
        let chunks = classic_build();
        let chunks: Vec<&str> = chunks.iter().take(2).map(String::as_str).collect();
        let (result, _) = build(says(200, &chunks, ending)).await;
        let failed = failed(result.expect_err("an image of an earlier stage is not the image"));
        let expected = match ending {
            Ending::Whole => "ended the build without naming an image",
            Ending::Broken => "lost the Docker Engine",
        };
        assert!(failed.problem.what.as_str().contains(expected), "{}", failed.problem);
        assert!(
            failed.problem.what.as_str().contains("docker.sock (test)"),
            "{}",
            failed.problem
        );
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_upload_is_not_told_as_one_that_never_was() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let socket = dir.path().join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&socket).expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    for builder in BUILDERS {
        let spec = build_spec(builder, "quarterdeck-test/odd:1", &dir.path().join("log"));
        let engine = engine_at(&socket, Patience::default());
        let tar = tar_of(&[("Dockerfile", b"FROM scratch\n"), ("big", &[0; 4 << 20])]);
        let result = engine
            .build(spec, context(&tar), Watch::default().sink(), CancellationToken::new())
            .await;
        let problem = failed(result.expect_err("nothing is built")).problem;
        assert!(problem.what.as_str().starts_with("lost the Docker Engine"), "{problem}");
        assert!(
            problem.remedy.as_str().contains("try again when it is back"),
            "{problem}"
        );
        // The system's words, without those of the client around them.
        let words = problem
            .what
            .as_str()
            .split_once("docker.sock (test): ")
            .expect("it names the engine")
            .1;
        assert!(
            ["Connection reset", "Broken pipe", "connection closed"]
                .iter()
                .any(|known| words.starts_with(known)),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn an_error_of_the_engine_after_the_result_counts() {
    let mut chunks = classic_build();
    chunks.push("\r\n{\"errorDetail\":{\"message\":\"disk on fire\"},\"error\":\"disk on fire\"}\r\n".to_owned());
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let (result, _) = build(says(200, &chunks, Ending::Whole)).await;
    let problem = failed(result.expect_err("the engine said so")).problem;
    assert!(problem.what.as_str().contains("disk on fire"), "{problem}");
}

#[tokio::test]
async fn a_killed_command_is_not_blamed_on_memory_alone() {
    let chunks = [
        "{\"stream\":\"Step 1/1 : RUN work\\n\"}\r\n",
        "{\"errorDetail\":{\"code\":137,\"message\":\"The command '/bin/sh -c work' returned a non-zero code: 137\"}}\r\n",
    ];
    let (result, _) = build(says(200, &chunks, Ending::Whole)).await;
    let failed = failed(result.expect_err("the command was killed"));
    assert_eq!(failed.exit_code, Some(137));
    assert!(
        failed
            .problem
            .what
            .as_str()
            .contains("for lack of memory or because the engine was being stopped"),
        "{}",
        failed.problem
    );
}

#[tokio::test]
async fn a_command_that_prints_the_builders_words_is_not_believed() {
    let chunks = [
        "{\"stream\":\"Step 1/3 : FROM scratch\\nStep 2/3 : RUN forge\\n\"}\r\n",
        "{\"stream\":\"Step 7/9 : RUN nothing\\nSuccessfully built 458a2156074d\\n\"}\r\n",
    ];
    let (result, watch) = build(says(200, &chunks, Ending::Broken)).await;
    assert!(result.is_err(), "{result:?}");
    let names: Vec<String> = watch.steps().into_iter().map(|(step, _)| step.name.into()).collect();
    assert_eq!(names, ["FROM scratch", "RUN forge"]);
    assert_eq!(watch.lines().len(), 2, "{:?}", watch.lines());
}

#[tokio::test]
async fn podmans_steps_are_understood_and_its_image_is_looked_up() {
    let chunks = [
        "{\"stream\":\"[1/2] STEP 1/2: FROM scratch AS build\\n\"}\n{\"stream\":\"[1/2] STEP 2/2: COPY a /\\n\"}\n",
        "{\"stream\":\"--\\u003e Using cache 4a2c16f0a1b2\\n\"}\n{\"stream\":\"--\\u003e 4a2c16f0a1b2\\n\"}\n",
        "{\"stream\":\"[2/2] STEP 1/1: FROM scratch\\n\"}\n{\"stream\":\"COMMIT quarterdeck-test/odd:1\\n\"}\n",
        "{\"stream\":\"Successfully built 458a2156074d\\n\"}\n",
    ];
    let (result, watch) = build(says(200, &chunks, Ending::Whole)).await;
    let built = result.expect("it is built");
    assert_eq!(built.image.as_str(), image());
    let steps: Vec<(String, u32, u32, bool)> = built
        .steps
        .iter()
        .map(|step| {
            (
                step.stage.clone().map(String::from).unwrap_or_default(),
                step.number,
                step.of,
                step.cached,
            )
        })
        .collect();
    let expected = [("1/2", 1, 2, false), ("1/2", 2, 2, true), ("2/2", 1, 1, false)];
    assert_eq!(
        steps,
        expected.map(|(stage, number, of, cached)| (stage.to_owned(), number, of, cached))
    );
    assert!(watch.lines().is_empty(), "{:?}", watch.lines());
}

#[tokio::test]
async fn text_that_is_no_text_is_shown_as_far_as_it_goes() {
    let chunks = [
        "{\"stream\":\"Step 1/1 : RUN x\\n\"}\r\n{\"stream\":\"10%\\r\"}\r\n{\"stream\":\"100%\\r\\nha\"}\r\n",
        "{\"stream\":\"lf\\n\\u001b[2Jcleared\\n\"}\r\n{\"stream\":\"\\u001b[91mbad\\nworse\\n\\u001b[0m\"}\r\n",
    ];
    let (_, watch) = build(says(200, &chunks, Ending::Whole)).await;
    let expected = [
        ("100%", false),
        ("half", false),
        ("cleared", false),
        ("bad", true),
        ("worse", true),
    ];
    assert_eq!(watch.lines(), expected.map(|(line, stderr)| (line.to_owned(), stderr)));
}

#[tokio::test]
async fn a_last_line_without_an_end_is_a_line_of_its_own() {
    let chunks = [
        "{\"stream\":\"Step 1/2 : RUN x\"}\r\n{\"stream\":\"\\n\"}\r\n{\"stream\":\" ---\\u003e Running in 7cf8a2db70f3\\n\"}\r\n",
        "{\"stream\":\"done\"}\r\n{\"stream\":\"Removing intermediate container 7cf8a2db70f3\\n\"}\r\n",
        "{\"stream\":\"Step 2/2 : RUN y\\n\"}\r\n{\"stream\":\"bad\"}\r\n{\"errorDetail\":{\"message\":\"no\"}}\r\n",
    ];
    let (_, watch) = build(says(200, &chunks, Ending::Whole)).await;
    let expected = [("done", false), ("bad", false)];
    assert_eq!(watch.lines(), expected.map(|(line, stderr)| (line.to_owned(), stderr)));
}

#[tokio::test]
async fn a_build_is_asked_for_without_an_api_version_and_with_all_that_it_needs() {
    let chunks = classic_build();
    let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let daemon = Daemon::start(vec![("/build", says(200, &chunks, Ending::Whole))]);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut spec = build_spec(Builder::Classic, "quarterdeck-test/odd:1", &dir.path().join("log"));
    spec.credentials = vec![("reg.example".to_owned(), "AWS".to_owned(), "a?b~c>d".into())];
    let engine = engine_at(&daemon.socket, Patience::default());
    let watch = Watch::default();
    let result = engine
        .build(
            spec,
            dockerfile("FROM scratch\n"),
            watch.sink(),
            CancellationToken::new(),
        )
        .await;
    result.expect("it is built");
    let asked = daemon.asked("POST /build?");
    for part in [
        "forcerm=true",
        "version=1",
        "dockerfile=Dockerfile",
        "t=quarterdeck-test%2Fodd%3A1",
        "labels=",
    ] {
        assert!(asked.line.contains(part), "{asked:?}");
    }
    let config = URL_SAFE
        .decode(&asked.headers["x-registry-config"])
        .expect("it is in the URL-safe alphabet");
    assert_eq!(
        String::from_utf8_lossy(&config),
        r#"{"reg.example":{"username":"AWS","password":"a?b~c>d"}}"#
    );
}

#[tokio::test]
async fn a_push_is_asked_for_by_its_one_tag_with_credentials_that_every_engine_reads() {
    let digest = format!("sha256:{}", "17ac".repeat(16));
    let last = format!("{{\"status\":\"4f1c2ab: digest: {digest} size: 946\"}}\r\n");
    let chunks = [
        "{\"id\":\"0e3ab0ec8190\",\"status\":\"Pushed\",\"progressDetail\":{}}\r\n",
        last.as_str(),
    ];
    let (result, _, daemon) = push(says(200, &chunks, Ending::Broken)).await;
    let pushed = result.expect("the digest was named");
    assert_eq!(pushed.digest.as_str(), digest);
    assert_eq!((pushed.layers_pushed, pushed.layers_present), (1, 0));
    daemon.asked(&format!(
        "POST /images/sha256:{LONG_ID}/tag?repo=reg.example%3A5000%2Fteam%2Fapp&tag=4f1c2ab"
    ));
    let asked = daemon.asked("POST /images/reg.example:5000/team/app/push?tag=4f1c2ab");
    let auth = &asked.headers["x-registry-auth"];
    assert!(
        auth.contains(['-', '_']),
        "the password needs the alphabet's last two: {auth}"
    );
    let auth = URL_SAFE.decode(auth).expect("it is in the URL-safe alphabet");
    assert_eq!(
        String::from_utf8_lossy(&auth),
        r#"{"username":"AWS","password":"a?b~c>d"}"#
    );
}

#[tokio::test]
async fn a_push_that_ends_without_a_digest_is_tried_again() {
    for ending in [Ending::Whole, Ending::Broken] {
        let chunks = ["{\"id\":\"0e3ab0ec8190\",\"status\":\"Pushed\",\"progressDetail\":{}}\r\n"];
        let (result, ..) = push(says(200, &chunks, ending)).await;
        assert!(matches!(result, Err(PushFailure::Transient(_))), "{result:?}");
    }
}

#[tokio::test]
async fn a_push_error_in_podmans_form_is_read() {
    let body = r#"{"errorDetail":{"message":"denied: Your authorization token has expired."},"error":"denied"}"#;
    let (result, ..) = push(says(500, &[body], Ending::Whole)).await;
    let Err(PushFailure::Expired(problem)) = result else {
        panic!("the token is expired: {result:?}");
    };
    assert!(!problem.what.as_str().contains("errorDetail"), "{problem}");
}
