use super::*;

/// A query that is only the sender for its answer.
type Ping = oneshot::Sender<()>;

const KEEPER: DaemonIdentity = DaemonIdentity {
    name: "keeper",
    socket: "/run/keeper.sock",
    work: "rules",
    unaffected: "rules and pods",
};

#[tokio::test]
async fn query_to_blocked_loop_times_out() {
    let (mut client, mut queries) = channel(KEEPER);
    let ping: fn(Ping) -> Ping = |answer| answer;
    let (answer, answered) = tokio::join!(client.query(ping), async {
        let answer = queries.recv().await.expect("a query");
        answer.send(())
    });
    assert_eq!((answer, answered), (Ok(()), Ok(())));

    client.timeout = Duration::from_millis(10);
    let stuck = client.query(ping).await.unwrap_err();
    let text = stuck.to_string();
    let loop_of = text.starts_with("the event loop of keeper has not answered");
    assert!(loop_of && text.contains("; rules and pods stay"), "{text}");
    drop(queries);
    assert!(client.query(ping).await.is_err());
}
