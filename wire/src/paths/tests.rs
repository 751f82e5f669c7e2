use super::*;

#[test]
fn folders_are_per_network() {
    assert_eq!(run_dir("blue"), Path::new("/run/flatland/blue"));
    assert_eq!(state_dir("blue"), Path::new("/var/lib/flatland/blue"));
}
