//! Quarterdeck's own rooms on the stand-ins: what a rehearsal does between the plan and the rollout.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use quarterdeck::aws::{Realm, connect};
use quarterdeck::config::{AwsConfig, BuilderChoice, Endpoints};
use quarterdeck::docker::{Address, Engine};
use quarterdeck::engine::ports::{
    BuildFailure, BuildSpec, ContextSpec, Docker as _, Git as _, PushFailure, PushSpec, RegionPorts, Retagged, Sink,
};
use quarterdeck::names::{BuildId, Digest};
use quarterdeck::plan::{Builder, Source};
use quarterdeck::rehearsal::docker::{DockerStandIn, FailingStep, Story};
use quarterdeck::rehearsal::sample::Sample;
use quarterdeck::rehearsal::{Options, Rehearsal};
use quarterdeck::source::Repository;
use quarterdeck::state::live::Progress;
use quarterdeck::text::Clean;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

struct Set {
    rehearsal: Rehearsal,
    stand_in: DockerStandIn,
    engine: Arc<Engine>,
    seen: Arc<Mutex<Vec<Progress>>>,
    dir: tempfile::TempDir,
}

impl Set {
    async fn open() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let rehearsal = Rehearsal::start(Options::default()).await.expect("it starts");
        let stand_in = DockerStandIn::start(dir.path(), Story::at_speed(0.0))
            .await
            .expect("it starts");
        let address = Address::Given {
            host: stand_in.host().to_owned(),
            origin: "rehearsal".to_owned(),
        };
        let engine = Engine::open(&address, BuilderChoice::Auto);
        Self {
            rehearsal,
            stand_in,
            engine,
            seen: Arc::default(),
            dir,
        }
    }

    fn sample(&self) -> &Sample {
        self.rehearsal.sample()
    }

    async fn ports(&self) -> RegionPorts {
        let api = Some(self.rehearsal.api());
        let config = AwsConfig {
            endpoints: Endpoints {
                ssm: api.clone(),
                ecr: api.clone(),
                sts: api,
            },
            ..AwsConfig::default()
        };
        connect(&config, &self.rehearsal.regions()[0], Realm::Rehearsal)
            .await
            .expect("it is on loopback")
    }

    fn sink(&self) -> Sink {
        let seen = self.seen.clone();
        Arc::new(move |progress| seen.lock().expect("nobody panicked").push(progress))
    }

    async fn build(&self) -> Result<Digest, BuildFailure> {
        let repository = Repository::open(&self.sample().path).await.expect("it is a repository");
        let whole = ContextSpec {
            commit: self.sample().head.clone(),
            source: Source::Commit,
            directory: Clean::line("."),
            dockerfile: Clean::line("Dockerfile"),
        };
        let spec = BuildSpec {
            build: BuildId::new("build-1"),
            builder: self.engine.info().await.expect("it answers").builder,
            dockerfile: "Dockerfile".to_owned(),
            target: None,
            args: BTreeMap::new(),
            platform: None,
            labels: BTreeMap::from([("revision".to_owned(), self.sample().head.to_string())]),
            tag: "quarterdeck/sento:1".to_owned(),
            credentials: Vec::new(),
            log: self.dir.path().join(format!("build-{}.log", uuid::Uuid::now_v7())),
        };
        let context = repository.context(&whole).await.expect("it has a context");
        let built = self
            .engine
            .build(spec, context, self.sink(), CancellationToken::new())
            .await;
        built.map(|built| built.image)
    }

    async fn push(&self, image: Digest, password: SecretString) -> Result<Digest, PushFailure> {
        let region = self.rehearsal.regions()[0].clone();
        let host = self.rehearsal.ecr().host(&region).expect("the region is there");
        let spec = PushSpec {
            repository: format!("{host}/{}", Sample::repository(&region)),
            region,
            image,
            tag: self.sample().head.to_string(),
            user: "AWS".to_owned(),
            password,
        };
        let pushed = self.engine.push(spec, self.sink(), CancellationToken::new()).await;
        pushed.map(|pushed| pushed.digest)
    }
}

#[tokio::test]
async fn a_commit_is_built_pushed_and_becomes_latest() {
    let set = Set::open().await;
    let info = set.engine.info().await.expect("it answers");
    assert_eq!((info.builder, info.origin.as_str()), (Builder::Classic, "rehearsal"));
    let ecr = set.ports().await.ecr;
    let name = Sample::repository(&set.rehearsal.regions()[0]);
    let running = ecr
        .image(&name, "latest")
        .await
        .expect("ECR answers")
        .expect("something runs");
    assert!(
        running.tags.contains(&Clean::line(set.sample().running.as_str())),
        "{running:?}"
    );
    assert_eq!(ecr.image(&name, set.sample().head.as_str()).await, Ok(None));

    let image = set.build().await.expect("it builds");
    let login = ecr.login().await.expect("ECR answers");
    assert!(login.password.expose_secret().len() > 1000);
    let pushed = set.push(image, login.password).await.expect("it is pushed");
    let found = ecr
        .image(&name, set.sample().head.as_str())
        .await
        .expect("ECR answers")
        .expect("it is there");
    assert_eq!(found.digest, pushed);
    let retag = || ecr.retag(&name, set.sample().head.as_str(), &pushed, "latest");
    assert_eq!(retag().await, Ok(Retagged::Moved));
    assert_eq!(retag().await, Ok(Retagged::Already));

    let seen = set.seen.lock().expect("nobody panicked");
    let steps = seen
        .iter()
        .filter(|progress| matches!(progress, Progress::Step { .. }))
        .count();
    let layers = seen
        .iter()
        .filter(|progress| matches!(progress, Progress::Layer { .. }))
        .count();
    assert!(steps >= 13 && layers >= 10, "{steps} steps, {layers} layers");
}

#[tokio::test]
async fn a_step_that_fails_and_a_token_that_expired_are_told_as_such_and_can_be_tried_again() {
    let set = Set::open().await;
    set.stand_in.story().fail(FailingStep {
        holds: "COPY lib/".to_owned(),
        code: 1,
        times: 1,
    });
    match set.build().await.expect_err("the step fails") {
        BuildFailure::Failed { problem, .. } => {
            assert!(problem.what.as_str().contains("no space left on device"), "{problem}")
        }
        BuildFailure::Cancelled => panic!("nobody cancelled it"),
    }
    let image = set.build().await.expect("it fails once only");
    let ecr = set.ports().await.ecr;
    let old = ecr.login().await.expect("ECR answers").password;
    set.rehearsal.ecr().store().expire_tokens(&set.rehearsal.regions()[0]);
    let refused = set.push(image.clone(), old).await.expect_err("the token expired");
    assert!(matches!(refused, PushFailure::Expired(_)), "{refused:?}");
    let fresh = ecr.login().await.expect("ECR answers").password;
    set.push(image, fresh).await.expect("a fresh token mends it");
}
