use super::*;

#[test]
fn offline_status_shows_what_could_be_read() {
    let offline = Offline {
        network: Some("flatland".into()),
        routes: Some(3),
        ..Offline::default()
    };
    let text = offline.render(Terminal::PIPE);
    assert!(
        text.starts_with("network flatland: routed does not run"),
        "{text}"
    );
    assert!(text.contains("\n  routes     3 in the kernel;"), "{text}");
    assert!(
        text.contains("\n  conflist   none in /etc/cni/net.d:"),
        "{text}"
    );
    let nothing = Offline::default().render(Terminal::PIPE);
    assert!(nothing.starts_with("routed does not run on this node\n"));
}
