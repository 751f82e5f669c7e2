//! Taking interfaces away without waiting for the kernel.
//!
//! To destroy one veth pair the kernel waits 12 to 25 ms for everybody who could still be looking at
//! it, under the lock that every other change of the network needs; to destroy twenty of them in
//! one request it waits once. So DEL takes an interface down, which takes its routes and neighbours
//! away at once, and puts it into a group; the pod's end gets another name as well, as the pod may
//! have an interface of that name again. The group is destroyed a moment later, by a process of ours
//! that no runtime waits for, and by whoever else comes across it: GC, an ADD that needs the name,
//! `routed`. Often the pod's namespace has gone by then and has taken its pair with it.

use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use wire::REMOVED_GROUP;
use wire::file_lock::{self, FileLock};
use wire::netlink::{self, Link, LinkChange, Request, Socket};

/// What we call ourselves with to destroy the group.
const HELPER_ARGUMENT: &str = "destroy-removed";

/// How long the group gathers interfaces: much longer than a pod's namespace takes to go after DEL,
/// and much shorter than anybody minds.
const GATHER_TIME: Duration = Duration::from_millis(200);

/// Held while the group gathers. No network can have this name, as none starts with a dot.
const FOLDER: &str = "/run/flatland";
const LOCK: &str = ".removed.lock";

/// Takes a host end out of use: nothing reaches it or leaves it any more.
pub(crate) fn disable(socket: &mut Socket, link: &Link) -> Result<(), netlink::Error> {
    // What cannot be put away is destroyed here and now.
    move_to_group(socket, link.index).or_else(|_| delete(socket, link.index))
}

/// Takes a pod's end out of use, and out of the pod's sight: its name is free.
pub(crate) fn hide(socket: &mut Socket, link: &Link) -> Result<(), netlink::Error> {
    ignore_gone(socket.apply_all(&hide_requests(link.index)))
}

/// Undoes the making of a link: destroys it here and now, or, where the kernel does not let us,
/// takes it out of use. If that fails as well, the error is that of the destruction, and whatever
/// was routed to the link may be still.
pub(crate) fn delete_now(socket: &mut Socket, link: u32) -> Result<(), netlink::Error> {
    delete(socket, link).or_else(|failure| {
        move_to_group(socket, link).map_err(|_| failure)?;
        // Nothing leads to it any more; whoever needs its name in the pod destroys it otherwise.
        let _ = destroy_soon(socket);
        Ok(())
    })
}

fn move_to_group(socket: &mut Socket, link: u32) -> Result<(), netlink::Error> {
    ignore_gone(socket.apply_all(&[add_to_group(link)]))
}

fn delete(socket: &mut Socket, link: u32) -> Result<(), netlink::Error> {
    ignore_gone(socket.apply_all(&[Request::DelLink { index: link }]))
}

/// The namespace may have gone while we looked, and have taken the pair with it.
fn ignore_gone(outcome: Result<(), netlink::Error>) -> Result<(), netlink::Error> {
    match outcome {
        Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
        outcome => outcome,
    }
}

/// It keeps its name: the kernel waits for everybody who could be looking for the old one
/// (`dev_change_name`), which takes longer than all the rest of a DEL does.
fn add_to_group(index: u32) -> Request {
    Request::ChangeLink {
        index,
        change: LinkChange {
            up: Some(false),
            group: Some(REMOVED_GROUP),
            ..LinkChange::default()
        },
    }
}

/// Down first: kernels before 6.2 rename only what is down.
fn hide_requests(index: u32) -> [Request; 2] {
    let renamed = LinkChange {
        name: Some(format!("flatx{index}")),
        ..LinkChange::default()
    };
    [
        add_to_group(index),
        Request::ChangeLink {
            index,
            change: renamed,
        },
    ]
}

/// Destroys what has been withdrawn, if there is anything, and waits for it.
pub(crate) fn destroy(socket: &mut Socket) -> Result<(), netlink::Error> {
    let request = Request::DelLinkGroup {
        group: REMOVED_GROUP,
    };
    match socket.apply_all(&[request]) {
        Err(error) if error.errno() == Some(Errno::ENODEV) => Ok(()),
        outcome => outcome,
    }
}

/// Sees to it that what has been withdrawn is destroyed soon, and does not wait for it unless there
/// is no other way.
pub(crate) fn destroy_soon(socket: &mut Socket) -> Result<(), netlink::Error> {
    // The lock is free again before the process is started, which takes it itself.
    let gathering = try_lock().map(|lock| lock.is_none());
    // What they destroy afterwards includes what was withdrawn before now.
    if gathering.is_ok_and(|gathering| gathering) || spawn_helper().is_ok() {
        return Ok(());
    }
    destroy(socket)
}

/// The lock, unless somebody has it.
fn try_lock() -> io::Result<Option<FileLock>> {
    fs::create_dir_all(FOLDER)?;
    FileLock::try_lock(file_lock::open(&Path::new(FOLDER).join(LOCK), 0o644)?)
}

/// Starts the process that destroys the group: with nothing of ours that anybody could wait for,
/// and in a process group of its own, so that it outlives whoever ends the runtime's.
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

/// Whether this is the process that destroys the group.
pub(crate) fn is_helper_call() -> bool {
    env::var_os("CNI_COMMAND").is_none()
        && env::args_os()
            .nth(1)
            .is_some_and(|word| word == HELPER_ARGUMENT)
}

/// What that process does: gathers for a while, and destroys.
pub(crate) fn run() -> ExitCode {
    let Ok(Some(gathering)) = try_lock() else {
        return ExitCode::SUCCESS;
    };
    thread::sleep(GATHER_TIME);
    // Whoever withdraws from here on starts another one.
    drop(gathering);
    match Socket::open().and_then(|mut socket| destroy(&mut socket)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_down_before_it_gives_up_its_name() {
        assert_eq!(
            hide_requests(9).map(|request| request.to_string()),
            [
                "ip link set if9 down group 1718378868",
                "ip link set if9 name flatx9",
            ]
        );
    }
}
