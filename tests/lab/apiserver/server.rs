//! The life of the server: its thread, its address, its certificates.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use wire::netns::Netns;

use super::authority::Authority;
use super::serve;
use super::state::{State, lock};
use super::store::Store;
use crate::error::Doing;
use crate::{DEADLINE, Result, wait_until};

/// The resourceVersion of a new server.
const FIRST_VERSION: u64 = 1000;

/// A running server. It ends when the value is dropped.
pub struct ApiServer {
    netns: Netns,
    address: SocketAddr,
    /// What the connections share.
    pub(super) state: Arc<State>,
    authority: Mutex<Authority>,
    runtime: Handle,
    listening: Mutex<Option<Listening>>,
    /// Ends the thread when it is dropped.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The task that accepts connections: it stops when `stop` is dropped, and `stopped` closes then.
struct Listening {
    stop: oneshot::Sender<()>,
    stopped: mpsc::Receiver<()>,
}

/// The certificate that a server shows to new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// A new one of the authority of [`ApiServer::ca`].
    Valid,
    /// Of that authority, for another address and name.
    WrongName,
    /// Of an authority with the same name and another key.
    WrongAuthority,
}

impl ApiServer {
    /// Starts a server that listens on `address` in a network namespace, such as that of a machine
    /// (`/proc/PID/ns/net` with [`crate::Machine::pid`]). Port 0 takes a free one. No token is
    /// valid yet.
    pub fn start(netns: Netns, address: SocketAddr) -> Result<Self> {
        let authority = Authority::new()?;
        let acceptor = authority.acceptor(Some(address.ip()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.doing("starting the API server")?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::spawn(move || drop(runtime.block_on(ended)));
        let mut server = Self {
            netns,
            address,
            state: Arc::new(State::new(Store::new(FIRST_VERSION), acceptor)),
            authority: Mutex::new(authority),
            runtime: handle,
            listening: Mutex::default(),
            end: Some(end),
            thread: Some(thread),
        };
        server.address = server.listen()?;
        Ok(server)
    }

    /// Listens again after [`ApiServer::stop`], on the same address. Returns it.
    pub fn listen(&self) -> Result<SocketAddr> {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return Ok(self.address);
        }
        let listener = self.bind()?;
        let address = listener.local_addr().doing(self.address)?;
        let (stop, stops) = oneshot::channel();
        let (done, stopped) = mpsc::channel();
        let accept = serve::accept(listener, Arc::clone(&self.state), stops);
        self.runtime.spawn(async move {
            let _done: mpsc::Sender<()> = done;
            accept.await
        });
        *listening = Some(Listening { stop, stopped });
        Ok(address)
    }

    /// Binds the address. A process that another thread has forked may hold the listener before for a
    /// moment, until it executes its program.
    fn bind(&self) -> Result<TcpListener> {
        let bind = || TcpListener::bind(self.address);
        let mut bound = Err(io::ErrorKind::AddrInUse.into());
        wait_until(format!("address {}", self.address), DEADLINE, || {
            bound = self
                .netns
                .run(bind)
                .unwrap_or_else(|why| Err(io::Error::other(why)));
            !matches!(&bound, Err(why) if why.kind() == io::ErrorKind::AddrInUse)
        })?;
        bound.doing(self.address)
    }

    /// Stops listening and breaks all connections. Objects, tokens and faults stay.
    pub fn stop(&self) {
        let mut listening = lock(&self.listening);
        if let Some(Listening { stop, stopped }) = listening.take() {
            drop(stop);
            // The error says that the task has ended.
            let _ = stopped.recv();
        }
    }

    /// The namespace in which it listens.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of its authority, as PEM.
    pub fn ca(&self) -> Result<String> {
        lock(&self.authority).pem()
    }

    /// Shows another certificate to new connections; [`ApiServer::stop`] and
    /// [`ApiServer::listen`] end the old ones.
    pub fn show(&self, certificate: Certificate) -> Result {
        let authority = lock(&self.authority);
        let address = Some(self.address.ip());
        let acceptor = match certificate {
            Certificate::Valid => authority.acceptor(address),
            Certificate::WrongName => authority.acceptor(None),
            Certificate::WrongAuthority => Authority::new()?.acceptor(address),
        };
        *self.state.acceptor() = acceptor?;
        Ok(())
    }

    /// Makes a new authority and a certificate of it for new connections. Returns what
    /// [`ApiServer::ca`] is now.
    pub fn rotate_ca(&self) -> Result<String> {
        *lock(&self.authority) = Authority::new()?;
        self.show(Certificate::Valid)?;
        self.ca()
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "API server on {}", self.address)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server has been printed.
            let _ = thread.join();
        }
    }
}
