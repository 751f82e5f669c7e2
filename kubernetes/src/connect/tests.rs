use super::*;

use std::future::pending;

/// The second of these addresses answers, the first is silent.
async fn attempt(address: SocketAddr) -> Result<u16, String> {
    match address.port() {
        1 => pending().await,
        2 => Ok(2),
        _ => Err("refused".to_owned()),
    }
}

#[tokio::test]
async fn silent_address_leaves_time_for_the_next_one() {
    let soon = || Instant::now() + Duration::from_millis(100);
    let addresses = |ports: &[u16]| -> Vec<_> {
        let address = |port: &u16| SocketAddr::from(([127, 0, 0, 1], *port));
        ports.iter().map(address).collect()
    };
    for (ports, expected) in [
        (&[1, 2][..], Ok(2)),
        (&[3, 1, 2], Ok(2)),
        (&[2, 1], Ok(2)),
        (&[1, 3], Err("refused")),
        (&[3, 1], Err("no connection within 0.1 s")),
        (&[], Err("its name has no address")),
    ] {
        let found = first_that_works(&addresses(ports), soon(), attempt).await;
        assert_eq!(found, expected.map_err(str::to_owned), "{ports:?}");
    }
}
