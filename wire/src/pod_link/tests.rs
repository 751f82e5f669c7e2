use super::*;

fn attachment(container_id: &str, interface: &str) -> Attachment {
    Attachment::new(container_id, interface).unwrap()
}

#[test]
fn names_and_macs_are_the_same_in_every_release() {
    let eth0 = attachment("c1", "eth0");
    assert_eq!(host_interface_name("flatland", &eth0), "flatd9fa313d28e");
    let (host, pod) = mac_addresses("flatland", &eth0);
    assert_eq!(host.to_string(), "22:e3:eb:e3:dd:59");
    assert_eq!(pod.to_string(), "72:9f:24:f6:90:16");
}

#[test]
fn names_and_macs_differ_between_attachments() {
    let mut names = std::collections::HashSet::new();
    let mut addresses = std::collections::HashSet::new();
    for (network, id, interface) in [
        ("a", "bc", "d"),
        ("ab", "c", "d"),
        ("a", "b", "cd"),
        ("a", "bc", "e"),
        ("b", "bc", "d"),
    ] {
        let attachment = attachment(id, interface);
        let name = host_interface_name(network, &attachment);
        assert_eq!(name.len(), 15);
        assert!(names.insert(name));
        let (host, pod) = mac_addresses(network, &attachment);
        assert_eq!((host.0[0] & 0x1f, pod.0[0] & 0x1f), (0x02, 0x12));
        assert!(addresses.insert(host) && addresses.insert(pod));
    }
}

fn orphan(container_id: &str) -> Link {
    let attachment = Attachment::new(container_id, "eth0").unwrap();
    Link {
        name: host_interface_name("flatland", &attachment),
        mac: Some(mac_addresses("flatland", &attachment).0),
        kind: Some("veth".to_owned()),
        ..Link::default()
    }
}

type LinkEdit = fn(&mut Link);

#[test]
fn only_our_veth_without_alias_is_an_orphan() {
    for number in 0..100 {
        assert!(is_orphan(&orphan(&format!("c{number}"))));
    }
    let ours = orphan("c1");
    let cases: [(&str, LinkEdit); 9] = [
        ("it is out of use", |link| link.group = REMOVED_GROUP),
        ("it has an alias", |link| link.alias = Some("x".into())),
        ("it is no veth", |link| link.kind = Some("dummy".into())),
        ("it is hardware", |link| link.kind = None),
        ("another name", |link| link.name = "veth0".into()),
        ("a longer name", |link| link.name.push('0')),
        ("no hexadecimal digits", |link| {
            link.name = "flatx1234567890".into();
        }),
        ("no address", |link| link.mac = None),
        ("another address", |link| {
            link.mac = Some("22:53:eb:e3:dd:59".parse().unwrap());
        }),
    ];
    for (case, change) in cases {
        let mut link = ours.clone();
        change(&mut link);
        assert!(!is_orphan(&link), "{case}: {link:?}");
    }
}
