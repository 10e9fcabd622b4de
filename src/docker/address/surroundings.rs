//! What the environment says about the Docker Engine.

use std::path::PathBuf;

/// The environment variables and folders that the docker command line looks at, read once. An empty variable counts as unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// Whether `DOCKER_TLS_VERIFY` is set.
    pub tls_verify: bool,
    /// `DOCKER_CERT_PATH`, or the configuration folder.
    pub certs: PathBuf,
    /// `DOCKER_CONFIG`, or `~/.docker`: holds `config.json` and the contexts.
    pub config: PathBuf,
}

impl Surroundings {
    /// Reads the process's environment.
    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// Takes the variables from `var`.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let config = var("DOCKER_CONFIG").map_or_else(
            || {
                let home = etcetera::home_dir().unwrap_or_default();
                home.join(".docker")
            },
            PathBuf::from,
        );
        Self {
            host: var("DOCKER_HOST"),
            context: var("DOCKER_CONTEXT"),
            tls_verify: var("DOCKER_TLS_VERIFY").is_some(),
            certs: var("DOCKER_CERT_PATH").map_or_else(|| config.clone(), PathBuf::from),
            config,
        }
    }
}
