use super::*;

#[test]
fn port_with_its_protocol_is_read_and_printed_alike() {
    for (text, number, protocol) in [
        ("5432/tcp", 5432, IpProtocol::TCP),
        ("1/UDP", 1, IpProtocol::UDP),
        ("65535/sctp", 65535, IpProtocol::SCTP),
    ] {
        let port: ExplainedPort = text.parse().unwrap();
        assert_eq!(port, ExplainedPort { number, protocol }, "{text}");
        assert_eq!(port.to_string(), text.to_lowercase());
    }
}

#[test]
fn port_that_is_none_is_refused_with_the_part_that_is_wrong() {
    for (text, expected) in [
        (
            "5432",
            "\"5432\" has no protocol: write PORT/PROTOCOL, as in 5432/tcp",
        ),
        (
            "",
            "\"\" has no protocol: write PORT/PROTOCOL, as in 5432/tcp",
        ),
        ("0/tcp", "\"0\" is no port from 1 to 65535"),
        ("65536/tcp", "\"65536\" is no port from 1 to 65535"),
        ("+80/tcp", "\"+80\" is no port from 1 to 65535"),
        ("/tcp", "\"\" is no port from 1 to 65535"),
        ("http/tcp", "\"http\" is no port from 1 to 65535"),
        ("80/icmp", "\"icmp\" is none of tcp, udp and sctp"),
        ("80/", "\"\" is none of tcp, udp and sctp"),
        ("80/tcp/udp", "\"tcp/udp\" is none of tcp, udp and sctp"),
    ] {
        assert_eq!(text.parse::<ExplainedPort>(), Err(expected.to_owned()));
    }
}

#[test]
fn page_takes_names_and_addresses_and_nothing_else() {
    let port = "5432/tcp".parse().unwrap();
    let page = explain_page("shop/web-0", "fd00::2", port).unwrap();
    assert_eq!(page, "/explain?from=shop/web-0&to=fd00::2&port=5432/tcp");
    for pod in ["", "shop/web 0", "shop/web&to=x", "shop/\u{1b}[2J"] {
        let error = explain_page(pod, "10.0.0.2", port).unwrap_err();
        assert!(error.contains("is no pod: write NAMESPACE/NAME"), "{error}");
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
}
