use super::*;

#[test]
fn larger_rp_filter_counts_and_nftables_chain_suffices() {
    let any = "host interface flat1 lets the pod send from any address: net.ipv4.conf.";
    let changed = "setting net.ipv4.conf.flat1.rp_filter is ";
    for (all, own, unfiltered, filtered) in [
        (0, 1, None, None),
        (1, 1, None, None),
        (2, 1, Some((any, "all.rp_filter is 2,")), None),
        (0, 0, Some((any, "flat1.rp_filter is 0,")), Some("0, not 1")),
        (1, 0, Some((changed, "0, not 1")), Some("0, not 1")),
        (0, 2, Some((any, "flat1.rp_filter is 2,")), Some("2, not 1")),
        (2, 2, Some((any, "flat1.rp_filter is 2,")), Some("2, not 1")),
    ] {
        let guard = |is_filtered| SpoofGuard {
            all: Some(all),
            own: Some(own),
            is_filtered,
        };
        let expected = unfiltered.map(|(start, end)| format!("{start}{end}"));
        let found = guard(false).finding("flat1");
        let found = found.map(|text| text.split(" and").next().unwrap_or_default().to_owned());
        assert_eq!(found, expected, "{all} {own}");
        let expected = filtered.map(|end| format!("{changed}{end}"));
        assert_eq!(guard(true).finding("flat1"), expected, "{all} {own}");
    }
}

#[test]
fn unreadable_settings_are_a_finding() {
    assert!(SpoofGuard::default().finding("flat1").is_some());
}
