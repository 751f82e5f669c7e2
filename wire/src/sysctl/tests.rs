use super::*;

#[test]
fn dotted_name_is_what_sysctl_takes() {
    assert_eq!(dotted("net/ipv4/ip_forward"), "net.ipv4.ip_forward");
    let vlan = "net/ipv4/conf/eth0.100/forwarding";
    assert_eq!(dotted(vlan), "net.ipv4.conf.eth0/100.forwarding");
}

#[test]
fn failure_names_the_setting_and_gives_advice() {
    for (kind, advice) in [
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "or make the setting on the host",
        ),
        (io::ErrorKind::PermissionDenied, "it takes root"),
        (io::ErrorKind::NotFound, "this kernel has no such setting"),
    ] {
        let error = explain("net/ipv4/ip_forward", "set to 1", &kind.into());
        assert_eq!(error.kind(), kind);
        let text = error.to_string();
        let start = "cannot set to 1 the kernel setting net/ipv4/ip_forward: ";
        assert!(text.starts_with(start) && text.ends_with(advice), "{text}");
    }
}
