use super::*;

#[test]
fn single_address_beside_a_wider_one_comes_last() {
    for (all, expected) in [
        (
            &["10.0.0.9/32", "10.0.0.1/24"][..],
            &["10.0.0.1", "10.0.0.9"][..],
        ),
        (
            &["10.0.0.9/32", "10.0.0.1/24", "10.0.0.2/24"],
            &["10.0.0.1", "10.0.0.2", "10.0.0.9"],
        ),
        (&["fd00::9/128", "fd00::1/64"], &["fd00::1", "fd00::9"]),
        // DHCPv6 gives a /128, and only the link-local address is wider.
        (&["fd00::9/128", "fe80::1/64"], &["fd00::9"]),
        // Of another family, or no wider one at all.
        (&["10.0.0.9/32", "fd00::1/64"], &["10.0.0.9", "fd00::1"]),
        (&["10.0.0.9/32", "10.0.0.8/32"], &["10.0.0.9", "10.0.0.8"]),
    ] {
        let all: Vec<Address> = all
            .iter()
            .map(|text| Address::new(2, text.parse().unwrap()))
            .collect();
        let expected: Vec<IpAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(Address::lasting_on(2, &all), expected);
    }
}
