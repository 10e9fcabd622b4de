//! One stage of a build: the image so far, and what is known in it.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::dockerfile::{self, Verb};
use super::images::Image;
use super::tree::{Layer, Tree, normal};
use crate::rehearsal::ecr::manifest;

/// A stage on its way.
pub(super) struct Stage {
    /// What `AS` calls it.
    pub name: Option<String>,
    /// The image after the last step.
    pub image: Image,
    /// The files in it.
    pub tree: Tree,
    /// `ARG`s that have been declared.
    pub args: BTreeMap<String, String>,
    /// What every step so far was made of.
    chain: String,
}

impl Stage {
    pub fn scratch(name: Option<String>) -> Self {
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "history": [],
        });
        let image = Image::new(config, Vec::new());
        Self {
            name,
            chain: image.id.clone(),
            image,
            tree: Tree::default(),
            args: BTreeMap::new(),
        }
    }

    /// A stage on top of an image.
    pub fn on(name: Option<String>, image: Image) -> io::Result<Self> {
        Ok(Self {
            name,
            chain: image.id.clone(),
            tree: tree_of(&image)?,
            image,
            args: BTreeMap::new(),
        })
    }

    /// A variable's value: the environment's before the argument's.
    pub fn value(&self, name: &str) -> Option<String> {
        let config = self.image.value();
        let mut environment = config["config"]["Env"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let set = environment.find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
        set.map(|(_, value)| value.to_owned())
            .or_else(|| self.args.get(name).cloned())
    }

    /// The arguments, which a `RUN` sees and its cache depends on.
    pub fn environment(&self) -> String {
        self.args
            .iter()
            .map(|(name, value)| format!("{name}={value}\0"))
            .collect()
    }

    /// The cache's key of a step that does `text` with `content`.
    pub fn key(&self, text: &str, content: &str) -> String {
        manifest::digest(format!("{}\0{text}\0{content}", self.chain).as_bytes())
    }

    /// A step is done.
    pub fn went_on(&mut self, key: String, image: Image) {
        self.chain = key;
        self.image = image;
    }

    /// A path in the image; a slash at its end says that it is a folder and is kept.
    pub fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        let config = self.image.value();
        format!("{}/{path}", config["config"]["WorkingDir"].as_str().unwrap_or_default())
    }
}

/// The files of an image.
pub(super) fn tree_of(image: &Image) -> io::Result<Tree> {
    let mut tree = Tree::default();
    for layer in &image.layers {
        tree.lay_over(&layer.path)?;
    }
    Ok(tree)
}

/// What `AS` calls the stage that a FROM opens.
pub(super) fn name(rest: &str) -> Option<&str> {
    let words: Vec<&str> = dockerfile::flags(rest).1.split_whitespace().collect();
    match words.as_slice() {
        [_, word, name] if word.eq_ignore_ascii_case("as") => Some(name),
        _ => None,
    }
}

/// `NAME` or `NAME=default`.
pub(super) fn argument(rest: &str) -> (String, Option<String>) {
    match dockerfile::pairs(rest).into_iter().next() {
        Some((name, value)) if rest.contains('=') => (name, Some(value)),
        Some((name, _)) => (name, None),
        None => (String::new(), None),
    }
}

/// The image after a step.
pub(super) fn next(mut config: Value, created_by: &str, layers: Vec<Layer>, empty: bool) -> Image {
    let now = jiff::Timestamp::now().to_string();
    let mut entry = json!({"created": now, "created_by": created_by});
    if empty {
        entry["empty_layer"] = true.into();
    }
    config["created"] = now.into();
    match config["history"].as_array_mut() {
        Some(history) => history.push(entry),
        None => config["history"] = json!([entry]),
    }
    Image::new(config, layers)
}

/// Puts pairs into an object of the configuration.
pub(super) fn merge(config: &mut Value, member: &str, pairs: Vec<(String, String)>) {
    for (name, value) in pairs {
        config[member][name] = value.into();
    }
}

/// What an instruction does to the configuration.
pub(super) fn configure(config: &mut Value, verb: Verb, rest: &str) {
    let command = || dockerfile::list(rest).unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into(), rest.into()]);
    match verb {
        Verb::Cmd => config["Cmd"] = command().into(),
        Verb::Entrypoint => config["Entrypoint"] = command().into(),
        Verb::User => config["User"] = rest.into(),
        Verb::Stopsignal => config["StopSignal"] = rest.into(),
        Verb::Workdir => {
            let base = if rest.starts_with('/') {
                ""
            } else {
                config["WorkingDir"].as_str().unwrap_or_default()
            };
            config["WorkingDir"] = format!("/{}", normal(&format!("{base}/{rest}"))).into();
        }
        Verb::Label => merge(config, "Labels", dockerfile::pairs(rest)),
        Verb::Env => environment(config, dockerfile::pairs(rest)),
        Verb::Expose => {
            for port in rest.split_whitespace() {
                let port = if port.contains('/') {
                    port.to_owned()
                } else {
                    format!("{port}/tcp")
                };
                config["ExposedPorts"][port] = json!({});
            }
        }
        Verb::Volume => {
            for path in dockerfile::list(rest).unwrap_or_else(|| dockerfile::words(rest)) {
                config["Volumes"][path] = json!({});
            }
        }
        // These leave no trace that a registry or a host of the rehearsal would look at.
        Verb::Healthcheck | Verb::Maintainer | Verb::Onbuild | Verb::Shell => {}
        // These are not for the configuration.
        Verb::Add | Verb::Arg | Verb::Copy | Verb::From | Verb::Run => {}
    }
}

fn environment(config: &mut Value, pairs: Vec<(String, String)>) {
    let known = config["Env"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    let mut all: Vec<String> = known.collect();
    for (name, value) in pairs {
        all.retain(|pair| pair.split_once('=').is_none_or(|(known, _)| known != name));
        all.push(format!("{name}={value}"));
    }
    config["Env"] = all.into();
}

/// The machine's architecture as Docker calls it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
