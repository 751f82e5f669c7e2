use super::*;

fn ranges(version: IpVersion, prefixes: &[&str]) -> NftSet {
    let prefixes: Vec<IpNet> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
    NftSet::of_prefixes("s", version, &prefixes)
}

#[test]
fn prefixes_are_merged_into_disjoint_ranges() {
    use IpVersion::{V4, V6};
    for (version, prefixes, expected) in [
        (V4, &[][..], ""),
        (V4, &["10.244.0.0/16", "fd00::/8"], "10.244.0.0/16"),
        (V4, &["10.244.0.0/16", "10.0.0.0/8"], "10.0.0.0/8"),
        (V4, &["10.128.0.0/9", "10.0.0.0/9"], "10.0.0.0/8"),
        (
            V4,
            &["224.0.0.0/4", "10.0.0.0/8", "11.0.0.0/9"],
            "10.0.0.0-11.127.255.255, 224.0.0.0/4",
        ),
        (V4, &["192.0.2.7/32"], "192.0.2.7"),
        (V4, &["0.0.0.0/0", "10.0.0.0/8"], "0.0.0.0/0"),
        (V6, &["::/0"], "::/0"),
        (
            V6,
            &["fe80::/10", "ff00::/8", "10.0.0.0/8"],
            "fe80::/10, ff00::/8",
        ),
    ] {
        let set = ranges(version, prefixes);
        assert_eq!(set.words().join(", "), expected, "{prefixes:?}");
    }
}

#[test]
fn range_to_the_last_address_has_no_end_element() {
    let shown = |set: &NftSet| -> Vec<String> {
        let show = |e: &Element| format!("{}{}", e.key, if e.is_end { ")" } else { "" });
        set.elements().iter().map(show).collect()
    };
    for (version, prefixes, expected) in [
        (
            IpVersion::V4,
            &["10.0.0.0/8", "240.0.0.0/4"][..],
            &["10.0.0.0", "11.0.0.0)", "240.0.0.0"][..],
        ),
        (IpVersion::V4, &["0.0.0.0/0"], &["0.0.0.0"]),
        (
            IpVersion::V6,
            &["fe80::/10", "ff00::/8"],
            &["fe80::", "fec0::)", "ff00::"],
        ),
    ] {
        assert_eq!(shown(&ranges(version, prefixes)), expected);
    }
}
