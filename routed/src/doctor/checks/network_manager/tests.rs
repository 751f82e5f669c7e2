use super::*;
use crate::doctor::Severity;

#[test]
fn both_ways_to_ignore_an_interface_are_recognised() {
    for (text, expected) in [
        ("", false),
        ("[keyfile]\nunmanaged-devices=interface-name:flat*\n", true),
        (
            "[keyfile]\nunmanaged-devices=mac:00:11:22:33:44:55;interface-name:flat*",
            true,
        ),
        ("[main]\nunmanaged-devices=interface-name:flat*\n", false),
        (
            "[device-flatland]\nmatch-device=interface-name:flat*\nmanaged=0\n",
            true,
        ),
        ("managed=0\n", false),
        (
            "[device-a]\nmatch-device=interface-name:flat*\n[device-b]\nmanaged=0\n",
            false,
        ),
    ] {
        assert_eq!(ignores_pod_links(text), expected, "{text}");
    }
}

#[test]
fn configuration_is_read_only_if_it_runs() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert_eq!(inspect(root), None);
    fs::create_dir_all(root.join(STATE_FOLDER)).unwrap();
    assert_eq!(inspect(root).unwrap().ignored_by, None);
    fs::create_dir_all(root.join(CONFIG_FOLDERS[0])).unwrap();
    let text = "[keyfile]\nunmanaged-devices=interface-name:flat*\n";
    fs::write(root.join(CONFIG_FOLDERS[0]).join("flatland.conf"), text).unwrap();
    assert_eq!(
        inspect(root).unwrap().ignored_by.as_deref(),
        Some(Path::new("/etc/NetworkManager/conf.d/flatland.conf"))
    );
}

#[test]
fn manager_that_manages_pod_links_is_a_warning() {
    let manager = |ignored_by: Option<&str>| NetworkManager {
        ignored_by: ignored_by.map(Into::into),
    };
    examine(Some(&manager(None))).assert(Severity::Warning, "flat*", "unmanaged-devices");
    examine(Some(&manager(Some("/etc/x")))).assert(Severity::Ok, "/etc/x", "");
    examine(None).assert(Severity::Ok, "does not run", "");
}
