use super::*;

#[test]
fn files_of_the_policy_program_have_reserved_names() {
    for path in [POLICY_LOCK, POLICY_READY, POLICY_SOCKET].map(Path::new) {
        assert_eq!(path.parent(), Some(Path::new(RUN_DIR)));
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        assert!(RESERVED_NAMES.contains(&name), "{name}");
    }
}

#[test]
fn folders_are_per_network() {
    assert_eq!(run_dir("blue"), Path::new("/run/flatland/blue"));
    assert_eq!(state_dir("blue"), Path::new("/var/lib/flatland/blue"));
}
