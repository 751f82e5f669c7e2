//! A member of the lab's etcd.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::command::etcd_program;
use crate::error::Doing;
use crate::machine::{Machine, Plug};
use crate::{DEADLINE, Error, Process, Result, wait_until};

/// The most keys of one transaction; a request stays below etcd's limit of 1.5 MiB.
const MAX_TXN_KEYS: usize = 5_000;

/// The data directory of a member.
const DATA: &str = "/var/lib/etcd";

/// One member of the etcd cluster, on its own machine.
#[derive(Debug)]
pub struct EtcdMember {
    machine: Machine,
    arguments: Vec<String>,
    daemon: Mutex<Option<Process>>,
}

/// The host part of member `index` (from 0) on the switch.
fn host(index: u8) -> u8 {
    2 + index
}

fn url(index: u8, port: u16) -> String {
    format!("http://192.168.1.{}:{port}", host(index))
}

/// The client URLs of a cluster of `members`.
pub(crate) fn endpoints(members: u8) -> Vec<String> {
    (0..members).map(|index| url(index, 2379)).collect()
}

impl EtcdMember {
    /// Boots member `index` of `members` and starts it. [`EtcdMember::wait`] waits until it
    /// answers.
    pub(crate) fn boot(lab: u32, index: u8, members: u8, keep: bool) -> Result<Self> {
        let name = format!("etcd{}", index + 1);
        let plug = Plug {
            host: host(index),
            mtu: 1500,
            default_route: false,
            plugins: None,
        };
        let machine = Machine::boot(lab, &name, &plug, keep)?;
        for program in ["etcd", "etcdctl"] {
            machine.install(&etcd_program(program)?, &format!("/opt/{program}"))?;
        }
        let cluster: Vec<String> = (0..members)
            .map(|index| format!("etcd{}={}", index + 1, url(index, 2380)))
            .collect();
        let arguments = [
            ("name", name.clone()),
            ("data-dir", DATA.to_owned()),
            (
                "listen-client-urls",
                format!("{},http://127.0.0.1:2379", url(index, 2379)),
            ),
            ("advertise-client-urls", url(index, 2379)),
            ("listen-peer-urls", url(index, 2380)),
            ("initial-advertise-peer-urls", url(index, 2380)),
            ("initial-cluster", cluster.join(",")),
            ("heartbeat-interval", "50".to_owned()),
            ("election-timeout", "500".to_owned()),
        ];
        let etcd = Self {
            machine,
            arguments: arguments
                .map(|(flag, value)| format!("--{flag}={value}"))
                .to_vec(),
            daemon: Mutex::new(None),
        };
        etcd.start()?;
        Ok(etcd)
    }

    /// The machine of the member.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Starts the member, without waiting for it.
    pub fn start(&self) -> Result {
        self.start_with(&[])
    }

    /// As [`EtcdMember::start`], with more flags. If a flag is given twice, the later one counts.
    pub fn start_with(&self, flags: &[&str]) -> Result {
        let mut command = vec!["/opt/etcd".to_owned()];
        command.extend_from_slice(&self.arguments);
        command.extend(flags.iter().map(|&flag| flag.to_owned()));
        let daemon = self.machine.spawn("etcd", None, &command)?;
        *self.daemon.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon);
        Ok(())
    }

    /// Waits until the member answers.
    pub fn wait(&self) -> Result {
        wait_until(
            format!("answer of {}", self.machine.name()),
            DEADLINE,
            || {
                self.ctl(&["--command-timeout=1s", "endpoint", "health"])
                    .is_ok()
            },
        )
        .map_err(|error| error.doing(self.log()))
    }

    /// Kills the member, as a power failure would. Its data stays.
    pub fn stop(&self) -> Result {
        let daemon = self
            .daemon
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        daemon.map_or(Ok(()), |daemon| daemon.end(Signal::SIGKILL))
    }

    /// Removes the data of a stopped member, so that it starts empty.
    pub fn wipe(&self) -> Result {
        self.machine.run(&["rm", "-rf", DATA]).map(drop)
    }

    /// Saves a backup to a file on the machine, as `etcdctl snapshot save` does.
    pub fn save(&self, file: &str) -> Result {
        self.ctl(&["snapshot", "save", file]).map(drop)
    }

    /// Restores a backup of [`EtcdMember::save`] into a stopped member, which must be the only one.
    pub fn restore(&self, file: &str) -> Result {
        self.wipe()?;
        let cluster = [
            "--name=",
            "--initial-cluster=",
            "--initial-advertise-peer-urls=",
        ];
        let is_of_cluster = |word: &&String| cluster.iter().any(|flag| word.starts_with(flag));
        let data = format!("--data-dir={DATA}");
        let mut words = vec!["snapshot", "restore", file, &data];
        words.extend(
            self.arguments
                .iter()
                .filter(is_of_cluster)
                .map(String::as_str),
        );
        self.ctl(&words).map(drop)
    }

    /// Freezes the member without closing its connections. [`EtcdMember::resume`] ends it.
    pub fn pause(&self) -> Result {
        self.signal(Signal::SIGSTOP)
    }

    /// Ends [`EtcdMember::pause`].
    pub fn resume(&self) -> Result {
        self.signal(Signal::SIGCONT)
    }

    /// Whether the member considers itself the leader.
    pub fn is_leader(&self) -> Result<bool> {
        let status = &self.status()?["Status"];
        let (own, leader) = (&status["header"]["member_id"], &status["leader"]);
        Ok(!own.is_null() && own == leader)
    }

    /// Compacts the history up to now: a watch cannot resume from an earlier revision.
    pub fn compact(&self) -> Result {
        let revision = self.status()?["Status"]["header"]["revision"].to_string();
        self.ctl(&["compact", &revision]).map(drop)
    }

    fn status(&self) -> Result<Value> {
        let text = self.ctl(&["endpoint", "status", "--write-out=json"])?;
        let members: Value = serde_json::from_str(&text).doing("endpoint status")?;
        Ok(members[0].clone())
    }

    /// Runs `etcdctl` with `arguments` and returns what it printed.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = vec!["/opt/etcdctl"];
        command.extend_from_slice(arguments);
        let mut words = vec!["env", "ETCDCTL_API=3"];
        words.extend_from_slice(&command);
        self.machine.run(&words)
    }

    /// Restarts the member with a higher limit on transactions, so that [`EtcdMember::put_all`]
    /// needs few.
    pub fn allow_large_transactions(&self) -> Result {
        self.stop()?;
        self.start_with(&[&format!("--max-txn-ops={MAX_TXN_KEYS}")])?;
        self.wait()
    }

    /// Puts many keys, whose values must not contain blanks; see
    /// [`EtcdMember::allow_large_transactions`].
    pub fn put_all(&self, records: &[(String, String)]) -> Result {
        let command = ["env", "ETCDCTL_API=3", "/opt/etcdctl", "txn"];
        for records in records.chunks(MAX_TXN_KEYS) {
            let put = |(key, value): &(String, String)| format!("put {key} {value:?}\n");
            let puts: String = records.iter().map(put).collect();
            // Empty comparisons, the puts, empty else branch.
            let text = format!("\n{puts}\n\n");
            self.machine
                .run_with(&command, text.as_bytes())?
                .success()?;
        }
        Ok(())
    }

    /// The keys below a prefix.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let text = self.ctl(&["get", "--prefix", "--keys-only", prefix])?;
        Ok(text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// The log of the member.
    pub fn log(&self) -> String {
        let log = self.machine.path(Path::new("/var/log/etcd.log"));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) -> Result {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let none = || Error::new(format!("{} does not run", self.machine.name()));
        daemon.as_ref().ok_or_else(none)?.signal(signal)
    }
}
