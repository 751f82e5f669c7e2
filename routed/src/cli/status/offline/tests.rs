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
    assert!(!text.contains("policy"), "{text}");
    let nothing = Offline::default().render(Terminal::PIPE);
    assert!(nothing.starts_with("routed does not run on this node\n"));
}

#[test]
fn offline_status_says_that_no_program_enforces_policies() {
    let policy = PolicyStatus {
        running: Some(false),
        why: None,
        ready: true,
    };
    let offline = Offline {
        policy: Some(policy),
        ..Offline::default()
    };
    let text = offline.render(Terminal::PIPE);
    let line = "\n  policy     flatland-policy is not running: running pods keep their rules";
    assert!(text.contains(line), "{text}");
}
