//! A node on which things go wrong.

use lab::{Lab, Node, Pod, Result, Runtime};
use serde_json::{Value, json};

/// A node alone, with its claims in a local file.
pub(crate) fn lab() -> Result<Lab> {
    let lab = Lab::builder().etcd(0).start()?;
    lab.node(1).install_conflist()?;
    // What the first pod leaves on a node, the next ones leave too.
    lab.node(1).add_pod("first")?.delete()?;
    Ok(lab)
}

/// Puts a script in place of the IPAM plugin, which it reaches as `$REAL`.
pub(crate) fn wrap_ipam(node: &Node, script: &str) -> Result {
    let install = "cd /opt/cni/bin && { [ -e ../real ] || mv flatland-ipam ../real; } && \
                   cat > flatland-ipam && chmod +x flatland-ipam";
    let script = format!("#!/bin/sh\nREAL=/opt/cni/real\n{script}\n");
    node.run_with(&["sh", "-c", install], script.as_bytes())?
        .success()
        .map(drop)
}

/// Gives an attachment that has its addresses the same ones again, as IPAM plugins may.
const GIVES_AGAIN: &str = "[ $CNI_COMMAND = ADD ] || exec $REAL\n\
                           given=/run/given-$CNI_CONTAINERID\n\
                           [ -s $given ] || $REAL > $given\n\
                           cat $given";

/// An IPAM plugin.
pub(crate) struct Ipam {
    /// The script in place of ours.
    script: &'static str,
    /// Its section of the conflist, unless it is ours.
    section: Option<Value>,
    /// What a second ADD says of an attachment that has its addresses.
    pub(crate) refusal: &'static str,
}

/// IPAM plugins that refuse a second ADD, and such as give the same addresses again.
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
            script: GIVES_AGAIN,
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

/// A node alone with that IPAM plugin.
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

/// A node on which system calls of the plugin are tampered with.
pub(crate) struct Disturbed<'a>(&'a Node);

impl<'a> Disturbed<'a> {
    pub(crate) fn adds_of(node: &'a Node) -> Result<Self> {
        Self::calls_of(node, "ADD")
    }

    pub(crate) fn calls_of(node: &'a Node, verb: &str) -> Result<Self> {
        node.run(&["mv", "/opt/cni/bin/flatland", "/opt/cni/whole"])?;
        let script = format!(
            "#!/bin/sh\n\
             [ $CNI_COMMAND = {verb} ] || exec /opt/cni/whole\n\
             exec strace -qq -o /run/calls $(cat /run/disturb) /opt/cni/whole\n"
        );
        node.write("/opt/cni/bin/flatland", script)?;
        node.run(&["chmod", "+x", "/opt/cni/bin/flatland"])?;
        Ok(Self(node))
    }

    /// What strace's `inject` does to calls from now on: `CALL:HOW:when=NUMBER`.
    pub(crate) fn by(&self, injection: &str) -> Result {
        let (call, _) = injection.split_once(':').unwrap_or_default();
        let words = format!("-e trace={call} -e inject={injection}");
        self.0.write("/run/disturb", words)
    }

    /// Nothing: from now on its messages to the kernel are only listened to.
    pub(crate) fn not_at_all(&self) -> Result {
        self.0.write("/run/disturb", "-e trace=sendto")
    }

    /// The messages to the kernel of the last such call, a line each.
    pub(crate) fn messages(&self) -> Result<Vec<String>> {
        let calls = self.0.read("/run/calls")?;
        let messages = calls.lines().filter(|line| line.starts_with("sendto("));
        Ok(messages.map(str::to_owned).collect())
    }
}

/// A pod that is not attached, on a node where ADD is disturbed.
pub(crate) struct Case<'a> {
    pub(crate) node: &'a Node,
    pub(crate) pod: Pod<'a>,
    pub(crate) runtime: Runtime<'a>,
    disturbed: Disturbed<'a>,
    before: Vec<String>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Result<Self> {
        let node = lab.node(1);
        Ok(Self {
            node,
            pod: node.sandbox("a")?,
            before: node.traces()?,
            runtime: Runtime::of(node)?,
            disturbed: Disturbed::adds_of(node)?,
        })
    }

    /// Calls ADD with its first call disturbed, with its second, and so on, until one succeeds: it has
    /// no such call. `look` looks at what came of each of the others, by the disturbance.
    pub(crate) fn each_add(
        &self,
        injection: impl Fn(u32) -> String,
        mut look: impl FnMut(&str, &str) -> Result,
    ) -> Result {
        for number in 1.. {
            let injection = injection(number);
            self.disturbed.by(&injection)?;
            let Err(error) = self.runtime.add(self.pod.target()) else {
                assert!(number > 1, "nothing was disturbed by {injection}");
                break;
            };
            look(&injection, &error.to_string())?;
        }
        self.runtime.del(self.pod.target(), None)
    }

    /// Nothing is left on the node.
    pub(crate) fn is_as_before(&self, case: &str) -> Result {
        assert_eq!(self.node.traces()?, self.before, "{case}");
        Ok(())
    }
}
