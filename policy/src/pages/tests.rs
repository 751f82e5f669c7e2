use super::*;

fn words(query: &str) -> String {
    match parse(query) {
        Ok(it) => format!(
            "{} {} {} {}",
            it.source, it.destination, it.protocol, it.port
        ),
        Err(why) => why,
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
            format!("{base}&protocol=UDP&port=53"),
            "shop/web bank/db udp 53",
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
            "\"web\" is no pod: write NAMESPACE/NAME",
        ),
        (String::new(), "protocol is missing"),
    ] {
        assert_eq!(words(&query), expected);
    }
}
