//! A machine's root file system: the caller's programs, with separate writable folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;

use crate::Result;
use crate::command::unpacked;
use crate::error::Doing;
use crate::namespaces::mount_proc;

/// A mount point that is covered in the machine's own mount namespace only.
const NEW_ROOT: &str = "/mnt";

/// Folders that each machine has for itself.
const OWN_FOLDERS: [&str; 18] = [
    "etc",
    "run",
    "tmp",
    "root",
    "proc",
    "sys",
    "dev",
    "old",
    "usr",
    "opt/cni/bin",
    "opt/flatland",
    "opt/runtimes",
    "opt/firewalld",
    "etc/cni/net.d",
    "etc/flatland",
    "var/lib",
    "var/log",
    "var/tmp",
];

/// Folders of programs besides /usr: links into it, or folders on an older system.
const PROGRAMS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Files that programs expect in /etc, shared read-only if the caller has them.
const SHARED_ETC: [&str; 10] = [
    "alternatives",
    "group",
    "iproute2",
    "ld.so.cache",
    "nsswitch.conf",
    "passwd",
    "protocols",
    "services",
    "ssl",
    "localtime",
];

/// Builds the root of the machine called `name` and makes it the root of the calling process.
/// `plugins` is a folder of the caller that is mounted read-only as the folder of CNI plugins.
pub fn compose(name: &str, plugins: Option<&Path>) -> Result {
    let root = Path::new(NEW_ROOT);
    let tmpfs = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), root, Some("tmpfs"), tmpfs, Some("mode=755"))
        .doing("mounting the root")?;
    for folder in OWN_FOLDERS {
        let path = root.join(folder);
        fs::create_dir_all(&path).doing(path.display())?;
    }
    share(Path::new("/usr"), &root.join("usr"), true)?;
    for folder in PROGRAMS {
        let (theirs, ours) = (Path::new("/").join(folder), root.join(folder));
        if let Ok(target) = fs::read_link(&theirs) {
            symlink(target, &ours).doing(ours.display())?;
        } else if theirs.is_dir() {
            fs::create_dir(&ours).doing(ours.display())?;
            share(&theirs, &ours, true)?;
        }
    }
    compose_etc(name, &root.join("etc"))?;
    for tool in ["runtimes", "firewalld"] {
        let theirs = unpacked(tool);
        if theirs.is_dir() {
            share(&theirs, &root.join("opt").join(tool), true)?;
        }
    }
    if let Some(plugins) = plugins {
        share(plugins, &root.join("opt/cni/bin"), true)?;
    }
    share(Path::new("/dev"), &root.join("dev"), false)?;
    mount_proc(&root.join("proc"))?;
    let sys = root.join("sys");
    // Mounted twice, one over the other: `ip netns exec` unmounts the upper one to mount the pod's,
    // which the kernel allows in a user namespace only if another one is still visible
    // (mount_too_revealing() in fs/namespace.c).
    mount_sys(&sys)?;
    mount_sys(&sys)?;

    pivot_root(root, &root.join("old")).doing("changing the root")?;
    std::env::set_current_dir("/").doing("entering the new root")?;
    umount2("/old", MntFlags::MNT_DETACH).doing("leaving the old root")
}

fn mount_sys(sys: &Path) -> Result {
    // A container that hides parts of /sys may not mount a new one.
    mount(
        Some("sysfs"),
        sys,
        Some("sysfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .or_else(|_| share(Path::new("/sys"), sys, false))
}

fn compose_etc(name: &str, etc: &Path) -> Result {
    for entry in SHARED_ETC {
        let (theirs, ours) = (Path::new("/etc").join(entry), etc.join(entry));
        if theirs.is_dir() {
            fs::create_dir(&ours).doing(ours.display())?;
            share(&theirs, &ours, true)?;
        } else if theirs.is_file() {
            fs::copy(&theirs, &ours).doing(ours.display())?;
        }
    }
    // A unique machine id in the lab: 32 hex digits (machine-id(5)).
    let number = name
        .bytes()
        .fold(0_u128, |number, byte| number << 8 | u128::from(byte));
    fs::write(etc.join("machine-id"), format!("{number:032x}\n")).doing("writing machine-id")?;
    fs::write(etc.join("hostname"), format!("{name}\n")).doing("writing hostname")?;
    fs::write(
        etc.join("hosts"),
        format!("127.0.0.1 localhost {name}\n::1 localhost {name}\n"),
    )
    .doing("writing hosts")
}

/// Bind-mounts `from` at `to`, with all mounts below it.
fn share(from: &Path, to: &Path, read_only: bool) -> Result {
    let none = None::<&str>;
    mount(
        Some(from),
        to,
        none,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        none,
    )
    .doing(from.display())?;
    if read_only {
        // In a user namespace, a remount must keep the flags that the mount already has.
        let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        let now = statvfs(to).doing(to.display())?.flags();
        for (is, keep) in [
            (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
            (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
            (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
            (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        ] {
            if now.contains(is) {
                flags |= keep;
            }
        }
        mount(none, to, none, flags, none).doing(format!("making {} read-only", to.display()))?;
    }
    Ok(())
}
