//! Which engine it is and which builder it gives.

use bollard::models::SystemVersion;

use super::link::Link;
use crate::config::BuilderChoice;
use crate::plan::{Builder, EngineInfo};
use crate::problem::{Kind, Problem};
use crate::text::Clean;

/// The API version of Docker 18.09, the first with BuildKit built in.
const BUILDKIT_SINCE: (u32, u32) = (1, 39);

/// Asks the engine what it is.
pub(super) async fn ask(link: &Link, choice: BuilderChoice) -> Result<EngineInfo, Problem> {
    let version = link.api.version().await.map_err(|error| link.fault(&error))?;
    let (Some(number), Some(os), Some(arch)) = (&version.version, &version.os, &version.arch) else {
        return Err(Problem::new(
            Kind::Build,
            format!("what answers at {} does not speak as a Docker Engine", link.at.name()),
            "name the engine's own address with DOCKER_HOST",
        ));
    };
    let podman = is_podman(&version);
    Ok(EngineInfo {
        host: link.at.host.clone(),
        origin: link.at.origin.clone(),
        version: Clean::line(&if podman {
            format!("Podman {number}")
        } else {
            number.clone()
        }),
        platform: Clean::line(&format!("{os}/{arch}")),
        builder: builder(&version, podman, choice, &link.at.name())?,
    })
}

fn is_podman(version: &SystemVersion) -> bool {
    let mut components = version.components.iter().flatten();
    components.any(|component| component.name.contains("Podman"))
}

/// The builder to use. Podman takes requests for BuildKit and answers with its own builder in the classic form.
fn builder(version: &SystemVersion, podman: bool, choice: BuilderChoice, engine: &str) -> Result<Builder, Problem> {
    let lack = if podman {
        Some("is Podman")
    } else if version.os.as_deref() == Some("windows") {
        Some("builds Windows images")
    } else if api_version(version).is_none_or(|api| api < BUILDKIT_SINCE) {
        Some("is older than 18.09")
    } else {
        None
    };
    match (choice, lack) {
        (BuilderChoice::Classic, _) | (BuilderChoice::Auto, Some(_)) => Ok(Builder::Classic),
        (BuilderChoice::Auto | BuilderChoice::Buildkit, None) => Ok(Builder::Buildkit),
        (BuilderChoice::Buildkit, Some(why)) => Err(Problem::new(
            Kind::Build,
            format!("config.toml asks for BuildKit, which the engine at {engine} does not have: it {why}"),
            "set builder = \"auto\" or \"classic\" under [build], or use another engine",
        )),
    }
}

fn api_version(version: &SystemVersion) -> Option<(u32, u32)> {
    let (major, minor) = version.api_version.as_deref()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
