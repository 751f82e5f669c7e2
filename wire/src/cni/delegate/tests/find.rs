//! Finding plugins and helpers.

use super::*;

/// The file of a plugin that is another one than this program's.
fn program(found: &Delegate) -> &Path {
    match &found.kind {
        DelegateKind::Other(path) => path,
        DelegateKind::Linked(_) => panic!("{found:?}"),
    }
}

#[test]
fn plugin_that_is_the_file_of_this_process_is_called_within_it() {
    let own = env::current_exe().unwrap();
    let beside = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    fs::hard_link(&own, beside.path().join("linked")).unwrap();
    let call = call_with_path(vec![beside.path().to_owned()]);
    let found = find(&call, "linked").unwrap();
    let result = found.add(&call).unwrap();
    assert_eq!(result.dns.domain.as_deref(), Some("ADD"));
    found.del(&call).unwrap();
    let running = found.start(&call, CniCommand::Check).unwrap();
    assert!(running.has_failed());
    let error = running.finish().unwrap_err();
    assert_eq!(
        error.msg,
        "linked: CNI_COMMAND CHECK is not supported by this plugin"
    );
}

#[test]
fn helper_is_found_beside_the_executable() {
    let _turn = Folder::new();
    let own = env::current_exe().unwrap();
    let own = own.parent().unwrap();
    let name = format!("helper-{}", process::id());
    let path = own.join(&name);
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let call = call_with_path(vec!["/nowhere".into()]);
    let found = Delegate::find_helper(&call, &name).map(|found| program(&found).to_owned());
    fs::remove_file(&path).unwrap();
    assert_eq!(found.unwrap(), path);

    let error = Delegate::find_helper(&call, "claim")
        .unwrap_err()
        .to_string();
    let folders = format!("{}, /nowhere", own.display());
    assert!(error.contains(&folders), "{error}");
}

#[test]
fn own_program_is_refused_under_every_name() {
    let own = env::current_exe().unwrap();
    let folder = Folder::new();
    let place = folder.path.path();
    // A folder beside the executable is on its file system, which hard links need.
    let beside = tempfile::tempdir_in(own.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&own, place.join("ipam")).unwrap();
    std::os::unix::fs::symlink(place.join("ipam"), place.join("chain")).unwrap();
    fs::hard_link(&own, beside.path().join("hard")).unwrap();
    let call = call_with_path(vec![place.to_owned(), beside.path().to_owned()]);
    for name in ["ipam", "chain", "hard"] {
        for found in [find(&call, name), Delegate::find_helper(&call, name)] {
            let error = found.unwrap_err();
            assert_eq!(error.code, code::INVALID_CONFIG, "{error}");
            assert!(error.msg.contains(name), "{error}");
            assert!(error.msg.contains("very program"), "{error}");
        }
    }
}

#[test]
fn delegation_has_a_greatest_depth() {
    for (own, max, expected) in [
        (None, 1, Some(1)),
        (Some("0"), 1, Some(1)),
        (Some("1"), 1, None),
        (Some("1"), 2, Some(2)),
        (Some("2"), 2, None),
        (Some("3"), 2, None),
        (Some("99999999999999999999"), 2, None),
        (Some("-1"), 2, None),
        (Some(""), 2, None),
    ] {
        let depth = next_depth(own.map(OsStr::new), max);
        assert_eq!(depth.as_ref().ok().copied(), expected, "{own:?}");
        if let Err(error) = depth {
            assert_eq!(error.code, code::INVALID_CONFIG);
            assert!(error.msg.contains("in a ring"), "{error}");
        }
    }
}

#[test]
fn first_executable_in_cni_path_is_taken() {
    let empty = tempfile::tempdir().unwrap();
    fs::create_dir(empty.path().join("ipam")).unwrap();
    let folder = Folder::with_script("echo {}");
    let call = call_with_path(vec![
        PathBuf::from("/nonexistent"),
        empty.path().to_owned(),
        folder.path.path().to_owned(),
    ]);
    let delegate = find(&call, "ipam").unwrap();
    assert_eq!(program(&delegate), folder.path.path().join("ipam"));
}

#[test]
fn missing_plugin_is_code_7_with_the_folders() {
    let call = call_with_path(vec!["/nonexistent/a".into(), "/nonexistent/b".into()]);
    let error = find(&call, "ipam").unwrap_err();
    assert_eq!(error.code, code::INVALID_CONFIG);
    assert!(
        error.msg.contains("(/nonexistent/a, /nonexistent/b)"),
        "{error}"
    );
    assert!(error.details.contains("install it"), "{error}");
}

#[test]
fn plugin_without_execute_permission_is_named() {
    let folder = Folder::new();
    folder.write("#!/bin/sh\n", 0o644);
    let error = find(&folder.call(), "ipam").unwrap_err();
    assert_eq!(error.code, code::INVALID_CONFIG);
    assert!(
        error.details.contains("is not an executable file"),
        "{error}"
    );
}

#[test]
fn type_that_is_no_file_name_is_code_7() {
    let call = call_with_path(vec!["/".into()]);
    for plugin in ["", ".", "..", "bin/sh", "/bin/sh"] {
        let error = find(&call, plugin).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG);
        assert!(error.msg.contains(&format!("{plugin:?}")), "{error}");
    }
}

#[test]
fn missing_cni_path_is_code_4() {
    let error = find(&call_with_path(Vec::new()), "ipam").unwrap_err();
    assert_eq!(error.code, code::INVALID_ENVIRONMENT);
    assert!(error.msg.contains("CNI_PATH"), "{error}");
}
