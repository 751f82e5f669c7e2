//! A node on which system calls and IPAM plugins are made to fail.

use lab::{Lab, Node, Pod, Result, Runtime};
use serde_json::{Value, json};

/// A single node, with its claims in a local file.
pub(crate) fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    // What a first pod leaves for good on a node, such as folders, must not count as a leftover.
    lab.node(1).add_pod("first")?.delete()?;
    Ok(lab)
}

/// Replaces the IPAM plugin by a script, which calls the real one as `$REAL`.
pub(crate) fn wrap_ipam(node: &Node, script: &str) -> Result {
    let install = "cd /opt/cni/bin && { [ -e ../real ] || mv flatland-ipam ../real; } && \
                   cat > flatland-ipam && chmod +x flatland-ipam";
    let script = format!("#!/bin/sh\nREAL=/opt/cni/real\n{script}\n");
    node.run_with(&["sh", "-c", install], script.as_bytes())?
        .success()
        .map(drop)
}

/// Gives an attachment its existing addresses again, as IPAM plugins may.
const SAME_ADDRESSES_AGAIN: &str = "[ $CNI_COMMAND = ADD ] || exec $REAL\n\
                           given=/run/given-$CNI_CONTAINERID\n\
                           [ -s $given ] || $REAL > $given\n\
                           cat $given";

/// An IPAM plugin.
pub(crate) struct Ipam {
    /// A script in place of our IPAM plugin.
    script: &'static str,
    /// Its section of the conflist, unless it is ours.
    section: Option<Value>,
    /// The error of a second ADD of an attachment.
    pub(crate) refusal: &'static str,
}

/// IPAM plugins that refuse a second ADD, and others that return the same addresses again.
pub(crate) fn ipams() -> [Ipam; 4] {
    let ranges = json!([[{ "subnet": "10.9.0.0/24" }], [{ "subnet": "fd00:9::/64" }]]);
    let addresses = json!([{ "address": "10.9.0.5/24" }, { "address": "fd00:9::5/64" }]);
    let attached = "attached already, by host interface";
    [
        Ipam {
            script: "exec $REAL",
            section: None,
            refusal: "a/eth0 already holds",
        },
        Ipam {
            script: SAME_ADDRESSES_AGAIN,
            section: None,
            refusal: attached,
        },
        Ipam {
            script: "exec $REAL",
            section: Some(json!({ "type": "host-local", "ranges": ranges })),
            refusal: "duplicate allocation is not allowed",
        },
        Ipam {
            script: "exec $REAL",
            section: Some(json!({ "type": "static", "addresses": addresses })),
            refusal: attached,
        },
    ]
}

/// A single node with that IPAM plugin.
pub(crate) fn node_with(ipam: &Ipam) -> Result<Lab> {
    let mut lab = lab()?;
    let mut conflist = lab.conflist();
    if let Some(section) = &ipam.section {
        conflist["plugins"][0]["ipam"] = section.clone();
    }
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.install_plugins(&["host-local", "static"])?;
    wrap_ipam(node, ipam.script)?;
    Ok(lab)
}

/// Fault injection into the plugin's system calls, with strace.
pub(crate) struct FaultInjection<'a>(&'a Node);

impl<'a> FaultInjection<'a> {
    pub(crate) fn into_adds(node: &'a Node) -> Result<Self> {
        Self::into_calls(node, "ADD")
    }

    pub(crate) fn into_calls(node: &'a Node, verb: &str) -> Result<Self> {
        node.run(&["mv", "/opt/cni/bin/flatland", "/opt/cni/whole"])?;
        let script = format!(
            "#!/bin/sh\n\
             [ $CNI_COMMAND = {verb} ] || exec /opt/cni/whole\n\
             exec strace -qq -o /run/calls $(cat /run/inject) /opt/cni/whole\n"
        );
        node.write("/opt/cni/bin/flatland", script)?;
        node.run(&["chmod", "+x", "/opt/cni/bin/flatland"])?;
        Ok(Self(node))
    }

    /// Sets what strace's `inject` does in calls from now on: `CALL:HOW:when=NUMBER`.
    pub(crate) fn inject(&self, injection: &str) -> Result {
        let (call, _) = injection.split_once(':').unwrap_or_default();
        let words = format!("-e trace={call} -e inject={injection}");
        self.0.write("/run/inject", words)
    }

    /// Only traces the messages to the kernel from now on.
    pub(crate) fn trace_only(&self) -> Result {
        self.0.write("/run/inject", "-e trace=sendto")
    }

    /// The messages to the kernel of the last such call, one a line.
    pub(crate) fn messages(&self) -> Result<Vec<String>> {
        let calls = self.0.read("/run/calls")?;
        let messages = calls.lines().filter(|line| line.starts_with("sendto("));
        Ok(messages.map(str::to_owned).collect())
    }
}

/// A pod that is not attached, on a node with fault injection into ADD.
pub(crate) struct UnattachedPod<'a> {
    pub(crate) node: &'a Node,
    pub(crate) pod: Pod<'a>,
    pub(crate) runtime: Runtime<'a>,
    faults: FaultInjection<'a>,
    before: Vec<String>,
}

impl<'a> UnattachedPod<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Result<Self> {
        let node = lab.node(1);
        Ok(Self {
            node,
            pod: node.sandbox("a")?,
            before: node.attachment_state()?,
            runtime: Runtime::of(node)?,
            faults: FaultInjection::into_adds(node)?,
        })
    }

    /// Calls ADD with a fault in its first system call of this kind, then in its second, and so on,
    /// until ADD succeeds because it makes fewer such calls. `check` checks the outcome of each
    /// failed ADD; its argument is the injection.
    pub(crate) fn each_add(
        &self,
        injection: impl Fn(u32) -> String,
        mut check: impl FnMut(&str, &str) -> Result,
    ) -> Result {
        for number in 1.. {
            let injection = injection(number);
            self.faults.inject(&injection)?;
            let Err(error) = self.runtime.add(self.pod.target()) else {
                assert!(number > 1, "{injection} met no system call");
                break;
            };
            check(&injection, &error.to_string())?;
        }
        self.runtime.del(self.pod.target(), None)
    }

    /// Fails if anything is left on the node.
    pub(crate) fn is_as_before(&self, case: &str) -> Result {
        assert_eq!(self.node.attachment_state()?, self.before, "{case}");
        Ok(())
    }
}
