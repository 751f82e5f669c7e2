use wire::REMOVED_GROUP;
use wire::netlink::RouteKind;

use super::*;

fn host_end(index: u32, network: &str, id: &str) -> Link {
    let attachment = Attachment::new(id, "eth0").unwrap();
    Link {
        index,
        name: pod_link::host_interface_name(network, &attachment),
        alias: Some(pod_link::alias(network, &attachment)),
        ..Link::default()
    }
}

#[test]
fn address_is_of_the_attachment_in_the_alias_of_its_link() {
    let links = [
        host_end(1, "net", "a"),
        host_end(2, "other", "b"),
        Link {
            alias: None,
            ..host_end(3, "net", "c")
        },
        Link {
            name: "eth0".to_owned(),
            ..host_end(4, "net", "d")
        },
        Link {
            group: REMOVED_GROUP,
            ..host_end(5, "net", "e")
        },
    ];
    for (dst, dev, expected) in [
        ("10.9.1.2/32", Some(1), Some("a")),
        ("fd00::2/128", Some(1), Some("a")),
        ("10.9.1.0/24", Some(1), None),
        ("10.9.1.2/32", Some(2), None),
        ("10.9.1.2/32", Some(3), None),
        ("10.9.1.2/32", Some(4), None),
        ("10.9.1.2/32", Some(5), None),
        ("10.9.1.2/32", Some(6), None),
        ("10.9.1.2/32", None, None),
    ] {
        let route = Route {
            dev,
            ..Route::new(dst.parse().unwrap(), RouteKind::Unicast)
        };
        let found = addresses("net", &links, &[route]);
        let ids = found
            .iter()
            .map(|(_, attachment)| attachment.container_id());
        assert_eq!(
            ids.collect::<Vec<_>>(),
            Vec::from_iter(expected),
            "{dst} {dev:?}"
        );
    }
}
