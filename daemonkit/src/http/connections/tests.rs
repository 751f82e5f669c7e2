use super::*;

#[test]
fn oldest_unanswered_connection_makes_room_after_its_time() {
    let start = Instant::now();
    let open = |count: usize, answered: usize| -> BTreeMap<u64, Open> {
        let one = |number: usize| Open {
            since: start,
            is_being_answered: number < answered,
            client: String::new(),
            _close: oneshot::channel().0,
        };
        (0..count).map(|at| (at as u64, one(at))).collect()
    };
    let (full, late) = (MAX_CONNECTIONS, start + MIN_HTTP_CONNECTION_AGE);
    for (case, open, now, expected) in [
        ("none is open", open(0, 0), start, Admission::Free),
        ("one is left", open(full - 1, 0), late, Admission::Free),
        ("all silent", open(full, 0), late, Admission::Close(0)),
        ("two answered", open(full, 2), late, Admission::Close(2)),
        (
            "all are new",
            open(full, 2),
            start,
            Admission::Wait(MIN_HTTP_CONNECTION_AGE),
        ),
        (
            "all answered",
            open(full, full),
            late,
            Admission::Wait(Duration::MAX),
        ),
    ] {
        assert_eq!(room(&open, now), expected, "{case}");
    }
}

#[tokio::test]
async fn closed_connection_is_notified_and_its_client_named() {
    let connections = Connections::default();
    let mut all = Vec::new();
    for number in 0..MAX_CONNECTIONS {
        all.push(connections.enter(format!("client {number}")).await);
    }
    assert_eq!(connections.crowded_by(), None);
    all[0].0.set_being_answered(true);
    let (_place, _closed) = connections.enter("probe".to_owned()).await;
    let (_, closed) = &mut all[1];
    assert!(closed.await.is_err());
    assert_eq!(connections.crowded_by().as_deref(), Some("client 1"));
    drop(all);
    assert_eq!(connections.lock().open.len(), 1);
}
