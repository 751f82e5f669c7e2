use super::*;

#[test]
fn expression_parses_back_to_itself() {
    for expression in [
        Expression::Meta(6),
        Expression::Header {
            layer: Layer::Network,
            offset: 12,
            length: 4,
        },
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
        Expression::Counter,
        Expression::Limit { rate: 7, burst: 9 },
        Expression::Masquerade { flags: 16 },
        Expression::Verdict(NftVerdict::Accept),
        Expression::Verdict(NftVerdict::Drop),
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
    let data = none().bytes(VALUE, &[1]);
    let jump = none().nest(VERDICT, &none().number(CODE, 0xffff_fffd));
    let limit = |unit, kind| {
        let rate = none().long(1, 7).long(2, unit);
        rate.number(3, 9).number(4, kind)
    };
    for (name, inner, expected) in [
        ("meta", none().number(1, 2).number(2, 6), "meta"),
        ("meta", none().number(3, 1).number(2, 3), "meta"),
        (
            "cmp",
            none().number(1, 1).number(2, 3).nest(3, &data),
            "cmp",
        ),
        ("immediate", none().number(1, 0).nest(2, &jump), "immediate"),
        (
            "bitwise",
            none()
                .number(1, 1)
                .number(2, 1)
                .nest(4, &data)
                .nest(5, &data),
            "bitwise",
        ),
        // A limit of bytes, one per hour, and one that matches what exceeds it.
        ("limit", limit(1, 1), "limit"),
        ("limit", limit(3600, 0), "limit"),
        ("limit", limit(1, 0).number(5, 1), "limit"),
        ("target", none().text(1, "REJECT"), "target REJECT"),
    ] {
        let sent = none().text(NAME, name).nest(DATA, &inner);
        assert_eq!(
            Expression::read(Received(sent.as_bytes())),
            Expression::Other(expected.to_owned())
        );
    }
}
