use super::*;

const OURS: &str = r#"{"cniVersion":"1.1.0","name":"flatland","plugins":[
        {"type":"flatland","ipam":{"type":"flatland-ipam","podCIDRs":["10.244.0.0/16"]}}]}"#;
const OTHER: &str = r#"{"cniVersion":"1.1.0","name":"x","plugins":[{"type":"bridge"}]}"#;

#[test]
fn conflist_is_found_if_it_is_the_only_one_of_flatland() {
    let folder = tempfile::tempdir().unwrap();
    let write_file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write_file("00-other.conflist", OTHER);
    let none = find_conflist(folder.path()).unwrap_err();
    assert!(none.status == USAGE && none.text.contains("--conflist"));

    write_file("10-flatland.conflist", OURS);
    assert_eq!(
        find_conflist(folder.path()).unwrap().1.network(),
        "flatland"
    );

    write_file("20-flatland.conflist", OURS);
    let both = find_conflist(folder.path()).unwrap_err().text;
    assert!(both.contains("10-flatland") && both.contains("20-flatland"));
}
