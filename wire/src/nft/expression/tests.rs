use super::write::named;
use super::*;
use crate::netfilter::attributes::{Attributes, Received};
use crate::nft::numbers::data;

#[test]
fn expression_parses_back_to_itself() {
    for expression in [
        Expression::Meta(6, Register::FIRST),
        Expression::Meta(16, Register::FIRST.after(16)),
        Expression::Header {
            layer: Layer::Network,
            offset: 12,
            length: 4,
            register: Register::FIRST.after(4),
        },
        Expression::Connection(0),
        Expression::Fib {
            result: 1,
            flags: 41,
        },
        Expression::Mask(vec![255, 128, 0, 0]),
        Expression::Compare {
            equal: false,
            value: b"flat".to_vec(),
        },
        Expression::Lookup {
            set: "nodes4".to_owned(),
            is_member: false,
        },
        Expression::AtLeast(vec![0, 80]),
        Expression::AtMost(vec![0, 90]),
        Expression::VerdictMap("ingress4".to_owned()),
        Expression::Log {
            group: 5,
            prefix: "denied".to_owned(),
            snap_length: 128,
        },
        Expression::Counter,
        Expression::Limit { rate: 7, burst: 9 },
        Expression::Masquerade { flags: 16 },
        Expression::Verdict(NftVerdict::Accept),
        Expression::Verdict(NftVerdict::Drop),
        Expression::Verdict(NftVerdict::Return),
        Expression::Verdict(NftVerdict::Jump("to-pod".to_owned())),
        Expression::Verdict(NftVerdict::Goto("in-1".to_owned())),
        Expression::Comment("flat".to_owned()),
        Expression::Other("queue".to_owned()),
    ] {
        let attributes = expression.attributes();
        assert_eq!(
            Expression::read(Received(attributes.as_bytes())),
            expression
        );
    }
}

#[test]
fn expression_with_unknown_attributes_is_other() {
    let none = Attributes::default;
    let value = none().bytes(data::VALUE, &[1]);
    let jump = none().nest(data::VERDICT, &none().number(data::CODE, 0xffff_fffd));
    let limit = |unit, kind| {
        let rate = none().long(1, 7).long(2, unit);
        rate.number(3, 9).number(4, kind)
    };
    for (name, inner, expected) in [
        ("meta", none().number(1, 0).number(2, 6), "meta"),
        ("meta", none().number(1, 24).number(2, 6), "meta"),
        (
            "lookup",
            none().text(1, "m").number(2, 1).number(3, 1),
            "lookup",
        ),
        ("ct", none().number(1, 1).number(2, 3).byte(3, 0), "ct"),
        ("log", none().text(2, "x").number(5, 4), "log"),
        ("meta", none().number(3, 1).number(2, 3), "meta"),
        (
            "cmp",
            none().number(1, 1).number(2, 4).nest(3, &value),
            "cmp",
        ),
        ("immediate", none().number(1, 0).nest(2, &jump), "immediate"),
        (
            "bitwise",
            none()
                .number(1, 1)
                .number(2, 1)
                .nest(4, &value)
                .nest(5, &value),
            "bitwise",
        ),
        // A limit of bytes, one per hour, and one that matches what exceeds it.
        ("limit", limit(1, 1), "limit"),
        ("limit", limit(3600, 0), "limit"),
        ("limit", limit(1, 0).number(5, 1), "limit"),
        ("target", none().text(1, "REJECT"), "target REJECT"),
    ] {
        let sent = named(name, &inner);
        assert_eq!(
            Expression::read(Received(sent.as_bytes())),
            Expression::Other(expected.to_owned())
        );
    }
}

#[test]
fn register_numbers_are_those_of_the_kernel() {
    let at = |bytes| Register::FIRST.after(bytes);
    for (register, number) in [
        (at(0), 1),
        (at(1), 9),
        (at(4), 9),
        (at(8), 10),
        (at(16), 2),
        (at(16).after(1), 13),
        (at(32), 3),
    ] {
        assert_eq!(register.number(), number);
        assert_eq!(Register::of(number), Some(register));
    }
    assert_eq!(Register::of(8), Some(Register::FIRST));
}

#[test]
fn counts_are_those_of_the_counter() {
    let none = Attributes::default;
    let counter = named("counter", &none().long(1, 840).long(2, 7));
    assert_eq!(counts(Received(counter.as_bytes())), Some((7, 840)));
    let other = named("limit", &none().long(1, 840).long(2, 7));
    assert_eq!(counts(Received(other.as_bytes())), None);
}
