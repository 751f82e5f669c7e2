//! Finding plugins and helpers.

use super::*;

#[test]
fn helper_is_found_beside_the_executable() {
    let own = env::current_exe().unwrap();
    let name = own.file_name().unwrap().to_str().unwrap();
    let call = call_with_path(vec!["/nowhere".into()]);
    assert_eq!(Delegate::find_helper(&call, name).unwrap().path, own);

    let error = Delegate::find_helper(&call, "claim")
        .unwrap_err()
        .to_string();
    let folders = format!("{}, /nowhere", own.parent().unwrap().display());
    assert!(error.contains(&folders), "{error}");
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
    let delegate = Delegate::find(&call, "ipam").unwrap();
    assert_eq!(delegate.path, folder.path.path().join("ipam"));
}

#[test]
fn missing_plugin_is_code_7_with_the_folders() {
    let call = call_with_path(vec!["/nonexistent/a".into(), "/nonexistent/b".into()]);
    let error = Delegate::find(&call, "ipam").unwrap_err();
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
    let error = Delegate::find(&folder.call(), "ipam").unwrap_err();
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
        let error = Delegate::find(&call, plugin).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG);
        assert!(error.msg.contains(&format!("{plugin:?}")), "{error}");
    }
}

#[test]
fn missing_cni_path_is_code_4() {
    let error = Delegate::find(&call_with_path(Vec::new()), "ipam").unwrap_err();
    assert_eq!(error.code, code::INVALID_ENVIRONMENT);
    assert!(error.msg.contains("CNI_PATH"), "{error}");
}
