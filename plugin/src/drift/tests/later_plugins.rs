//! What later plugins of the chain may change.

use wire::cni::{CniVersion, Success};
use wire::netlink::{Address, Mac};

use super::{INSIDE, drop_route, found, inside};
use crate::drift::Observed;

#[test]
fn change_by_a_later_plugin_is_no_finding() {
    type LaterPlugin = fn(&mut Observed, &mut Success);
    let cases: [LaterPlugin; 11] = [
        // tuning: MAC, which also removes the pod's neighbours
        |observed, result| {
            inside(observed).mac = Some(Mac([2, 0, 0, 0, 0, 9]));
            observed.pod.neighbours.clear();
            result.interfaces[1].mac = Some("02:00:00:00:00:09".into());
        },
        // tuning: MTU
        |observed, result| {
            inside(observed).mtu = 1400;
            result.interfaces[1].mtu = Some(1400);
        },
        // route-override: no default route
        |observed, result| {
            drop_route(&mut observed.pod.routes, "0.0.0.0/0");
            result.routes.retain(|route| route.dst.prefix_len() > 0);
        },
        // more interfaces, more addresses, more routes
        |observed, result| {
            let more = Address::new(INSIDE, "10.9.9.9/24".parse().unwrap());
            observed.pod.addresses.push(more);
            result.interfaces.push(result.interfaces[0].clone());
        },
        // tuning: the MAC that the pod has already, which removes the pod's neighbours too
        |observed, _| observed.pod.neighbours.clear(),
        // tuning: an MTU that the result does not state
        |observed, _| inside(observed).mtu = 1280,
        // vrf: the routes are in the table of the VRF
        |observed, _| {
            inside(observed).master = Some(9);
            observed.pod.routes.clear();
            observed.pod.neighbours.clear();
        },
        // another name
        |observed, result| {
            inside(observed).name = "net0".into();
            result.interfaces[1].name = "net0".into();
        },
        // another interface between ours and its name
        |_, result| result.interfaces.push(result.interfaces[0].clone()),
        // a route in another table
        |_, result| {
            let mut more = result.routes[0].clone();
            more.dst = "10.77.0.0/16".parse().unwrap();
            more.other.insert("table".into(), 100.into());
            result.routes.push(more);
        },
        // every route of a family replaced
        |observed, result| {
            observed
                .pod
                .routes
                .retain(|route| route.dst.addr().is_ipv6());
            result.routes.retain(|route| route.dst.addr().is_ipv6());
        },
    ];
    for (number, change) in cases.into_iter().enumerate() {
        assert_eq!(
            found(CniVersion::V1_1_0, change),
            Vec::<String>::new(),
            "{number}"
        );
    }
}
