use super::*;

#[test]
fn overlap_is_found_in_both_directions() {
    let pod_cidrs = ["10.244.0.0/16", "fd00:10:244::/56"].map(|cidr| cidr.parse().unwrap());
    for (address, expected) in [
        ("192.168.1.1/24", None),
        ("10.244.3.1/24", Some("10.244.0.0/16")),
        ("10.0.0.5/8", Some("10.244.0.0/16")),
        ("10.244.9.9/32", Some("10.244.0.0/16")),
        ("10.243.255.1/16", None),
        ("fd00:10:244:7::1/64", Some("fd00:10:244::/56")),
        ("fd00::1/8", Some("fd00:10:244::/56")),
        ("fe80::1/64", None),
        ("::1/128", None),
    ] {
        let found = Overlap::find([("eth0", address.parse().unwrap())], &pod_cidrs);
        let pod_cidr = found.as_ref().map(|found| found.pod_cidr.to_string());
        assert_eq!(pod_cidr.as_deref(), expected, "{address}");
        let Some(found) = found else { continue };
        let error = cni::Error::from(found);
        assert_eq!(error.code, code::INVALID_CONFIG);
        assert!(
            error.msg.contains(address) && error.msg.contains("eth0"),
            "{error}"
        );
    }
}

#[test]
fn host_address_on_loopback_is_no_overlap() {
    let pod_cidrs = ["10.244.0.0/16".parse().unwrap()];
    for (link, address, overlaps) in [
        ("lo", "10.244.9.1/32", false),
        ("lo", "10.244.9.1/24", true),
        ("dummy0", "10.244.9.1/32", true),
    ] {
        let found = Overlap::find([(link, address.parse().unwrap())], &pod_cidrs);
        assert_eq!(found.is_some(), overlaps, "{link} {address}");
    }
}

#[test]
fn overlap_in_kernel_names_the_link() {
    let mut socket = NetlinkSocket::open().unwrap();
    assert_eq!(
        Overlap::find_in_kernel(&mut socket, &["198.51.100.0/24".parse().unwrap()]).unwrap(),
        None
    );
    let found = Overlap::find_in_kernel(&mut socket, &["127.0.0.0/8".parse().unwrap()]).unwrap();
    assert_eq!(found.unwrap().link, "lo");
}
