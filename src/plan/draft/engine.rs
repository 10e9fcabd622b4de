//! The Docker Engine, and whether it builds for the hosts' platform.

use super::{Draft, Said, passed, settle, warned};
use crate::plan::{Builder, EngineInfo};

/// What fleets usually run on, and what the images of build servers usually are.
const USUAL: &str = "linux/amd64";

impl Draft<'_> {
    pub(super) fn engine_check(&self) -> Said {
        let engine = self.findings.engine.as_ref();
        if let Some(Err(problem)) = engine {
            match self.needs_engine() {
                Some(true) => {}
                Some(false) => {
                    return warned(
                        ["not needed: every region has the image".to_owned()],
                        problem.what.to_string(),
                    );
                }
                None => return Said::Pending,
            }
        }
        settle(engine, None, |engine| {
            let builder = match engine.builder {
                Builder::Buildkit => "BuildKit",
                Builder::Classic => "classic builder",
            };
            let said = format!("{} {builder} {} at {}", engine.version, engine.platform, engine.host);
            let origin = format!("address from: {}", engine.origin);
            match self.mismatch(engine) {
                Some(mismatch) => warned([mismatch], format!("{said}\n{origin}")),
                None => passed(format!("{said}\n{origin}")),
            }
        })
    }

    /// Whether something has to be built and pushed; `None` until that is known.
    pub(super) fn needs_engine(&self) -> Option<bool> {
        let mut decided = true;
        for lane in &self.config.lanes {
            let found = self.region(lane).and_then(|found| found.image.as_ref());
            let missing = lane.tags.first().and_then(|tag| self.missing_in_repository(lane, tag));
            match (found, missing) {
                (Some(Ok(Some(_))), _) => {}
                (Some(Ok(None) | Err(_)), _) | (None, Some(_)) => return Some(true),
                (None, None) => decided = false,
            }
        }
        decided.then_some(false)
    }

    /// What to know about the image's platform, if anything.
    fn mismatch(&self, engine: &EngineInfo) -> Option<String> {
        let own = normal(engine.platform.as_str());
        let mut wanted = self.config.lanes.iter().map(|lane| lane.build.platform.as_deref());
        let foreign = wanted.clone().flatten().find(|platform| normal(platform) != own);
        match foreign {
            Some(platform) => Some(format!("builds {platform} under emulation: the engine is {own}")),
            None if own != USUAL && wanted.any(|platform| platform.is_none()) => Some(format!(
                "builds for {own}, the engine's own: set build.platform if hosts differ"
            )),
            None => None,
        }
    }
}

/// `os/arch` in Docker's words, without the variant.
fn normal(platform: &str) -> String {
    let mut parts = platform.split('/');
    let os = parts.next().unwrap_or_default();
    let arch = match parts.next().unwrap_or_default() {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        arch => arch,
    };
    format!("{os}/{arch}").to_lowercase()
}
