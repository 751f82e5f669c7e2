//! Man pages that `man` shows without a warning.

use std::fs;
use std::process::Command;

use crate::file;

#[test]
fn groff_sets_every_man_page_without_a_warning() {
    let pages: Vec<_> = fs::read_dir(file("docs/man"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    assert!(!pages.is_empty());
    for page in pages {
        let set = Command::new("groff")
            .args(["-man", "-ww", "-z", "-Tutf8"])
            .arg(&page)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&set.stderr);
        assert!(set.status.success() && said.is_empty(), "{page:?}: {said}");
    }
}
