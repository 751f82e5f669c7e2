use clap::Parser as _;

use super::*;
use crate::cli::command::{Cli, Command};

const CONFLIST: &str = r#"{"cniVersion":"1.1.0","name":"flatland","plugins":[
        {"type":"flatland","ipam":{"type":"flatland-ipam","podCIDRs":["10.244.0.0/16"]}}]}"#;

fn parse(args: &[&str]) -> Result<RunArgs, clap::Error> {
    let all = ["routed", "run"].iter().chain(args);
    Cli::try_parse_from(all).map(|cli| match cli.command {
        Command::Run(args) => args,
        _ => unreachable!(),
    })
}

#[test]
fn command_line_definition_is_valid() {
    <Cli as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn node_addresses_are_split_and_deduplicated() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("10-flatland.conflist");
    fs::write(&source, CONFLIST).unwrap();
    let args = parse(&[
        "--conflist",
        source.to_str().unwrap(),
        "--node-name",
        "n1",
        "--node-address",
        "192.168.1.1, fd00::1",
        "--node-address",
        "",
        "--node-address",
        "fd00::1,192.168.1.2",
    ]);
    let config = Config::read(args.unwrap()).unwrap();
    let addresses: Vec<_> = config
        .node_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["192.168.1.1", "fd00::1", "192.168.1.2"]);
    assert_eq!(
        config.installed_conflist,
        Path::new("/etc/cni/net.d/10-flatland.conflist")
    );
    assert_eq!(config.node.as_str(), "n1");
}

#[test]
fn unusable_node_addresses_are_refused() {
    for bad in [
        "127.0.0.1",
        "::",
        "ff02::1",
        "255.255.255.255",
        "fe80::1",
        "n1",
        "10.0.0.1/24",
    ] {
        let error = parse(&["--conflist", "x", "--node-address", bad]).unwrap_err();
        assert!(error.to_string().contains(bad), "{error}");
    }
}

#[test]
fn listen_accepts_an_address_or_none() {
    let listen = |text: &str| {
        let args = parse(&["--conflist", "x", "--listen", text]).ok()?;
        Some(args.listen.0.map(|address| address.to_string()))
    };
    for (text, expected) in [
        ("none", Some(None)),
        ("", Some(Some("127.0.0.1:9470"))),
        ("[::]:80", Some(Some("[::]:80"))),
        ("127.0.0.1", None),
        ("localhost:80", None),
    ] {
        let expected = expected.map(|address: Option<&str>| address.map(ToOwned::to_owned));
        assert_eq!(listen(text), expected, "{text}");
    }
}

#[test]
fn node_address_inside_a_pod_cidr_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("10-flatland.conflist");
    fs::write(&source, CONFLIST).unwrap();
    let flags = ["--conflist", source.to_str().unwrap(), "--node-address"];
    let args = parse(&[&flags[..], &["10.244.1.1"]].concat()).unwrap();
    let error = Config::read(args).unwrap_err();
    assert_eq!(error.code, cni::code::INVALID_CONFIG);
    let expected = "10.244.1.1 is inside the pod CIDR 10.244.0.0/16";
    assert!(error.msg.contains(expected), "{error}");
}

#[test]
fn conflist_of_wrong_name_or_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let name = |file: &Path| installed_name(file, folder.path()).map(OsStr::to_owned);
    let error = name(&elsewhere.path().join("flatland.json")).unwrap_err();
    assert!(error.msg.contains("flatland.json"), "{error}");
    let error = name(&folder.path().join("10-flatland.conflist")).unwrap_err();
    assert!(error.details.contains("/etc/flatland"), "{error}");
    assert_eq!(
        name(&elsewhere.path().join("a.conflist")).unwrap(),
        "a.conflist"
    );
}

#[test]
fn damaged_state_leaves_the_pod_cidrs_of_the_installed_conflist() {
    let derived = CONFLIST.replace("\"podCIDRs\":[\"10.244.0.0/16\"]", "\"kubernetes\":{}");
    let installed = derived.replace(
        "\"kubernetes\":{}",
        "\"kubernetes\":{},\"podCIDRs\":[\"10.244.0.0/22\"]",
    );
    let other = installed.replace("\"name\":\"flatland\"", "\"name\":\"other\"");
    let stored = r#"{"cluster":null,"pod_cidrs":["10.244.0.0/21"]}"#;
    for (source, state, in_place, expected) in [
        (
            &derived,
            Some("{"),
            Some(&installed),
            &["10.244.0.0/22"][..],
        ),
        (&derived, Some(stored), Some(&installed), &["10.244.0.0/21"]),
        // After a boot, the Nodes are read first.
        (&derived, None, Some(&installed), &[]),
        (&derived, Some("{"), Some(&other), &[]),
        (&derived, Some("{"), None, &[]),
        (&installed, Some("{"), None, &["10.244.0.0/22"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("source.conflist"), source).unwrap();
        if let Some(state) = state {
            fs::write(path("routed.json"), state).unwrap();
        }
        if let Some(in_place) = in_place {
            fs::write(path("installed.conflist"), in_place).unwrap();
        }
        let conflist = Conflist::read(&path("source.conflist")).unwrap();
        let state = StateFile::load(folder.path());
        let installed = path("installed.conflist");
        let conflist = with_derived_pod_cidrs(conflist, &state, Some(&installed));
        let cidrs = &conflist.ipam().pod_cidrs;
        let cidrs: Vec<_> = cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(cidrs, expected);
    }
}
