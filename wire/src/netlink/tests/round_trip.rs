//! Property tests: what is sent parses back to itself.

use super::*;

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
    ]
}

fn any_route() -> impl Strategy<Value = Route> {
    let dst = (any_ip(), 0..=128u8).prop_map(|(ip, length)| {
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        IpNet::new(ip, length.min(longest)).unwrap().trunc()
    });
    let hops = (
        any::<Option<Ipv4Addr>>(),
        any::<Option<Ipv6Addr>>(),
        any::<bool>(),
    );
    let rest = (
        1..9u32,
        any::<u8>(),
        prop::option::of(1..1000u32),
        any::<bool>(),
    );
    (dst, hops, rest).prop_map(|(dst, (v4, v6, use_v6), (dev, protocol, metric, onlink))| {
        let same_family = if dst.addr().is_ipv4() {
            v4.map(IpAddr::V4)
        } else {
            v6.map(IpAddr::V6)
        };
        let via = if use_v6 {
            v6.map(IpAddr::V6)
        } else {
            same_family
        };
        let src = same_family;
        let kind = RouteKind::Unicast;
        Route {
            dst,
            kind,
            via,
            dev: Some(dev),
            src,
            protocol,
            metric,
            onlink,
            hops: Vec::new(),
        }
    })
}

proptest! {
    #[test]
    fn any_route_parses_back_to_itself(route in any_route()) {
        let bytes = payload(&NetlinkRequest::AddRoute(route.clone()));
        prop_assert_eq!(Route::parse(&bytes).unwrap(), Some(route));
    }

    #[test]
    fn any_address_parses_back_to_itself(
        ip in any_ip().prop_filter("unicast", |ip| !ip.is_multicast()),
        length in 0..=32u8,
        no_dad: bool,
        no_prefix_route: bool,
    ) {
        let new = Address::new(4, IpNetwork::new(ip, length).unwrap());
        let address = Address { no_dad, no_prefix_route, ..new };
        let bytes = payload(&NetlinkRequest::AddAddress(address.clone()));
        // The kernel sets the permanent flag.
        let expected = Address { permanent: false, ..address };
        prop_assert_eq!(Address::parse(&bytes).unwrap(), Some(expected));
    }

    #[test]
    fn any_neighbour_parses_back_to_itself(
        address in any_ip(),
        mac: [u8; 6],
        link in 1..9u32,
        permanent: bool,
    ) {
        let neighbour = Neighbour { link, address, mac: Mac(mac), permanent };
        let bytes = payload(&NetlinkRequest::AddNeighbour(neighbour));
        prop_assert_eq!(Neighbour::parse(&bytes).unwrap(), Some(neighbour));
    }

    #[test]
    fn parsing_any_bytes_never_panics(bytes: Vec<u8>) {
        let _ = Link::parse(&bytes);
        let _ = Address::parse(&bytes);
        let _ = Route::parse(&bytes);
        let _ = Neighbour::parse(&bytes);
        for message in reply::Messages(&bytes).map_while(Result::ok) {
            let _ = reply::Reply::read(&message, 0, u32::MAX);
        }
    }
}
