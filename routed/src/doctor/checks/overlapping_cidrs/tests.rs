use super::*;
use crate::doctor::Severity;

#[test]
fn overlap_of_pods_services_or_nodes_is_broken() {
    let eth0 = [("eth0", "192.168.1.11/24".parse().unwrap())];
    let broken = Severity::Broken;
    for (pods, services, severity, evidence) in [
        ("10.244.0.0/16", "10.96.0.0/12", Severity::Ok, "none with"),
        (
            "192.168.0.0/16",
            "10.96.0.0/12",
            broken,
            "192.168.1.11/24, a network of link eth0",
        ),
        (
            "10.100.0.0/16",
            "10.96.0.0/12",
            broken,
            "and service CIDR 10.96.0.0/12",
        ),
        (
            "10.244.0.0/16",
            "192.168.1.0/28",
            broken,
            "service CIDR 192.168.1.0/28 and",
        ),
    ] {
        let (pods, services) = (pods.parse().unwrap(), services.parse().unwrap());
        let fix = if severity == broken { "choose" } else { "" };
        examine(&[pods], &[services], &eth0).assert(severity, evidence, fix);
    }
}

#[test]
fn addresses_of_routed_and_of_services_are_no_overlap() {
    let (pods, services) = (
        "10.244.0.0/16".parse().unwrap(),
        "10.96.0.0/12".parse().unwrap(),
    );
    for (link, address, severity) in [
        ("lo", "10.244.7.1/32", Severity::Ok),
        ("lo", "10.244.7.1/24", Severity::Broken),
        ("eth0", "10.244.7.1/32", Severity::Broken),
        ("kube-ipvs0", "10.96.0.1/32", Severity::Ok),
        ("nodelocaldns", "10.96.0.10/32", Severity::Ok),
        ("eth0", "10.96.0.10/32", Severity::Broken),
    ] {
        let found = examine(&[pods], &[services], &[(link, address.parse().unwrap())]);
        assert_eq!(found.severity, severity, "{link} {address}");
    }
}
