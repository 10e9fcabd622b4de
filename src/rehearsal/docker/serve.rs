//! The engine's HTTP API, as far as builds and pushes need it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use futures_util::StreamExt as _;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use super::build::{self, Build, Spool};
use super::events;
use super::images::{Image, Images, with_tag};
use super::push::{self, Push};
use super::stage::architecture;
use super::story::Story;

/// The engine's version: the last before BuildKit.
const VERSION: &str = "18.06.3-rehearsal";
/// The API version that goes with it.
const API_VERSION: &str = "1.38";

#[derive(Clone)]
struct Desk {
    images: Arc<Images>,
    story: Story,
    upload_slots: Arc<Semaphore>,
}

/// A refusal: a status and the message that the API wraps.
struct Refused(StatusCode, String);

pub(super) fn router(images: Arc<Images>, story: Story) -> Router {
    Router::new().fallback(serve).with_state(Desk {
        images,
        story,
        upload_slots: Arc::new(Semaphore::new(push::SLOTS)),
    })
}

async fn serve(State(desk): State<Desk>, request: Request) -> Response {
    let mut response = answer(&desk, request)
        .await
        .unwrap_or_else(|Refused(status, message)| respond(status, &json!({"message": message})));
    for (name, value) in [
        ("api-version", API_VERSION),
        ("builder-version", "1"),
        ("docker-experimental", "false"),
        ("ostype", "linux"),
        ("server", "Docker/18.06.3-rehearsal (linux)"),
    ] {
        response
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    response
}

async fn answer(desk: &Desk, request: Request) -> Result<Response, Refused> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let path = percent_decode_str(unversioned(request.uri().path())).decode_utf8_lossy();
    let image = |end: &str| {
        path.strip_prefix("/images/")
            .and_then(|rest| rest.strip_suffix(end))
            .map(str::to_owned)
    };
    match (request.method(), &*path) {
        (&Method::GET | &Method::HEAD, "/_ping") => Ok(plain("OK")),
        (&Method::GET, "/version") => Ok(respond(StatusCode::OK, &version())),
        (&Method::GET, "/info") => Ok(respond(StatusCode::OK, &info(desk))),
        (&Method::GET, "/images/json") => Ok(respond(StatusCode::OK, &list(desk, &query))),
        (&Method::POST, "/build") => start_build(desk, query, request.into_body()).await,
        (&Method::POST, _) => match (image("/tag"), image("/push")) {
            (Some(name), _) => tag(desk, &name, &query),
            (None, Some(name)) => Ok(start_push(desk, &name, &query, &request)),
            (None, None) => Err(not_found()),
        },
        (&Method::GET, _) => inspect(desk, &image("/json").ok_or_else(not_found)?),
        (&Method::DELETE, _) => remove(desk, &image("").ok_or_else(not_found)?),
        _ => Err(not_found()),
    }
}

/// POST /build: the context goes to a file first, as in a real engine, which says nothing before it has it all.
async fn start_build(desk: &Desk, query: Query, context: Body) -> Result<Response, Refused> {
    if query.get("version") == Some("2") {
        return Err(Refused(
            StatusCode::BAD_REQUEST,
            "buildkit is not supported by this engine".to_owned(),
        ));
    }
    let failed = |error: std::io::Error| Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let spool = Spool(desk.images.folder.join(format!("context-{}", uuid::Uuid::now_v7())));
    let mut file = tokio::fs::File::create(&spool.0).await.map_err(failed)?;
    let mut chunks = context.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refused(StatusCode::BAD_REQUEST, "unexpected EOF".to_owned()))?;
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    let dockerfile = query
        .get("dockerfile")
        .filter(|path| !path.is_empty())
        .unwrap_or("Dockerfile")
        .to_owned();
    let place = spool.0.clone();
    let read = build::blocking(move || Ok(build::read(&place, &dockerfile)))
        .await
        .map_err(failed)?;
    let refused =
        |status: u16, why: String| Refused(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), why);
    let (context, instructions) = read.map_err(|(status, why)| refused(status, why))?;
    let instructions = Build::up_to(instructions, query.get("target")).map_err(|why| refused(400, why))?;
    let build = Build {
        images: desk.images.clone(),
        story: desk.story.clone(),
        instructions,
        context,
        args: query.map("buildargs"),
        labels: query.map("labels"),
        tags: query.all("t").map(str::to_owned).collect(),
        no_cache: query.is("nocache"),
        _spool: spool,
    };
    Ok(stream(events::body(|events| build.run(events))))
}

/// POST /images/NAME/push
fn start_push(desk: &Desk, name: &str, query: &Query, request: &Request) -> Response {
    let (reference, tag) = push::split_reference(name, query.get("tag").map(str::to_owned));
    let auth = request
        .headers()
        .get("x-registry-auth")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let push = Push {
        images: desk.images.clone(),
        story: desk.story.clone(),
        slots: desk.upload_slots.clone(),
        reference,
        tag,
        auth,
    };
    stream(events::body(|events| push.run(events)))
}

/// POST /images/NAME/tag
fn tag(desk: &Desk, name: &str, query: &Query) -> Result<Response, Refused> {
    let image = find(desk, name)?;
    let repository = query.get("repo").filter(|name| !name.is_empty());
    let repository = repository.ok_or_else(|| {
        Refused(
            StatusCode::BAD_REQUEST,
            "repository name must have at least one component".to_owned(),
        )
    })?;
    let whole = match query.get("tag").filter(|tag| !tag.is_empty()) {
        Some(tag) => format!("{repository}:{tag}"),
        None => with_tag(repository),
    };
    desk.images.add(image, Some(&whole));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// GET /images/NAME/json
fn inspect(desk: &Desk, name: &str) -> Result<Response, Refused> {
    let image = find(desk, name)?;
    let config = image.value();
    let size: u64 = image.layers.iter().map(|layer| layer.content).sum();
    let layers: Vec<&str> = image.layers.iter().map(|layer| layer.digest.as_str()).collect();
    Ok(respond(
        StatusCode::OK,
        &json!({
            "Id": image.id,
            "RepoTags": desk.images.tags(&image.id),
            "RepoDigests": [],
            "Parent": "",
            "Comment": "",
            "Created": config["created"],
            "DockerVersion": VERSION,
            "Author": "",
            "Config": config["config"],
            "Architecture": config["architecture"],
            "Os": config["os"],
            "Size": size,
            "VirtualSize": size,
            "RootFS": {"Type": "layers", "Layers": layers},
        }),
    ))
}

/// DELETE /images/NAME
fn remove(desk: &Desk, name: &str) -> Result<Response, Refused> {
    let gone = desk.images.remove(name).ok_or_else(|| no_such_image(name))?;
    Ok(respond(StatusCode::OK, &gone.into()))
}

/// GET /images/json, with the filter that prunes by label.
fn list(desk: &Desk, query: &Query) -> Value {
    let filters: Value = query
        .get("filters")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let wanted: Vec<&str> = filters["label"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let has = |config: &Value, label: &str| match label.split_once('=') {
        Some((name, value)) => config["config"]["Labels"][name] == value,
        None => !config["config"]["Labels"][label].is_null(),
    };
    let images = desk.images.all().into_iter().filter_map(|image| {
        let config = image.value();
        wanted.iter().all(|label| has(&config, label)).then(|| {
            let created = config["created"]
                .as_str()
                .and_then(|text| text.parse::<jiff::Timestamp>().ok());
            let size: u64 = image.layers.iter().map(|layer| layer.content).sum();
            json!({
                "Id": image.id,
                "ParentId": "",
                "RepoTags": desk.images.tags(&image.id),
                "RepoDigests": [],
                "Created": created.map_or(0, jiff::Timestamp::as_second),
                "Size": size,
                "SharedSize": -1,
                "VirtualSize": size,
                "Labels": config["config"]["Labels"],
                "Containers": -1,
            })
        })
    });
    images.collect()
}

fn version() -> Value {
    json!({
        "Platform": {"Name": "Quarterdeck rehearsal"},
        "Components": [{"Name": "Engine", "Version": VERSION, "Details": {"ApiVersion": API_VERSION, "Os": "linux", "Arch": architecture()}}],
        "Version": VERSION,
        "ApiVersion": API_VERSION,
        "MinAPIVersion": "1.12",
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": architecture(),
        "KernelVersion": "",
        "BuildTime": "",
    })
}

fn info(desk: &Desk) -> Value {
    json!({
        "ID": "REHEARSAL",
        "Name": "rehearsal",
        "ServerVersion": VERSION,
        "OperatingSystem": "Quarterdeck rehearsal",
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "Driver": "rehearsal",
        "Images": desk.images.all().len(),
        "Containers": 0,
        "NCPU": 1,
        "MemTotal": 0,
    })
}

fn find(desk: &Desk, name: &str) -> Result<Image, Refused> {
    desk.images.find(name).ok_or_else(|| no_such_image(name))
}

fn no_such_image(name: &str) -> Refused {
    Refused(
        StatusCode::NOT_FOUND,
        format!("no such image: {name}: No such image: {}", with_tag(name)),
    )
}

fn not_found() -> Refused {
    Refused(StatusCode::NOT_FOUND, "page not found".to_owned())
}

/// A path without the API version that clients may put before it.
fn unversioned(path: &str) -> &str {
    let rest = path.strip_prefix("/v").and_then(|rest| rest.split_once('/'));
    match rest {
        Some((version, _))
            if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            &path[version.len() + 2..]
        }
        Some(_) | None => path,
    }
}

fn plain(text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn respond(status: StatusCode, value: &Value) -> Response {
    let mut response = stream(Body::from(value.to_string()));
    *response.status_mut() = status;
    response
}

fn stream(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

/// A query's parameters; a name may occur several times.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn is(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true" | "True"))
    }

    /// A JSON object of texts; what has no value is left out.
    fn map(&self, name: &str) -> BTreeMap<String, String> {
        let value: Value = self
            .get(name)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let pairs = value.as_object().into_iter().flatten();
        pairs
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    }
}
