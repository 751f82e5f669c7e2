//! Threads of their own for what may wait, or take long: routes are repaired meanwhile.

use std::future::Future;
use std::io;
use std::thread;

/// The stack, in bytes. A debug build takes more than a quarter of it.
const STACK_SIZE: usize = 1024 * 1024;

/// Runs what `work` makes on a thread that ends with the program.
pub(crate) fn spawn<F: Future>(
    name: &str,
    work: impl FnOnce() -> F + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let run = move || drop(runtime.block_on(async { work().await }));
    let thread = thread::Builder::new().name(name.to_owned());
    thread.stack_size(STACK_SIZE).spawn(run).map(drop)
}
