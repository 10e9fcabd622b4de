//! One image build: the request, its stream, and what it came to.

mod buildkit;
mod classic;
mod failure;
mod feed;
mod lines;
mod log;
mod record;

use std::collections::HashMap;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion};
use futures_util::StreamExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::auth;
use super::fault;
use super::link::Link;
use crate::config::ResolvedInput;
use crate::engine::ports::{BuildFailure, BuildSpec, Built, Context, Sink};
use crate::mask::Mask;
use crate::names::{Digest, Millis};
use crate::plan::Builder;
use crate::problem::{Kind, Problem};
use buildkit::Buildkit;
use classic::Classic;
use feed::Feed;
pub use lines::Lines;
use log::LogFile;
use record::{At, Recorder};

/// How the stream came to its end.
enum End {
    /// The engine closed it, or had nothing more to say after the result.
    Closed,
    /// On request.
    Cancelled,
    /// With an error.
    Broken(Error),
}

/// Which builder's account it is.
enum Dialect {
    Buildkit(Buildkit),
    Classic(Classic),
}

/// Builds.
pub(super) async fn run(
    link: &Link,
    spec: BuildSpec,
    context: Context,
    sink: Sink,
    stop: CancellationToken,
) -> Result<Built, BuildFailure> {
    let log = LogFile::create(&spec.log).map_err(not_started)?;
    let feed = Feed::default();
    let body = feed.body(context, spec.build.clone(), sink.clone());
    let mut record = Recorder::new(spec.build.clone(), sink, Mask::new(secrets(&spec)), log);
    let mut dialect = match spec.builder {
        Builder::Buildkit => Dialect::Buildkit(Buildkit::default()),
        Builder::Classic => Dialect::Classic(Classic::default()),
    };

    let (client, credentials) = client(link, &spec);
    let body = bollard::body_try_stream(body);
    let mut stream = client.build_image(options(&spec), credentials, Some(body));
    let end = loop {
        let complete = dialect.image().is_some();
        let next = async {
            if complete {
                // What follows is of no matter: trace items that came late.
                let rest = tokio::time::timeout(link.patience.closing, stream.next()).await;
                rest.unwrap_or_default()
            } else {
                stream.next().await
            }
        };
        let item = tokio::select! {
            biased;
            () = stop.cancelled() => break End::Cancelled,
            item = next => item,
        };
        match item {
            Some(Ok(info)) => dialect.take(info, &mut record),
            Some(Err(error)) if !fault::is_unterminated(&error) => break End::Broken(error),
            Some(Err(_)) | None => break End::Closed,
        }
        record.flush();
    };
    drop(stream);
    finish(link, &spec, &feed, dialect, record, end).await
}

/// A build that failed before the engine was asked.
pub(super) fn not_started(problem: Problem) -> BuildFailure {
    BuildFailure::Failed {
        problem,
        step: None,
        exit_code: None,
        log_tail: Vec::new(),
        steps: Vec::new(),
    }
}

/// What must not come out: the secret arguments and the passwords.
fn secrets(spec: &BuildSpec) -> Vec<&SecretString> {
    let arguments = spec.args.values().filter_map(|input| match input {
        ResolvedInput::Secret(secret) => Some(secret),
        ResolvedInput::Plain(_) => None,
    });
    let passwords = spec.credentials.iter().map(|(_, _, password)| password);
    arguments.chain(passwords).collect()
}

fn options(spec: &BuildSpec) -> BuildImageOptions {
    let arguments = spec
        .args
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let labels = spec.labels.iter().map(|(name, value)| (name.clone(), value.clone()));
    let options = BuildImageOptionsBuilder::new()
        .dockerfile(&spec.dockerfile)
        .t(&spec.tag)
        .rm(true)
        .forcerm(true)
        .buildargs(&arguments.collect::<HashMap<_, _>>())
        .labels(&labels.collect::<HashMap<_, _>>())
        .platform(spec.platform.as_deref().unwrap_or_default())
        .target(spec.target.as_deref().unwrap_or_default());
    match spec.builder {
        Builder::Classic => options.version(BuilderVersion::BuilderV1).build(),
        Builder::Buildkit => {
            // Every build needs a session of its own.
            let session = format!("quarterdeck-{}", uuid::Uuid::now_v7().simple());
            let options = options.version(BuilderVersion::BuilderBuildKit).session(&session);
            options.build()
        }
    }
}

/// The client, with the credentials where the builder looks for them: BuildKit asks the session, which bollard serves; the
/// classic builder reads a header, which is ours for its alphabet's sake.
fn client(link: &Link, spec: &BuildSpec) -> (bollard::Docker, Option<HashMap<String, DockerCredentials>>) {
    let client = link.stream.clone();
    if spec.credentials.is_empty() {
        return (client, None);
    }
    match spec.builder {
        Builder::Classic => {
            let header = auth::registry_config(&spec.credentials);
            let client = client.with_request_modifier(move |request| header.put_on(request));
            (client, None)
        }
        Builder::Buildkit => {
            let credentials = spec.credentials.iter().map(|(host, user, password)| {
                let credentials = DockerCredentials {
                    username: Some(user.clone()),
                    password: Some(password.expose_secret().to_owned()),
                    ..DockerCredentials::default()
                };
                (host.clone(), credentials)
            });
            (client, Some(credentials.collect()))
        }
    }
}

/// What the build came to.
async fn finish(
    link: &Link,
    spec: &BuildSpec,
    feed: &Feed,
    mut dialect: Dialect,
    mut record: Recorder,
    end: End,
) -> Result<Built, BuildFailure> {
    record.end();
    if let End::Cancelled = end {
        return Err(BuildFailure::Cancelled);
    }
    if let Some(problem) = feed.problem() {
        return Err(failed(problem, None, None, &record));
    }
    let error = match end {
        End::Broken(error) if dialect.image().is_none() || !fault::is_connection(&error) => Some(error),
        End::Broken(_) | End::Closed | End::Cancelled => None,
    };
    if let Some(error) = error {
        return Err(broken(link, spec, &mut dialect, &mut record, &error).await);
    }
    let Some(image) = dialect.image() else {
        let problem = Problem::new(
            Kind::Build,
            format!(
                "the Docker Engine at {} ended the build without naming an image",
                link.at.name()
            ),
            "it may have been stopped; look at its own log, then build again",
        );
        let at = dialect.failed().or_else(|| record.under_way());
        return Err(failed(problem, at, None, &record));
    };
    let image = match whole_id(link, spec, image).await {
        Ok(image) => image,
        Err(problem) => return Err(failed(problem, None, None, &record)),
    };
    record.flush();
    Ok(Built {
        image,
        context_bytes: feed.bytes(),
        steps: record.ended(),
    })
}

/// The failure that an error of the engine or of the connection to it means.
async fn broken(
    link: &Link,
    spec: &BuildSpec,
    dialect: &mut Dialect,
    record: &mut Recorder,
    error: &Error,
) -> BuildFailure {
    let says = match error {
        Error::DockerStreamError { error } => error,
        Error::DockerResponseServerError { message, .. } => message,
        _ => {
            let problem = link.fault(error);
            return failed(problem, dialect.failed().or_else(|| record.under_way()), None, record);
        }
    };
    let cause = failure::cause(says);
    let code = failure::exit_code(cause);
    let says = record.mask().text(cause);
    if let Dialect::Classic(classic) = dialect {
        classic.fail(&says, record, Millis::now());
    }
    let at = dialect.failed();
    // A classic engine that is being stopped kills the command first and says only that.
    let gone = if code == Some(failure::KILLED) {
        link.api.ping().await.err().filter(fault::is_connection)
    } else {
        None
    };
    let dockerfile = &spec.dockerfile;
    let what = match (at.map(|at| record.get(at)), code) {
        (Some(step), Some(code)) if step.of > 0 => {
            let (number, of, name) = (step.number, step.of, &step.name);
            let hint = failure::exit_hint(code);
            format!("step {number}/{of} of {dockerfile}, {name}, failed with exit code {code}{hint}")
        }
        (Some(step), None) if step.of > 0 => {
            format!(
                "step {}/{} of {dockerfile}, {}, failed: {says}",
                step.number, step.of, step.name
            )
        }
        (Some(_) | None, _) => format!("the build of {dockerfile} failed: {says}"),
    };
    let problem = match gone {
        Some(error) => {
            let gone = link.fault(&error);
            Problem::new(Kind::Build, format!("{what}; now {}", gone.what), gone.remedy.as_str())
        }
        None => Problem::new(
            Kind::Build,
            what,
            failure::remedy(&says, code, &spec.log.display().to_string()),
        ),
    };
    record.flush();
    failed(problem, at, code, record)
}

fn failed(problem: Problem, at: Option<At>, exit_code: Option<i64>, record: &Recorder) -> BuildFailure {
    BuildFailure::Failed {
        problem,
        step: at.map(|at| record.get(at).clone()),
        exit_code,
        log_tail: at.map(|at| record.tail(at)).unwrap_or_default(),
        steps: record.ended(),
    }
}

/// The image's whole id. Podman's last word may name it by a short one.
async fn whole_id(link: &Link, spec: &BuildSpec, named: &str) -> Result<Digest, Problem> {
    let hex = named.strip_prefix("sha256:").unwrap_or(named);
    if hex.len() == 64 {
        return Ok(Digest::new(format!("sha256:{hex}")));
    }
    let image = link
        .api
        .inspect_image(&spec.tag)
        .await
        .map_err(|error| link.fault(&error))?;
    image.id.map(Digest::new).ok_or_else(|| {
        Problem::new(
            Kind::Build,
            format!(
                "the Docker Engine at {} does not tell the id of {}",
                link.at.name(),
                spec.tag
            ),
            "look for it with docker image inspect, then build again",
        )
    })
}

impl Dialect {
    fn take(&mut self, info: BuildInfo, record: &mut Recorder) {
        match self {
            Self::Buildkit(buildkit) => buildkit.take(info, record, Millis::now()),
            Self::Classic(classic) => classic.take(info, record, Millis::now()),
        }
    }

    fn image(&self) -> Option<&str> {
        match self {
            Self::Buildkit(buildkit) => buildkit.image(),
            Self::Classic(classic) => classic.image(),
        }
    }

    fn failed(&self) -> Option<At> {
        match self {
            Self::Buildkit(buildkit) => buildkit.failed(),
            Self::Classic(classic) => classic.current(),
        }
    }
}
