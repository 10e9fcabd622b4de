//! A way to a registry that can be made to fail.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What happens once so many bytes went to the registry, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing moves any more, in either direction.
    Stall,
    /// Connections break, and new ones are refused.
    Die,
}

/// Starts a proxy; returns where it listens.
pub async fn start(to: SocketAddr, after: u64, then: Then) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("there is a free port");
    start_on(listener, to, after, then)
}

/// Starts one that listens there.
pub fn start_on(listener: TcpListener, to: SocketAddr, after: u64, then: Then) -> SocketAddr {
    let address = listener.local_addr().expect("it is bound");
    let sent = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        loop {
            if then == Then::Die && sent.load(Ordering::SeqCst) >= after {
                return;
            }
            let Ok((client, _)) = listener.accept().await else {
                return;
            };
            let Ok(server) = TcpStream::connect(to).await else {
                continue;
            };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server, sent.clone(), after, then));
            tokio::spawn(carry(from_server, to_client, sent.clone(), after, then));
        }
    });
    address
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, sent: Arc<AtomicU64>, after: u64, then: Then) {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut chunk).await else {
            return;
        };
        if sent.fetch_add(length as u64, Ordering::SeqCst) + length as u64 >= after {
            match then {
                Then::Stall => std::future::pending::<()>().await,
                Then::Die => return,
            }
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
