//! A container, as far as a plugin is concerned: a network namespace and a name.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::kernel::{Link, destinations, links};
use super::stage::Stage;
use super::subject::Kind;
use super::verdict::{Judged, ensure};
use crate::Result;

/// A container.
pub(super) struct Pod<'s> {
    stage: &'s Stage<'s>,
    /// Its id and the name of its namespace.
    pub(super) id: String,
    /// The name that its interface is to have, or for a chained plugin has.
    pub(super) interface: String,
    /// What an earlier plugin of the chain has made: only a chained plugin has one.
    pub(super) before: Option<Value>,
}

impl<'s> Pod<'s> {
    /// Makes the namespace; `number` tells it from others of the machine.
    pub(super) fn new(stage: &'s Stage<'s>, number: u32) -> Result<Self> {
        let id = format!("pod-{number}");
        // As `ip netns add` makes it, by fewer processes. Nobody else can have its addresses, and some
        // plugins wait seconds to be sure of that.
        let script = "[ -d /run/netns ] || mkdir /run/netns; : >/run/netns/$1 && \
                      exec unshare --net=/run/netns/$1 sh -c '\
                      echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad && exec ip link set lo up'";
        stage.machine.run(&["sh", "-ec", script, "sh", &id])?;
        let mut pod = Self {
            stage,
            id,
            interface: "eth0".to_owned(),
            before: None,
        };
        if stage.subject.kind == Kind::Chained {
            pod.before = Some(pod.wire(number)?);
        }
        Ok(pod)
    }

    /// The same container, to be attached by another interface.
    pub(super) fn by(&self, interface: &str) -> Self {
        Self {
            stage: self.stage,
            id: self.id.clone(),
            interface: interface.to_owned(),
            before: self.before.clone(),
        }
    }

    /// The path of its namespace.
    pub(super) fn netns(&self) -> String {
        format!("/run/netns/{}", self.id)
    }

    /// A call that is about it.
    pub(super) fn call(&self, command: &str) -> Call<'s> {
        let call = Call::new(self.stage, command)
            .with("CNI_CONTAINERID", &self.id)
            .with("CNI_NETNS", self.netns())
            .with("CNI_IFNAME", &self.interface);
        match &self.before {
            Some(before) => call.after(before),
            None => call,
        }
    }

    /// ADD, however it ends.
    pub(super) fn add(&self) -> Judged<Answer> {
        self.call("ADD").run()
    }

    /// ADD, which must succeed, and its result.
    pub(super) fn attach(&self) -> Judged<Value> {
        self.add()?.result()
    }

    /// DEL, to be run.
    pub(super) fn del(&self) -> Call<'s> {
        self.call("DEL")
    }

    /// DEL after an ADD with this result; it must succeed.
    pub(super) fn detach(&self, result: &Value) -> Judged {
        self.del().after(result).run()?.succeeds("DEL fails")
    }

    /// CHECK after an ADD with this result, however it ends.
    pub(super) fn check(&self, result: &Value) -> Judged<Answer> {
        self.call("CHECK").after(result).run()
    }

    /// The links in its namespace.
    pub(super) fn links(&self) -> Judged<Vec<Link>> {
        links(&self.stage.machine, Some(&self.id))
    }

    /// Its interface, if it is there.
    pub(super) fn link(&self) -> Judged<Option<Link>> {
        let mut links = self.links()?.into_iter();
        Ok(links.find(|link| link.name == self.interface))
    }

    /// Where it has routes to.
    pub(super) fn destinations(&self) -> Judged<Vec<String>> {
        destinations(&self.stage.machine, &self.id)
    }

    /// Runs `ip` in its namespace.
    pub(super) fn ip(&self, words: &[&str]) -> Judged {
        let command = [&["ip", "-n", &self.id][..], words].concat();
        self.stage.machine.run(&command)?;
        Ok(())
    }

    /// Its namespace goes.
    pub(super) fn vanish(&self) -> Judged {
        self.stage.machine.run(&["ip", "netns", "del", &self.id])?;
        Ok(())
    }

    /// It must have its interface.
    pub(super) fn is_attached(&self) -> Judged {
        let link = self.link()?;
        ensure(link.is_some(), || {
            format!("{} has no interface {}", self.id, self.interface)
        })
    }

    /// Makes what the first plugin of a chain would, and its result.
    fn wire(&self, number: u32) -> Result<Value> {
        let (host, address) = (
            format!("first{number}"),
            format!("10.99.0.{}/24", number + 1),
        );
        let machine = &self.stage.machine;
        let pair = [
            "type",
            "veth",
            "peer",
            "name",
            &self.interface,
            "netns",
            &self.id,
        ];
        machine.run(&[&["ip", "link", "add", &host, "up"][..], &pair].concat())?;
        machine.run(&[
            "ip",
            "-n",
            &self.id,
            "addr",
            "add",
            &address,
            "dev",
            &self.interface,
        ])?;
        machine.run(&["ip", "-n", &self.id, "link", "set", &self.interface, "up"])?;
        let ip = json!({ "address": address, "gateway": "10.99.0.1", "interface": 1 });
        let mut result = json!({
            "interfaces": [
                { "name": host },
                { "name": self.interface, "sandbox": self.netns() },
            ],
            "ips": [ip],
        });
        self.stage.version().translate(&mut result);
        Ok(result)
    }
}
