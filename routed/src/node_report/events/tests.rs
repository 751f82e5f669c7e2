use super::*;

use std::time::Duration;

fn reasons(log: &mut EventLog, troubles: &[(&'static str, &str)], now: Instant) -> Vec<String> {
    let troubles: Vec<_> = troubles
        .iter()
        .map(|(reason, text)| (*reason, (*text).to_owned()))
        .collect();
    let due = log.due(&"n1".parse().unwrap(), &troubles, now);
    for event in &due {
        log.written(event, now);
    }
    due.iter().map(|event| event.reason.to_owned()).collect()
}

#[test]
fn trouble_that_lasts_gives_one_event_until_it_is_repeated() {
    let mut log = EventLog::default();
    let start = Instant::now();
    let overlap = ("Overlap", "a overlaps b");
    let clone = ("Clone", "c is a clone");
    let none: &[&str] = &[];
    for (after, troubles, expected) in [
        (Duration::ZERO, &[overlap][..], none),
        (EVENT_DELAY, &[overlap], &["Overlap"]),
        (EVENT_DELAY * 2, &[overlap, clone], none),
        (EVENT_DELAY * 3, &[overlap, clone], &["Clone"]),
        (EVENT_DELAY * 4, &[], none),
        (EVENT_DELAY * 5, &[overlap], none),
        (
            EVENT_DELAY + EVENT_REPEAT_INTERVAL,
            &[overlap],
            &["Overlap"],
        ),
    ] {
        assert_eq!(
            reasons(&mut log, troubles, start + after),
            expected,
            "{after:?}"
        );
    }
}

#[test]
fn same_trouble_has_the_same_name_and_a_long_message_is_cut() {
    let node: NodeName = "n1".parse().unwrap();
    let long = "ä".repeat(800);
    let one = NodeEvent::new(&node, "Overlap", &long);
    assert_eq!(one.name, NodeEvent::new(&node, "Overlap", &long).name);
    assert_ne!(one.name, NodeEvent::new(&node, "Overlap", "other").name);
    assert_eq!(
        one.create(0)["message"].as_str().unwrap().len(),
        MAX_MESSAGE
    );
}

#[test]
fn names_are_valid_for_the_longest_node_names_too() {
    let label = "a".repeat(63);
    let longest = [label.as_str(); 4].join(".")[..253].to_owned();
    // What is cut off begins after a dot, a dash, or a letter.
    let after = |mark: &str| {
        format!(
            "{}.{}{mark}{}",
            "b".repeat(63),
            "c.".repeat(85),
            "d".repeat(15)
        )
    };
    for name in ["n1".to_owned(), longest, after("e."), after("e-")] {
        let node: NodeName = name.parse().unwrap();
        let event = NodeEvent::new(&node, "Overlap", "text").name;
        let is_label = |label: &str| {
            let ends = label.starts_with('-') || label.ends_with('-');
            !label.is_empty() && !ends
        };
        assert!(event.len() <= MAX_NAME, "{event}");
        assert!(event.split('.').all(is_label), "{event}");
    }
    // Of two long names with the same start, too.
    let [one, other] = ["x", "y"].map(|end| {
        let name = format!(
            "{}.{end}",
            [label.as_str(); 3].join(".") + "." + &"f".repeat(50)
        );
        NodeEvent::new(&name.parse().unwrap(), "Overlap", "text").name
    });
    assert_ne!(one, other);
}

#[test]
fn event_that_comes_back_is_counted() {
    for (there, expected) in [(json!({ "count": 3 }), 4), (json!({}), 2)] {
        assert_eq!(count_after(&there), json!({ "count": expected }), "{there}");
    }
}
