use super::*;
use crate::doctor::Severity;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn last_value_in_the_network_section_counts() {
    for (text, expected) in [
        ("", None),
        ("[Network]\nManageForeignRoutes=no\n", Some(false)),
        ("[Network]\n ManageForeignRoutes = FALSE\n", Some(false)),
        ("[Network]\nManageForeignRoutes=yes\n", Some(true)),
        ("[DHCPv4]\nManageForeignRoutes=no\n", None),
        ("[Network]\n#ManageForeignRoutes=no\n", None),
        (
            "[Network]\nManageForeignRoutes=yes\nManageForeignRoutes=no",
            Some(false),
        ),
    ] {
        assert_eq!(manages_foreign_routes(text), expected, "{text}");
    }
}

#[test]
fn drop_in_in_etc_hides_that_of_a_package() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert_eq!(inspect(root), None, "it does not run");

    fs::create_dir_all(root.join(STATE_FOLDER)).unwrap();
    let default = inspect(root).unwrap();
    assert!(default.manages_foreign_routes && default.file.is_none());

    let no = "[Network]\nManageForeignRoutes=no\n";
    let yes = "[Network]\nManageForeignRoutes=yes\n";
    write(root, "usr/lib/systemd/networkd.conf.d/50-flatland.conf", no);
    assert!(!inspect(root).unwrap().manages_foreign_routes);
    write(root, "etc/systemd/networkd.conf", yes);
    assert!(!inspect(root).unwrap().manages_foreign_routes);
    write(root, "etc/systemd/networkd.conf.d/50-flatland.conf", yes);
    let found = inspect(root).unwrap();
    assert!(found.manages_foreign_routes);
    let path = "/etc/systemd/networkd.conf.d/50-flatland.conf";
    assert_eq!(found.file.as_deref(), Some(Path::new(path)));
}

#[test]
fn networkd_that_removes_foreign_routes_is_broken() {
    let networkd = |manages_foreign_routes| Networkd {
        manages_foreign_routes,
        file: None,
    };
    let text = "ManageForeignRoutes=yes (the default)";
    let fix = "ManageForeignRoutes=no";
    examine(Some(&networkd(true))).assert(Severity::Broken, text, fix);
    examine(Some(&networkd(false))).assert(Severity::Ok, "ManageForeignRoutes=no", "");
    examine(None).assert(Severity::Ok, "does not run", "");
}
