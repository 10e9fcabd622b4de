//! The rehearsal: stand-ins for SSM, ECR, STS and a Docker Engine that speak the real wire protocols on loopback.
//!
//! Nothing of the engine is replaced: the same SDK and the same bollard talk to these servers, with only endpoints changed.
//! The engine never imports this room.
//!
//! ```text
//! server (HTTP) -> desk (log, faults) -> ssm (API) -> fleet (what happens, when)
//!                                     -> ecr, sts
//! ```
//!
//! Everything behind the server is a plain function of the moment and the request, so that a simulation can drive it on
//! virtual time through [`Desk::serve`](desk::Desk::serve).

pub mod desk;
pub mod docker;
pub mod ecr;
pub mod faults;
pub mod fleet;
pub mod loopback;
pub mod options;
pub mod registry;
mod requests;
pub mod sample;
pub mod scenario;
mod scratch;
pub mod server;
mod signature;
pub mod ssm;
mod stage;
mod sts;
pub mod wire;

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

pub use desk::{Call, Desk, Served};
pub use options::{DockerChoice, Options, Regions};
pub use requests::Request;
pub use stage::TIMEOUTS_FASTER;
pub use sts::{ACCOUNT, CALLER};

use crate::aws::{REHEARSAL_ACCESS_KEY, REHEARSAL_SECRET_KEY};
use crate::names::{AccountId, HostId, Millis, Region};
use crate::plan::Mutability;
use crate::problem::{Kind, Problem};
use ecr::EcrStandIn;
use faults::Faults;
use fleet::{Fate, Images};
use sample::Sample;
use scenario::Scenario;
use scratch::Scratch;
use server::Server;
use ssm::{Ssm, World};
use stage::Stage;

/// What a rehearsal comes to, known before anything of it exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// How many times faster than life its hosts work.
    pub speed: f64,
    /// The text of the sample's config.toml.
    pub configuration: String,
}

impl Outline {
    /// Reads the scenario and holds the options against it, and does nothing else.
    ///
    /// # Errors
    ///
    /// Options or a scenario that can't be.
    pub fn of(options: &Options) -> Result<Self, Problem> {
        let (_, stage) = staged(options)?;
        Ok(Self {
            speed: stage.pace.speed,
            configuration: sample::configuration(&stage.names()),
        })
    }
}

/// The scenario, and what options and scenario come to.
fn staged(options: &Options) -> Result<(Scenario, Stage), Problem> {
    let scenario = options.scenario.as_deref().map(Scenario::read).transpose()?;
    let scenario = scenario.unwrap_or_default();
    let stage = Stage::set(options, &scenario)?;
    Ok((scenario, stage))
}

/// A running rehearsal; dropping it stops its servers and removes its files.
pub struct Rehearsal {
    desk: Arc<Desk>,
    server: Server,
    ecr: Arc<EcrStandIn>,
    regions: Vec<Region>,
    sample: Sample,
    speed: f64,
    scratch: Scratch,
}

impl Rehearsal {
    /// Sets the scene and starts the servers.
    ///
    /// # Errors
    ///
    /// Options or a scenario that can't be, a port of loopback that can't be had, or a temporary directory that can't be written.
    pub async fn start(options: Options) -> Result<Self, Problem> {
        let (scenario, stage) = staged(&options)?;
        let regions = stage.names();
        let since = Millis(Millis::now().0 + scenario.clock_ahead_ms);
        let scratch = Scratch::new().map_err(|error| {
            Problem::new(
                Kind::Unexpected,
                format!(
                    "the rehearsal can't make a directory in {}: {error}",
                    std::env::temp_dir().display()
                ),
                "make room there, or set TMPDIR to a directory that can be written",
            )
        })?;
        let ecr = Arc::new(EcrStandIn::start(scratch.path(), &AccountId::new(ACCOUNT), &regions).await?);
        let (dir, names) = (scratch.path().to_owned(), regions.clone());
        // Its commits are dated by this machine's clock, whatever the story says of AWS's.
        let made = tokio::task::spawn_blocking(move || sample::create(&dir, &names, Millis::now())).await;
        let sample = made.unwrap_or_else(|error| {
            let what = format!("making the rehearsal's repository broke off: {error}");
            Err(Problem::new(Kind::Unexpected, what, "start the rehearsal again"))
        })?;
        for region in &regions {
            ecr.create_repository(region, &Sample::repository(region), Mutability::Mutable);
        }
        sample.preload(&ecr, &regions)?;
        let speed = stage.pace.speed;
        let world = World {
            seed: stage.seed,
            pace: stage.pace,
            since,
            regions: stage.regions,
            images: ecr.clone(),
        };
        let api = ecr.clone();
        let api: desk::EcrApi = Arc::new(move |region, operation, body| api.handle(region, operation, body));
        let desk = Arc::new(Desk::new(Ssm::new(world), api, Faults::new(since, scenario.faults)));
        let server = Server::start(desk.clone(), scenario.clock_ahead_ms)
            .await
            .map_err(|error| {
                Problem::new(
                    Kind::Unexpected,
                    format!("the rehearsal's server can't listen on 127.0.0.1: {error}"),
                    "see whether this machine's loopback interface is up",
                )
            })?;
        Ok(Self {
            desk,
            server,
            ecr,
            regions,
            sample,
            speed,
            scratch,
        })
    }

    /// The repository to deploy.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// How many times faster than life its hosts work.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// A folder that is removed with the rehearsal.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// The address of SSM, ECR's API and STS, for all regions.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// Its regions.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// What another shell sets to reach it, and to reach nothing else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let region = self.regions.first().map(Region::to_string).unwrap_or_default();
        vec![
            ("AWS_ENDPOINT_URL", self.api()),
            ("AWS_ACCESS_KEY_ID", REHEARSAL_ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", REHEARSAL_SECRET_KEY.to_owned()),
            ("AWS_REGION", region.clone()),
            // The only one that version 1 of the `aws` command reads.
            ("AWS_DEFAULT_REGION", region),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ]
    }

    /// The faults in force.
    pub fn faults(&self) -> &Faults {
        self.desk.faults()
    }

    /// The requests so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.desk.requests()
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.desk.count(operation)
    }

    /// Gives a host another story from its next command on; whether there is such a host.
    pub fn tell(&self, region: &Region, host: &HostId, fates: &[Fate]) -> bool {
        self.desk.with_ssm(Millis::now(), |ssm| {
            let region = ssm.region_mut(region.as_str());
            region.is_some_and(|region| region.tell(host.as_str(), fates.to_vec()))
        })
    }

    /// ECR and its registries.
    pub fn ecr(&self) -> &EcrStandIn {
        &self.ecr
    }

    /// The services behind the servers.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }
}

/// What the registry has is what hosts get.
impl Images for EcrStandIn {
    fn pulls(&self, region: &str, repository: &str, tag: &str) -> Option<String> {
        let digest = |repository: &ecr::store::Repository| repository.find(tag).map(|(digest, _)| digest.to_owned());
        self.store().look(&Region::new(region), repository, digest).ok()?
    }
}

/// Every tag exists, with a digest of its own: for a fleet without a registry.
#[derive(Debug, Clone, Copy)]
pub struct AnyImage;

impl Images for AnyImage {
    fn pulls(&self, region: &str, repository: &str, tag: &str) -> Option<String> {
        let digest = Sha256::digest(format!("{region}/{repository}:{tag}"));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(format!("sha256:{hex}"))
    }
}
