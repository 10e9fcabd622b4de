//! Docker's contexts, read from the files that `docker context` writes.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Surroundings;
use crate::problem::{Kind, Problem};
use crate::words;

/// The context that docker never stores: `DOCKER_HOST` or the default socket.
const DEFAULT: &str = "default";
/// Known contexts shown beside an unknown one.
const KNOWN_SHOWN: usize = 5;

/// A context's Docker endpoint.
pub(super) struct Found {
    /// The context's name.
    pub name: String,
    /// Its address.
    pub host: String,
    /// The folder with its certificates, if it has any.
    pub certs: Option<PathBuf>,
}

/// `config.json`, as far as it concerns contexts.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

/// A context's `meta.json`.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Deserialize, Default)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The context in force; `None` for docker's default.
pub(super) fn current(around: &Surroundings) -> Result<Option<Found>, Problem> {
    let (name, said_by) = match &around.context {
        Some(name) => (name.clone(), "DOCKER_CONTEXT".to_owned()),
        None => {
            let file = around.config.join("config.json");
            let name = read::<ConfigFile>(&file)?.map_or_else(String::new, |config| config.current_context);
            (name, format!("currentContext in {}", file.display()))
        }
    };
    if name.is_empty() || name == DEFAULT {
        return Ok(None);
    }
    find(&around.config.join("contexts"), name, &said_by).map(Some)
}

fn find(contexts: &Path, name: String, said_by: &str) -> Result<Found, Problem> {
    let folder = folder_of(&name);
    let file = contexts.join("meta").join(&folder).join("meta.json");
    let problem = |what: &str, remedy: &str| {
        let what = format!("the Docker context {name:?} (from {said_by}) {what}");
        Problem::new(Kind::Build, what, remedy)
    };
    let Some(meta) = read::<Meta>(&file)? else {
        let known = known(contexts);
        let remedy = if known.is_empty() {
            "there is none but \"default\": choose it with docker context use default".to_owned()
        } else {
            let names = words::names(&known, known.len(), KNOWN_SHOWN);
            format!("choose one that exists with docker context use: default, {names}")
        };
        return Err(problem("does not exist", &remedy));
    };
    let endpoint = meta.endpoints.docker.filter(|docker| !docker.host.is_empty());
    let Some(endpoint) = endpoint else {
        return Err(problem(
            "has no Docker address",
            "give it one with docker context update, or choose another with docker context use",
        ));
    };
    let certs = contexts.join("tls").join(&folder).join("docker");
    let certs = certs.is_dir().then_some(certs);
    if endpoint.skip_tls_verify && endpoint.host.starts_with("tcp://") {
        return Err(problem(
            "skips the check of the engine's certificate, which Quarterdeck never does",
            "give the context the certificate authority: docker context update --docker host=…,ca=ca.pem",
        ));
    }
    Ok(Found {
        name,
        host: endpoint.host,
        certs,
    })
}

/// The folder that docker keeps a context in: the SHA-256 of its name.
fn folder_of(name: &str) -> String {
    Sha256::digest(name.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The names of the stored contexts, sorted. What can't be read is left out: this is only for a remedy.
fn known(contexts: &Path) -> Vec<String> {
    let Ok(folders) = std::fs::read_dir(contexts.join("meta")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = folders
        .flatten()
        .filter_map(|folder| read::<Meta>(&folder.path().join("meta.json")).ok().flatten())
        .map(|meta| meta.name)
        .collect();
    names.sort_unstable();
    names
}

/// Reads a JSON file; `None` when there is none.
fn read<T: serde::de::DeserializeOwned>(file: &Path) -> Result<Option<T>, Problem> {
    let problem = |says: String, remedy: &str| {
        let what = format!("could not read Docker's {}: {says}", file.display());
        Problem::new(Kind::Build, what, remedy)
    };
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| problem(error.to_string(), "mend the file, or name the engine with DOCKER_HOST")),
        // A file in the folder's place means that there is no such file either.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(problem(
            error.to_string(),
            "make it readable for you, or name the engine with DOCKER_HOST",
        )),
    }
}
