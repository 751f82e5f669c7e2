//! What a release says about itself agrees, and packages are what docs/releasing.md says: everything
//! that can be checked without building the release programs. `make release-check` does the rest.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::program_under_test;

use crate::file;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// 2026-01-01 00:00:00 UTC, as a commit's time.
const COMMIT_TIME: &str = "1767225600";

/// Files that name the version, with the text before it.
const NAMES: [(&str, &str); 13] = [
    ("README.md", "\nFlatland "),
    ("docs/operations.md", "  routed     "),
    ("docs/operations.md", "/opt/cni/bin/flatland, all "),
    ("docs/troubleshooting.md", "/opt/cni/bin/flatland, all "),
    ("docs/man/routed.8", "\"flatland "),
    ("docs/man/flatland.8", "\"flatland "),
    ("docs/man/flatland-policy.8", "\"flatland "),
    ("conf/kubernetes/flatland.yaml", "localhost/flatland:"),
    ("conf/kubernetes/flatland-etcd.yaml", "localhost/flatland:"),
    ("conf/kubernetes/uninstall.yaml", "localhost/flatland:"),
    (
        "conf/components/network-policy/container.yaml",
        "localhost/flatland:",
    ),
    ("conf/helm/flatland/Chart.yaml", "\nversion: "),
    ("conf/helm/flatland/Chart.yaml", "\nappVersion: "),
];

#[test]
fn version_is_the_same_in_every_file() {
    for (path, before) in NAMES {
        let text = fs::read_to_string(file(path)).unwrap();
        let versions: Vec<_> = text.split(before).skip(1).collect();
        assert!(!versions.is_empty(), "{path} has no {before:?}");
        for rest in versions {
            let is_version = |c: char| c.is_ascii_digit() || c == '.';
            let end = rest.find(|c| !is_version(c)).unwrap_or(rest.len());
            assert_eq!(&rest[..end], VERSION, "{path}, after {before:?}");
        }
    }
}

#[test]
fn lock_file_has_the_version_of_each_crate_of_ours() {
    let lock = fs::read_to_string(file("Cargo.lock")).unwrap();
    // Packages of a registry have a source.
    let packages = lock.split("[[package]]\n").skip(1);
    let ours: Vec<_> = packages.filter(|it| !it.contains("\nsource = ")).collect();
    assert_eq!(ours.len(), 11, "{ours:?}");
    for package in ours {
        assert!(
            package.contains(&format!("\nversion = \"{VERSION}\"\n")),
            "{package}"
        );
    }
}

#[test]
fn changelog_has_a_dated_section_of_the_version() {
    let changelog = fs::read_to_string(file("CHANGELOG.md")).unwrap();
    let mut headings = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    assert_eq!(headings.next(), Some("Unreleased"));
    let (version, date) = headings.next().unwrap().split_once(" - ").unwrap();
    assert_eq!(version, VERSION);
    let parts: Vec<_> = date.split('-').map(str::len).collect();
    assert_eq!(parts, [4, 2, 2], "{date} is no date as in 2026-11-30");
}

#[test]
fn programs_print_the_same_version() {
    let printed = |program: &str| {
        let path = program_under_test(program).unwrap();
        run(Command::new(path).arg("--version"))
    };
    // In builds of `make build`, the commit follows.
    let routed = printed("routed");
    let version = routed.trim().strip_prefix("routed ").unwrap();
    assert_eq!(version.split(' ').next(), Some(VERSION));
    let policy = printed("flatland-policy");
    assert_eq!(policy.trim(), format!("flatland-policy {version}"));
    for plugin in ["flatland", "flatland-ipam"] {
        let (said, line) = (printed(plugin), format!("\nversion {version}\n"));
        assert!(said.contains(&line), "{plugin}: {said}");
    }
}

#[test]
fn deb_of_the_same_programs_has_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let debs = ["077", "022"].map(|umask| deb(&folder.path().join(umask), umask));
    let [first, second] = debs.each_ref().map(|path| fs::read(path).unwrap());
    assert!(first == second, "umask or time changes the package");
}

#[test]
fn deb_has_programs_pages_and_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let deb = deb(folder.path(), "022");
    let fields = "${Package} ${Version} ${Architecture}";
    let show = ["--show", "--showformat", fields];
    let shown = run(Command::new("dpkg-deb").args(show).arg(&deb));
    assert_eq!(shown, format!("flatland {VERSION} amd64"));
    let conffiles = run(Command::new("dpkg-deb")
        .arg("--info")
        .arg(&deb)
        .arg("conffiles"));
    assert_eq!(
        conffiles,
        "/etc/default/flatland-policy\n/etc/default/routed\n/etc/flatland/10-flatland.conflist\n"
    );
    let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&deb));
    for path in [
        "./etc/cni/net.d/",
        "./opt/cni/bin/flatland",
        "./opt/cni/bin/flatland-claim",
        "./opt/cni/bin/flatland-ipam link to ./opt/cni/bin/flatland",
        "./usr/lib/systemd/system/flatland-policy.service",
        "./usr/lib/systemd/system/routed.service",
        "./usr/sbin/flatland-policy",
        "./usr/sbin/routed",
        "./usr/share/bash-completion/completions/flatland-policy",
        "./usr/share/bash-completion/completions/routed",
        "./usr/share/man/man8/flatland-policy-run.8.gz",
        "./usr/share/man/man8/routed.8.gz",
    ] {
        let line = |line: &&str| line.ends_with(&format!(" {path}"));
        let found = listed
            .lines()
            .find(line)
            .unwrap_or_else(|| panic!("no {path}"));
        assert!(found.contains(" root/root "), "{found}");
    }
    for daemon in ["routed", "flatland-policy"] {
        let unit = run(Command::new("sh")
            .args(["-c", UNIT_OF_DEB, "sh"])
            .arg(&deb)
            .arg(daemon));
        assert!(unit.starts_with("[Unit]\n"), "{unit}");
        let start = format!("\nExecStart=/usr/sbin/{daemon} run ");
        assert!(unit.contains(&start), "{unit}");
        assert!(!unit.contains("/usr/local"), "{unit}");
    }
}

const UNIT_OF_DEB: &str =
    r#"dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/lib/systemd/system/$2.service""#;

#[test]
fn unit_of_policies_is_hardened_as_that_of_routed() {
    let read = |daemon: &str| fs::read_to_string(file(&format!("conf/{daemon}.service"))).unwrap();
    let (routed, policy) = (read("routed"), read("flatland-policy"));
    let of_each = [
        "CapabilityBoundingSet",
        "ConfigurationDirectory",
        "Description",
        "Documentation",
        "EnvironmentFile",
        "ExecStart",
        "ReadWritePaths",
        "StateDirectory",
    ];
    let settings = routed.lines().filter(|line| !line.starts_with('#'));
    for setting in settings.filter(|line| line.contains('=')) {
        let key = setting.split('=').next().unwrap();
        let is_same = policy.lines().any(|line| line == setting);
        assert!(is_same || of_each.contains(&key), "{setting}");
    }
    assert!(policy.contains("\nCapabilityBoundingSet=CAP_NET_ADMIN\n"));
}

#[test]
fn archive_of_the_same_files_has_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let archives = ["a", "another/folder"].map(|name| {
        let parent = folder.path().join(name);
        fs::create_dir_all(parent.join("flatland")).unwrap();
        for (index, name) in ["b", "a"].iter().enumerate() {
            let path = parent.join("flatland").join(name);
            fs::write(&path, *name).unwrap();
            let mode = if parent.ends_with("a") { 0o600 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let time = format!("@{}", 1_700_000_000 + index * parent.as_os_str().len());
            run(Command::new("touch").args(["--date", &time]).arg(&path));
        }
        let archive = parent.join("flatland.tgz");
        let pack = file("conf/packaging/archive.sh");
        run(Command::new(pack)
            .env("SOURCE_DATE_EPOCH", COMMIT_TIME)
            .args([&archive, &parent])
            .arg("flatland"));
        fs::read(archive).unwrap()
    });
    assert!(
        archives[0] == archives[1],
        "a folder, mode or time is in the archive"
    );
}

/// The package of stand-ins for the programs, made in that folder.
fn deb(folder: &Path, umask: &str) -> PathBuf {
    const MAKE: &str = r#"umask "$1" && shift && exec "$@""#;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for program in [
        "flatland",
        "flatland-claim",
        "flatland-ipam",
        "flatland-policy",
        "routed",
    ] {
        fs::write(bin.join(program), program).unwrap();
    }
    let deb = folder.join("flatland.deb");
    run(Command::new("sh")
        .args(["-c", MAKE, "sh", umask])
        .arg(file("conf/packaging/deb.sh"))
        .args([VERSION, "amd64"])
        .args([&bin, &deb])
        .env("SOURCE_DATE_EPOCH", COMMIT_TIME));
    deb
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
