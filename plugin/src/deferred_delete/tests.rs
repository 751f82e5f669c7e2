use super::*;

#[test]
fn link_is_down_before_it_is_renamed() {
    assert_eq!(
        hide_requests(9).map(|request| request.to_string()),
        [
            "ip link set if9 down group 1718378868",
            "ip link set if9 name flatx9",
        ]
    );
}
