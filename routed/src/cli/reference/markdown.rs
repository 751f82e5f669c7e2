//! The sections of the conflist as Markdown.

use super::conflist::Section;

/// A row for each key: its name, what it is unless said, and the first that is to say of it.
pub(super) fn table(section: &Section) -> String {
    let rows = section.keys.iter().map(|key| {
        let (default, first) = (cell(&key.default), cell(&key.meaning[0]));
        format!("| `{}` | {default} | {first} |\n", key.name)
    });
    let head = "| key | default | meaning |\n| --- | --- | --- |\n";
    head.to_owned() + &rows.collect::<String>()
}

/// All that is known of each key, below its name.
pub(super) fn list(section: &Section) -> String {
    let keys = section.keys.iter().map(|key| {
        let meaning = key.meaning.join("\n\n");
        format!("#### {}\n\n{meaning}\n\n{}\n", key.name, key.range())
    });
    let text = keys.collect::<Vec<_>>().join("\n");
    format!("\n{text}\n")
}

/// On one line, and without a bar, which would end the cell.
pub(super) fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
