//! ECR in one or two regions, and a client for its registries that does one request at a time.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use base64::Engine as _;
use hyper_util::rt::TokioIo;
use quarterdeck::names::{AccountId, Region};
use quarterdeck::plan::Mutability;
use quarterdeck::rehearsal::ecr::EcrStandIn;
use serde_json::json;

pub const REPOSITORY: &str = "sento/processor";

pub struct Scene {
    pub ecr: EcrStandIn,
    pub region: Region,
    _dir: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header is text"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Scene {
    pub async fn open(mutability: Mutability) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let region = Region::new("us-east-1");
        let account = AccountId::new("123456789012");
        let ecr = EcrStandIn::start(dir.path(), &account, std::slice::from_ref(&region))
            .await
            .expect("it starts");
        ecr.create_repository(&region, REPOSITORY, mutability);
        Self { ecr, region, _dir: dir }
    }

    pub fn host(&self) -> String {
        self.ecr.host(&self.region).expect("the region is there")
    }

    /// A registry password, from the API.
    pub fn password(&self) -> String {
        let answer = self
            .ecr
            .handle(self.region.as_str(), "GetAuthorizationToken", &json!({}))
            .expect("a token");
        let token = answer["authorizationData"][0]["authorizationToken"]
            .as_str()
            .expect("it is text")
            .to_owned();
        let login = base64::engine::general_purpose::STANDARD
            .decode(token)
            .expect("it is base64");
        let login = String::from_utf8(login).expect("it is UTF-8");
        login.strip_prefix("AWS:").expect("the user is AWS").to_owned()
    }

    /// One request with a good password; `path` may be a whole URL, as `Location` gives it.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("AWS:{}", self.password()));
        let authorization = format!("Basic {login}");
        let headers = [headers, &[("authorization", authorization.as_str())]].concat();
        self.ask_as(method, path, &headers, body)
            .await
            .expect("the registry answers")
    }

    /// One request with these headers only.
    pub async fn ask_as(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Result<Reply, hyper::Error> {
        let path = path.strip_prefix(&format!("http://{}", self.host())).unwrap_or(path);
        let mut request = Request::builder().method(method).uri(path).header("host", self.host());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a good request");
        let stream = tokio::net::TcpStream::connect(self.host())
            .await
            .expect("the registry listens");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.expect("the body is whole");
        connection.abort();
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

pub fn digest(bytes: &[u8]) -> String {
    quarterdeck::rehearsal::ecr::manifest::digest(bytes)
}
