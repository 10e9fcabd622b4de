//! Pushes from a real engine to a real registry.

use std::time::Duration;

use quarterdeck::config::BuilderChoice;
use quarterdeck::docker::{Address, Engine, Patience, Surroundings};
use quarterdeck::engine::ports::{Docker as _, PushFailure, PushSpec, Pushed};
use quarterdeck::names::Digest;
use quarterdeck::plan::Builder;
use quarterdeck::state::live::{LayerPhase, Progress};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::need;
use crate::proxy::{self, Then};
use crate::registry::{PASSWORD, Registry};
use crate::rig::{Images, Watch, build_spec, client, dockerfile, engine, push_spec, unique};

/// Whether there is what these tests need.
pub fn ready() -> bool {
    need("docker") && need("busybox") && need("docker-registry") && need("htpasswd")
}

/// A registry, and an image that is to go there.
struct Freight {
    registry: Registry,
    images: Images,
    image: Digest,
    repository: String,
}

impl Freight {
    /// An image of `megabytes` for a registry that is well.
    async fn load(megabytes: u32) -> Self {
        let registry = Registry::start();
        let mut images = Images::import().await;
        let image = image(&mut images, megabytes).await;
        let repository = registry.repository("team/app");
        images.keep_track(format!("{repository}:4f1c2ab"));
        Self {
            registry,
            images,
            image,
            repository,
        }
    }

    /// An image of 16 MB for a registry that does so after the first four.
    async fn until(then: Then) -> Self {
        let mut freight = Self::load(16).await;
        let proxy = proxy::start(freight.registry.address(), 4_000_000, then).await;
        freight.repository = format!("{proxy}/team/app");
        freight.images.keep_track(format!("{}:4f1c2ab", freight.repository));
        freight
    }

    fn spec(&self) -> PushSpec {
        push_spec(&self.image, &self.repository, PASSWORD)
    }

    /// Its push, once it has come to `phase`, and what cancels it.
    async fn under_way(&self, phase: fn(&LayerPhase) -> bool) -> (Watch, CancellationToken, Push) {
        let (watch, stop) = (Watch::default(), CancellationToken::new());
        let (spec, sink, token) = (self.spec(), watch.sink(), stop.clone());
        let push = tokio::spawn(async move { engine().push(spec, sink, token).await });
        watch
            .until(|progress| matches!(progress, Progress::Layer { phase: now, .. } if phase(now)))
            .await;
        (watch, stop, push)
    }
}

/// A push under way.
type Push = JoinHandle<Result<Pushed, PushFailure>>;

/// An image of the base and two layers of its own, one of `megabytes`.
async fn image(images: &mut Images, megabytes: u32) -> Digest {
    let tag = images.tag("app");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = format!(
        "FROM {}\nRUN echo {} > /nonce\nRUN dd if=/dev/urandom of=/big bs=1048576 count={megabytes}\n",
        images.base,
        unique("nonce")
    );
    let spec = build_spec(Builder::Classic, &tag, &dir.path().join("log"));
    let built = engine()
        .build(
            spec,
            dockerfile(&text),
            Watch::default().sink(),
            CancellationToken::new(),
        )
        .await;
    built.expect("it builds").image
}

/// Pushes to the end, with nobody watching.
async fn push(spec: PushSpec) -> Result<Pushed, PushFailure> {
    engine()
        .push(spec, Watch::default().sink(), CancellationToken::new())
        .await
}

#[tokio::test]
async fn a_push_is_told_layer_by_layer_and_its_digest_is_the_registrys() {
    if !ready() {
        return;
    }
    let freight = Freight::load(8).await;
    let (image, repository) = (&freight.image, &freight.repository);

    let watch = Watch::default();
    let pushed = engine()
        .push(freight.spec(), watch.sink(), CancellationToken::new())
        .await
        .expect("it is pushed");
    assert_eq!(
        Some(pushed.digest.as_str()),
        freight.registry.digest("team/app", "4f1c2ab").as_deref()
    );
    assert_eq!((pushed.layers_pushed, pushed.layers_present), (3, 0));
    let known = engine().digests(image, repository).await;
    assert_eq!(
        known,
        std::slice::from_ref(&pushed.digest),
        "for whoever finds the tag immutable"
    );
    engine().untag(&format!("{repository}:4f1c2ab")).await;
    let known = engine().digests(image, repository).await;
    assert!(
        known.is_empty(),
        "this engine remembers it for as long as the tag: {known:?}"
    );
    let kept = client().inspect_image(image.as_str()).await.expect("the image is kept");
    let names = kept.repo_tags.unwrap_or_default();
    assert!(!names.is_empty(), "it keeps its own name");
    assert!(
        names.iter().all(|name| !name.starts_with(repository)),
        "the registry's is gone: {names:?}"
    );
    let layers = watch.layers();
    let moved = layers.iter().any(|(_, phase)| match phase {
        LayerPhase::Pushing { done, total } => *total > 0 && done <= total,
        _ => false,
    });
    assert!(moved, "bytes are told: {layers:?}");
    let done = layers.iter().filter(|(_, phase)| *phase == LayerPhase::Pushed).count();
    assert_eq!(done, 3, "{layers:?}");

    let watch = Watch::default();
    let again = engine()
        .push(freight.spec(), watch.sink(), CancellationToken::new())
        .await
        .expect("it is pushed again");
    assert_eq!(again.digest, pushed.digest);
    assert_eq!((again.layers_pushed, again.layers_present), (0, 3));
    assert!(watch.layers().iter().any(|(_, phase)| *phase == LayerPhase::Exists));
    assert_eq!(
        freight.registry.digest("team/app", "latest"),
        None,
        "no other tag is pushed"
    );
}

#[tokio::test]
async fn a_login_that_is_not_taken_is_worth_a_fresh_one() {
    if !ready() {
        return;
    }
    let freight = Freight::load(1).await;
    let yesterdays = push_spec(&freight.image, &freight.repository, "yesterdays-token");
    let mut nobody = push_spec(&freight.image, &freight.repository, "");
    nobody.user = String::new();
    for spec in [yesterdays, nobody] {
        let result = push(spec).await;
        let Err(PushFailure::Expired(problem)) = result else {
            panic!("it is refused: {result:?}");
        };
        let reference = format!("{}:4f1c2ab", freight.repository);
        assert!(problem.what.as_str().contains(&reference), "{problem}");
        assert!(!problem.to_string().contains("yesterdays-token"), "{problem}");
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_worth_another_try() {
    if !ready() {
        return;
    }
    let mut images = Images::import().await;
    let image = image(&mut images, 1).await;
    let repository = "127.0.0.1:1/app";
    images.keep_track(format!("{repository}:4f1c2ab"));
    let result = push(push_spec(&image, repository, PASSWORD)).await;
    let Err(PushFailure::Transient(problem)) = result else {
        panic!("nothing can be pushed: {result:?}");
    };
    assert!(
        problem.what.as_str().contains("could not reach 127.0.0.1:1"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_registry_that_dies_midway_is_tried_again_by_the_engine_which_is_told() {
    if !ready() {
        return;
    }
    let freight = Freight::until(Then::Die).await;
    let (watch, stop, push) = freight
        .under_way(|phase| matches!(phase, LayerPhase::RetryingIn(_)))
        .await;
    let layers = watch.layers();
    let moved = layers
        .iter()
        .any(|(_, phase)| matches!(phase, LayerPhase::Pushing { .. }));
    assert!(moved, "{layers:?}");
    stop.cancel();
    assert_eq!(push.await.expect("no panic"), Err(PushFailure::Cancelled));
}

#[tokio::test]
async fn a_silent_registry_is_said_to_have_stalled_and_given_up() {
    if !ready() {
        return;
    }
    let freight = Freight::until(Then::Stall).await;
    let patience = Patience {
        stall_noted: Duration::from_secs(1),
        stalled: Duration::from_secs(3),
        ..Patience::default()
    };
    let environment = Surroundings::from_env();
    let engine = Engine::open_in(&Address::Environment, BuilderChoice::Auto, &environment, patience);
    let watch = Watch::default();
    let result = engine
        .push(freight.spec(), watch.sink(), CancellationToken::new())
        .await;
    let Err(PushFailure::Transient(problem)) = result else {
        panic!("the push is given up: {result:?}");
    };
    assert!(
        problem
            .what
            .as_str()
            .contains("stalled: neither engine nor registry moved for 3s"),
        "{problem}"
    );
    assert!(
        watch.notes().contains(&"stalled: no progress for 1s".to_owned()),
        "{:?}",
        watch.notes()
    );
}

#[tokio::test]
async fn cancelling_a_push_ends_it_at_once() {
    if !ready() {
        return;
    }
    let freight = Freight::until(Then::Stall).await;
    let (_watch, stop, push) = freight
        .under_way(|phase| matches!(phase, LayerPhase::Pushing { .. }))
        .await;
    stop.cancel();
    assert_eq!(push.await.expect("no panic"), Err(PushFailure::Cancelled));
}

#[tokio::test]
async fn an_image_that_is_gone_and_a_name_that_cannot_be_are_final() {
    if !ready() {
        return;
    }
    let gone = Digest::new(format!("sha256:{}", "0".repeat(64)));
    let mut upper = push_spec(&gone, "127.0.0.1:1/app", PASSWORD);
    upper.tag = "feature/x".to_owned();
    for (spec, remedy) in [
        (push_spec(&gone, "127.0.0.1:1/app", PASSWORD), "build it again"),
        (upper, "in the tag"),
    ] {
        let result = push(spec).await;
        let Err(PushFailure::Final(problem)) = result else {
            panic!("nothing can be pushed: {result:?}");
        };
        assert!(problem.remedy.as_str().contains(remedy), "{problem}");
    }
}
