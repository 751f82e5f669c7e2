//! A TCP proxy that injects network faults.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::until;

/// What happens to the request that contains the armed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyFault {
    /// It arrives, but its connection carries no answers any more.
    LoseAnswer,
    /// It does not arrive, nor does anything else on its connection.
    LoseRequest,
    /// It arrives when the proxy is resumed.
    Stall,
    /// It arrives when the proxy delivers it, even if its sender is gone by then.
    Delay,
}

/// A proxy for one etcd. It ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<ProxyState>,
    listener: JoinHandle<()>,
}

struct ProxyState {
    stalled: watch::Sender<bool>,
    /// Connections of an older generation are closed.
    generation: watch::Sender<u64>,
    delay: watch::Sender<Duration>,
    delivered: watch::Sender<bool>,
    armed: Mutex<Option<(Vec<u8>, ProxyFault)>>,
}

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(ProxyState {
            stalled: watch::Sender::new(false),
            generation: watch::Sender::new(0),
            delay: watch::Sender::new(Duration::ZERO),
            delivered: watch::Sender::new(false),
            armed: Mutex::new(None),
        });
        let passed = Arc::clone(&shared);
        let listener = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(client, target, Arc::clone(&passed)));
            }
        });
        Self {
            address,
            shared,
            listener,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forwards nothing any more, and keeps the connections open.
    pub(crate) fn stall(&self) {
        self.shared.stalled.send_replace(true);
    }

    pub(crate) fn resume(&self) {
        self.shared.stalled.send_replace(false);
    }

    /// Forwards the delayed request.
    pub(crate) fn deliver(&self) {
        self.shared.delivered.send_replace(true);
    }

    /// Delays all answers by this much.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.delay.send_replace(delay);
    }

    /// Closes all connections; new ones are accepted.
    pub(crate) fn cut(&self) {
        self.shared
            .generation
            .send_modify(|generation| *generation += 1);
    }

    /// Arms the fault for the next request that contains `bytes`.
    pub(crate) fn arm(&self, bytes: &str, fault: ProxyFault) {
        *self.shared.armed.lock().unwrap() = Some((bytes.as_bytes().to_vec(), fault));
    }

    /// Waits until it has happened.
    pub(crate) async fn fault(&self) {
        until("the fault", || async {
            self.shared.armed.lock().unwrap().is_none().then_some(())
        })
        .await;
    }
}

impl ProxyState {
    /// The fault that is armed for these bytes.
    fn fault(&self, bytes: &[u8]) -> Option<ProxyFault> {
        let armed = self.armed.lock().unwrap();
        let (part, fault) = armed.as_ref()?;
        bytes
            .windows(part.len())
            .any(|window| window == part)
            .then_some(*fault)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(client: TcpStream, target: SocketAddr, shared: Arc<ProxyState>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let had_fault = watch::Sender::new(None);
    let mut generation = shared.generation.subscribe();
    let born = *generation.borrow_and_update();
    tokio::select! {
        () = requests(from_client, to_server, &shared, &had_fault) => {}
        () = answers(from_server, to_client, &shared, &had_fault) => {}
        _ = generation.wait_for(|now| *now != born) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &ProxyState,
    had_fault: &watch::Sender<Option<ProxyFault>>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..length];
        flowing(shared).await;
        match shared.fault(bytes) {
            Some(ProxyFault::Stall) => {
                shared.stalled.send_replace(true);
                shared.armed.lock().unwrap().take();
                flowing(shared).await;
            }
            Some(ProxyFault::Delay) => {
                shared.armed.lock().unwrap().take();
                let mut delivered = shared.delivered.subscribe();
                // The sender lives as long as `shared`.
                let _ = delivered.wait_for(|delivered| *delivered).await;
                let _ = to.write_all(bytes).await;
                return std::future::pending().await;
            }
            Some(fault) => {
                shared.armed.lock().unwrap().take();
                had_fault.send_replace(Some(fault));
            }
            None => {}
        }
        let is_lost = *had_fault.borrow() == Some(ProxyFault::LoseRequest);
        if !is_lost && to.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &ProxyState,
    had_fault: &watch::Sender<Option<ProxyFault>>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        flowing(shared).await;
        let delay = *shared.delay.borrow();
        tokio::time::sleep(delay).await;
        let is_lost = had_fault.borrow().is_some();
        if !is_lost && to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn flowing(shared: &ProxyState) {
    let mut stalled = shared.stalled.subscribe();
    // The sender lives as long as `shared`.
    let _ = stalled.wait_for(|stalled| !stalled).await;
}
