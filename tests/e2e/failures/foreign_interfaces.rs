//! Interfaces of other programs, and a namespace that is deleted during ADD.

use lab::Result;
use wire::cni::Attachment;
use wire::pod_link::host_interface_name;

use crate::support::{lab, wrap_ipam};

#[test]
fn foreign_host_interface_is_neither_used_nor_deleted() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for (kind, alias) in [("veth", "flatland other/eth0"), ("bridge", "")] {
        let mut pod = node.sandbox(kind)?;
        let attachment = Attachment::new(kind, "eth0").unwrap();
        let name = host_interface_name("flatland", &attachment);
        node.run(&["ip", "link", "add", &name, "type", kind])?;
        node.run(&["ip", "link", "set", &name, "alias", alias])?;
        let before = node.attachment_state()?;

        let refused = pod.attach().unwrap_err().to_string();

        assert!(
            refused.contains("\"code\":100") && refused.contains(&format!("{name} is taken")),
            "{refused}"
        );
        assert!(refused.contains(alias), "{refused}");
        pod.detach()?;
        assert_eq!(node.attachment_state()?, before);
    }
    Ok(())
}

#[test]
fn namespace_deleted_during_add_leaves_nothing_after_del() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.attachment_state()?;
    wrap_ipam(
        node,
        "[ $CNI_COMMAND = ADD ] && ip netns del $CNI_CONTAINERID\nexec $REAL",
    )?;
    let mut pod = node.sandbox("a")?;
    // The plugin has opened the namespace and may succeed; then everything is deleted with the
    // namespace.
    let _ = pod.attach();
    pod.detach()?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
