use std::process::Command;

use super::*;

#[test]
fn kept_lab_is_found_only_while_its_process_lives() -> Result {
    let folder = tempfile::tempdir().doing("a folder")?;
    let file = folder.path().join("demo.json");
    assert_eq!(Kept::read(&file)?, None);

    let mut process = Command::new("sleep").arg("60").spawn().doing("sleep")?;
    let place = KeptPlace {
        name: "n1".into(),
        target: process.id(),
        netns: None,
    };
    let kept = Kept::record(&file, process.id(), vec![place])?;
    assert_eq!(Kept::read(&file)?, Some(kept.clone()));
    assert!(kept.place("n1").is_ok());
    assert!(kept.place("n2").unwrap_err().to_string().contains("n1"));

    kept.take_down()?;
    assert_eq!(Kept::read(&file)?, None);
    process.wait().doing("sleep").map(drop)
}
