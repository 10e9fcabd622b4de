//! What the tests build with: an engine, a base image with a shell, contexts, and a sink that remembers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use quarterdeck::config::{BuilderChoice, ResolvedInput};
use quarterdeck::docker::{Address, Engine, Patience, Surroundings};
use quarterdeck::engine::ports::{BuildFailure, BuildSpec, Context, PushSpec, Sink};
use quarterdeck::names::{BuildId, Digest, Region};
use quarterdeck::plan::Builder;
use quarterdeck::problem::Problem;
use quarterdeck::state::Step;
use quarterdeck::state::live::{LayerPhase, Progress, StepPhase};
use rustix::process::Pid;
use tokio::sync::Notify;

/// Its value is the base image's name: on that, and on every image and container that comes of it.
const LABEL: &str = "quarterdeck.test";
/// On every image that a test builds.
pub const BUILT: &str = "quarterdeck.test.built";
/// Both builders.
pub const BUILDERS: [Builder; 2] = [Builder::Buildkit, Builder::Classic];
/// Programs of the base image.
const PROGRAMS: [&str; 6] = ["sh", "echo", "seq", "sleep", "cat", "dd"];

/// The engine at the usual place.
pub fn engine() -> Arc<Engine> {
    Engine::open(&Address::Environment, BuilderChoice::Auto)
}

/// The engine at a socket.
pub fn engine_at(socket: &Path, patience: Patience) -> Arc<Engine> {
    let given = Address::Given {
        host: format!("unix://{}", socket.display()),
        origin: "test".to_owned(),
    };
    Engine::open_in(&given, BuilderChoice::Auto, &Surroundings::default(), patience)
}

/// A client of the tests' own.
pub fn client() -> bollard::Docker {
    bollard::Docker::connect_with_defaults().expect("the engine's address is good")
}

/// A name that no other test and no earlier run has.
pub fn unique(what: &str) -> String {
    let id = uuid::Uuid::now_v7().simple().to_string();
    format!("quarterdeck-test/{what}-{}", &id[id.len() - 12..])
}

/// A base image with a shell, and whatever is tagged under its name; removed when dropped.
pub struct Images {
    /// The base image's reference.
    pub base: String,
    tags: Vec<String>,
}

impl Images {
    /// Imports busybox as an image.
    pub async fn import() -> Self {
        let base = import(&client()).await;
        Self {
            tags: vec![base.clone()],
            base,
        }
    }

    /// The base image's id.
    pub async fn base_id(&self) -> Digest {
        let found = client()
            .inspect_image(&self.base)
            .await
            .expect("the base image is there");
        Digest::new(found.id.expect("an image has an id"))
    }

    /// A tag that is removed with the others.
    pub fn tag(&mut self, what: &str) -> String {
        let tag = format!("{}:1", unique(what));
        self.tags.push(tag.clone());
        tag
    }

    /// Removes this one too.
    pub fn keep_track(&mut self, tag: String) {
        self.tags.push(tag);
    }

    /// Containers of the base image or of one that was built on it.
    pub async fn containers(&self) -> usize {
        let filters = std::collections::HashMap::from([("label", vec![self.label()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = client().list_containers(Some(options)).await;
        found.expect("containers can be listed").len()
    }

    fn label(&self) -> String {
        format!("{LABEL}={}", self.base.trim_end_matches(":1"))
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let label = self.label();
        let tags = std::mem::take(&mut self.tags);
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(remove(tags, label));
        });
        let _ = removal.join();
    }
}

/// Removes the tags, then what is left of the classic builder's steps: again and again, since parents go after children.
async fn remove(tags: Vec<String>, label: String) {
    let force = || Some(RemoveImageOptionsBuilder::new().force(true).build());
    for tag in tags.iter().rev() {
        let _ = client().remove_image(tag, force(), None).await;
    }
    let filters = std::collections::HashMap::from([("label", vec![label])]);
    for _ in 0..8 {
        let options = ListImagesOptionsBuilder::new().all(true).filters(&filters).build();
        let left = client().list_images(Some(options)).await.unwrap_or_default();
        for image in &left {
            let _ = client().remove_image(&image.id, force(), None).await;
        }
        if left.is_empty() {
            return;
        }
    }
}

/// Imports busybox as an image of the engine's; returns its reference.
pub async fn import(client: &bollard::Docker) -> String {
    let name = unique("base");
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(&name)
        .tag("1")
        .changes(vec![format!("LABEL {LABEL}={name}"), "ENV PATH=/bin".to_owned()])
        .build();
    let body = bollard::body_full(busybox().into());
    let mut stream = client.create_image(Some(options), Some(body), None);
    while let Some(item) = stream.next().await {
        item.expect("busybox is imported");
    }
    format!("{name}:1")
}

/// The base image's tree.
fn busybox() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    let program = std::fs::read("/bin/busybox").expect("busybox is here");
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "bin/busybox", program.as_slice())
        .expect("written to memory");
    for program in PROGRAMS {
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        link.set_mode(0o777);
        tar.append_link(&mut link, format!("bin/{program}"), "busybox")
            .expect("written to memory");
    }
    tar.into_inner().expect("written to memory")
}

/// A tar of these files.
pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *content).expect("written to memory");
    }
    tar.into_inner().expect("written to memory")
}

/// The bytes as a context, in small chunks.
pub fn context(tar: &[u8]) -> Context {
    let chunks: Vec<Result<bytes::Bytes, Problem>> = tar
        .chunks(4096)
        .map(|chunk| Ok(bytes::Bytes::copy_from_slice(chunk)))
        .collect();
    Box::pin(futures_util::stream::iter(chunks))
}

/// A context of nothing but a Dockerfile.
pub fn dockerfile(text: &str) -> Context {
    context(&tar_of(&[("Dockerfile", text.as_bytes())]))
}

/// A build's request.
pub fn build_spec(builder: Builder, tag: &str, log: &Path) -> BuildSpec {
    BuildSpec {
        build: BuildId::new("build-1"),
        builder,
        dockerfile: "Dockerfile".to_owned(),
        target: None,
        args: BTreeMap::new(),
        platform: None,
        labels: BTreeMap::from([(BUILT.to_owned(), "yes".to_owned())]),
        tag: tag.to_owned(),
        credentials: Vec::new(),
        log: log.to_owned(),
    }
}

/// A plain build argument.
pub fn plain(value: &str) -> ResolvedInput {
    ResolvedInput::Plain(value.to_owned())
}

/// A push's request.
pub fn push_spec(image: &Digest, repository: &str, password: &str) -> PushSpec {
    PushSpec {
        region: Region::new("us-east-1"),
        image: image.clone(),
        repository: repository.to_owned(),
        tag: "4f1c2ab".to_owned(),
        user: "AWS".to_owned(),
        password: password.to_owned().into(),
    }
}

/// A failed build's parts, for assertions.
pub struct Failed {
    pub problem: Problem,
    pub step: Option<Step>,
    pub exit_code: Option<i64>,
    pub log_tail: Vec<String>,
    pub steps: Vec<Step>,
}

/// The failure's parts.
pub fn failed(failure: BuildFailure) -> Failed {
    match failure {
        BuildFailure::Cancelled => panic!("the build was cancelled"),
        BuildFailure::Failed {
            problem,
            step,
            exit_code,
            log_tail,
            steps,
        } => Failed {
            problem,
            step,
            exit_code,
            log_tail: log_tail.into_iter().map(String::from).collect(),
            steps,
        },
    }
}

/// A sink that remembers.
#[derive(Clone, Default)]
pub struct Watch {
    seen: Arc<Mutex<Vec<Progress>>>,
    more: Arc<Notify>,
}

impl Watch {
    pub fn sink(&self) -> Sink {
        let watch = self.clone();
        Arc::new(move |progress| {
            watch.seen.lock().expect("no test panics with it").push(progress);
            watch.more.notify_one();
        })
    }

    pub fn seen(&self) -> Vec<Progress> {
        self.seen.lock().expect("no test panics with it").clone()
    }

    /// Waits until something was seen that `wanted` accepts.
    pub async fn until(&self, wanted: impl Fn(&Progress) -> bool) {
        let wait = async {
            while !self.seen().iter().any(&wanted) {
                self.more.notified().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait)
            .await
            .expect("it is seen within a minute");
    }

    /// The log's lines, with whether they came from standard error.
    pub fn lines(&self) -> Vec<(String, bool)> {
        let lines = self.seen().into_iter().filter_map(|progress| match progress {
            Progress::Log { line, stderr, .. } => Some((line.into(), stderr)),
            _ => None,
        });
        lines.collect()
    }

    /// The last word on each step.
    pub fn steps(&self) -> Vec<(Step, StepPhase)> {
        let mut steps: Vec<(String, Step, StepPhase)> = Vec::new();
        for progress in self.seen() {
            if let Progress::Step { key, step, phase, .. } = progress {
                match steps.iter_mut().find(|(known, ..)| *known == key) {
                    Some(known) => *known = (key, step, phase),
                    None => steps.push((key, step, phase)),
                }
            }
        }
        steps.into_iter().map(|(_, step, phase)| (step, phase)).collect()
    }

    /// Bytes of context sent.
    pub fn sent(&self) -> u64 {
        let sent = self.seen().into_iter().filter_map(|progress| match progress {
            Progress::Context { sent, .. } => Some(sent),
            _ => None,
        });
        sent.max().unwrap_or(0)
    }

    /// Everything that was said of layers.
    pub fn layers(&self) -> Vec<(String, LayerPhase)> {
        let layers = self.seen().into_iter().filter_map(|progress| match progress {
            Progress::Layer { layer, phase, .. } => Some((layer, phase)),
            _ => None,
        });
        layers.collect()
    }

    /// Every note on the push, the clearing ones too.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.seen().into_iter().filter_map(|progress| match progress {
            Progress::PushNote { note, .. } => Some(note.into()),
            _ => None,
        });
        notes.collect()
    }
}

/// The process of a `sleep` of that many seconds on this machine, where the engine's containers run too.
pub fn sleeper(seconds: &str) -> Option<Pid> {
    let wanted = format!("sleep\0{seconds}\0");
    let mut processes = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    processes.find_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let pid = process.file_name().to_string_lossy().parse().ok()?;
        String::from_utf8_lossy(&line)
            .ends_with(&wanted)
            .then(|| Pid::from_raw(pid))?
    })
}

/// Waits until `done` says so, for what gives no event to wait for: processes and containers that go away.
pub async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(15);
    while !done().await {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
