//! A second ADD of a running pod: it fails, and the pod keeps everything.

use lab::{Node, Pod, Result, Runtime};

use crate::support::{FaultInjection, ipams, node_with};

/// The pod's interfaces and routes, and the reservations of IPAM plugins, one a line.
fn pod_state(node: &Node) -> Result<Vec<String>> {
    let reserved = "ls /run/flatland/*/addresses /var/lib/cni/networks/* 2>/dev/null || true";
    let reserved = node.run(&["sh", "-c", reserved])?;
    let state = node.attachment_state()?;
    let all = state.iter().flat_map(|text| text.lines());
    Ok(all.chain(reserved.lines()).map(str::to_owned).collect())
}

/// Calls a second ADD, which must fail and change nothing. Returns the error.
fn fail_second_add(pod: &Pod<'_>, node: &Node, case: &str) -> Result<String> {
    let before = pod_state(node)?;
    let attached = Runtime::of(node)?.add(pod.target());
    let error = attached.expect_err("it is attached").to_string();
    let after = pod_state(node)?;
    let lost: Vec<_> = before.iter().filter(|it| !after.contains(it)).collect();
    let new: Vec<_> = after.iter().filter(|it| !before.contains(it)).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "{case}: lost {lost:#?}, new {new:#?}: {error}"
    );
    Ok(error)
}

/// Calls DEL, which must free the pod's addresses.
fn delete(pod: &Pod<'_>, node: &Node) -> Result {
    pod.detach()?;
    let left = pod_state(node)?.join("\n");
    for address in pod.addresses() {
        assert!(!left.contains(&address.to_string()), "{address}: {left}");
    }
    Ok(())
}

#[test]
fn second_add_with_any_failure_leaves_the_pod_as_it_is() -> Result {
    for ipam in ipams() {
        let lab = node_with(&ipam)?;
        let node = lab.node(1);
        let mut pod = node.sandbox("a")?;
        pod.attach()?;

        let faults = FaultInjection::into_adds(node)?;
        faults.trace_only()?;
        let error = fail_second_add(&pod, node, "nothing disturbs it")?;
        assert!(error.contains(ipam.refusal), "{error}");
        let messages = faults.messages()?.len();
        assert!(messages > 0, "ADD sent no message to the kernel");
        for number in 1..=messages {
            // This message only, or all from this one on.
            for end in ["", "+"] {
                let injection = format!("sendto:error=ENOBUFS:when={number}{end}");
                faults.inject(&injection)?;
                fail_second_add(&pod, node, &injection)?;
            }
        }
        faults.trace_only()?;

        pod.check()?;
        for address in pod.addresses() {
            node.run(&["ping", "-c1", "-W5", &address.to_string()])?;
        }
        delete(&pod, node)?;
    }
    Ok(())
}

#[test]
fn second_add_without_an_uplink_leaves_the_pod_as_it_is() -> Result {
    for ipam in ipams() {
        let lab = node_with(&ipam)?;
        let node = lab.node(1);
        let pod = node.add_pod("a")?;
        node.run(&["ip", "link", "del", "eth0"])?;

        let error = fail_second_add(&pod, node, "no uplink")?;

        assert!(error.contains("uplink"), "{error}");
        delete(&pod, node)?;
    }
    Ok(())
}
