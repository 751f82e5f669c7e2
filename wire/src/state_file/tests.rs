use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;

#[test]
fn only_regular_files_up_to_the_limit_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), b"12345").unwrap();
    fs::create_dir(path("folder")).unwrap();
    nix::unistd::mkfifo(&path("fifo"), Mode::S_IRWXU).unwrap();
    symlink(path("file"), path("link")).unwrap();
    symlink("/dev/zero", path("zero")).unwrap();
    let sparse = File::create(path("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let _socket = UnixListener::bind(path("socket")).unwrap();

    assert_eq!(read(&path("file"), 5).unwrap(), b"12345");
    assert_eq!(read_linked(&path("link"), 5).unwrap(), b"12345");
    let missing = read(&path("missing"), 5).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    for name in ["file", "sparse"] {
        let error = read(&path(name), 4).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 4 bytes", "{name}");
        assert!(!is_irregular(&error));
    }
    for name in ["folder", "fifo", "link", "zero", "socket"] {
        let error = read(&path(name), 5).unwrap_err();
        assert!(is_irregular(&error), "{name}: {error}");
        let written = open(&path(name), OpenOptions::new().append(true));
        assert!(is_irregular(&written.unwrap_err()), "{name}");
    }
    for name in ["folder", "fifo", "zero", "socket"] {
        let error = read_linked(&path(name), 5).unwrap_err();
        assert_eq!(error.to_string(), "it is not a regular file", "{name}");
    }
}
