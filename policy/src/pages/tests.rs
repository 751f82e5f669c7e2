use super::*;

fn words(query: &str) -> String {
    match parse(query) {
        Ok(it) => format!("{} {} {}", word(&it.source), word(&it.destination), it.port),
        Err(why) => why,
    }
}

fn word(pod: &PodReference) -> String {
    match pod {
        PodReference::Name(name) => name.to_string(),
        PodReference::Address(address) => format!("at {address}"),
    }
}

#[test]
fn explain_request_names_two_pods_and_a_port() {
    let base = "from=shop/web&to=bank/db";
    for (query, expected) in [
        (format!("{base}&port=5432/tcp"), "shop/web bank/db 5432/tcp"),
        (
            "from=10.0.0.2&to=fd00::2&port=53/UDP".to_owned(),
            "at 10.0.0.2 at fd00::2 53/udp",
        ),
        (
            format!("{base}&port=1/icmp"),
            "\"icmp\" is none of tcp, udp and sctp",
        ),
        (base.to_owned(), "port is missing"),
        (
            "from=web&to=bank/db&port=1/tcp".to_owned(),
            "\"web\" is no pod: write NAMESPACE/NAME or an address",
        ),
        (String::new(), "from is missing"),
    ] {
        assert_eq!(words(&query), expected);
    }
}
