//! Deferred deletion of veth pairs: DEL does not wait for the kernel.
//!
//! To delete one veth pair the kernel waits 12 to 25 ms for an RCU grace period, under the RTNL
//! lock that all other network changes need; for twenty pairs in one request it waits once. So DEL
//! takes the link down, which removes its routes and neighbours at once, and moves it to a device
//! group; the pod's end is renamed too, as the pod may get an interface of that name again. A
//! helper process that no runtime waits for deletes the group shortly afterwards; so do GC, an ADD
//! that needs the name, and `routed`. Often the pod's namespace is gone by then, and the pair with
//! it.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use nix::errno::Errno;
use wire::REMOVED_GROUP;
use wire::file_lock::{self, FileLock};
use wire::netlink::{self, Link, LinkChange, NetlinkRequest, NetlinkSocket};
use wire::paths::{RUN_DIR, make_folder};

use crate::timeouts::DEFERRED_DELETE_GATHER_TIME;

/// The argument of the helper process that deletes the group.
const HELPER_ARGUMENT: &str = "destroy-removed";

/// The lock that the helper holds while it gathers. It cannot collide with the folder of a network,
/// as no network name starts with a dot. Versions before 0.2 have `.removed.lock`, which every user
/// may lock; two helpers at a time, one of each version, do no harm.
const LOCK: &str = ".destroy.lock";

/// Takes a host end out of use: it passes no packets any more.
pub(crate) fn disable(socket: &mut NetlinkSocket, link: &Link) -> Result<(), netlink::Error> {
    // A link that cannot be moved to the group is deleted at once.
    move_to_group(socket, link.index).or_else(|_| delete(socket, link.index))
}

/// Takes a pod's end out of use and renames it, so that its name is free.
pub(crate) fn hide(socket: &mut NetlinkSocket, link: &Link) -> Result<(), netlink::Error> {
    ignore_gone(socket.apply_all(&hide_requests(link.index)))
}

/// Rolls back the creation of a link: deletes it at once or, if that fails, takes it out of use. If
/// that fails as well, the error is that of the deletion, and routes to the link may remain.
pub(crate) fn delete_now(socket: &mut NetlinkSocket, link: u32) -> Result<(), netlink::Error> {
    delete(socket, link).or_else(|failure| {
        move_to_group(socket, link).map_err(|_| failure)?;
        // No route leads to it any more. If this fails, the ADD that needs its name deletes it.
        let _ = destroy_soon(socket);
        Ok(())
    })
}

fn move_to_group(socket: &mut NetlinkSocket, link: u32) -> Result<(), netlink::Error> {
    ignore_gone(socket.apply_all(&[add_to_group(link)]))
}

fn delete(socket: &mut NetlinkSocket, link: u32) -> Result<(), netlink::Error> {
    ignore_gone(socket.apply_all(&[NetlinkRequest::DelLink { index: link }]))
}

/// The namespace may be gone meanwhile, and the pair with it.
fn ignore_gone(outcome: Result<(), netlink::Error>) -> Result<(), netlink::Error> {
    match outcome {
        Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
        outcome => outcome,
    }
}

/// It keeps its name: renaming waits for an RCU grace period (`dev_change_name`), which takes
/// longer than the rest of DEL.
fn add_to_group(index: u32) -> NetlinkRequest {
    NetlinkRequest::ChangeLink {
        index,
        change: LinkChange {
            up: Some(false),
            group: Some(REMOVED_GROUP),
            ..LinkChange::default()
        },
    }
}

/// Down first: kernels before 6.2 rename only links that are down.
fn hide_requests(index: u32) -> [NetlinkRequest; 2] {
    let renamed = LinkChange {
        name: Some(format!("flatx{index}")),
        ..LinkChange::default()
    };
    [
        add_to_group(index),
        NetlinkRequest::ChangeLink {
            index,
            change: renamed,
        },
    ]
}

/// Deletes the group, if it has links, and waits for it.
pub(crate) fn destroy(socket: &mut NetlinkSocket) -> Result<(), netlink::Error> {
    let request = NetlinkRequest::DelLinkGroup {
        group: REMOVED_GROUP,
    };
    ignore_gone(socket.apply_all(&[request]))
}

/// Has the group deleted soon by a helper process, or deletes it and waits if none can be started.
pub(crate) fn destroy_soon(socket: &mut NetlinkSocket) -> Result<(), netlink::Error> {
    // The lock is released again before the helper starts, which takes it itself.
    let is_gathering = try_lock().is_ok_and(|lock| lock.is_none());
    // A helper that is still gathering will delete our links too.
    if is_gathering || spawn_helper().is_ok() {
        return Ok(());
    }
    destroy(socket)
}

/// The lock; `None` while a helper holds it.
fn try_lock() -> io::Result<Option<FileLock>> {
    let folder = Path::new(RUN_DIR);
    make_folder(folder)?;
    FileLock::try_lock(file_lock::open(&folder.join(LOCK))?)
}

/// Starts the helper process: without our open files, which a runtime could wait for, and in a new
/// process group, so that it survives the end of the runtime's.
fn spawn_helper() -> io::Result<()> {
    Command::new("/proc/self/exe")
        .arg(HELPER_ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map(drop)
}

/// Whether this is the helper process.
pub(crate) fn is_helper_call() -> bool {
    env::var_os("CNI_COMMAND").is_none()
        && env::args_os()
            .nth(1)
            .is_some_and(|argument| argument == HELPER_ARGUMENT)
}

/// The helper process: gathers links for a while and deletes the group.
pub(crate) fn run() -> ExitCode {
    let Ok(Some(lock)) = try_lock() else {
        return ExitCode::SUCCESS;
    };
    thread::sleep(DEFERRED_DELETE_GATHER_TIME);
    // A DEL from here on starts another helper.
    drop(lock);
    match NetlinkSocket::open().and_then(|mut socket| destroy(&mut socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests;
