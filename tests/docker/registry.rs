//! Debian's docker-registry, which asks for the user AWS and a password as ECR does.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The password that the registry takes.
pub const PASSWORD: &str = "token?~>of-the-day";

/// A running registry; stopped when dropped.
pub struct Registry {
    child: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// Starts one on a free port and waits until it answers.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let hashed = Command::new("htpasswd")
            .args(["-Bbn", "AWS", PASSWORD])
            .output()
            .expect("htpasswd runs");
        std::fs::write(dir.path().join("htpasswd"), hashed.stdout).expect("a file is written");
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|probe| probe.local_addr());
        let address = address.expect("there is a free port");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {0}/data}}}}\n\
             http: {{addr: {address}}}\nauth: {{htpasswd: {{realm: test, path: {0}/htpasswd}}}}\n",
            dir.path().display()
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).expect("a file is written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry runs");
        let registry = Self {
            child,
            address,
            _dir: dir,
        };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < until, "the registry listens");
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `host:port/name`.
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// The digest that the registry itself names for a tag.
    pub fn digest(&self, name: &str, tag: &str) -> Option<String> {
        let login = STANDARD.encode(format!("AWS:{PASSWORD}"));
        let accept = "application/vnd.docker.distribution.manifest.v2+json";
        let request = format!(
            "HEAD /v2/{name}/manifests/{tag} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {login}\r\nAccept: {accept}\r\n\
             Connection: close\r\n\r\n",
            self.address
        );
        let mut stream = TcpStream::connect(self.address).expect("the registry listens");
        stream.write_all(request.as_bytes()).expect("the registry reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the registry answers");
        let header = answer
            .lines()
            .find_map(|line| line.strip_prefix("Docker-Content-Digest: "));
        header.map(|digest| digest.trim().to_owned())
    }

    /// Stops it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}
