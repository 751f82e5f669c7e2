//! Which machine holds a name, among machines of other ids, clones and reboots.

use std::net::IpAddr;

use super::{OURS, THEIRS, name, view};
use crate::error::Error;
use crate::protocol::{
    Claimant, PresenceView, Registration, RegistryView, hold, may_write_presence,
};
use crate::records::NodeRecord;
use crate::session::Session;

const HERE: &str = "192.168.1.20";
const THERE: &str = "192.168.1.21";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn record(machine: &str, session: Option<&str>, at: &str) -> NodeRecord {
    NodeRecord {
        addresses: vec![address(at)],
        machine_id: machine.to_owned(),
        session: session.map(ToOwned::to_owned),
    }
}

fn presence(session: Option<&str>, at: &str) -> PresenceView {
    PresenceView {
        revision: 9,
        session: session.map(ToOwned::to_owned),
        address: Some(address(at)),
    }
}

fn registration(
    record: Option<&NodeRecord>,
    presence: Option<PresenceView>,
    session: &Session,
    addresses: Option<&[IpAddr]>,
) -> Result<(Registration, Option<i64>), Error> {
    let node = name("a");
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: Some(session),
        addresses,
    };
    let seen = RegistryView {
        node: record.cloned(),
        presence,
        ..view(&[])
    };
    let hold = hold(&seen, claimant)?;
    let is_unchanged = hold.registration == Registration::Unchanged;
    assert_eq!(hold.write.is_none(), is_unchanged);
    let mut written = hold.write.iter();
    assert!(written.all(|it| claimant.holds(it)));
    assert_eq!(hold.revision, seen.node_revision);
    Ok((hold.registration, hold.presence))
}

#[test]
fn name_is_held_by_the_record_or_while_no_other_is_present() {
    let session = Session::new("s", true, vec![address(HERE)]);
    let ours = record(OURS, Some("s"), HERE);
    let from = || ours.clone();
    let moved = [address(THERE)];
    let earlier = record(OURS, Some("r"), HERE);
    let before_sessions = record(OURS, None, HERE);
    let theirs = record(THEIRS, Some("t"), THERE);
    let resumed = |from: &NodeRecord| Registration::Resumed { from: from.clone() };
    let took = Registration::TookOver {
        from: theirs.clone(),
    };
    let own = || Some(presence(Some("s"), HERE));
    for (record, presence, addresses, expected) in [
        (None, None, None, (Registration::New, None)),
        (None, own(), None, (Registration::New, None)),
        (Some(&ours), None, None, (Registration::Unchanged, None)),
        (Some(&ours), own(), None, (Registration::Unchanged, None)),
        // The presence is of a session that lost the name.
        (
            Some(&ours),
            Some(presence(Some("t"), THERE)),
            None,
            (Registration::Unchanged, None),
        ),
        (
            Some(&ours),
            own(),
            Some(&moved[..]),
            (Registration::Updated { from: from() }, None),
        ),
        (Some(&earlier), None, None, (resumed(&earlier), Some(0))),
        (Some(&earlier), own(), None, (resumed(&earlier), Some(9))),
        (
            Some(&before_sessions),
            None,
            None,
            (resumed(&before_sessions), Some(0)),
        ),
        (Some(&theirs), None, None, (took, Some(0))),
    ] {
        let found = registration(record, presence.clone(), &session, addresses).unwrap();
        assert_eq!(found, expected, "{record:?} {presence:?}");
    }
}

#[test]
fn name_is_taken_while_another_session_is_present() {
    let held = Session::new("s", true, vec![address(HERE)]);
    let clone = record(OURS, Some("c"), THERE);
    let there = |session| Some(presence(session, THERE));
    for (record, presence) in [
        (Some(&record(THEIRS, Some("t"), THERE)), there(Some("t"))),
        (Some(&clone), there(Some("c"))),
        (Some(&clone), Some(presence(Some("c"), HERE))),
        (Some(&clone), there(None)),
        (None, there(Some("c"))),
    ] {
        let refused = registration(record, presence.clone(), &held, None);
        let Err(Error::NodeTaken { theirs, .. }) = refused else {
            panic!("{record:?} {presence:?}: {refused:?}");
        };
        let at = presence.and_then(|it| it.address);
        assert_eq!(theirs.addresses.first().copied(), at);
    }
}

#[test]
fn machine_after_a_reboot_is_recognised_by_its_address() {
    let before = record(OURS, Some("r"), HERE);
    let killed = || Some(presence(Some("r"), HERE));
    let booted = Session::new("s", false, vec![address(HERE)]);
    let (registration_, revision) = registration(Some(&before), killed(), &booted, None).unwrap();
    assert!(matches!(registration_, Registration::Resumed { .. }));
    assert_eq!(revision, Some(9));
    let clone = Session::new("s", false, vec![address(THERE)]);
    assert!(registration(Some(&before), killed(), &clone, None).is_err());
    // Two machines with one address do not take turns.
    let held = Session::new("s", true, Vec::new());
    assert!(registration(Some(&before), killed(), &held, None).is_err());
}

/// Both have the same session, because it was copied with the memory.
#[test]
fn copy_of_a_running_machine_is_refused_by_its_address() {
    let node = name("a");
    let session = Session::new("s", true, Vec::new());
    session.mark_shown(Some(address(HERE)));
    let claimant = Claimant {
        node: &node,
        machine: OURS,
        session: Some(&session),
        addresses: None,
    };
    for (at, is_refused) in [(HERE, false), (THERE, true)] {
        let record = record(OURS, Some("s"), at);
        let presence = presence(Some("s"), at);
        let allowed = may_write_presence(&record, Some(&presence), claimant);
        assert_eq!(allowed.is_err(), is_refused, "{at}");
        let held = registration(Some(&record), Some(presence), &session, None);
        assert_eq!(held.is_err(), is_refused, "{at}");
    }
}
