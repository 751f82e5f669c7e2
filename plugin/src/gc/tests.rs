use super::*;

fn attachment(container_id: &str) -> Attachment {
    Attachment::new(container_id, "eth0").unwrap()
}

fn host_end(network: &str, container_id: &str) -> Link {
    let attachment = attachment(container_id);
    Link {
        name: pod_link::host_interface_name(network, &attachment),
        alias: Some(pod_link::alias(network, &attachment)),
        ..Link::default()
    }
}

#[test]
fn only_host_ends_of_unknown_attachments_are_stale() {
    let valid = BTreeSet::from([attachment("known")]);
    let gone = host_end("flatland", "gone");
    for (link, expected) in [
        (gone.clone(), true),
        (host_end("flatland", "known"), false),
        (host_end("flatland2", "gone"), false),
        (host_end("flat", "gone"), false),
        (
            Link {
                alias: None,
                ..gone.clone()
            },
            false,
        ),
        (
            Link {
                name: "eth0".into(),
                ..gone.clone()
            },
            false,
        ),
        (
            Link {
                alias: Some("flatland  /".into()),
                ..gone.clone()
            },
            false,
        ),
        (
            Link {
                alias: Some("uplink".into()),
                ..gone
            },
            false,
        ),
    ] {
        let links = [link];
        let found = stale(&links, "flatland", &valid).count();
        assert_eq!(found == 1, expected, "{links:?}");
    }
}

#[test]
fn host_end_without_alias_or_valid_attachment_is_orphan() {
    let bare = |container_id: &str, index| Link {
        index,
        alias: None,
        mac: Some(pod_link::mac_addresses("flatland", &attachment(container_id)).0),
        kind: Some("veth".to_owned()),
        ..host_end("flatland", container_id)
    };
    let foreign = Link {
        mac: Some("02:00:00:00:00:01".parse().unwrap()),
        ..bare("foreign", 4)
    };
    let links = [
        bare("cut", 1),
        bare("known", 2),
        host_end("flatland", "whole"),
        foreign,
    ];
    let valid = BTreeSet::from([attachment("known")]);
    let found: Vec<u32> = orphans(&links, "flatland", &valid).collect();
    assert_eq!(found, [1]);
}
