//! Users of a node who are not root, and what they can lock or open.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;
use nix::unistd::Uid;
use serde_json::json;
use wire::cni::Attachment;
use wire::netns::Netns;
use wire::pod_link::host_interface_name;

const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";

const OTHER_USER: [&str; 4] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

/// Locks everything below our folders that can be opened, and keeps the locks.
const LOCK_ALL: &str = "for path in $(find /run/flatland /var/lib/flatland); do
        [ -p $path ] && continue
        flock --nonblock --no-fork $path sh -c \"echo locked $path.; exec sleep 1d\" &
    done
    wait";

/// Starts [`LOCK_ALL`] as a user who is not root, and waits until these paths are locked.
fn lock_all(node: &Node, log: &str, paths: &[&str]) -> Result {
    let command = [&OTHER_USER[..], &["bash", "-c", LOCK_ALL]].concat();
    let holder = node.spawn(log, None, &command)?;
    wait_until("locks of another user", DEADLINE, || {
        let log = holder.log();
        let is_locked = |path: &&str| log.contains(&format!("locked {path}."));
        paths.iter().all(is_locked)
    })
}

#[test]
fn locks_of_another_user_stop_neither_pods_nor_routed() -> Result {
    if !Uid::effective().is_root() {
        eprintln!("left out: there is no other user");
        return Ok(());
    }
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    // What a version with locks for everybody has left.
    let old = "mkdir -p /run/flatland/flatland && cd /run/flatland && \
               touch routed.lock .removed.lock && chmod 644 routed.lock .removed.lock";
    node.run(&["sh", "-c", old])?;
    let left = [
        "/run/flatland/flatland",
        "/run/flatland/routed.lock",
        "/run/flatland/.removed.lock",
    ];
    lock_all(node, "before", &left)?;

    node.start_routed()?;
    node.wait_log("of another user has locked /run/flatland/routed.lock")?;
    let doctor = node.routed_command(&["doctor", "--conflist", CONFLIST])?;
    for path in ["/run/flatland/routed.lock", "/run/flatland/flatland"] {
        let text = format!("of another user has locked {path}\n");
        assert!(doctor.stdout.contains(&text), "{}", doctor.stdout);
    }
    let pod = node.add_pod("a")?;
    let made = [
        "/run/flatland/flatland/addresses",
        "/var/lib/flatland/flatland/subnets.json",
    ];
    lock_all(node, "after", &made)?;
    let host_end = host_interface_name(
        "flatland",
        &Attachment::new(pod.target().container_id, "eth0").expect("valid"),
    );
    pod.delete()?;
    wait_until("end of the interface", DEADLINE, || {
        node.run(&["ip", "link", "show", &host_end]).is_err()
    })?;
    node.add_pod("b")?.delete()?;
    node.routed_command(&["status"])?.success()?;

    // A second daemon is refused by the first, and not by the other user.
    let second = node.routed_command(&["run", "--conflist", CONFLIST])?;
    let holder = "which holds /run/flatland/.routed.lock";
    assert!(second.stderr.contains(holder), "{}", second.stderr);
    node.end_routed(Signal::SIGTERM)?;
    node.start_routed()
}

#[test]
fn routed_of_an_older_version_is_respected() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    node.run(&["mkdir", "-p", "/run/flatland"])?;
    let old = "exec flock /run/flatland/routed.lock sh -c 'echo locked; read forever'";
    let holder = node.spawn("old", None, &["sh", "-c", old])?;
    wait_until("the old lock", DEADLINE, || holder.log().contains("locked"))?;
    let refused = node.routed_command(&["run", "--conflist", CONFLIST])?;
    let text = "another routed runs on this node";
    assert!(refused.stderr.contains(text), "{}", refused.stderr);
    assert!(refused.stderr.contains("/run/flatland/routed.lock"));
    holder.end(Signal::SIGKILL)
}

#[test]
fn socket_of_another_user_stops_no_add() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let pod = node.sandbox("a")?;
    let container = pod.target().container_id.to_owned();
    let attachment = Attachment::new(&container, "eth0").expect("valid");
    let name = format!(
        "flatland/making/{}",
        host_interface_name("flatland", &attachment)
    );
    let netns = Netns::open(&PathBuf::from(format!("/proc/{}/ns/net", node.pid())));
    let bind =
        || SocketAddr::from_abstract_name(&name).and_then(|name| UnixDatagram::bind_addr(&name));
    let socket = netns
        .and_then(|netns| netns.run(bind))
        .expect("the node's namespace");
    assert!(socket.is_ok(), "{socket:?}");
    let mut pod = pod;
    pod.attach()?;
    pod.delete()
}

#[test]
fn files_are_writable_for_root_only_whatever_the_umask() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    let run =
        "umask 0; exec /opt/flatland/routed run --conflist /etc/flatland/10-flatland.conflist";
    let routed = node.spawn("routed", None, &["sh", "-c", run])?;
    wait_until("conflist", DEADLINE, || node.ready())?;
    node.add_pod("a")?.delete()?;
    let pod = node.add_pod("b")?;
    for wrong in [
        "-perm /022 ! -type l",
        "-name *lock ! -perm 600",
        "-name *.sock ! -perm 600",
    ] {
        let find = format!("set -f; find /run/flatland /var/lib/flatland {wrong}");
        assert_eq!(node.run(&["sh", "-c", &find])?, "", "{wrong}");
    }
    pod.delete()?;
    routed.end(Signal::SIGTERM)
}

#[test]
fn network_is_not_called_like_a_file_of_ours() -> Result {
    let mut lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    for name in ["routed.lock", "routed.sock"] {
        let mut conflist = lab.conflist();
        conflist["name"] = json!(name);
        lab.node_mut(1).set_conflist(&conflist)?;
        let doctor = lab
            .node(1)
            .routed_command(&["doctor", "--conflist", CONFLIST])?;
        let text = format!("network name \"{name}\" is the name of a file of Flatland");
        let output = format!("{}{}", doctor.stdout, doctor.stderr);
        assert!(output.contains(&text), "{output}");
    }
    Ok(())
}
