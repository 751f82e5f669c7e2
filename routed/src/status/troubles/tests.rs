use super::*;

#[test]
fn many_sentences_of_a_kind_are_counted() {
    let lines = |count: usize| first_few((0..count).map(|n| n.to_string()), "more things");
    assert_eq!(lines(0).len(), 0);
    assert_eq!(lines(5).len(), 5);
    assert_eq!(lines(7)[4..], ["4", "2 more things"]);
}

#[test]
fn absence_message_has_the_date() {
    let node = NodeName::new("n2").unwrap();
    let since = |or_longer| AbsentSince {
        seconds: 1_795_239_498,
        or_longer,
    };
    assert_eq!(
        absence_message(&node, since(false)),
        "node n2 has been absent since 2026-11-21 05:38:18 UTC; its routes stay"
    );
    assert!(absence_message(&node, since(true)).contains("since at least 2026"));
}
