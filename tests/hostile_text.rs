//! Text that means harm or has no end: what comes of it, and the memory that it takes. In a process of its own, so that
//! nothing else counts.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::{StreamExt as _, stream};
use quarterdeck::config::BuilderChoice;
use quarterdeck::docker::{Address, Engine, Lines, Patience, Surroundings};
use quarterdeck::engine::ports::{BuildSpec, Docker as _, Git as _};
use quarterdeck::mask::Mask;
use quarterdeck::names::BuildId;
use quarterdeck::plan::Builder;
use quarterdeck::source::Repository;
use quarterdeck::state::live::{Live, Progress};
use quarterdeck::text::Clean;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

/// What may come on top of the process's own memory: the screen's tail of the log, chunks in flight, and what the
/// allocator keeps.
const GROWTH_MAX: u64 = 16_000_000;

/// Bytes of text on each way: a few MB, or 100 where there is time.
fn size() -> usize {
    if std::env::var_os("QUARTERDECK_CI").is_some() {
        100_000_000
    } else {
        6_000_000
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the kernel tells the peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// The sorts of text, each as the piece that it repeats and whether lines come of it while it goes on.
const SORTS: [(&str, &[u8]); 7] = [
    ("one line", b"abcdefghij"),
    ("a progress bar", b"\r[=====>    ] 50%"),
    (
        "escape sequences",
        b"\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m\x1bP1$r\x1b\\\x1b]8;;http://x\x1b\\",
    ),
    ("an escape sequence without an end", b"\x1b]52;c;AAAAAAAA"),
    ("C1 controls", "a\u{85}\u{9b}31m\u{9d}0;t\u{9c}".as_bytes()),
    (
        "bidi overrides and zero-width runs",
        "a\u{202e}\u{2066}\u{200b}\u{200d}\u{feff}\u{301}".as_bytes(),
    ),
    ("what is not UTF-8", b"a\xff\xfe\xc3\x28\xf0\x9f\xed\xa0\x80"),
];

#[track_caller]
fn assert_harmless(what: &str, line: &Clean) {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    assert!(!line.as_str().contains(harmful), "{what}: {line:?}");
}

/// The measurements share one process, so they come one after the other.
#[tokio::test]
async fn text_that_means_harm_comes_out_harmless_in_bounded_memory() {
    let dir = tempfile::tempdir().expect("a folder");
    let socket = hostile_engine(dir.path());
    let repository = hostile_repository(dir.path()).await;
    // Everything has been loaded once before it is measured.
    build(&socket, dir.path(), "plain", 1000).await;
    let before = peak();

    for (what, piece) in SORTS {
        lines(what, piece);
        assert!(
            peak() - before < GROWTH_MAX,
            "{what} as chunks took {} bytes more",
            peak() - before
        );
    }
    for (at, (what, piece)) in SORTS.iter().enumerate() {
        if str::from_utf8(piece).is_ok() {
            // JSON in a test's build is slow: the first sort is sent whole, of the others enough to see them grow.
            let size = if at == 0 { size() } else { size() / 20 };
            build(&socket, dir.path(), &at.to_string(), size).await;
            assert!(
                peak() - before < GROWTH_MAX,
                "{what} from an engine took {} bytes more",
                peak() - before
            );
        }
    }
    let commit = repository.commit("HEAD", None).await.expect("there is a commit");
    assert_harmless("a subject", &commit.subject);
    assert!(
        commit.subject.as_str().len() <= 1000 && commit.subject.as_str().starts_with("ship it"),
        "{commit:?}"
    );
    let older = repository.commit("HEAD~1", None).await.expect("there are two").id;
    let between = repository.between(&older, &commit.id, 5).await.expect("both are there");
    let (subjects, count) = between.expect("they can be compared");
    assert_eq!((subjects, count), (vec![commit.subject], 1));
    assert!(
        peak() - before < GROWTH_MAX,
        "subjects took {} bytes more",
        peak() - before
    );
}

/// Puts so much text through the joining of a log's lines, in chunks as BuildKit sends them.
fn lines(what: &str, piece: &[u8]) {
    let mask = Mask::new(&[SecretString::from("hunter2-hunter2")]);
    let mut joined = Lines::default();
    let chunk: Vec<u8> = piece.repeat(8192 / piece.len());
    for _ in 0..size() / SORTS.len() / chunk.len() {
        joined.push(&chunk, &mask, |line| assert_harmless(what, &line));
    }
    joined.finish(&mask, |line| assert_harmless(what, &line));
}

/// Builds on the engine, which prints `size` bytes of the sort; the screen and the log file get them.
async fn build(socket: &Path, dir: &Path, sort: &str, size: usize) {
    let given = Address::Given {
        host: format!("unix://{}", socket.display()),
        origin: "test".to_owned(),
    };
    let engine = Engine::open_in(
        &given,
        BuilderChoice::Classic,
        &Surroundings::default(),
        Patience::default(),
    );
    let screen: Arc<Mutex<Live>> = Arc::default();
    let shown = screen.clone();
    let spec = BuildSpec {
        build: BuildId::new("build-1"),
        builder: Builder::Classic,
        dockerfile: "Dockerfile".to_owned(),
        target: Some(format!("{sort}-{size}")),
        args: BTreeMap::new(),
        platform: None,
        labels: BTreeMap::new(),
        tag: "hostile:1".to_owned(),
        credentials: Vec::new(),
        log: dir.join("build.log"),
    };
    let sink = move |progress: Progress| {
        if let Progress::Log { line, .. } = &progress {
            assert_harmless("a line of the log", line);
        }
        shown.lock().expect("no test panics with it").apply(progress);
    };
    let built = engine
        .build(
            spec,
            Box::pin(stream::empty()),
            Arc::new(sink),
            CancellationToken::new(),
        )
        .await;
    assert!(built.is_ok(), "{built:?}");
}

/// An engine whose build is one step, which prints what its target asks for.
fn hostile_engine(dir: &Path) -> PathBuf {
    let socket = dir.join("docker.sock");
    let listener = tokio::net::UnixListener::bind(&socket).expect("it is bound");
    let app = Router::new().fallback(|request: Request| async move {
        let target = request.uri().query().and_then(|query| {
            let target = query.split('&').find_map(|pair| pair.strip_prefix("target="))?;
            let (sort, size) = target.split_once('-')?;
            Some((sort.to_owned(), size.parse::<usize>().ok()?))
        });
        let mut body = request.into_body().into_data_stream();
        while let Some(Ok(_)) = body.next().await {}
        let (sort, size) = target.unwrap_or_default();
        let piece = sort
            .parse::<usize>()
            .ok()
            .map_or("plain", |at| str::from_utf8(SORTS[at].1).expect("it is text"));
        let message =
            |text: &str| Ok::<_, std::io::Error>(Bytes::from(format!("{}\r\n", serde_json::json!({ "stream": text }))));
        let chunk = message(&piece.repeat(4096 / piece.len())).expect("it is a message");
        let printed = stream::iter((0..size / 4096).map(move |_| Ok(chunk.clone())));
        let id = "458a2156074d".repeat(5) + "4580";
        let end = [
            message("\n"),
            Ok(Bytes::from(format!("{{\"aux\":{{\"ID\":\"sha256:{id}\"}}}}\r\n"))),
            message("Successfully built 458a2156074d\n"),
        ];
        let told = stream::iter([message("Step 1/1 : RUN harm\n")])
            .chain(printed)
            .chain(stream::iter(end));
        Response::new(Body::from_stream(told))
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    socket
}

/// A repository whose second commit has a subject of many megabytes. It is written as an object: git's own commit command
/// takes minutes over such a message.
async fn hostile_repository(dir: &Path) -> Repository {
    let folder = dir.join("repository");
    fs::create_dir(&folder).expect("make a folder");
    let git = |args: &[&str], stdin: Stdio| {
        let mut command = Command::new("git");
        command
            .current_dir(&folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(stdin);
        command
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com"])
            .args(args);
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"], Stdio::null());
    git(
        &["commit", "--quiet", "--allow-empty", "--message", "first"],
        Stdio::null(),
    );
    let ids = git(&["rev-parse", "HEAD^{tree}", "HEAD"], Stdio::null());
    let (tree, parent) = ids.split_once('\n').expect("there are two");
    let path = dir.join("commit");
    let mut file = fs::File::create(&path).expect("make a file");
    let head =
        format!("tree {tree}\nparent {parent}\nauthor x <x> 1 +0000\ncommitter x <x> 1 +0000\n\n\x1b[2Jship it ");
    file.write_all(head.as_bytes()).expect("write it");
    let harm: Vec<u8> = SORTS.iter().flat_map(|(_, piece)| piece.repeat(50)).collect();
    for _ in 0..size() / 5 / harm.len() {
        file.write_all(&harm).expect("write it");
    }
    let object = Stdio::from(fs::File::open(&path).expect("it is there"));
    let id = git(&["hash-object", "-t", "commit", "-w", "--stdin"], object);
    git(&["update-ref", "HEAD", &id], Stdio::null());
    Repository::open(&folder).await.expect("it is a repository")
}
