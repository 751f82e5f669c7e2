//! A node on which things go wrong.

use lab::{Lab, Node, Pod, Result, Runtime};

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
