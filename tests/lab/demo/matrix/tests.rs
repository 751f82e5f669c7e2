use std::net::IpAddr;

use super::*;
use crate::probe::ProbeAnswer;

fn parties(count: u8) -> Vec<Party> {
    let party = |number| Party {
        name: format!("n{number}/a"),
        node: format!("n{number}"),
        is_pod: true,
        addresses: vec![IpAddr::from([10, 0, 0, number])],
    };
    (1..=count).map(party).collect()
}

fn probed(parties: &[Party], [from, to]: [usize; 2], seen: Result<IpAddr, String>) -> ProbedPair {
    let target = parties[to].addresses[0];
    let answer = ProbeAnswer {
        target,
        ping: Ok(42),
        tcp: seen.clone(),
        udp: seen,
    };
    let complaint = answer.complaint(&parties[from].addresses);
    ProbedPair {
        from,
        to,
        answer,
        complaint,
    }
}

#[test]
fn answer_shows_its_time_and_silence_a_cross() {
    let two = parties(2);
    let well = probed(&two, [0, 1], Ok(two[0].addresses[0]));
    let lost = probed(&two, [1, 0], Err("no answer".to_owned()));
    let all = [well, lost];
    let text = matrix(&two, &all, false, Paint::Nothing);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows[1], ["n1/a", "·", "42", "µs"]);
    assert_eq!(rows[2], ["n2/a", "✗", "·"]);
    let words = complaints(&two, &all);
    assert_eq!(
        words,
        ["n2/a to n1/a: 10.0.0.1: TCP: no answer, UDP: no answer"]
    );
}

#[test]
fn translated_sender_counts_as_not_reaching() {
    let two = parties(2);
    let translated = probed(&two, [0, 1], Ok(IpAddr::from([192, 168, 1, 11])));
    assert!(!translated.seen_as_itself(&two));
    let text = matrix(&two, &[translated], false, Paint::Nothing);
    assert!(
        text.lines().nth(1).is_some_and(|row| row.contains('✗')),
        "{text}"
    );
}

#[test]
fn wide_matrix_is_split_into_blocks_that_fit() {
    let many = parties(25);
    let text = matrix(&many, &[], false, Paint::Nothing);
    assert!(
        text.lines().all(|line| line.chars().count() <= WIDTH),
        "{text}"
    );
    assert_eq!(text.matches("from").count(), 3);
    for party in &many {
        assert!(text.contains(&party.name), "{text}");
    }
}

#[test]
fn complaints_are_counted_where_they_are_too_many_to_read() {
    let two = parties(2);
    let lost = (0..20).map(|_| probed(&two, [0, 1], Err("no answer".to_owned())));
    let words = complaints(&two, &lost.collect::<Vec<_>>());
    assert_eq!(words.len(), EXPLAINED + 1);
    assert_eq!(words[EXPLAINED], "and 8 more");
}

#[test]
fn times_read_in_the_unit_that_fits() {
    assert_eq!(time(42), "42 µs");
    assert_eq!(time(1_250), "1.2 ms");
    assert_eq!(time(250_000), "250 ms");
}
