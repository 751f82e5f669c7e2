//! Network namespaces, against the kernel.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use wire::netns::{Error, Netns};

use crate::support::{ip, joined, netns};

fn own() -> PathBuf {
    fs::read_link("/proc/thread-self/ns/net").unwrap()
}

fn refusal(path: &Path) -> String {
    Netns::open(path).unwrap_err().to_string()
}

#[test]
fn work_runs_inside_and_caller_does_not_move() {
    let namespace = netns();
    let before = own();

    let inside = namespace.run(own).unwrap();

    assert_eq!(
        inside,
        PathBuf::from(format!("net:[{}]", namespace.inode()))
    );
    assert_ne!(inside, before);
    assert_eq!(own(), before);
}

#[test]
fn panic_inside_reaches_the_caller() {
    let namespace = netns();
    let before = own();

    let panic = catch_unwind(AssertUnwindSafe(|| namespace.run(|| panic!("inside")))).unwrap_err();

    assert_eq!(panic.downcast_ref(), Some(&"inside"));
    assert_eq!(own(), before);
}

#[test]
fn socket_belongs_to_the_namespace_it_was_opened_in() {
    let joined = joined();

    let names: Vec<String> = joined
        .pod
        .socket()
        .unwrap()
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();

    assert_eq!(names, ["lo", "eth0"]);
}

#[test]
fn open_namespace_outlives_its_path() {
    let namespace = netns();

    assert!(!namespace.path().exists() || namespace.path().starts_with("/proc"));
    assert!(ip(&namespace, "link show").contains("lo"));
}

#[test]
fn namespace_has_the_same_inode_by_every_path() {
    let namespace = netns();

    let inside = namespace
        .run(|| Netns::open(Path::new("/proc/thread-self/ns/net")))
        .unwrap();

    assert_eq!(inside.unwrap().inode(), namespace.inode());
    assert_ne!(netns().inode(), namespace.inode());
}

#[test]
fn path_that_is_no_network_namespace_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let missing = folder.path().join("missing");

    let text = refusal(folder.path());
    assert_eq!(
        text,
        format!(
            "{} is no network namespace: it is a directory",
            folder.path().display()
        )
    );
    assert!(
        refusal(&file).contains("it is an ordinary file"),
        "{}",
        refusal(&file)
    );
    assert!(
        refusal(&fifo).contains("it is a special file"),
        "{}",
        refusal(&fifo)
    );
    let text = refusal(&missing);
    assert!(text.contains("missing: No such file"), "{text}");
    assert!(matches!(Netns::open(&missing), Err(Error::Open { .. })));
}

/// Bind-mounts `namespace` of the calling thread on a file, in a temporary mount namespace, and runs
/// `test` on it.
fn mounted(namespace: &str, test: impl FnOnce(&Path) + Send) {
    let source = format!("/proc/thread-self/ns/{namespace}");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("mounted");
    fs::write(&target, "").unwrap();
    let isolated = || {
        let nothing = None::<&Path>;
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
        mount(
            nothing,
            "/",
            nothing,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            nothing,
        )
        .unwrap();
        mount(
            Some(Path::new(&source)),
            &target,
            nothing,
            MsFlags::MS_BIND,
            nothing,
        )
        .unwrap();
        test(&target);
    };
    thread::scope(|scope| scope.spawn(isolated).join().unwrap());
}

#[test]
fn bind_mounted_namespace_is_opened() {
    mounted("net", |path| {
        let namespace = Netns::open(path).unwrap();

        assert_eq!(own(), PathBuf::from(format!("net:[{}]", namespace.inode())));
        assert_eq!(namespace.run(own).unwrap(), own());
    });
}

#[test]
fn bind_mounted_other_namespace_is_refused_before_work() {
    mounted("uts", |path| {
        let refusal = Netns::open(path).and_then(|namespace| namespace.run(|| unreachable!()));

        let text = refusal.unwrap_err().to_string();
        let expected = "is no network namespace: it is a namespace of another kind";
        assert_eq!(text, format!("{} {expected}", path.display()));
    });
}

#[test]
fn namespace_of_other_kind_is_refused_and_named() {
    let text = refusal(Path::new("/proc/self/ns/uts"));

    let start = "/proc/self/ns/uts is no network namespace: it is the namespace uts:[";
    assert!(text.starts_with(start), "{text}");
}
