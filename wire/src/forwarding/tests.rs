use super::*;

#[test]
fn links_to_routers_are_kept_and_pods_are_not() {
    for (link, expected) in [
        ("eth0", true),
        ("eth0.100", true),
        ("wlan0", true),
        ("docker0", true),
        ("flat0", true),
        ("flatd9fa313d28e", false),
        ("lo", false),
        ("all", false),
        ("default", false),
    ] {
        assert_eq!(is_kept(link), expected, "{link}");
    }
}

#[test]
fn only_a_link_that_listens_as_a_host_is_changed() {
    for (accept_ra, expected) in [("0", false), ("1", true), ("2", false), ("3", true)] {
        assert_eq!(accepts_only_as_host(accept_ra), expected, "{accept_ra}");
    }
}
