use super::*;
use crate::doctor::Severity;

#[test]
fn foreign_route_is_broken_only_inside_a_pod_cidr() {
    let pod_cidrs = ["10.244.0.0/16".parse().unwrap()];
    let route = |dst: &str| [(dst.parse().unwrap(), format!("{dst} proto static"))].into();
    let text = "10.244.9.0/24 proto static";
    let inside = examine(&route("10.244.9.0/24"), &pod_cidrs);
    inside.assert(Severity::Broken, text, "ip route del");
    for around in ["10.0.0.0/8", "0.0.0.0/0"] {
        examine(&route(around), &pod_cidrs).assert(Severity::Ok, "none", "");
    }
}
