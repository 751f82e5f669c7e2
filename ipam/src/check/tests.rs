use super::*;

#[test]
fn held_addresses_must_match_and_be_from_owned_subnets() {
    let attachment = Attachment::new("a", "eth0").unwrap();
    let owned: Vec<IpNet> = vec!["10.9.1.0/24".parse().unwrap(), "fd00::/80".parse().unwrap()];
    let set = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect();
    for (expected, held, culprit) in [
        (
            &["10.9.1.2", "fd00::2"][..],
            &["10.9.1.2", "fd00::2"][..],
            None,
        ),
        (
            &["10.9.1.2"],
            &[],
            Some("holds no address, but ADD gave it 10.9.1.2"),
        ),
        (
            &[],
            &["10.9.1.2"],
            Some("holds 10.9.1.2, but ADD gave it no address"),
        ),
        (
            &["10.9.1.2"],
            &["10.9.1.3"],
            Some("holds 10.9.1.3, but ADD gave it 10.9.1.2"),
        ),
        (
            &["10.9.2.2"],
            &["10.9.2.2"],
            Some("10.9.2.2, which no subnet of this node contains"),
        ),
    ] {
        let result = compare(&attachment, &set(expected), &set(held), &owned);
        match (result, culprit) {
            (Ok(()), None) => {}
            (Err(error), Some(culprit)) => {
                assert_eq!(error.code, code::CHECK_FAILED);
                assert!(error.msg.contains(culprit), "{error}");
            }
            (result, culprit) => panic!("{result:?} is not {culprit:?}"),
        }
    }
}
