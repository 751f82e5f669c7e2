use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::nft::TableFamily;

fn numbered(count: u32, verdict: Option<&NftVerdict>) -> Vec<Element> {
    let element = |n| Element {
        verdict: verdict.cloned(),
        ..Element::new(IpAddr::from(Ipv4Addr::from_bits(n)))
    };
    (0..count).map(element).collect()
}

#[test]
fn portions_have_all_elements_and_fit_into_an_attribute() {
    let table = TableId::new(TableFamily::Inet, "t");
    let long = NftVerdict::Goto("x".repeat(250));
    for (elements, expected) in [
        (numbered(0, None), &[][..]),
        (numbered(1_000, None), &[1_000]),
        (numbered(1_001, None), &[1_000, 1]),
        (numbered(500, Some(&long)), &[208, 208, 84]),
    ] {
        let portions: Vec<_> = Elements::in_portions(&table, "s", &elements).collect();
        let counts: Vec<_> = portions.iter().map(|it| it.portion.len()).collect();
        assert_eq!(counts, expected);
        let mut found = Vec::new();
        for portion in &portions {
            let attributes = portion.attributes();
            let number = KeyType::Address(crate::nft::IpVersion::V4).number();
            found.extend(read_elements(Received(attributes.as_bytes()), number));
        }
        assert_eq!(found, elements);
    }
}
