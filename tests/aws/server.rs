//! A server that answers as it is told, down to the connection: what a well-behaved stand-in never does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quarterdeck::aws::{Patience, Realm, connect_with};
use quarterdeck::config::{AwsConfig, Endpoints};
use quarterdeck::engine::ports::RegionPorts;
use quarterdeck::names::Region;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The operation's name.
    pub operation: String,
    /// Header names in lower case.
    pub headers: HashMap<String, String>,
    /// The body as it came.
    pub text: String,
    /// The body, where it is JSON.
    pub body: Value,
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers 200 with JSON.
    Json(Value),
    /// Answers anything.
    Raw {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Closes the connection after the request was read.
    Close,
    /// Never answers.
    Hang,
}

impl Reply {
    /// An error with its code in the body, as SSM does.
    pub fn error(code: &str, message: &str) -> Self {
        Self::Raw {
            status: 400,
            headers: vec![],
            body: json!({"__type": code, "message": message}).to_string(),
        }
    }
}

/// The running server.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves until the test's runtime ends; `answer` is given the request and how many came before it.
    pub async fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let url = format!(
            "http://{}",
            listener.local_addr().expect("a bound socket has an address")
        );
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (seen.clone(), answer.clone());
                tokio::spawn(async move { converse(stream, &seen, answer.as_ref()).await });
            }
        });
        Self { url, requests }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests
            .lock()
            .expect("no test panics while it holds the lock")
            .clone()
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }

    /// A region's clients that lead here.
    pub async fn ports(&self, region: &str) -> RegionPorts {
        ports_at(&self.url, region).await
    }
}

/// A region's clients that lead to `url`.
pub async fn ports_at(url: &str, region: &str) -> RegionPorts {
    let settings = AwsConfig {
        endpoints: everywhere(url),
        ..AwsConfig::default()
    };
    connect_with(&settings, &Region::new(region), Realm::Rehearsal, hasty())
        .await
        .expect("three loopback endpoints make a rehearsal")
}

/// One endpoint for all services.
pub fn everywhere(url: &str) -> Endpoints {
    Endpoints {
        ssm: Some(url.to_owned()),
        ecr: Some(url.to_owned()),
        sts: Some(url.to_owned()),
    }
}

/// Short enough for a test that waits for a timeout.
pub fn hasty() -> Patience {
    Patience {
        connect: Duration::from_millis(500),
        attempt: Duration::from_millis(700),
        operation: Duration::from_secs(5),
        attempts: 3,
        poll_attempts: 2,
        backoff: Duration::from_millis(5),
    }
}

async fn converse(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &(impl Fn(&Request, usize) -> Reply + Sync),
) {
    while let Some(request) = read(&mut stream).await {
        let reply = {
            let mut seen = seen.lock().expect("no test panics while it holds the lock");
            seen.push(request.clone());
            answer(&request, seen.len() - 1)
        };
        let (status, headers, body) = match reply {
            Reply::Json(body) => (200, vec![], body.to_string()),
            Reply::Raw { status, headers, body } => (status, headers, body),
            Reply::Close => return,
            Reply::Hang => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
        };
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let headers: HashMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    let target = headers.get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="));
    Some(Request {
        operation: target.or(action).unwrap_or_default().to_owned(),
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    })
}
