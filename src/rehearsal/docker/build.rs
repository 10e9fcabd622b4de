//! Building: every instruction in turn, `COPY` for real and `RUN` as a story, told as the classic builder tells it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::dockerfile::{self, Instruction, Verb};
use super::events::{Events, Gone};
use super::images::{Image, Images};
use super::stage::{self, Stage};
use super::story::{self, Story};
use super::tree::Tree;
use crate::rehearsal::ecr::manifest;

/// How long a step takes that only changes the configuration, in life.
const SMALL_STEP: Duration = Duration::from_millis(60);
/// How long a `COPY` takes beside its own work, in life.
const COPY_STEP: Duration = Duration::from_millis(400);

/// One build, ready to run.
pub(super) struct Build {
    pub images: Arc<Images>,
    pub story: Story,
    pub instructions: Vec<Instruction>,
    pub context: Tree,
    /// Build arguments that the request sets.
    pub args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub no_cache: bool,
    /// The spooled context, which goes with the build.
    pub _spool: Spool,
}

/// The file that the context came into; it goes when it is dropped.
pub(super) struct Spool(pub std::path::PathBuf);

impl Drop for Spool {
    fn drop(&mut self) {
        // A file that can't be removed goes with its folder.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Why a build ends early.
pub(super) enum End {
    /// Nobody listens any more.
    Gone,
    /// A step failed: what the builder says, and a command's exit code.
    Failed(String, Option<i64>),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string(), None)
    }
}

impl Build {
    /// Leaves the instructions that `target` needs; an error is the builder's own text.
    pub fn up_to(instructions: Vec<Instruction>, target: Option<&str>) -> Result<Vec<Instruction>, String> {
        let Some(target) = target.filter(|target| !target.is_empty()) else {
            return Ok(instructions);
        };
        let starts: Vec<usize> = instructions
            .iter()
            .enumerate()
            .filter(|(_, step)| step.verb == Verb::From)
            .map(|(at, _)| at)
            .collect();
        let named =
            |at: &usize| stage::name(&instructions[*at].rest).is_some_and(|name| name.eq_ignore_ascii_case(target));
        let stage = starts
            .iter()
            .position(named)
            .or_else(|| target.parse().ok().filter(|at| *at < starts.len()));
        let stage = stage.ok_or_else(|| format!("failed to reach build target {target} in Dockerfile"))?;
        let end = starts.get(stage + 1).copied().unwrap_or(instructions.len());
        Ok(instructions.into_iter().take(end).collect())
    }

    /// Builds; what goes wrong is the stream's last event.
    pub async fn run(self, events: Events) -> Result<(), Gone> {
        match self.build(&events).await {
            Ok(()) => Ok(()),
            Err(End::Gone) => Err(Gone),
            Err(End::Failed(message, code)) => events.error(&message, code).await,
        }
    }

    async fn build(&self, events: &Events) -> Result<(), End> {
        let extra = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ");
        let total = self.instructions.len() + usize::from(!extra.is_empty());
        let mut globals = BTreeMap::new();
        let mut stages: Vec<Stage> = Vec::new();
        let mut used = std::collections::BTreeSet::new();
        for (at, instruction) in self.instructions.iter().enumerate() {
            events
                .stream(format!("Step {}/{total} : {}", at + 1, instruction.text))
                .await?;
            events.stream("\n").await?;
            match (instruction.verb, stages.split_last_mut()) {
                (Verb::From, last) => {
                    if let Some((stage, _)) = last {
                        events.send(json!({"aux": {"ID": stage.image.id}})).await?;
                    }
                    let stage = self.from(instruction, &globals, &stages, events).await?;
                    stages.push(stage);
                }
                (Verb::Arg, None) => {
                    let (name, value) = stage::argument(&instruction.rest);
                    used.insert(name.clone());
                    if let Some(value) = self.args.get(&name).cloned().or(value) {
                        globals.insert(name, value);
                    }
                }
                (_, None) => {}
                (_, Some((stage, done))) => {
                    self.step(instruction, stage, done, &globals, &mut used, events).await?;
                }
            }
        }
        let Some(stage) = stages.last_mut() else { return Ok(()) };
        if !extra.is_empty() {
            events.stream(format!("Step {total}/{total} : LABEL {extra}")).await?;
            events.stream("\n").await?;
            let labels = self.labels.clone().into_iter().collect();
            self.configure(stage, &format!("LABEL {extra}"), events, |config| {
                stage::merge(config, "Labels", labels)
            })
            .await?;
        }
        self.finish(&stage.image, &used, events).await
    }

    async fn finish(
        &self,
        image: &Image,
        used: &std::collections::BTreeSet<String>,
        events: &Events,
    ) -> Result<(), End> {
        events.send(json!({"aux": {"ID": image.id}})).await?;
        let unused: Vec<&str> = self
            .args
            .keys()
            .filter(|name| !used.contains(*name))
            .map(String::as_str)
            .collect();
        if !unused.is_empty() {
            let names = unused.join(" ");
            events
                .stream(format!(
                    "[Warning] One or more build-args [{names}] were not consumed\n"
                ))
                .await?;
        }
        self.images.add(image.clone(), None);
        events.stream(format!("Successfully built {}\n", image.short())).await?;
        for tag in &self.tags {
            self.images.add(image.clone(), Some(tag));
            events
                .stream(format!("Successfully tagged {}\n", super::images::with_tag(tag)))
                .await?;
        }
        Ok(())
    }

    /// FROM: nothing, an earlier stage, an image that is here, or one that is pulled for show.
    async fn from(
        &self,
        instruction: &Instruction,
        globals: &BTreeMap<String, String>,
        stages: &[Stage],
        events: &Events,
    ) -> Result<Stage, End> {
        let (_, rest) = dockerfile::flags(&instruction.rest);
        let base = rest.split_whitespace().next().unwrap_or_default();
        let base = dockerfile::expand(base, &|name| globals.get(name).cloned());
        let name = stage::name(&instruction.rest).map(str::to_owned);
        if base == "scratch" {
            events.stream(" ---> \n").await?;
            return Ok(Stage::scratch(name));
        }
        let earlier = stages.iter().find(|stage| {
            stage
                .name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(&base))
        });
        let image = match earlier
            .map(|stage| stage.image.clone())
            .or_else(|| self.images.find(&base))
        {
            Some(image) => image,
            None => super::pull::pull(&base, &self.images, &self.story, events).await?,
        };
        events.stream(format!(" ---> {}\n", image.short())).await?;
        Ok(Stage::on(name, image)?)
    }

    async fn step(
        &self,
        instruction: &Instruction,
        stage: &mut Stage,
        done: &[Stage],
        globals: &BTreeMap<String, String>,
        used: &mut std::collections::BTreeSet<String>,
        events: &Events,
    ) -> Result<(), End> {
        let expanded = match instruction.verb {
            // The shell fills these in itself.
            Verb::Run | Verb::Cmd | Verb::Entrypoint | Verb::Onbuild | Verb::Healthcheck | Verb::Shell => {
                instruction.rest.clone()
            }
            Verb::Add
            | Verb::Arg
            | Verb::Copy
            | Verb::Env
            | Verb::Expose
            | Verb::From
            | Verb::Label
            | Verb::Maintainer
            | Verb::Stopsignal
            | Verb::User
            | Verb::Volume
            | Verb::Workdir => dockerfile::expand(&instruction.rest, &|name| stage.value(name)),
        };
        let text = format!("{:?} {expanded}", instruction.verb).to_uppercase();
        let failure = self.story.failure(&instruction.text);
        match instruction.verb {
            Verb::Copy | Verb::Add => {
                let failure = failure.map(|_| "failed to copy files: write: no space left on device".to_owned());
                self.copy(instruction, &expanded, stage, done, failure, events).await
            }
            Verb::Run => self.command(&expanded, stage, failure, events).await,
            Verb::Arg => {
                let (name, default) = stage::argument(&expanded);
                used.insert(name.clone());
                let value = self
                    .args
                    .get(&name)
                    .cloned()
                    .or(default)
                    .or_else(|| globals.get(&name).cloned());
                let key = format!("ARG {name}={}", value.clone().unwrap_or_default());
                if let Some(value) = value {
                    stage.args.insert(name, value);
                }
                self.configure(stage, &key, events, |_| ()).await
            }
            verb => {
                self.configure(stage, &text, events, |config| stage::configure(config, verb, &expanded))
                    .await
            }
        }
    }

    /// A step that changes the configuration only.
    async fn configure(
        &self,
        stage: &mut Stage,
        text: &str,
        events: &Events,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), End> {
        let key = stage.key(text, "");
        if self.recall(&key, stage, events).await? {
            return Ok(());
        }
        let container = container();
        events.stream(format!(" ---> Running in {container}\n")).await?;
        self.story.pause(SMALL_STEP).await;
        let mut config = stage.image.value();
        change(&mut config["config"]);
        let image = stage::next(
            config,
            &format!("/bin/sh -c #(nop)  {text}"),
            stage.image.layers.clone(),
            true,
        );
        events
            .stream(format!("Removing intermediate container {container}\n"))
            .await?;
        self.keep(key, image, stage, events).await
    }

    async fn copy(
        &self,
        instruction: &Instruction,
        expanded: &str,
        stage: &mut Stage,
        done: &[Stage],
        failure: Option<String>,
        events: &Events,
    ) -> Result<(), End> {
        let verb = if instruction.verb == Verb::Add { "ADD" } else { "COPY" };
        let fail = |why: String| End::Failed(format!("{verb} failed: {why}"), None);
        let (flags, rest) = dockerfile::flags(expanded);
        let mut words = dockerfile::list(rest).unwrap_or_else(|| dockerfile::words(rest));
        let to = words.pop().filter(|_| !words.is_empty()).ok_or_else(|| {
            let line = instruction.line;
            End::Failed(
                format!("dockerfile parse error line {line}: {verb} requires at least two arguments"),
                None,
            )
        })?;
        let to = stage.absolute(&to);
        let picked = match flags.get("from") {
            None => self.context.copy(&words, &to).map_err(|absent| {
                format!(
                    "file not found in build context or excluded by .dockerignore: stat {absent}: file does not exist"
                )
            }),
            Some(from) => {
                let tree = self.source(from, done).ok_or_else(|| fail(format!("invalid from flag value {from}: pull access denied for {from}, repository does not exist or may require 'docker login'")))?;
                tree.copy(&words, &to)
                    .map_err(|absent| format!("stat {absent}: file does not exist"))
            }
        };
        let picked = picked.map_err(fail)?;
        let (picked, fingerprint) = blocking(move || {
            let fingerprint = picked.fingerprint()?;
            Ok((picked, fingerprint))
        })
        .await?;
        let key = stage.key(&format!("{verb} {expanded}"), &fingerprint);
        if self.recall(&key, stage, events).await? {
            return Ok(());
        }
        self.story.pause(COPY_STEP).await;
        if let Some(why) = failure {
            return Err(fail(why));
        }
        let folder = self.images.folder.clone();
        let layer = blocking(move || picked.write(&folder)).await?;
        stage.tree.lay_over(&layer.path)?;
        let mut layers = stage.image.layers.clone();
        layers.push(layer);
        let by = format!("/bin/sh -c #(nop) {verb} {fingerprint} in {to} ");
        let image = stage::next(stage.image.value(), &by, layers, false);
        self.keep(key, image, stage, events).await
    }

    /// What `--from` means: an earlier stage by name or number, or an image that is here.
    fn source(&self, from: &str, done: &[Stage]) -> Option<Tree> {
        let named = done.iter().rfind(|stage| {
            stage
                .name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(from))
        });
        let numbered = || done.get(from.parse::<usize>().ok()?);
        if let Some(stage) = named.or_else(numbered) {
            return Some(stage.tree.clone());
        }
        stage::tree_of(&self.images.find(from)?).ok()
    }

    /// RUN: its talk, line by line. The image stays as it is, since nothing runs.
    async fn command(
        &self,
        command: &str,
        stage: &mut Stage,
        failure: Option<i64>,
        events: &Events,
    ) -> Result<(), End> {
        let words = dockerfile::list(command);
        let shell = words
            .as_ref()
            .map_or_else(|| command.to_owned(), |words| words.join(" "));
        let key = stage.key(&format!("RUN {command}"), &stage.environment());
        if failure.is_none() && self.recall(&key, stage, events).await? {
            return Ok(());
        }
        let container = container();
        events.stream(format!(" ---> Running in {container}\n")).await?;
        let act = story::act(&dockerfile::expand(&shell, &|name| stage.value(name)));
        let mut left = if failure.is_some() {
            act.lines.len() / 2 + 1
        } else {
            usize::MAX
        };
        for line in &act.lines {
            if left == 0 {
                break;
            }
            left -= 1;
            self.story.pause(line.after).await;
            if !line.text.is_empty() {
                events.stream(format!("{}\n", line.text)).await?;
            }
        }
        let code = failure.unwrap_or(act.code);
        if code != 0 {
            events
                .stream(format!(
                    "\u{1b}[91m{}: failed\n\u{1b}[0m",
                    shell.split_whitespace().next().unwrap_or("sh")
                ))
                .await?;
            events
                .stream(format!("Removing intermediate container {container}\n"))
                .await?;
            let said = words.map_or_else(|| format!("/bin/sh -c {command}"), |words| words.join(" "));
            return Err(End::Failed(
                format!("The command '{said}' returned a non-zero code: {code}"),
                Some(code),
            ));
        }
        let image = stage::next(
            stage.image.value(),
            &format!("/bin/sh -c {command}"),
            stage.image.layers.clone(),
            true,
        );
        events
            .stream(format!("Removing intermediate container {container}\n"))
            .await?;
        self.keep(key, image, stage, events).await
    }

    /// Takes a step's result from the cache, if it is there.
    async fn recall(&self, key: &str, stage: &mut Stage, events: &Events) -> Result<bool, End> {
        let Some(image) = self.images.cached(key).filter(|_| !self.no_cache) else {
            return Ok(false);
        };
        events.stream(" ---> Using cache\n").await?;
        events.stream(format!(" ---> {}\n", image.short())).await?;
        for layer in image.layers.iter().skip(stage.image.layers.len()) {
            stage.tree.lay_over(&layer.path)?;
        }
        stage.went_on(key.to_owned(), image);
        Ok(true)
    }

    async fn keep(&self, key: String, image: Image, stage: &mut Stage, events: &Events) -> Result<(), End> {
        events.stream(format!(" ---> {}\n", image.short())).await?;
        self.images.cache(key.clone(), image.clone());
        stage.went_on(key, image);
        Ok(())
    }
}

/// A container's short id.
fn container() -> String {
    manifest::named(&fastrand::u128(..).to_be_bytes()[..6])[7..].to_owned()
}

/// Reads a context and its Dockerfile; an error is a status and the engine's text.
pub(super) fn read(spool: &Path, dockerfile: &str) -> Result<(Tree, Vec<Instruction>), (u16, String)> {
    let broken = |error: std::io::Error| (500, format!("Error processing tar file: {error}"));
    let tree = Tree::read(spool).map_err(broken)?;
    let text = tree
        .text(dockerfile)
        .ok_or_else(|| (500, format!("Cannot locate specified Dockerfile: {dockerfile}")))?;
    let instructions = dockerfile::parse(&text.map_err(broken)?).map_err(|why| (400, why))?;
    Ok((tree, instructions))
}

/// Runs what reads and writes files off the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
