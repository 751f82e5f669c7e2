use super::*;

fn veth(name: &str, alias: Option<&str>) -> Link {
    Link {
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
        kind: Some("veth".to_owned()),
        ..Link::default()
    }
}

#[test]
fn host_end_is_recognised_by_alias_group_or_name() {
    let name = "flatd9fa313d28e";
    for (link, expected) in [
        (veth(name, Some("flatland c1/eth0")), true),
        (veth(name, None), true),
        (veth(name, Some("flatland c2/eth0")), false),
        (veth(name, Some("an uplink")), false),
        (veth("eth0", Some("flatland c1/eth0")), false),
        (veth("flat0", None), false),
        (veth("flatd9fa313d28E", None), false),
        (veth("flatline0000000", None), false),
        (
            Link {
                group: REMOVED_GROUP,
                ..veth("flatx7", None)
            },
            true,
        ),
        (
            Link {
                kind: Some("dummy".into()),
                ..veth(name, None)
            },
            false,
        ),
        (
            Link {
                kind: None,
                group: REMOVED_GROUP,
                ..veth("eth0", None)
            },
            false,
        ),
    ] {
        assert_eq!(is_ours(&link), expected, "{link:?}");
    }
}
