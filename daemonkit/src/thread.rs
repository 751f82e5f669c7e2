//! Threads for work that may block or take long, so that it does not delay an event loop.

use std::future::Future;
use std::io;
use std::thread;

/// The stack size in bytes. A debug build needs more than a quarter of it.
const STACK_SIZE: usize = 1024 * 1024;

/// Runs the future that `work` makes on a thread that ends with the process.
pub fn spawn<F: Future>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || drop(runtime.block_on(async { work().await }));
    let thread = thread::Builder::new().name(name.to_owned());
    thread.stack_size(STACK_SIZE).spawn(run).map(drop)
}
