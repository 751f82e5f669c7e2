//! Finds the prefixes in other programs' rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::nft::expression::Expression;
use crate::nft::expression::Layer;
use crate::nft::rule::AddressField;

/// The prefixes that a rule compares a packet's addresses with.
pub fn prefixes(expressions: &[Expression]) -> Vec<(AddressField, IpNet)> {
    let starts = 0..expressions.len();
    starts
        .filter_map(|start| prefix(&expressions[start..]))
        .collect()
}

/// The prefix that the first expressions compare with, if they do so.
fn prefix(expressions: &[Expression]) -> Option<(AddressField, IpNet)> {
    let [
        Expression::Header {
            layer: Layer::Network,
            offset,
            length,
        },
        rest @ ..,
    ] = expressions
    else {
        return None;
    };
    let (field, is_v4) = match offset {
        12 => (AddressField::Source, true),
        16 => (AddressField::Destination, true),
        8 => (AddressField::Source, false),
        24 => (AddressField::Destination, false),
        _ => return None,
    };
    // nft loads only the bytes that it compares.
    let all = u8::try_from(length.checked_mul(8)?).ok()?;
    let (ones, rest) = match rest {
        [Expression::Mask(mask), rest @ ..] => (ones(mask)?, rest),
        rest => (all, rest),
    };
    let [Expression::Compare { equal: true, value }, ..] = rest else {
        return None;
    };
    let address: IpAddr = if is_v4 {
        Ipv4Addr::from(padded::<4>(value)?).into()
    } else {
        Ipv6Addr::from(padded::<16>(value)?).into()
    };
    Some((field, IpNet::new(address, ones).ok()?))
}

/// The number of leading ones of a mask; `None` if ones follow later.
fn ones(mask: &[u8]) -> Option<u8> {
    let leading = mask.iter().position(|byte| *byte != 0xff);
    let full = leading.unwrap_or(mask.len());
    let partial = mask.get(full).map_or(0, |byte| byte.leading_ones());
    let total: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let ones = u32::try_from(full * 8).ok()? + partial;
    (ones == total).then(|| u8::try_from(ones).ok()).flatten()
}

fn padded<const LENGTH: usize>(bytes: &[u8]) -> Option<[u8; LENGTH]> {
    let mut padded = [0; LENGTH];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::{Family, Rule, Term, Verdict};

    #[test]
    fn prefixes_of_our_own_rules_are_found() {
        for text in ["10.244.0.0/16", "10.128.0.0/9", "10.1.2.3/32", "fe80::/10"] {
            let prefix: IpNet = text.parse().unwrap();
            let terms = [
                Term::Counter,
                Term::from(prefix),
                Term::to(prefix),
                Term::Verdict(Verdict::Drop),
            ];
            assert_eq!(
                prefixes(&Rule::new(terms).expressions(Family::Inet)),
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
}
