//! An etcd server for one test.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use etcd_client::{Client, ConnectOptions, GetOptions};
use tempfile::TempDir;

use super::DEADLINE;

/// A single-member etcd on loopback. It is killed when this is dropped.
pub(crate) struct Etcd {
    child: Option<Child>,
    folder: TempDir,
    client_port: u16,
    peer_port: u16,
    /// Additional arguments.
    arguments: Vec<String>,
    scheme: &'static str,
}

impl Etcd {
    /// Starts an etcd, and waits until it serves.
    pub(crate) fn start() -> Self {
        Self::start_with("http", |_| Vec::new())
    }

    /// `arguments` is passed a folder for certificates.
    pub(crate) fn start_with(
        scheme: &'static str,
        arguments: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        // On a tmpfs if there is one: a busy disk makes etcd slow.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.unwrap();
        let arguments = arguments(folder.path());
        let mut etcd = Self {
            child: None,
            folder,
            client_port: 0,
            peer_port: 0,
            arguments,
            scheme,
        };
        // Another process may take a port between its choice here and etcd's start.
        for _ in 0..5 {
            (etcd.client_port, etcd.peer_port) = free_ports();
            if etcd.spawn() {
                return etcd;
            }
        }
        panic!("etcd does not start: {}", etcd.log());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.client_port))
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again with its data.
    pub(crate) fn start_again(&mut self) {
        assert!(self.spawn(), "etcd does not start again: {}", self.log());
    }

    /// Starts it again without data.
    pub(crate) fn start_empty(&mut self) {
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
        self.start_again();
    }

    /// Copies its data, for [`EtcdRegistry::restore`]. It must be stopped.
    pub(crate) fn back_up(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_all(&self.folder.path().join("data"), &copy.path().join("data"));
        copy
    }

    /// Starts it again with the data of a copy.
    pub(crate) fn restore(&mut self, copy: &TempDir) {
        let data = self.folder.path().join("data");
        fs::remove_dir_all(&data).unwrap();
        copy_all(&copy.path().join("data"), &data);
        self.start_again();
    }

    /// Saves a backup into its folder.
    pub(crate) fn save(&self) {
        let file = self.folder.path().join("backup");
        let endpoint = format!("--endpoints={}", self.endpoint());
        let arguments: [&OsStr; 4] = [
            "snapshot".as_ref(),
            "save".as_ref(),
            file.as_ref(),
            endpoint.as_ref(),
        ];
        ctl(&arguments);
    }

    /// Stops it, and starts it again from the backup.
    pub(crate) fn restore_saved(&mut self) {
        self.stop();
        let (file, data) = (
            self.folder.path().join("backup"),
            self.folder.path().join("data"),
        );
        fs::remove_dir_all(&data).unwrap();
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let cluster = format!("--initial-cluster=one={peer}");
        let peer = format!("--initial-advertise-peer-urls={peer}");
        let arguments: [&OsStr; 8] = [
            "snapshot".as_ref(),
            "restore".as_ref(),
            file.as_ref(),
            "--name=one".as_ref(),
            "--data-dir".as_ref(),
            data.as_ref(),
            cluster.as_ref(),
            peer.as_ref(),
        ];
        ctl(&arguments);
        self.start_again();
    }

    /// A client without any code of the registry.
    pub(crate) async fn client(&self) -> Client {
        let options = ConnectOptions::new().with_timeout(DEADLINE);
        Client::connect([self.endpoint()], Some(options))
            .await
            .unwrap()
    }

    pub(crate) async fn put(&self, key: &str, value: &str) -> i64 {
        let reply = self
            .client()
            .await
            .kv_client()
            .put(key, value, None)
            .await
            .unwrap();
        reply.header().unwrap().revision()
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.client()
            .await
            .kv_client()
            .delete(key, None)
            .await
            .unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        let reply = self
            .client()
            .await
            .kv_client()
            .get(key, None)
            .await
            .unwrap();
        reply
            .kvs()
            .first()
            .map(|kv| kv.value_str().unwrap().to_owned())
    }

    /// The names of all keys that start with `prefix`.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        let options = GetOptions::new().with_prefix().with_keys_only();
        let reply = self
            .client()
            .await
            .kv_client()
            .get(prefix, Some(options))
            .await
            .unwrap();
        reply
            .kvs()
            .iter()
            .map(|kv| kv.key_str().unwrap().to_owned())
            .collect()
    }

    /// Compacts all history up to now.
    pub(crate) async fn compact(&self) {
        let mut client = self.client().await.kv_client();
        let now = client
            .get("x", None)
            .await
            .unwrap()
            .header()
            .unwrap()
            .revision();
        client.compact(now, None).await.unwrap();
    }

    /// How many requests it has answered that read or write keys.
    pub(crate) fn requests(&self) -> u64 {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.lines()
            .filter(|line| line.starts_with("grpc_server_handled_total"))
            .filter(|line| line.contains("etcdserverpb.KV"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    fn spawn(&mut self) -> bool {
        let client = format!("{}://127.0.0.1:{}", self.scheme, self.client_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new(binary())
            .args([
                "--name=one",
                "--heartbeat-interval=20",
                "--election-timeout=100",
            ])
            .args([
                "--grpc-keepalive-min-time=100ms",
                "--logger=zap",
                "--log-level=warn",
            ])
            .arg(format!(
                "--data-dir={}",
                self.folder.path().join("data").display()
            ))
            .arg(format!("--listen-client-urls={client}"))
            .arg(format!("--advertise-client-urls={client}"))
            .arg(format!("--listen-peer-urls={peer}"))
            .arg(format!("--initial-advertise-peer-urls={peer}"))
            .arg(format!("--initial-cluster=one={peer}"))
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd can be run");
        self.child = Some(child);
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            if TcpStream::connect(self.address()).is_ok() {
                return true;
            }
            let child = self.child.as_mut().unwrap();
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs etcdctl, which is beside etcd.
fn ctl(arguments: &[&OsStr]) {
    let program = binary().with_file_name("etcdctl");
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// `FLATLAND_ETCD`, else the one that `make setup` unpacked, else the one in `PATH`.
fn binary() -> PathBuf {
    if let Some(path) = env::var_os("FLATLAND_ETCD") {
        return path.into();
    }
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/usr/bin/etcd");
    if unpacked.exists() {
        return unpacked;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join("etcd"))
        .find(|candidate| candidate.exists())
        .expect("no etcd to test with: run make setup, or set FLATLAND_ETCD")
}

fn free_ports() -> (u16, u16) {
    let listeners = [0, 1].map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let [client, peer] = listeners.map(|listener| listener.local_addr().unwrap().port());
    (client, peer)
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
