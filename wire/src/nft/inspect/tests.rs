use super::*;
use crate::nft::{NftRule, NftVerdict, TableFamily, Term};

#[test]
fn prefixes_of_our_own_rules_are_found() {
    for text in ["10.244.0.0/16", "10.128.0.0/9", "10.1.2.3/32", "fe80::/10"] {
        let prefix: IpNet = text.parse().unwrap();
        let terms = [
            Term::Counter,
            Term::from(prefix),
            Term::to(prefix),
            Term::Verdict(NftVerdict::Drop),
        ];
        assert_eq!(
            prefixes(&NftRule::new(terms).expressions(TableFamily::Inet)),
            [
                (AddressField::Source, prefix),
                (AddressField::Destination, prefix)
            ]
        );
    }
}

#[test]
fn short_loads_are_prefixes_and_other_matches_are_skipped() {
    let load = |offset, length| Expression::Header {
        layer: Layer::Network,
        offset,
        length,
        register: Register::FIRST,
    };
    let compare = |equal, value: &[u8]| Expression::Compare {
        equal,
        value: value.to_vec(),
    };
    let mask = |bytes: &[u8]| Expression::Mask(bytes.to_vec());
    for (expressions, expected) in [
        (
            vec![load(12, 2), compare(true, &[10, 244])],
            Some("10.244.0.0/16"),
        ),
        (
            vec![load(24, 7), compare(true, &[0xfd, 0, 0, 0x10, 2, 0x44, 0])],
            Some("fd00:10:244::/56"),
        ),
        (
            vec![
                load(16, 4),
                mask(&[255, 240, 0, 0]),
                compare(true, &[172, 16, 0, 0]),
            ],
            Some("172.16.0.0/12"),
        ),
        (vec![load(12, 2), compare(false, &[10, 244])], None),
        (vec![load(9, 1), compare(true, &[6])], None),
        (vec![load(12, 4)], None),
        (
            vec![
                load(16, 4),
                mask(&[255, 0, 255, 0]),
                compare(true, &[172, 0, 16, 0]),
            ],
            None,
        ),
        (vec![load(12, 4), compare(true, &[0; 20])], None),
    ] {
        let found = prefixes(&expressions);
        let found = found.first().map(|(_, prefix)| prefix.to_string());
        assert_eq!(found.as_deref(), expected, "{expressions:?}");
    }
}
