use super::*;

fn presence(session: &str, address: &str) -> PresenceView {
    PresenceView {
        revision: 7,
        session: Some(session.to_owned()),
        address: address.parse().ok(),
    }
}

#[test]
fn session_is_the_same_until_the_folder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let first = Session::load(folder.path()).unwrap();
    assert_eq!(Session::load(folder.path()).unwrap().id(), first.id());
    first.mark_held().unwrap();
    let again = Session::load(folder.path()).unwrap();
    assert!(again.has_held.load(Ordering::Relaxed) && again.addresses.is_empty());

    let path = folder.path().join(FILE);
    fs::remove_file(&path).unwrap();
    first.mark_held().unwrap();
    assert_eq!(Session::load(folder.path()).unwrap().id(), first.id());
    fs::write(&path, "{").unwrap();
    assert_ne!(Session::load(folder.path()).unwrap().id(), first.id());
}

#[test]
fn presence_of_another_session_is_not_own() {
    let [here, there] = ["192.168.1.11", "192.168.1.12"];
    let own: IpAddr = here.parse().unwrap();
    for (has_held, shown, theirs, expected) in [
        (false, None, presence("a", here), true),
        (true, None, presence("a", there), true),
        (true, Some(here), presence("a", here), true),
        // A copy of the running machine.
        (true, Some(here), presence("a", there), false),
        // A reboot, and a clone.
        (false, None, presence("b", here), true),
        (false, None, presence("b", there), false),
        (true, None, presence("b", here), false),
    ] {
        let session = Session::new("a", has_held, vec![own]);
        if let Some(shown) = shown {
            session.mark_shown(shown.parse().ok());
        }
        assert_eq!(session.is_own(&theirs), expected, "{theirs:?} {has_held}");
    }
}
