use super::*;

use std::time::Duration;

use nix::sys::signal::raise;

#[tokio::test]
async fn signal_between_block_and_handlers_is_not_lost() {
    // As in the program that is replaced...
    assert!(!EndSignals::open().unwrap().block().await.unwrap());
    raise(Signal::SIGTERM).unwrap();
    // ... and in the one that replaces it.
    let mut signals = EndSignals::open().unwrap();
    let received = timeout(Duration::from_secs(5), signals.recv()).await;
    assert_eq!(received, Ok("SIGTERM"));
    // One that came to the handlers before they are gone counts, too.
    raise(Signal::SIGINT).unwrap();
    assert!(signals.block().await.unwrap());
    both().thread_unblock().unwrap();
}
