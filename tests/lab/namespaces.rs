//! The processes that hold a lab's namespaces, and entering them. Each is a fresh process with one
//! thread, as the kernel requires for changing the user and mount namespace.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::wait::wait;
use nix::unistd::{Gid, Uid, pause};

use crate::error::Doing;
use crate::{Error, Result, rootfs};

/// A holder prints this when its namespaces are ready.
pub(crate) const READY: &str = "ready";

/// `lab init`: makes the namespaces of a lab and starts its pid 1 in them.
pub fn init(keep: bool) -> Result<ExitStatus> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID;
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if !uid.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).doing(
        "making namespaces (as root, or where unprivileged user namespaces are allowed: \
         sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
    )?;
    if !uid.is_root() {
        let map = |file: &str, text: String| {
            fs::write(format!("/proc/self/{file}"), text).doing(format!("writing {file}"))
        };
        map("setgroups", "deny".to_owned())?;
        map("uid_map", format!("0 {uid} 1"))?;
        map("gid_map", format!("0 {gid} 1"))?;
    }
    let mut pid1 = Command::new(own_path()?);
    pid1.arg("pid1").args(keep.then_some("--keep"));
    pid1.status().doing("starting the lab's pid 1")
}

/// `lab pid1`: everything in a lab ends with this process.
pub fn pid1(keep: bool) -> Result {
    make_private()?;
    mount_proc(Path::new("/proc"))?;
    disable_dad()?;
    // Orphaned processes of the lab become children of this one and must be reaped.
    thread::spawn(|| {
        loop {
            if wait().is_err() {
                thread::park_timeout(Duration::from_millis(50));
            }
        }
    });
    hold(keep)
}

/// `lab machine`: makes the namespaces of one machine in the lab that it is started in.
pub fn machine(name: &str, plugins: Option<&Path>, keep: bool) -> Result {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS)
        .doing("making the machine's namespaces")?;
    make_private()?;
    nix::unistd::sethostname(name).doing("setting the host name")?;
    rootfs::compose(name, plugins)?;
    disable_dad()?;
    reset_sysctls()?;
    hold(keep)
}

/// Turns off duplicate address detection, so that addresses are usable at once: they are unique
/// here.
fn disable_dad() -> Result {
    let setting = "/proc/sys/net/ipv6/conf/default/accept_dad";
    fs::write(setting, "0").doing(setting)
}

/// A machine starts without forwarding and without `rp_filter`, whatever the caller's settings
/// are: the kernel lets IPv4 inherit them (`net.core.devconf_inherit_init_net`).
fn reset_sysctls() -> Result {
    for setting in ["ip_forward", "conf/all/rp_filter", "conf/default/rp_filter"] {
        let setting = format!("/proc/sys/net/ipv4/{setting}");
        fs::write(&setting, "0").doing(setting)?;
    }
    Ok(())
}

/// Prints [`READY`] and waits until standard input is closed; with `keep`, until killed.
fn hold(keep: bool) -> Result {
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}")
        .and_then(|()| stdout.flush())
        .doing("printing ready")?;
    if keep {
        loop {
            pause();
        }
    }
    io::copy(&mut io::stdin().lock(), &mut io::sink())
        .map(drop)
        .doing("waiting for the end")
}

/// `lab enter`: runs a command in the namespaces of process `target`, and in the network namespace
/// at `netns` if given, and exits with the command's status.
pub fn enter(target: u32, netns: Option<&Path>, command: &[OsString]) -> Result<ExitStatus> {
    // Enter the mount namespace last: the other namespaces' files are opened through the caller's
    // /proc.
    let mut open = Vec::new();
    for (kind, flag) in [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("net", CloneFlags::CLONE_NEWNET),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ] {
        let theirs = format!("/proc/{target}/ns/{kind}");
        if fs::read_link(&theirs).ok() != fs::read_link(format!("/proc/self/ns/{kind}")).ok() {
            open.push((File::open(&theirs).doing(&theirs)?, flag));
        }
    }
    for (file, flag) in &open {
        setns(file, *flag).doing(format!("entering the namespaces of process {target}"))?;
    }
    if let Some(path) = netns {
        let file = File::open(path).doing(path.display())?;
        setns(file, CloneFlags::CLONE_NEWNET).doing(path.display())?;
    }
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| Error::new("no command given"))?;
    // A pid namespace is entered by children only, so this process starts one and waits for it.
    Command::new(program)
        .args(arguments)
        .current_dir("/")
        .status()
        .doing(program.to_string_lossy())
}

/// The exit status that a shell would report for this child.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Starts a holder and waits until its namespaces are ready. The holder ends when its standard
/// input is closed.
pub(crate) fn start_holder(mut command: Command) -> Result<std::process::Child> {
    let what = format!("{command:?}");
    // Do not pass on our standard error: a kept lab would hold it open for ever.
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().doing(&what)?;
    let mut word = [0; READY.len()];
    let stdout = child.stdout.as_mut();
    let ready = stdout.map(|pipe| pipe.read_exact(&mut word));
    if !matches!(ready, Some(Ok(()))) || word != *READY.as_bytes() {
        let output = child.wait_with_output().doing(&what)?;
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Error::new(format!(
            "{what}: {}: {}",
            output.status,
            words.trim()
        )));
    }
    Ok(child)
}

/// The child of a process that has exactly one.
pub(crate) fn child_of(parent: u32) -> Result<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    crate::wait_for(
        format!("child of process {parent}"),
        crate::DEADLINE,
        || {
            fs::read_to_string(&path)
                .ok()?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        },
    )
}

/// The `lab` binary: the running program, or the one built with the running test.
pub(crate) fn own_path() -> Result<PathBuf> {
    let own = std::env::current_exe().doing("finding the lab binary")?;
    if own.file_name() == Some("lab".as_ref()) {
        return Ok(own);
    }
    crate::command::program_under_test("lab")
}

fn make_private() -> Result {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .doing("making mounts private")
}

/// Mounts the /proc of the caller's pid namespace.
pub(crate) fn mount_proc(at: &Path) -> Result {
    mount(
        Some("proc"),
        at,
        Some("proc"),
        MsFlags::empty(),
        None::<&str>,
    )
    .doing("mounting /proc")
}
