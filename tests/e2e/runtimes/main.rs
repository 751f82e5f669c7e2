//! The shipped conflist with real container runtimes: Debian's containerd and podman.

mod containerd;
mod podman;
mod support;
