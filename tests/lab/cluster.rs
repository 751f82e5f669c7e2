//! Starting a lab: switch, etcd members and nodes.

use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::{enter, run};
use crate::error::Doing;
use crate::machine::Plug;
use crate::namespaces::{child_of, own_path, start_holder};
use crate::{Builder, Error, EtcdMember, Kept, KeptPlace, Machine, Node, Result};

/// A running cluster.
#[derive(Debug)]
pub struct Lab {
    builder: Builder,
    nodes: Vec<Node>,
    etcd: Vec<EtcdMember>,
    pid: u32,
    /// The lab ends when this process's standard input is closed.
    init: Child,
}

impl Lab {
    /// Default options: one node, one etcd member, both families.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts the lab that `builder` describes.
    pub(crate) fn raise(builder: Builder) -> Result<Self> {
        let mut init = Command::new(own_path()?);
        if let Some(file) = &builder.keep {
            if Kept::read(file)?.is_some() {
                return Err(Error::new(
                    "a demo is running already: `make demo-down` ends it",
                ));
            }
            // Ctrl-C must reach only the caller, which then still has a lab to take down.
            init.process_group(0);
        }
        init.arg("init")
            .args(builder.keep.as_ref().map(|_| "--keep"));
        let init = start_holder(init)?;
        let pid = child_of(init.id())?;
        let mut lab = Self {
            builder,
            nodes: Vec::new(),
            etcd: Vec::new(),
            pid,
            init,
        };
        lab.write_down(Vec::new())?;
        lab.raise_switch()?;
        lab.boot()?;
        Ok(lab)
    }

    /// Node `number`, counted from 1 as its name is.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// As [`Lab::node`], but mutable.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn node_mut(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The members of etcd.
    pub fn etcd(&self) -> &[EtcdMember] {
        &self.etcd
    }

    /// The process id of the lab's pid 1 in the caller's pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The conflist that nodes are booted with.
    pub fn conflist(&self) -> Value {
        self.builder.conflist()
    }

    /// The shipped conflist, with the endpoints of this lab's etcd as the only change.
    pub fn shipped_conflist(&self) -> Result<Value> {
        let text = include_str!("../../conf/10-flatland.conflist");
        let mut conflist: Value = serde_json::from_str(text).doing("the shipped conflist")?;
        conflist["plugins"][0]["ipam"]["etcd"] =
            self.conflist()["plugins"][0]["ipam"]["etcd"].take();
        Ok(conflist)
    }

    /// Boots one more node.
    pub fn add_node(&mut self) -> Result<&Node> {
        let index = u8::try_from(self.nodes.len()).map_err(|_| Error::new("too many nodes"))?;
        let node = self.boot_node(index)?;
        self.connect(&node)?;
        self.nodes.push(node);
        Ok(&self.nodes[usize::from(index)])
    }

    /// A machine on the switch that does not belong to the cluster; `host` is 200 to 254.
    pub fn add_external_machine(&self, name: &str, host: u8) -> Result<Machine> {
        let plug = Plug {
            host,
            mtu: self.builder.mtu,
            default_route: false,
            plugins: None,
        };
        let machine = Machine::boot(self.pid, name, &plug, self.kept())?;
        machine.install(&own_path()?, "/opt/flatland/lab")?;
        self.connect(&machine)?;
        Ok(machine)
    }

    /// A machine with default routes and without Flatland. Its /opt/cni/bin is a folder of the
    /// caller, mounted read-only. `host` is 200 to 254.
    pub(crate) fn add_plugin_machine(
        &self,
        name: &str,
        host: u8,
        plugins: &Path,
    ) -> Result<Machine> {
        let plug = Plug {
            host,
            mtu: self.builder.mtu,
            default_route: true,
            plugins: Some(plugins.to_owned()),
        };
        let machine = Machine::boot(self.pid, name, &plug, self.kept())?;
        self.connect(&machine)?;
        Ok(machine)
    }

    /// Starts `routed` on every node and waits until all nodes are ready.
    pub fn start_routed(&self) -> Result {
        for node in &self.nodes {
            node.spawn_routed(&[])?;
        }
        self.nodes.iter().try_for_each(Node::wait_ready)
    }

    /// Waits until every node has a route to every other node's subnets.
    pub fn wait_routes(&self) -> Result {
        let families = self.builder.families.pod_cidrs().len();
        let expected = (self.nodes.len() - 1) * families;
        for node in &self.nodes {
            crate::wait_until(
                format!("{expected} peer routes on {}", node.name()),
                crate::DEADLINE,
                || {
                    node.routes().is_ok_and(|routes| {
                        routes
                            .iter()
                            .filter(|route| route.contains(" via "))
                            .count()
                            == expected
                    })
                },
            )
            .map_err(|error| error.doing(node.routed_log()))?;
        }
        Ok(())
    }

    /// Returns and leaves the lab running, see [`Builder::keep`]. `lab enter` reaches only
    /// `places`.
    pub fn leave(self, places: Vec<KeptPlace>) -> Result<Kept> {
        let kept = self.write_down(places)?;
        // Dropping the lab would end it.
        std::mem::forget(self);
        kept.ok_or_else(|| Error::new("this lab was not started to be kept"))
    }

    fn write_down(&self, places: Vec<KeptPlace>) -> Result<Option<Kept>> {
        let record = |file| Kept::record(file, self.pid, places);
        self.builder.keep.as_deref().map(record).transpose()
    }

    fn kept(&self) -> bool {
        self.builder.keep.is_some()
    }

    /// Runs a command in the lab's own namespaces, where the switch is.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        run(enter(self.pid, None, command)?, b"")?.success()
    }

    /// Prints the last log lines of every `routed` after a failed test.
    fn show_logs(&self) {
        let mut stderr = std::io::stderr();
        for node in &self.nodes {
            let log = node.routed_log();
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(20)..] {
                let _ = writeln!(stderr, "{} routed: {line}", node.name());
            }
        }
    }

    fn boot(&mut self) -> Result {
        let (pid, keep, members) = (self.pid, self.kept(), self.builder.etcd);
        let lab = &*self;
        // Machines boot in parallel: most of the time is spent waiting for processes to start.
        let (etcd, nodes) = thread::scope(|scope| {
            let etcd: Vec<_> = (0..members)
                .map(|index| scope.spawn(move || EtcdMember::boot(pid, index, members, keep)))
                .collect();
            let nodes: Vec<_> = (0..self.builder.nodes)
                .map(|index| scope.spawn(move || lab.boot_node(index)))
                .collect();
            (gather(etcd), gather(nodes))
        });
        (self.etcd, self.nodes) = (etcd?, nodes?);
        for etcd in &self.etcd {
            self.connect(etcd.machine())?;
        }
        for node in &self.nodes {
            self.connect(node)?;
        }
        self.etcd.iter().try_for_each(EtcdMember::wait)
    }

    fn boot_node(&self, index: u8) -> Result<Node> {
        let name = format!("n{}", index + 1);
        let builder = &self.builder;
        Node::boot(
            self.pid,
            &name,
            &builder.plug(index),
            &builder.conflist(),
            self.kept(),
        )
        .map_err(|error| error.doing(format!("booting {name}")))
    }

    fn raise_switch(&self) -> Result {
        let batch = "link set lo up\n\
                     link add switch type bridge\n\
                     address add 192.168.1.1/24 dev switch\n\
                     address add fd00:192:168:1::1/64 dev switch nodad\n\
                     link set switch up\n";
        let command = enter(self.pid, None, ["ip", "-batch", "-"])?;
        run(command, batch.as_bytes())?.success().map(drop)
    }

    /// Connects a machine to the switch.
    pub(crate) fn connect(&self, machine: &Machine) -> Result {
        self.run(&[
            "ip",
            "link",
            "set",
            machine.name(),
            "master",
            "switch",
            "up",
        ])
        .map(drop)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if thread::panicking() {
            self.show_logs();
        }
        drop(self.init.stdin.take());
        if self.kept() {
            let pid = i32::try_from(self.pid).map(Pid::from_raw);
            let _ = pid.map(|pid| kill(pid, Signal::SIGKILL));
        }
        // The lab ends with this process; waiting leaves no zombie behind.
        let _ = self.init.wait();
        self.nodes.clear();
        self.etcd.clear();
    }
}

fn gather<T>(threads: Vec<thread::ScopedJoinHandle<'_, Result<T>>>) -> Result<Vec<T>> {
    let panicked = |_| Err(Error::new("a thread of the lab panicked"));
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap_or_else(panicked))
        .collect()
}
