//! GC where the kernel does not do what it is asked for.

use lab::{Pod, Result, Runtime};
use wire::cni::Version;

use crate::support::{Disturbed, lab};

#[test]
fn gc_removes_what_it_can_and_keeps_the_addresses_of_what_it_cannot() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    let runtime = Runtime::of(node)?.speaking(Version::V1_1_0);
    let pods = [node.add_pod("a")?, node.add_pod("b")?, node.add_pod("c")?];
    let disturbed = Disturbed::calls_of(node, "GC")?;
    // The first message lists the interfaces; the next two are to remove the first of them.
    disturbed.by("sendto:error=EPERM:when=2..3")?;

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
    disturbed.not_at_all()?;
    runtime.gc(&[])?;
    assert_eq!(node.traces()?, before);
    Ok(())
}
