use super::*;

#[test]
fn unknown_key_within_two_errors_gets_a_suggestion() {
    let known = ["podCIDRs", "subnetLengths", "etcd", "type"];
    assert_eq!(nearest("podCidrs", &known), Some("podCIDRs"));
    assert_eq!(nearest("podCIDR", &known), Some("podCIDRs"));
    assert_eq!(nearest("subnetLenghts", &known), Some("subnetLengths"));
    assert_eq!(nearest("vxlan", &known), None);
    assert_eq!(nearest("", &known), None);
}

#[test]
fn distance_is_the_number_of_typing_errors() {
    let cases = [
        ("", "", 0),
        ("mtu", "MTU", 0),
        ("mtu", "", 3),
        ("kitten", "sitting", 3),
    ];
    for (one, other, errors) in cases {
        assert_eq!(distance(one, other), errors, "{one} {other}");
        assert_eq!(distance(other, one), errors, "{other} {one}");
    }
}
