use std::collections::BTreeSet;

use super::*;

#[test]
fn rows_have_unique_ids_and_texts_that_fit() {
    let mut seen = BTreeSet::new();
    for row in all() {
        assert!(seen.insert(row.id), "duplicate id {}", row.id);
        assert!(row.id.len() <= 24, "{}", row.id);
        assert!(row.text.len() <= 72, "{}: {}", row.id, row.text.len());
        assert!(!row.binds.is_empty(), "{}", row.id);
    }
}
