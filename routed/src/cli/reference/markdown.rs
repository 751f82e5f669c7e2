//! The sections of the conflist as Markdown.

use super::conflist::Section;

/// A heading for each key, with its meaning, its default and its values below.
pub(super) fn list(section: &Section) -> String {
    let keys = section.keys.iter().map(|key| {
        let meaning = key.meaning.join("\n\n");
        format!("#### {}\n\n{meaning}\n\n{}\n", key.name, key.range())
    });
    let text = keys.collect::<Vec<_>>().join("\n");
    format!("\n{text}\n")
}

/// The text on one line, with bars escaped: a bar would end the cell of a table.
pub(super) fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
