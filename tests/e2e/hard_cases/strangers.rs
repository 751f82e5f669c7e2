//! What is somebody else's, and a namespace that goes.

use lab::Result;
use wire::cni::Attachment;
use wire::pod_link::host_interface_name;

use crate::support::{lab, wrap_ipam};

#[test]
fn a_host_interface_that_is_somebody_elses_is_neither_taken_nor_deleted() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for (kind, alias) in [("veth", "flatland other/eth0"), ("bridge", "")] {
        let mut pod = node.sandbox(kind)?;
        let attachment = Attachment::new(kind, "eth0").unwrap();
        let name = host_interface_name("flatland", &attachment);
        node.run(&["ip", "link", "add", &name, "type", kind])?;
        node.run(&["ip", "link", "set", &name, "alias", alias])?;
        let before = node.traces()?;

        let refused = pod.attach().unwrap_err().to_string();

        assert!(
            refused.contains("\"code\":100") && refused.contains(&format!("{name} is taken")),
            "{refused}"
        );
        assert!(refused.contains(alias), "{refused}");
        pod.detach()?;
        assert_eq!(node.traces()?, before);
    }
    Ok(())
}

#[test]
fn a_namespace_that_is_deleted_half_way_through_add_leaves_nothing_after_del() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.traces()?;
    wrap_ipam(
        node,
        "[ $CNI_COMMAND = ADD ] && ip netns del $CNI_CONTAINERID\nexec $REAL",
    )?;
    let mut pod = node.sandbox("a")?;
    // The plugin has the namespace open and may well succeed; then all goes with it.
    let _ = pod.attach();
    pod.detach()?;
    assert_eq!(node.traces()?, before);
    Ok(())
}
