//! GC when the kernel refuses requests.

use lab::{Pod, Result, Runtime};
use wire::cni::CniVersion;

use crate::support::{FaultInjection, lab};

#[test]
fn gc_keeps_addresses_of_interfaces_it_cannot_remove() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.attachment_state()?;
    let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
    let pods = [node.add_pod("a")?, node.add_pod("b")?, node.add_pod("c")?];
    let faults = FaultInjection::into_calls(node, "GC")?;
    // The first message lists the interfaces; the next two delete the first of them.
    faults.inject("sendto:error=EPERM:when=2..3")?;

    let error = runtime.gc(&[]).expect_err("one cannot be removed");

    let error = error.to_string();
    let named = |pod: &&Pod<'_>| error.contains(&format!("{}/eth0", pod.name()));
    assert_eq!(pods.iter().filter(named).count(), 1, "{error}");
    for pod in &pods {
        let address = pod.addresses()[0].to_string();
        let held = format!("/run/flatland/flatland/addresses/{address}");
        assert_eq!(node.path(held).exists(), named(&pod), "{}", pod.name());
        let routes = node.routes()?;
        let is_routed = routes.iter().any(|route| route.starts_with(&address));
        assert_eq!(is_routed, named(&pod), "{routes:#?}");
    }
    faults.trace_only()?;
    runtime.gc(&[])?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
