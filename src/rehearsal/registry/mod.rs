//! A region's registry: the OCI distribution protocol as ECR speaks it, on a port of its own on loopback.
//!
//! A real Docker Engine logs in, pushes and pulls here; engines take 127.0.0.0/8 for insecure and so speak plain HTTP to
//! it. What ECR words in its own way (no repository, immutable tag, expired token) is worded so here. Where ECR strays
//! from the protocol (it answers 201 to a chunk) the protocol is followed.

mod answer;
mod blobs;
mod faults;
mod line;
mod manifests;
mod pace;
mod route;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use tokio::net::TcpSocket;
use tokio_util::task::AbortOnDropHandle;

pub use faults::{RegistryFault, RegistryFaults, When};

use crate::names::{Millis, Region};
use crate::rehearsal::ecr::store::{Admission, Store};
use answer::Refused;
use blobs::Uploads;
use line::{Cut, Line};
use pace::Pace;
use route::Route;

/// Small, so that an engine's progress is what has passed and not what lies in the kernel's buffers.
const RECEIVE_BUFFER: u32 = 64 * 1024;
/// Engines open a connection for each of their layers.
const BACKLOG: u32 = 128;

/// One region's registry, served until it is dropped.
pub struct Registry {
    address: SocketAddr,
    desk: Arc<Desk>,
    _server: AbortOnDropHandle<()>,
}

/// What every request needs.
struct Desk {
    region: Region,
    host: String,
    store: Arc<Store>,
    faults: RegistryFaults,
    pace: Pace,
    uploads: Uploads,
}

impl Registry {
    pub(super) async fn start(store: Arc<Store>, region: Region) -> io::Result<Self> {
        let folders = [store.blob_path(&region, "any"), store.upload_path(&region, "any")];
        for folder in folders.iter().filter_map(|path| path.parent()) {
            tokio::fs::create_dir_all(folder).await?;
        }
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            region,
            host: address.to_string(),
            store,
            faults: RegistryFaults::default(),
            pace: Pace::default(),
            uploads: Uploads::default(),
        });
        let router = Router::new().fallback(serve).with_state(desk.clone());
        let service = router.into_make_service_with_connect_info::<Cut>();
        let server = axum::serve(Line(listener), service);
        let server = tokio::spawn(async move {
            // It accepts until it is aborted.
            let _ = server.await;
        });
        Ok(Self {
            address,
            desk,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Its region.
    pub fn region(&self) -> &Region {
        &self.desk.region
    }

    /// What it is to do wrong.
    pub fn faults(&self) -> &RegistryFaults {
        &self.desk.faults
    }

    /// Lets uploads pass at this rate, all connections together; `None` lifts the limit.
    pub fn limit_uploads(&self, bytes_per_second: Option<u64>) {
        self.desk.pace.set(bytes_per_second);
    }
}

async fn serve(State(desk): State<Arc<Desk>>, ConnectInfo(cut): ConnectInfo<Cut>, request: Request) -> Response {
    let mut response = match answer(&desk, &cut, request).await {
        Ok(response) => response,
        Err(refused) => refused.response(&desk.host),
    };
    response.headers_mut().insert(
        "docker-distribution-api-version",
        header::HeaderValue::from_static("registry/2.0"),
    );
    response
}

async fn answer(desk: &Desk, cut: &Cut, request: Request) -> Result<Response, Refused> {
    let fault = desk.faults.take(request.method(), request.uri().path());
    let request = match fault {
        Some(fault) => faults::commit(fault, cut, request).await?,
        None => request,
    };
    if let Err(refused) = admit(desk, request.headers()) {
        faults::swallow(request).await;
        return Err(refused);
    }
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let route = Route::parse(path, query).ok_or_else(Refused::no_such_page)?;
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    match (route, request.method().clone()) {
        (Route::Base, _) if read => Ok(answer::json(StatusCode::OK, "{}")),
        (Route::Tags { name }, _) if read => manifests::tags(desk, &name),
        (Route::Manifest { name, reference }, _) if read => manifests::get(desk, &name, &reference),
        (Route::Manifest { name, reference }, Method::PUT) => manifests::put(desk, &name, &reference, request).await,
        (Route::Blob { name, digest }, method) if read => {
            blobs::get(desk, &name, &digest, method == Method::HEAD).await
        }
        (Route::Uploads { name, ask }, Method::POST) => blobs::open(desk, name, ask, request).await,
        (Route::Upload { name, id, .. }, Method::GET) => blobs::status(desk, &name, &id),
        (Route::Upload { name, id, .. }, Method::PATCH) => blobs::append(desk, &name, &id, request).await,
        (Route::Upload { name, id, digest }, Method::PUT) => blobs::close(desk, &name, &id, digest, request).await,
        (Route::Upload { name, id, .. }, Method::DELETE) => blobs::abandon(desk, &name, &id),
        _ => Err(Refused::unsupported()),
    }
}

/// Basic authentication with a password that GetAuthorizationToken of this region gave out.
fn admit(desk: &Desk, headers: &HeaderMap) -> Result<(), Refused> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let bytes = basic.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let login = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(("AWS", password)) = login.as_deref().and_then(|login| login.split_once(':')) else {
        return Err(Refused::unauthorized());
    };
    match desk.store.admits(&desk.region, password, Millis::now()) {
        Admission::Granted => Ok(()),
        Admission::Expired => Err(Refused::expired()),
        Admission::Unknown => Err(Refused::unauthorized()),
    }
}
