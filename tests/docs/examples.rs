//! Examples in pages show what the programs print today.

use std::fs;

use crate::links::pages;
use crate::source;

#[test]
fn findings_in_examples_are_texts_of_the_programs() {
    let texts = source::texts();
    let mut wrong = Vec::new();
    let mut found = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let examples = text.split("```").skip(1).step_by(2);
        let findings = examples.flat_map(str::lines).filter_map(finding);
        for finding in findings.filter(|it| words(it) >= 3) {
            found += 1;
            let is_known = texts
                .iter()
                .any(|it| words(&it.text) >= 2 && matches(&it.text, finding));
            if !is_known {
                wrong.push(format!("{}: {finding}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no program prints\n{}", wrong.join("\n"));
    assert!(found > 20, "only {found} findings");
}

#[test]
fn patterns_match_whole_texts_only() {
    for (pattern, text, is_match) in [
        ("… is held by …", "10.244.7.2 is held by pod a", true),
        ("… is held by …", "10.244.7.2 is kept by pod a", false),
        ("does not run", "does not run", true),
        ("does not run", "routed does not run", false),
        ("… is up", "flat1 is up, and more", false),
    ] {
        assert_eq!(matches(pattern, text), is_match, "{pattern}: {text}");
    }
}

/// What was found, of a line of `routed explain` or `routed doctor`: `ok  CHECK: FINDING`.
fn finding(line: &str) -> Option<&str> {
    let (verdict, rest) = line.trim_start().split_once(' ')?;
    let is_verdict = matches!(verdict, "ok" | "warning" | "broken" | "unknown");
    let (_, finding) = rest.split_once(": ")?;
    is_verdict.then_some(finding.trim_end())
}

/// Whether `text` is `pattern` with something in the place of each `…`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('…');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap()) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// The number of words of a language, which no address, path or name of an interface is.
fn words(text: &str) -> usize {
    let is_word = |word: &&str| {
        let word = word.trim_matches([',', ';', '(', ')', ':']);
        word.len() >= 2 && word.chars().all(char::is_alphabetic)
    };
    text.split_whitespace().filter(is_word).count()
}
