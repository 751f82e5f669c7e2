//! Property tests: a result survives any version as far as both versions have its fields.

use proptest::prelude::*;

use super::*;
use crate::cni::CniVersion;

/// The result without the fields that a version lacks.
fn reduced_to(version: CniVersion, mut success: Success) -> Success {
    if version < CniVersion::V1_1_0 {
        success
            .interfaces
            .iter_mut()
            .for_each(|interface| interface.mtu = None);
        success
            .routes
            .iter_mut()
            .for_each(|route| route.other.clear());
    }
    success
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

fn networks() -> impl Strategy<Value = IpNetwork> {
    let length = |address: IpAddr| 0..=if address.is_ipv4() { 32u8 } else { 128 };
    addresses()
        .prop_flat_map(move |address| (Just(address), length(address)))
        .prop_map(|(address, length)| IpNetwork::new(address, length).unwrap())
}

fn prefixes() -> impl Strategy<Value = IpNet> {
    networks().prop_map(|network| IpNet::new(network.ip(), network.prefix()).unwrap().trunc())
}

fn interfaces() -> impl Strategy<Value = Interface> {
    let text = || proptest::option::of("[a-z:/]{1,8}");
    let other = proptest::option::of("/[a-z]{1,8}");
    (
        "[a-z0-9]{1,15}",
        text(),
        any::<Option<u32>>(),
        text(),
        other,
    )
        .prop_map(|(name, mac, mtu, sandbox, socket)| Interface {
            name,
            mac,
            mtu,
            sandbox,
            other: socket
                .map(|path| ("socketPath".to_owned(), path.into()))
                .into_iter()
                .collect(),
        })
}

fn ips(interfaces: usize) -> impl Strategy<Value = IpConfig> {
    let interface = proptest::option::of(0..interfaces.max(1));
    (networks(), proptest::option::of(addresses()), interface).prop_map(
        move |(address, gateway, interface)| IpConfig {
            address,
            gateway,
            interface: interface.filter(|_| interfaces > 0),
        },
    )
}

fn routes() -> impl Strategy<Value = CniRoute> {
    let other = proptest::option::of(any::<u32>());
    (prefixes(), proptest::option::of(addresses()), other).prop_map(|(dst, gw, priority)| {
        CniRoute {
            dst,
            gw,
            other: priority
                .map(|value| ("priority".to_owned(), value.into()))
                .into_iter()
                .collect(),
        }
    })
}

fn dns() -> impl Strategy<Value = Dns> {
    let texts = || proptest::collection::vec("[a-z.]{1,6}", 0..3);
    let domain = proptest::option::of("[a-z.]{1,6}");
    (texts(), domain, texts(), texts()).prop_map(|(nameservers, domain, search, options)| Dns {
        nameservers,
        domain,
        search,
        options,
    })
}

fn results() -> impl Strategy<Value = Success> {
    let interfaces = proptest::collection::vec(interfaces(), 0..4);
    interfaces
        .prop_flat_map(|interfaces| {
            let ips = proptest::collection::vec(ips(interfaces.len()), 0..4);
            let routes = proptest::collection::vec(routes(), 0..4);
            (Just(interfaces), ips, routes, dns())
        })
        .prop_map(|(interfaces, ips, routes, dns)| Success {
            interfaces,
            ips,
            routes,
            dns,
        })
}

proptest! {
    #[test]
    fn result_parses_back_without_fields_its_version_lacks(success in results()) {
        for version in CniVersion::ALL {
            let json = success.render(version);
            for assumed in CniVersion::ALL {
                let read = Success::parse(&json, assumed).unwrap();
                prop_assert_eq!(read, reduced_to(version, success.clone()));
            }
        }
    }

    #[test]
    fn result_through_another_version_keeps_common_fields(
        success in results()
    ) {
        for version in CniVersion::ALL {
            let through = Success::parse(&success.render(version), version).unwrap();
            for other in CniVersion::ALL.into_iter().filter(|other| *other <= version) {
                prop_assert_eq!(through.render(other), success.render(other));
            }
        }
    }
}
