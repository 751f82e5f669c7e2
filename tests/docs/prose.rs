//! The prose of the pages is plain (CONTRIBUTING.md, "Prose").

use std::fs;

use crate::links::pages;

/// Words that make a sentence hard to read, or say nothing about who does what.
const RIDDLES: [&str; 5] = ["nobody", "somebody", "everybody", "whoever", "told of"];

#[test]
fn prose_of_pages_has_no_riddles() {
    let mut found = Vec::new();
    for page in pages() {
        // Most of it is generated from the doc comments of the types.
        if page.ends_with("configuration.md") {
            continue;
        }
        let text = prose(&fs::read_to_string(&page).unwrap()).to_lowercase();
        let riddles = RIDDLES.iter().filter(|riddle| text.contains(**riddle));
        found.extend(riddles.map(|riddle| format!("{}: {riddle}", page.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The page without examples and code spans, which show what programs print.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2);
    let sentences = outside.flat_map(|part| part.split('`').step_by(2));
    sentences.collect::<Vec<_>>().join(" ")
}
