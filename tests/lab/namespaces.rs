//! The processes that hold a lab's namespaces, and entering them. Each of these runs as a fresh
//! process with one thread, which is what changing the user and mount namespace takes.

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

/// What a holder prints once its namespaces are as they should be.
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

/// `lab pid1`: everything of a lab lives as long as this.
pub fn pid1(keep: bool) -> Result {
    make_private()?;
    mount_proc(Path::new("/proc"))?;
    no_dad()?;
    // Orphans of everything in the lab come here.
    thread::spawn(|| {
        loop {
            if wait().is_err() {
                thread::park_timeout(Duration::from_millis(50));
            }
        }
    });
    hold(keep)
}

/// `lab machine`: the namespaces of one machine, which joins the lab it is started in.
pub fn machine(name: &str, plugins: Option<&Path>, keep: bool) -> Result {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS)
        .doing("making the machine's namespaces")?;
    make_private()?;
    nix::unistd::sethostname(name).doing("setting the host name")?;
    rootfs::compose(name, plugins)?;
    no_dad()?;
    inherit_nothing()?;
    hold(keep)
}

/// Addresses are usable at once: nobody else can have them here.
fn no_dad() -> Result {
    let setting = "/proc/sys/net/ipv6/conf/default/accept_dad";
    fs::write(setting, "0").doing(setting)
}

/// A machine starts as one that forwards nothing and has no opinion on where packets come from,
/// whatever the caller's has: the kernel lets IPv4 inherit the caller's settings
/// (`net.core.devconf_inherit_init_net`).
fn inherit_nothing() -> Result {
    for setting in ["ip_forward", "conf/all/rp_filter", "conf/default/rp_filter"] {
        let setting = format!("/proc/sys/net/ipv4/{setting}");
        fs::write(&setting, "0").doing(setting)?;
    }
    Ok(())
}

/// Says that all is ready and stays until nobody holds the other end of standard input; with
/// `keep`, until killed.
fn hold(keep: bool) -> Result {
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}")
        .and_then(|()| stdout.flush())
        .doing("saying ready")?;
    if keep {
        loop {
            pause();
        }
    }
    io::copy(&mut io::stdin().lock(), &mut io::sink())
        .map(drop)
        .doing("waiting for the end")
}

/// `lab enter`: runs a command where process `target` is, with one more network namespace on top
/// if one is given, and ends as it ends.
pub fn enter(target: u32, netns: Option<&Path>, command: &[OsString]) -> Result<ExitStatus> {
    // The mount namespace last: the files of the others are reached through the caller's /proc.
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
    // The pid namespace is that of children only, so this process stays to wait for one.
    Command::new(program)
        .args(arguments)
        .current_dir("/")
        .status()
        .doing(program.to_string_lossy())
}

/// The status a shell would give for a child that ended like this.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Starts a holder and waits until its namespaces are there. Its standard input is what keeps it.
pub(crate) fn start_holder(mut command: Command) -> Result<std::process::Child> {
    let what = format!("{command:?}");
    // Not our own standard error: a lab that is kept would hold it open for ever.
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

/// The one child of a process that runs exactly one.
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

/// The `lab` binary that belongs to the running test or is itself running.
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
