//! Finds the prefixes in other programs' rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::nft::expression::{Expression, Layer, Register};
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
            register: Register::FIRST,
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
mod tests;
