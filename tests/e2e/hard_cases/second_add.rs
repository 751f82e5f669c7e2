//! A second ADD of a pod that runs: whatever becomes of it, the pod keeps what it has.

use lab::{Node, Pod, Result, Runtime};

use crate::support::{Disturbed, ipams, node_with};

/// What the pod has, and what IPAM plugins have written down as reserved, a line each.
fn possessions(node: &Node) -> Result<Vec<String>> {
    let reserved = "ls /run/flatland/*/addresses /var/lib/cni/networks/* 2>/dev/null || true";
    let reserved = node.run(&["sh", "-c", reserved])?;
    let traces = node.traces()?;
    let all = traces.iter().flat_map(|text| text.lines());
    Ok(all.chain(reserved.lines()).map(str::to_owned).collect())
}

/// A second ADD fails, and the pod has what it had. Returns the error.
fn fails(pod: &Pod<'_>, node: &Node, case: &str) -> Result<String> {
    let before = possessions(node)?;
    let attached = Runtime::of(node)?.add(pod.target());
    let error = attached.expect_err("it is attached").to_string();
    let after = possessions(node)?;
    let lost: Vec<_> = before.iter().filter(|it| !after.contains(it)).collect();
    let new: Vec<_> = after.iter().filter(|it| !before.contains(it)).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "{case}: lost {lost:#?}, new {new:#?}: {error}"
    );
    Ok(error)
}

/// DEL, after which nothing has the pod's addresses.
fn goes(pod: &Pod<'_>, node: &Node) -> Result {
    pod.detach()?;
    let left = possessions(node)?.join("\n");
    for address in pod.addresses() {
        assert!(!left.contains(&address.to_string()), "{address}: {left}");
    }
    Ok(())
}

#[test]
fn whatever_fails_a_second_add_nothing_is_taken_from_the_pod() -> Result {
    for ipam in ipams() {
        let lab = node_with(&ipam)?;
        let node = lab.node(1);
        let mut pod = node.sandbox("a")?;
        pod.attach()?;

        let disturbed = Disturbed::adds_of(node)?;
        disturbed.not_at_all()?;
        let error = fails(&pod, node, "nothing disturbs it")?;
        assert!(error.contains(ipam.refusal), "{error}");
        let messages = disturbed.messages()?.len();
        assert!(messages > 0, "ADD said nothing to the kernel");
        for number in 1..=messages {
            // This one, or all from this one on.
            for end in ["", "+"] {
                let injection = format!("sendto:error=ENOBUFS:when={number}{end}");
                disturbed.by(&injection)?;
                fails(&pod, node, &injection)?;
            }
        }
        disturbed.not_at_all()?;

        pod.check()?;
        for address in pod.addresses() {
            node.run(&["ping", "-c1", "-W5", &address.to_string()])?;
        }
        goes(&pod, node)?;
    }
    Ok(())
}

#[test]
fn a_second_add_on_a_node_that_lost_its_uplink_takes_nothing_from_the_pod() -> Result {
    for ipam in ipams() {
        let lab = node_with(&ipam)?;
        let node = lab.node(1);
        let pod = node.add_pod("a")?;
        node.run(&["ip", "link", "del", "eth0"])?;

        let error = fails(&pod, node, "no uplink")?;

        assert!(error.contains("uplink"), "{error}");
        goes(&pod, node)?;
    }
    Ok(())
}
