//! A container as a plugin sees it: a network namespace and an id.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::PluginCall;
use super::kernel::{ListedLink, destinations, links};
use super::subject::PluginKind;
use super::testbed::Testbed;
use super::verdict::{Judged, ensure};
use crate::Result;

/// A container.
pub(super) struct TestContainer<'s> {
    testbed: &'s Testbed<'s>,
    /// The container id, also the name of its namespace.
    pub(super) id: String,
    /// The name of the container's interface. For a chained plugin the interface exists already.
    pub(super) interface: String,
    /// The result of an earlier plugin of the chain: chained plugins only.
    pub(super) before: Option<Value>,
}

impl<'s> TestContainer<'s> {
    /// Makes the namespace; `number` is unique on the machine.
    pub(super) fn new(testbed: &'s Testbed<'s>, number: u32) -> Result<Self> {
        let id = format!("pod-{number}");
        // Does what `ip netns add` does, with fewer processes. Duplicate address detection is off,
        // as the addresses are unique and some plugins wait seconds for it.
        let script = "[ -d /run/netns ] || mkdir /run/netns; : >/run/netns/$1 && \
                      exec unshare --net=/run/netns/$1 sh -c '\
                      echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad && exec ip link set lo up'";
        testbed.machine.run(&["sh", "-ec", script, "sh", &id])?;
        let mut pod = Self {
            testbed,
            id,
            interface: "eth0".to_owned(),
            before: None,
        };
        if testbed.subject.kind == PluginKind::Chained {
            pod.before = Some(pod.make_first_interface(number)?);
        }
        Ok(pod)
    }

    /// The same container with another interface name.
    pub(super) fn with_interface(&self, interface: &str) -> Self {
        Self {
            testbed: self.testbed,
            id: self.id.clone(),
            interface: interface.to_owned(),
            before: self.before.clone(),
        }
    }

    /// The path of its namespace.
    pub(super) fn netns(&self) -> String {
        format!("/run/netns/{}", self.id)
    }

    /// A call that concerns the container.
    pub(super) fn call(&self, command: &str) -> PluginCall<'s> {
        let call = PluginCall::new(self.testbed, command)
            .with("CNI_CONTAINERID", &self.id)
            .with("CNI_NETNS", self.netns())
            .with("CNI_IFNAME", &self.interface);
        match &self.before {
            Some(before) => call.after(before),
            None => call,
        }
    }

    /// Calls ADD. A failed ADD is no error.
    pub(super) fn add(&self) -> Judged<Answer> {
        self.call("ADD").run()
    }

    /// Calls ADD, which must succeed, and returns its result.
    pub(super) fn attach(&self) -> Judged<Value> {
        self.add()?.result()
    }

    /// A DEL call.
    pub(super) fn del(&self) -> PluginCall<'s> {
        self.call("DEL")
    }

    /// Calls DEL with the result of ADD; it must succeed.
    pub(super) fn detach(&self, result: &Value) -> Judged {
        self.del().after(result).run()?.succeeds("DEL fails")
    }

    /// Calls CHECK with the result of ADD. A failed CHECK is no error.
    pub(super) fn check(&self, result: &Value) -> Judged<Answer> {
        self.call("CHECK").after(result).run()
    }

    /// The links in the namespace.
    pub(super) fn links(&self) -> Judged<Vec<ListedLink>> {
        links(&self.testbed.machine, Some(&self.id))
    }

    /// The container's interface, if it exists.
    pub(super) fn link(&self) -> Judged<Option<ListedLink>> {
        let mut links = self.links()?.into_iter();
        Ok(links.find(|link| link.name == self.interface))
    }

    /// The destinations of the namespace's routes.
    pub(super) fn destinations(&self) -> Judged<Vec<String>> {
        destinations(&self.testbed.machine, &self.id)
    }

    /// Runs `ip` in the namespace.
    pub(super) fn ip(&self, words: &[&str]) -> Judged {
        let command = [&["ip", "-n", &self.id][..], words].concat();
        self.testbed.machine.run(&command)?;
        Ok(())
    }

    /// Deletes the namespace.
    pub(super) fn delete_netns(&self) -> Judged {
        self.testbed
            .machine
            .run(&["ip", "netns", "del", &self.id])?;
        Ok(())
    }

    /// Fails unless the interface exists.
    pub(super) fn is_attached(&self) -> Judged {
        let link = self.link()?;
        ensure(link.is_some(), || {
            format!("{} has no interface {}", self.id, self.interface)
        })
    }

    /// Makes the interface that the first plugin of a chain would make, and returns its result.
    fn make_first_interface(&self, number: u32) -> Result<Value> {
        let (host, address) = (
            format!("first{number}"),
            format!("10.99.0.{}/24", number + 1),
        );
        let machine = &self.testbed.machine;
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
        self.testbed.version().translate(&mut result);
        Ok(result)
    }
}
