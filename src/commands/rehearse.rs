//! `rehearse`: the same deployment against stand-ins on this machine.
//!
//! Only the repository, the state folder and the endpoints are others. The realm lets no request off the loopback, so a
//! real account cannot be reached; and the state folder is one of its own, so the histories never mix.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::connect::{Ways, accounts, outside};
use super::look::Face;
use super::session::{self, Session, Show};
use super::{Failure, look, place, printed, signals};
use crate::again::{Again, quote};
use crate::cli::{Global, Rehearse};
use crate::config::{self, BuilderChoice, Config};
use crate::docker::{Address, Engine};
use crate::engine::ports::Docker;
use crate::engine::{self, Clock, Connect, Guards, Outside, Pace, Setup};
use crate::headless::{Interrupt, Task};
use crate::problem::{Exit, Kind, Problem};
use crate::rehearsal::docker::{DockerStandIn, Story, engine_answers};
use crate::rehearsal::{DockerChoice, Options, Outline, Rehearsal};

/// Rehearses, or only serves.
pub(super) fn run(global: &Global, args: &Rehearse) -> Result<Exit, Failure> {
    let options = Options {
        hosts: args.hosts,
        regions: args.regions.clone(),
        seed: args.seed,
        speed: args.speed,
        scenario: args.scenario.clone(),
        docker: args.docker,
    };
    if args.serve {
        let runtime = session::runtime()?;
        let served = runtime.block_on(async {
            let scene = Scene::set(&options).await?;
            let interrupts = signals::listen()?;
            serve(&scene, interrupts).await
        });
        runtime.shutdown_background();
        return served;
    }
    let face = Face::choose(global.progress)?;
    let outline = Outline::of(&options)?;
    let config = config::parse(Path::new("config.toml"), &outline.configuration).map_err(|errors| Failure::Config {
        errors,
        colour: look::colour_of_errors(global),
    })?;
    let session = Session::open(global, &place::rehearsals(&place::state_dir(global)?))?;
    let theatre = Arc::new(Theatre {
        options,
        config: Arc::new(config),
        scene: Mutex::default(),
    });
    let setup = Setup {
        connect: theatre.connect(),
        config: Arc::clone(&theatre.config),
        revision: "HEAD".to_owned(),
        guards: Guards::default(),
        ledger: session.journal.clone(),
        driver: session::driver(),
        logs: session.logs(),
        rehearsal: true,
        pace: pace(outline.speed),
        clock: Clock::default(),
    };
    let show = Show {
        global,
        app: &theatre.config.app,
        environment: &theatre.config.environment.name,
        rehearsal: true,
        passing: true,
        again: Again::default(),
        task: Task::Deploy(session::consent(&args.drive)),
        wait: args.drive.wait_timeout,
        unfinished: None,
    };
    let ended = session.through(|session| Ok(session.follow(face, &show, || engine::launch(setup))?.exit()));
    theatre.close();
    ended
}

/// The stand-ins as they are to be, and as they are once the engine connects: making a repository takes longer than a
/// first frame may.
struct Theatre {
    options: Options,
    config: Arc<Config>,
    scene: Mutex<Option<Scene>>,
}

impl Theatre {
    fn connect(self: &Arc<Self>) -> Connect {
        let theatre = Arc::clone(self);
        Arc::new(move || {
            let theatre = Arc::clone(&theatre);
            Box::pin(async move { theatre.outside().await })
        })
    }

    async fn outside(&self) -> Result<Outside, Problem> {
        let mut scene = self.scene.lock().await;
        let scene = match &mut *scene {
            Some(scene) => scene,
            none => none.insert(Scene::set(&self.options).await?),
        };
        outside(&accounts(&self.config), self.config.builder, &scene.ways()).await
    }

    /// Removes the stand-ins' files, though a task that has not ended yet may still know of the theatre.
    fn close(&self) {
        if let Ok(mut scene) = self.scene.try_lock() {
            *scene = None;
        }
    }
}

/// The stand-ins. They serve as long as this is held.
struct Scene {
    rehearsal: Rehearsal,
    docker: Option<DockerStandIn>,
}

impl Scene {
    async fn set(options: &Options) -> Result<Self, Problem> {
        let rehearsal = Rehearsal::start(options.clone()).await?;
        rehearsal.ecr().limit_uploads(uploads(rehearsal.speed()));
        let docker = match options.docker {
            DockerChoice::Auto if usable_engine().await.is_ok() => None,
            DockerChoice::Auto | DockerChoice::StandIn => {
                Some(DockerStandIn::start(rehearsal.dir(), Story::at_speed(rehearsal.speed())).await?)
            }
            DockerChoice::Real => {
                usable_engine().await?;
                None
            }
        };
        Ok(Self { rehearsal, docker })
    }

    fn ways(&self) -> Ways {
        Ways {
            folder: self.rehearsal.sample().path.clone(),
            docker: self
                .docker
                .as_ref()
                .map_or(Address::Environment, |docker| Address::Given {
                    host: docker.host().to_owned(),
                    origin: "rehearsal".to_owned(),
                }),
            rehearsal: Some(self.rehearsal.api()),
        }
    }
}

/// Whether this machine's own engine can take part.
///
/// # Errors
/// It does not answer, or is one that cannot reach the rehearsal's registries.
async fn usable_engine() -> Result<(), Problem> {
    let found = Engine::open(&Address::Environment, BuilderChoice::Auto).info().await?;
    if engine_answers(found.host.as_str()).await {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Build,
        format!(
            "the Docker Engine at {} cannot reach a registry on this machine's loopback",
            found.host
        ),
        "rehearse with --docker stand-in",
    ))
}

/// What a registry takes in a second: a layer of a few megabytes is seen to grow.
fn uploads(speed: f64) -> Option<u64> {
    const USUAL: f64 = 3_000_000.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a speed is above 0, and a float that does not fit saturates"
    )]
    let limit = (USUAL * speed) as u64;
    Some(limit.max(1))
}

/// The pace of a fleet that is `speed` times faster than life: stand-ins do not throttle.
fn pace(speed: f64) -> Pace {
    let usual = Pace::default();
    let faster = |time: Duration| {
        let scaled = time.as_secs_f64() / speed.max(1.0);
        Duration::from_secs_f64(scaled.clamp(0.2, time.as_secs_f64()))
    };
    Pace {
        early: faster(usual.early),
        steady: faster(usual.steady),
        push_pause: faster(usual.push_pause),
        // Its windows are shorter, too.
        grace: Duration::from_secs(10),
        ..usual
    }
}

/// Prints how another shell reaches the stand-ins, and serves until a signal comes.
async fn serve(
    scene: &Scene,
    mut interrupts: tokio::sync::mpsc::UnboundedReceiver<Interrupt>,
) -> Result<Exit, Failure> {
    printed(|out| {
        writeln!(
            out,
            "# a rehearsal: set this in another shell; it lasts until this process ends"
        )?;
        for (name, value) in scene.rehearsal.environment() {
            writeln!(out, "export {name}={}", quote(&value))?;
        }
        if let Some(docker) = &scene.docker {
            writeln!(out, "export DOCKER_HOST={}", quote(docker.host()))?;
        }
        writeln!(
            out,
            "cd {}",
            quote(&scene.rehearsal.sample().path.display().to_string())
        )?;
        Ok(Exit::Success)
    })?;
    interrupts.recv().await;
    Ok(Exit::Success)
}
