use super::*;

fn line(text: &str) -> QueueLine {
    text.as_bytes().try_into().unwrap()
}

#[test]
fn lines_have_one_length_and_parse_back() {
    for address in [
        "0.0.0.2",
        "255.255.255.254",
        "fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1111",
    ] {
        let address: IpAddr = address.parse().unwrap();
        for at in [
            Duration::ZERO,
            Duration::new(9_999_999_999_999, 999_999_999),
        ] {
            let freed = Freed { address, at };
            assert_eq!(Freed::parse(&line(&freed.render())), Some(freed));
        }
        for header in [
            Header {
                next: Some(address),
                head: 0,
            },
            Header {
                next: None,
                head: 9_999_999_999_999,
            },
        ] {
            assert_eq!(Header::parse(&line(&header.render())), Some(header));
        }
    }
}

#[test]
fn malformed_line_is_not_parsed() {
    let address: IpAddr = "10.244.1.2".parse().unwrap();
    let freed = Freed {
        address,
        at: Duration::from_secs(5),
    }
    .render();
    let header = Header {
        next: Some(address),
        head: 3,
    }
    .render();
    assert_eq!(Header::parse(&line(&freed)), None);
    assert_eq!(Freed::parse(&line(&header)), None);
    for damaged in [
        freed.replace('\n', " "),
        freed.replace("10.244.1.2", "10.244.1.x"),
        freed.replace(".000000000", ".00000000x"),
        freed.replace("5.000000000", "  000000000"),
        "\0".repeat(LINE),
        " ".repeat(LINE),
    ] {
        assert_eq!(Freed::parse(&line(&damaged)), None, "{damaged:?}");
        assert_eq!(Header::parse(&line(&damaged)), None, "{damaged:?}");
    }
    assert_eq!(Header::parse(&line(&header.replace("head", "tail"))), None);
}

#[test]
fn torn_file_has_no_record_count() {
    let line = LINE as u64;
    for (length, expected) in [
        (0, None),
        (line - 1, None),
        (line, Some(0)),
        (3 * line, Some(2)),
        (3 * line + 1, None),
    ] {
        assert_eq!(records(length), expected, "{length}");
    }
}
