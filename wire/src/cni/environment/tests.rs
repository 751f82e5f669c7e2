//! Which variables each command needs, and which values are valid.

use std::os::unix::ffi::OsStringExt;

use super::*;

const FULL: &[(&str, &str)] = &[
    ("CNI_CONTAINERID", "c1"),
    ("CNI_NETNS", "/run/netns/c1"),
    ("CNI_IFNAME", "eth0"),
    ("CNI_ARGS", "K8S_POD_NAME=web-0"),
    ("CNI_PATH", "/opt/cni/bin::/usr/lib/cni"),
];

fn read(command: &str, variables: &[(&str, &str)]) -> Result<Environment, Error> {
    let variables = [&[("CNI_COMMAND", command)], variables].concat();
    Environment::read(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.into())
    })
}

fn without(names: &[&str]) -> Vec<(&'static str, &'static str)> {
    let kept = FULL.iter().filter(|(key, _)| !names.contains(key));
    kept.copied().collect()
}

fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut variables = without(&[name]);
    variables.push((name, value));
    variables
}

#[test]
fn full_environment_is_read() {
    for command in ["ADD", "DEL", "CHECK"] {
        let environment = read(command, FULL).unwrap();
        assert_eq!(environment.command.to_string(), command);
        assert_eq!(environment.attachment().unwrap().to_string(), "c1/eth0");
        assert_eq!(
            environment.netns().unwrap(),
            &PathBuf::from("/run/netns/c1")
        );
        assert_eq!(environment.args.get("K8S_POD_NAME"), Some("web-0"));
        let folders = ["/opt/cni/bin", "/usr/lib/cni"].map(PathBuf::from);
        assert_eq!(environment.path, folders);
    }
}

#[test]
fn all_missing_variables_are_named_at_once() {
    let attachment = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"];
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("ADD", &attachment, &attachment),
        ("CHECK", &attachment[1..], &attachment[1..]),
        ("DEL", &attachment, &["CNI_CONTAINERID", "CNI_IFNAME"]),
        ("DEL", &["CNI_NETNS", "CNI_ARGS", "CNI_PATH"], &[]),
        ("GC", &["CNI_PATH"], &["CNI_PATH"]),
        ("STATUS", &["CNI_PATH"], &[]),
    ];
    for (command, absent, named) in cases {
        let empty: Vec<_> = absent.iter().map(|name| (*name, "")).collect();
        for variables in [without(absent), [without(absent), empty].concat()] {
            match read(command, &variables) {
                Ok(_) => assert!(named.is_empty(), "{command} {absent:?}"),
                Err(error) => {
                    assert_eq!(error.code, 4);
                    assert!(error.msg.contains(&named.join(", ")), "{error}");
                }
            }
        }
    }
}

#[test]
fn verbs_without_attachment_ignore_its_variables() {
    let odd = [
        ("CNI_CONTAINERID", "/"),
        ("CNI_ARGS", "odd"),
        ("CNI_PATH", "/x"),
    ];
    for command in ["GC", "STATUS", "VERSION"] {
        let environment = read(command, &odd).unwrap();
        assert_eq!(environment.attachment, None);
        assert_eq!(environment.attachment().unwrap_err().code, 4);
        let error = environment.netns().unwrap_err();
        assert!(error.msg.contains("CNI_NETNS"), "{error}");
    }
}

#[test]
fn invalid_value_is_refused_with_its_variable_name() {
    let cases = [
        ("CNI_CONTAINERID", "a/b"),
        ("CNI_IFNAME", "eth 0"),
        ("CNI_ARGS", "lonely"),
    ];
    for (name, value) in cases {
        let error = read("ADD", &with(name, value)).unwrap_err();
        assert_eq!(error.code, 4);
        assert!(
            error.msg.contains(name) && error.msg.contains(value),
            "{error}"
        );
    }
    let both = [("CNI_CONTAINERID", "-"), ("CNI_IFNAME", "a:b")];
    let error = read("DEL", &both).unwrap_err();
    assert!(error.msg.contains("CNI_CONTAINERID \"-\""), "{error}");
    assert!(error.msg.contains("CNI_IFNAME \"a:b\""), "{error}");
}

#[test]
fn non_utf8_value_is_refused_with_its_variable_name() {
    let error = Environment::read(|name| match name {
        "CNI_COMMAND" => Some("DEL".into()),
        _ => Some(OsString::from_vec(vec![b'c', 0xff])),
    });
    let error = error.unwrap_err();
    assert_eq!(error.code, 4);
    assert!(error.msg.contains("CNI_CONTAINERID"), "{error}");
}

#[test]
fn unknown_command_error_lists_the_known_ones() {
    for command in ["add", "ADD ", "UPDATE"] {
        let error = read(command, FULL).unwrap_err();
        assert_eq!(error.code, 4);
        assert!(
            error.msg.contains(command) && error.msg.contains("CHECK"),
            "{error}"
        );
    }
}
