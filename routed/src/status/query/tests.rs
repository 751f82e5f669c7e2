use super::*;

#[tokio::test]
async fn query_to_blocked_loop_times_out() {
    let (mut client, mut queries) = channel();
    let (answer, answered) = tokio::join!(client.query(Query::Ping), async {
        let Some(Query::Ping(answer)) = queries.recv().await else {
            panic!("no query");
        };
        answer.send(())
    });
    assert_eq!((answer, answered), (Ok(()), Ok(())));

    client.timeout = Duration::from_millis(10);
    let stuck = client.query(Query::Ping).await.unwrap_err();
    assert!(stuck.to_string().contains("has not answered"), "{stuck}");
    drop(queries);
    assert!(client.query(Query::Ping).await.is_err());
}
