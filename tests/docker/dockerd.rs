//! A real engine of a test's own, which may be killed.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quarterdeck::docker::{Engine, Patience};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpListener;

use crate::rig::engine_at;

/// What becomes dockerd, given its folder. Nothing in it may touch the machine's own engine, and each start must find
/// nothing but the data of the one before: so it has a /run of its own, as after a reboot, and vfs for its storage, which
/// mounts nothing. It may only run in a network of its own, for dockerd takes `docker0` to be its bridge and would take
/// the machine's away with `--bridge=none`; and without a bridge BuildKit runs no command.
const SCRIPT: &str = r#"
    mount -t tmpfs tmpfs /run && busybox ip link set lo up &&
    exec dockerd --config-file "$0/daemon.json" --data-root "$0/data" --exec-root /run/engine \
        --pidfile /run/engine.pid --host "unix://$0/docker.sock" --storage-driver vfs \
        --cgroup-parent "/$(basename "$0")" --iptables=false --ip6tables=false
"#;

/// A running dockerd; killed when dropped.
pub struct Dockerd {
    /// `unshare`, which waits for dockerd.
    child: Child,
    dir: tempfile::TempDir,
}

impl Dockerd {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("quarterdeck-test-").tempdir();
        let dir = dir.expect("a temporary folder");
        // Not the machine's own, which may contradict the options.
        std::fs::write(dir.path().join("daemon.json"), "{}").expect("a file is written");
        let mut dockerd = Self {
            child: spawn(dir.path()),
            dir,
        };
        dockerd.answers().await;
        dockerd
    }

    /// Starts it again on the data that the killed one left.
    pub async fn start_again(&mut self) {
        self.kill();
        self.child = spawn(self.dir.path());
        self.answers().await;
    }

    /// Its address as Quarterdeck names it, with where that came from.
    pub fn name(&self) -> String {
        self.engine().address().expect("the address is good")
    }

    /// It, as Quarterdeck sees it.
    pub fn engine(&self) -> Arc<Engine> {
        engine_at(&self.socket(), Patience::default())
    }

    /// A client of the tests' own.
    pub fn client(&self) -> bollard::Docker {
        self.try_client().expect("its socket is there")
    }

    fn try_client(&self) -> Result<bollard::Docker, bollard::errors::Error> {
        bollard::Docker::connect_with_unix(&self.socket().to_string_lossy(), 30, bollard::API_DEFAULT_VERSION)
    }

    /// A listener of this process on the engine's own loopback; all of that network's ports are free.
    pub fn listen(&self, port: u16) -> TcpListener {
        let dockerd = self.pid().expect("dockerd runs");
        let network = File::open(format!("/proc/{dockerd}/ns/net")).expect("it has a network");
        // The thread stays in that network until it ends; a socket stays for good in the one that it was made in.
        let bound = std::thread::spawn(move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(network.as_fd(), kind).expect("root may enter it");
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free")
        });
        let listener = bound.join().expect("no panic");
        listener.set_nonblocking(true).expect("a socket can be so");
        TcpListener::from_std(listener).expect("there is a runtime")
    }

    /// Kills dockerd with SIGKILL and waits until it is gone.
    ///
    /// It is the init of its own process namespace, so its containerd and its containers go with it, and its mounts: on
    /// return nothing of it runs any more.
    pub fn kill(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Before there is a dockerd there is only unshare, which takes along what it has forked (`--kill-child`).
            let pid = self.pid().unwrap_or_else(|| Pid::from_child(&self.child));
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// dockerd, the one child of unshare.
    fn pid(&self) -> Option<Pid> {
        let unshare = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).ok()?;
        Pid::from_raw(children.trim().parse().ok()?)
    }

    async fn answers(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        // A killed one leaves its socket, which the next one removes before it makes its own.
        while !matches!(self.try_client(), Ok(client) if client.ping().await.is_ok()) {
            let ended = self.child.try_wait().expect("it can be waited for");
            if ended.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("dockerd does not answer ({ended:?}):\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        self.kill();
        // The control groups of killed containers stay, under the folder's name: in each hierarchy, or in the only one.
        let name = self.dir.path().file_name().unwrap_or_default();
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
        hierarchies.for_each(|hierarchy| remove_groups(&hierarchy.path().join(name)));
        remove_groups(&Path::new("/sys/fs/cgroup").join(name));
    }
}

fn remove_groups(group: &Path) {
    let inner = std::fs::read_dir(group).into_iter().flatten().flatten();
    let groups = inner.filter(|inner| inner.file_type().is_ok_and(|kind| kind.is_dir()));
    groups.for_each(|inner| remove_groups(&inner.path()));
    let _ = std::fs::remove_dir(group);
}

fn spawn(dir: &Path) -> Child {
    let log = File::create(dir.join("log")).expect("a file is created");
    Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net"])
        .args(["sh", "-c", SCRIPT])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("unshare runs")
}
