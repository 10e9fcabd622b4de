//! Builds on a real engine, with both builders.

use std::os::unix::fs::PermissionsExt as _;

use futures_util::StreamExt as _;
use quarterdeck::config::ResolvedInput;
use quarterdeck::engine::ports::{BuildFailure, Context, Docker as _};
use quarterdeck::names::BuildId;
use quarterdeck::plan::Builder;
use quarterdeck::problem::{Kind, Problem};
use quarterdeck::state::live::{LOG_TAIL, Live, Progress, StepPhase};
use tokio_util::sync::CancellationToken;

use crate::common::need;
use crate::rig::{
    BUILDERS, BUILT, Images, Watch, build_spec, client, context, dockerfile, engine, eventually, failed, plain,
    sleeper, tar_of, unique,
};

/// Whether there is what these tests need.
fn ready() -> bool {
    need("docker") && need("busybox")
}

#[tokio::test]
async fn a_build_tells_its_context_steps_and_lines_and_names_its_image() {
    if !ready() {
        return;
    }
    let mut images = Images::import().await;
    for builder in BUILDERS {
        let tag = images.tag("app");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = dir.path().join("deployment/build-1.log");
        let text = format!(
            "FROM {0} AS build\nARG NONCE\nRUN echo nonce $NONCE && echo compiling && echo careful >&2\n\
             FROM {0}\nCOPY app.txt /app.txt\nRUN cat /app.txt\nCOPY --from=build /bin/busybox /busybox\n",
            images.base
        );
        let nonce = unique("nonce");
        let hello = format!("hello {nonce}");
        let tar = tar_of(&[("Dockerfile", text.as_bytes()), ("app.txt", hello.as_bytes())]);
        let mut built = Vec::new();
        let mut watches = Vec::new();
        for _ in 0..2 {
            let watch = Watch::default();
            let mut spec = build_spec(builder, &tag, &log);
            spec.args.insert("NONCE".to_owned(), plain(&nonce));
            let result = engine()
                .build(spec, context(&tar), watch.sink(), CancellationToken::new())
                .await;
            built.push(result.unwrap_or_else(|failure| panic!("{builder:?}: {failure:?}")));
            watches.push(watch);
        }

        assert_eq!(built[0].context_bytes, tar.len() as u64);
        assert_eq!(watches[0].sent(), tar.len() as u64);
        let found = client().inspect_image(&tag).await.expect("the image is tagged");
        assert_eq!(found.id.as_deref(), Some(built[0].image.as_str()), "{builder:?}");
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        assert_eq!(labels.get(BUILT).map(String::as_str), Some("yes"));

        let lines = watches[0].lines();
        let line = |wanted: &str| lines.iter().find(|(line, _)| line == wanted);
        assert_eq!(line("compiling"), Some(&("compiling".to_owned(), false)), "{lines:?}");
        assert_eq!(line("careful"), Some(&("careful".to_owned(), true)), "{lines:?}");
        assert_eq!(line(&hello), Some(&(hello.clone(), false)), "{lines:?}");
        assert!(!lines.iter().any(|(line, _)| line.contains("Running in")), "{lines:?}");

        let run = |watch: &Watch| {
            let steps = watch.steps();
            let found = steps
                .iter()
                .find(|(step, _)| step.name.as_str().starts_with("RUN echo nonce"));
            found
                .cloned()
                .unwrap_or_else(|| panic!("{builder:?} names the step: {steps:?}"))
        };
        let (first, phase) = run(&watches[0]);
        assert_eq!(phase, StepPhase::Done);
        assert!(!first.cached && first.of > 0 && first.number > 0, "{first:?}");
        assert!(first.millis > 0, "a command takes time: {first:?}");
        assert!(
            run(&watches[1]).0.cached,
            "{builder:?} takes the second one from its cache"
        );
        assert!(built[1].steps.iter().any(|step| step.cached));
        assert!(
            !watches[0]
                .steps()
                .iter()
                .any(|(step, _)| step.name.as_str().starts_with("[internal]")),
            "{:?}",
            watches[0].steps()
        );
        if builder == Builder::Buildkit {
            assert_eq!(
                first.stage.as_ref().map(quarterdeck::text::Clean::as_str),
                Some("build")
            );
        }

        let mode = std::fs::metadata(&log).expect("the log is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let written = std::fs::read_to_string(&log).expect("the log is text");
        assert!(
            written.contains("CACHED") || written.contains("Using cache"),
            "{written}"
        );
    }
}

#[tokio::test]
async fn a_failing_command_is_told_with_its_step_exit_code_and_last_lines() {
    if !ready() {
        return;
    }
    let mut images = Images::import().await;
    for builder in BUILDERS {
        let tag = images.tag("fails");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = dir.path().join("build.log");
        let text = format!(
            "FROM {}\nRUN echo {}\nRUN seq 1 50 && echo boom && exit 7\nRUN echo never\n",
            images.base,
            unique("nonce")
        );
        let watch = Watch::default();
        let spec = build_spec(builder, &tag, &log);
        let result = engine()
            .build(spec, dockerfile(&text), watch.sink(), CancellationToken::new())
            .await;
        let failed = failed(result.expect_err("the command fails"));
        assert_eq!(failed.exit_code, Some(7), "{builder:?}: {}", failed.problem);
        let step = failed.step.expect("it is known which step");
        assert!(step.name.as_str().starts_with("RUN seq 1 50"), "{step:?}");
        assert_eq!(failed.log_tail.len(), 20);
        assert_eq!(
            failed.log_tail.last().map(String::as_str),
            Some("boom"),
            "{:?}",
            failed.log_tail
        );
        assert!(
            failed
                .steps
                .iter()
                .any(|step| step.name.as_str().starts_with("RUN echo")),
            "{:?}",
            failed.steps
        );
        assert!(
            failed.problem.what.as_str().contains("failed with exit code 7"),
            "{}",
            failed.problem
        );
        assert!(
            failed.problem.remedy.as_str().contains(&log.display().to_string()),
            "{}",
            failed.problem
        );
        assert_eq!(failed.problem.kind, Kind::Build);
        let phases = watch.steps();
        assert!(
            phases
                .iter()
                .any(|(known, phase)| known.name == step.name && *phase == StepPhase::Failed)
        );
        let written = std::fs::read_to_string(&log).expect("the log is text");
        assert!(written.contains(" 50\n") && written.contains("ERROR"), "{written}");
    }
}

#[tokio::test]
async fn a_dockerfile_that_cannot_be_built_is_told_with_what_to_mend() {
    if !ready() {
        return;
    }
    let images = Images::import().await;
    let base = &images.base;
    for builder in BUILDERS {
        for (text, what, remedy) in [
            (format!("FROM {base}\nFLY me\n"), "FLY", "that line of the Dockerfile"),
            (
                "FROM 127.0.0.1:1/nobody/nothing:1\n".to_owned(),
                "127.0.0.1:1",
                "can't reach a registry",
            ),
            (format!("FROM {base}\nCOPY nowhere.txt /\n"), "nowhere.txt", "add"),
        ] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let spec = build_spec(builder, "quarterdeck-test/never:1", &dir.path().join("log"));
            let watch = Watch::default();
            let result = engine()
                .build(spec, dockerfile(&text), watch.sink(), CancellationToken::new())
                .await;
            let problem = failed(result.expect_err("it can't be built")).problem;
            assert!(problem.what.as_str().contains(what), "{builder:?}: {problem}");
            assert!(problem.remedy.as_str().contains(remedy), "{builder:?}: {problem}");
        }
    }
}

#[tokio::test]
async fn a_missing_dockerfile_and_a_missing_stage_are_told_as_the_configurations() {
    if !ready() {
        return;
    }
    let images = Images::import().await;
    for builder in BUILDERS {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let text = format!("FROM {}\n", images.base);
        let mut without = build_spec(builder, "quarterdeck-test/never:1", &dir.path().join("log"));
        without.dockerfile = "deploy/Dockerfile".to_owned();
        let mut stage = build_spec(builder, "quarterdeck-test/never:1", &dir.path().join("log"));
        stage.target = Some("release".to_owned());
        for (spec, remedy) in [(without, "build.dockerfile"), (stage, "build.target")] {
            let watch = Watch::default();
            let result = engine()
                .build(spec, dockerfile(&text), watch.sink(), CancellationToken::new())
                .await;
            let problem = failed(result.expect_err("it can't be built")).problem;
            assert!(problem.remedy.as_str().contains(remedy), "{builder:?}: {problem}");
        }
    }
}

#[tokio::test]
async fn cancelling_stops_the_command_on_the_engine_and_leaves_no_container() {
    if !ready() {
        return;
    }
    let images = Images::import().await;
    for (builder, nap) in [(Builder::Buildkit, "86411"), (Builder::Classic, "86412")] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let spec = build_spec(builder, "quarterdeck-test/never:1", &dir.path().join("log"));
        let text = format!(
            "FROM {}\nRUN echo {} && exec sleep {nap}\n",
            images.base,
            unique("nonce")
        );
        let (watch, stop) = (Watch::default(), CancellationToken::new());
        let sink = watch.sink();
        let token = stop.clone();
        let build = tokio::spawn(async move { engine().build(spec, dockerfile(&text), sink, token).await });
        watch.until(|progress| matches!(progress, Progress::Log { .. })).await;
        eventually("the command sleeps", async || sleeper(nap).is_some()).await;
        stop.cancel();
        assert_eq!(build.await.expect("no panic"), Err(BuildFailure::Cancelled));
        eventually("the command is gone", async || sleeper(nap).is_none()).await;
        eventually("its container is gone", async || images.containers().await == 0).await;
    }
}

#[tokio::test]
async fn a_secret_argument_is_used_and_never_seen() {
    if !ready() {
        return;
    }
    const SECRET: &str = "hunter2-hunter2";
    let images = Images::import().await;
    for builder in BUILDERS {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = dir.path().join("log");
        let mut spec = build_spec(builder, "quarterdeck-test/never:1", &log);
        spec.args
            .insert("TOKEN".to_owned(), ResolvedInput::Secret(SECRET.into()));
        spec.args.insert("PLACE".to_owned(), plain("us-east-1"));
        let text = format!(
            "FROM {}\nARG TOKEN\nARG PLACE\nENV LEAK=$TOKEN\nRUN echo $TOKEN at $PLACE; exit ${{#TOKEN}}\n",
            images.base
        );
        let watch = Watch::default();
        let result = engine()
            .build(spec, dockerfile(&text), watch.sink(), CancellationToken::new())
            .await;
        let failure = result.expect_err("the command fails");
        let everything = format!(
            "{failure:?} {:?} {}",
            watch.seen(),
            std::fs::read_to_string(&log).expect("the log is text")
        );
        assert!(!everything.contains(SECRET), "{builder:?}: {everything}");
        assert!(everything.contains("*** at us-east-1"), "{builder:?}: {everything}");
        assert_eq!(failed(failure).exit_code, Some(15), "the command had the value itself");
    }
}

#[tokio::test]
async fn four_hundred_thousand_lines_are_in_the_file_and_few_on_the_screen() {
    if !ready() {
        return;
    }
    let mut images = Images::import().await;
    let tag = images.tag("loud");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = dir.path().join("log");
    let text = format!("FROM {}\nRUN echo {} && seq 1 400000\n", images.base, unique("nonce"));
    let live = std::sync::Arc::new(std::sync::Mutex::new(Live::default()));
    let sink = {
        let live = live.clone();
        std::sync::Arc::new(move |progress| live.lock().expect("no panic").apply(progress))
    };
    let spec = build_spec(Builder::Classic, &tag, &log);
    let built = engine()
        .build(spec, dockerfile(&text), sink, CancellationToken::new())
        .await;
    built.expect("it builds");
    let live = live.lock().expect("no panic");
    let shown = &live.builds[&BuildId::new("build-1")];
    assert_eq!(shown.log.len(), LOG_TAIL);
    assert_eq!(shown.log.back().map(|line| line.line.as_str()), Some("400000"));
    assert!(shown.log_lines > 400_000, "{}", shown.log_lines);
    let written = std::fs::read_to_string(&log).expect("the log is text");
    assert!(written.lines().count() > 400_000);
}

#[tokio::test]
async fn a_context_that_breaks_off_never_builds_and_its_own_problem_is_told() {
    if !ready() {
        return;
    }
    let images = Images::import().await;
    for builder in BUILDERS {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let spec = build_spec(builder, "quarterdeck-test/never:1", &dir.path().join("log"));
        let text = format!("FROM {}\n", images.base);
        let problem = Problem::new(Kind::Config, "git archive ended early", "mend the repository");
        let whole = context(&tar_of(&[("Dockerfile", text.as_bytes()), ("big", &[0; 100_000])]));
        let end = futures_util::stream::iter([Err(problem.clone())]);
        let broken: Context = Box::pin(whole.take(10).chain(end));
        let watch = Watch::default();
        let result = engine()
            .build(spec, broken, watch.sink(), CancellationToken::new())
            .await;
        assert_eq!(
            failed(result.expect_err("half a tree must not build")).problem,
            problem,
            "{builder:?}"
        );
    }
}

/// Whoever cancels takes the context's source down with it, and that is no failure.
#[tokio::test]
async fn a_build_that_is_cancelled_as_its_context_breaks_off_is_cancelled() {
    if !ready() {
        return;
    }
    for builder in BUILDERS {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let spec = build_spec(builder, "quarterdeck-test/never:1", &dir.path().join("log"));
        let stop = CancellationToken::new();
        let cancelling = stop.clone();
        let problem = Problem::new(Kind::Config, "git archive was stopped", "");
        let broken: Context = Box::pin(futures_util::stream::once(async move {
            cancelling.cancel();
            Err(problem)
        }));
        let result = engine().build(spec, broken, Watch::default().sink(), stop).await;
        assert_eq!(result.err(), Some(BuildFailure::Cancelled), "{builder:?}");
    }
}
