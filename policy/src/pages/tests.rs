use super::*;

fn words(query: &str) -> String {
    match parse(query) {
        Ok(it) => format!(
            "{} {} {} {}",
            word(&it.source),
            word(&it.destination),
            it.protocol,
            it.port
        ),
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
        (
            format!("{base}&protocol=tcp&port=5432"),
            "shop/web bank/db tcp 5432",
        ),
        (
            "from=10.0.0.2&to=fd00::2&protocol=UDP&port=53".to_owned(),
            "at 10.0.0.2 at fd00::2 udp 53",
        ),
        (
            format!("{base}&protocol=tcp&port=65536"),
            "\"65536\" is no port",
        ),
        (
            format!("{base}&protocol=icmp&port=1"),
            "\"icmp\" is none of tcp, udp and sctp",
        ),
        (format!("{base}&protocol=tcp"), "port is missing"),
        (
            "from=web&to=bank/db&protocol=tcp&port=1".to_owned(),
            "\"web\" is no pod: write NAMESPACE/NAME or an address",
        ),
        (String::new(), "protocol is missing"),
    ] {
        assert_eq!(words(&query), expected);
    }
}
