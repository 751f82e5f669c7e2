use super::*;

use crate::api::{ClusterNetworkPolicy, Namespace, ObjectMeta};

/// The UIDs of two clusters, and their numbers.
const OURS: &str = "00000000-0000-0001-8000-000000000000";
const OTHER: &str = "00000000-0000-0002-8000-000000000000";

fn namespaces(names: &str) -> Vec<Namespace> {
    let object = |name: &str| Namespace {
        name: name.to_owned(),
        ..Namespace::default()
    };
    names.split_whitespace().map(object).collect()
}

fn policies(names: &str) -> Vec<ClusterNetworkPolicy> {
    let object = |name: &str| ClusterNetworkPolicy {
        metadata: ObjectMeta {
            name: name.to_owned(),
            ..ObjectMeta::default()
        },
        ..ClusterNetworkPolicy::default()
    };
    names.split_whitespace().map(object).collect()
}

fn page<T>(items: Vec<T>, is_first: bool) -> WatchEvent<T> {
    WatchEvent::Page {
        items,
        cluster: OURS.to_owned(),
        is_first,
    }
}

fn end<T>(cluster: &str) -> WatchEvent<T> {
    WatchEvent::Reset {
        items: Vec::new(),
        cluster: cluster.to_owned(),
        version: "1".to_owned(),
    }
}

fn missing<T>(cluster: &str) -> WatchEvent<T> {
    let error = Error::NoServer { variable: "X" };
    WatchEvent::Missing {
        cluster: cluster.to_owned(),
        error,
    }
}

/// A collection, the known cluster, and what is reported.
struct CollectionReceiver<T> {
    collection: Collection<T>,
    known: Option<u64>,
}

impl<T: WatchedObject> CollectionReceiver<T> {
    fn new() -> Self {
        Self {
            collection: Collection::default(),
            known: None,
        }
    }

    /// Takes in an event. Returns what is reported: `+a` for an object that is there, `-a` for one that
    /// is gone; and when the collection is looked for again.
    fn take(&mut self, event: WatchEvent<T>) -> (String, Option<NextLook>) {
        let mut updates = VecDeque::new();
        let look = self.collection.take(event, &mut self.known, &mut updates);
        let words: Vec<_> = updates.iter().map(shown).collect();
        (words.join(" "), look)
    }

    fn reports(&mut self, event: WatchEvent<T>) -> String {
        self.take(event).0
    }
}

fn shown(update: &WatchUpdate) -> String {
    let event = |event: &PolicyEvent| match event {
        PolicyEvent::NamespaceApplied(it) => format!("+{}", it.name),
        PolicyEvent::NamespaceDeleted(name) | PolicyEvent::ClusterNetworkPolicyDeleted(name) => {
            format!("-{name}")
        }
        PolicyEvent::ClusterNetworkPolicyApplied(it) => format!("+{}", it.metadata.name),
        other => panic!("{other:?}"),
    };
    match update {
        WatchUpdate::Events(events) => events.iter().map(event).collect::<Vec<_>>().join(","),
        WatchUpdate::Complete => "complete".to_owned(),
        WatchUpdate::Installed { is_installed, .. } => format!("installed={is_installed}"),
        WatchUpdate::Disconnected { .. } => "disconnected".to_owned(),
        WatchUpdate::OtherCluster { known, answers, .. } => format!("{answers}!={known}"),
        WatchUpdate::Connected { .. } => "connected".to_owned(),
    }
}

#[test]
fn object_is_gone_only_after_a_whole_list_without_it() {
    let mut all = CollectionReceiver::new();
    assert_eq!(all.reports(page(namespaces("a b"), true)), "+a,+b");
    assert!(!all.collection.is_complete());
    assert_eq!(all.reports(page(namespaces("c"), false)), "+c");
    assert_eq!(all.reports(end(OURS)), "");
    assert!(all.collection.is_complete());
    // A list that breaks off, and the one after it: `b` and `c` are new in the cluster's order.
    assert_eq!(all.reports(page(namespaces("a d"), true)), "+a,+d");
    assert_eq!(all.reports(page(namespaces("a b"), true)), "+a,+b");
    let deleted = all.reports(end(OURS));
    let mut gone: Vec<_> = deleted.split(',').collect();
    gone.sort_unstable();
    assert_eq!(gone, ["-c", "-d"]);
    let [b, x] = ["b", "x"].map(|name| namespaces(name).remove(0));
    assert_eq!(all.reports(WatchEvent::Deleted(x.clone())), "");
    assert_eq!(all.reports(WatchEvent::Applied(x)), "+x");
    assert_eq!(all.reports(WatchEvent::Deleted(b)), "-b");
}

#[test]
fn other_cluster_changes_nothing_until_the_known_one_answers() {
    let mut all = CollectionReceiver::new();
    all.reports(page(namespaces("a"), true));
    all.reports(end(OURS));
    let other = |items| WatchEvent::Page {
        items,
        cluster: OTHER.to_owned(),
        is_first: true,
    };
    assert_eq!(all.reports(other(namespaces("z"))), "2!=1");
    assert_eq!(all.reports(end(OTHER)), "");
    let z = namespaces("z").remove(0);
    assert_eq!(all.reports(WatchEvent::Applied(z.clone())), "");
    assert_eq!(all.reports(WatchEvent::Deleted(z)), "");
    assert_eq!(all.collection.refused(), Some(2));
    let back = all.reports(page(namespaces("b"), true));
    assert_eq!(back, "connected +b");
    assert_eq!(all.reports(end(OURS)), "-a");
    assert_eq!(all.collection.refused(), None);
}

#[test]
fn objects_of_a_missing_definition_are_gone_when_it_is_said_twice() {
    let mut all = CollectionReceiver::new();
    let definition = Some(NextLook::ForDefinition);
    let not_installed = ("installed=false".to_owned(), definition);
    assert_eq!(all.take(missing(OURS)), not_installed);
    assert!(all.collection.is_complete());
    assert_eq!(all.take(missing(OURS)), (String::new(), definition));

    assert_eq!(all.reports(page(policies("a"), true)), "+a");
    assert_eq!(all.reports(end(OURS)), "installed=true");
    let confirm = (String::new(), Some(NextLook::ToConfirm));
    assert_eq!(all.take(missing(OURS)), confirm);
    // It was there after all.
    all.reports(page(policies("a"), true));
    assert_eq!(all.reports(end(OURS)), "");
    assert_eq!(all.take(missing(OTHER)), ("2!=1".to_owned(), None));
    assert_eq!(all.take(missing(OURS)), ("connected".to_owned(), confirm.1));
    let gone = ("-a installed=false".to_owned(), definition);
    assert_eq!(all.take(missing(OURS)), gone);
}

#[test]
fn missing_collection_of_the_core_is_an_outage() {
    let mut all = CollectionReceiver::<Namespace>::new();
    all.reports(page(namespaces("a"), true));
    all.reports(end(OURS));
    for _ in 0..3 {
        let outage = ("disconnected".to_owned(), None);
        assert_eq!(all.take(missing(OURS)), outage);
    }
}

#[test]
fn version_is_that_of_the_last_list_or_of_the_last_change_since() {
    let mut receiver = CollectionReceiver::<Namespace>::new();
    let version =
        |it: &CollectionReceiver<Namespace>| it.collection.version().version.map(str::to_owned);
    receiver.take(page(namespaces("a b"), true));
    assert_eq!(version(&receiver), None, "the list has not ended");
    receiver.take(end(OURS));
    assert_eq!(version(&receiver).as_deref(), Some("1"));
    let at = |version: &str| Namespace {
        name: "a".to_owned(),
        resource_version: version.to_owned(),
        ..Namespace::default()
    };
    receiver.take(WatchEvent::Applied(at("5")));
    assert_eq!(version(&receiver).as_deref(), Some("5"));
    receiver.take(WatchEvent::Deleted(at("7")));
    assert_eq!(version(&receiver).as_deref(), Some("7"));
    receiver.take(end(OTHER));
    receiver.take(WatchEvent::Applied(at("9")));
    assert_eq!(
        version(&receiver).as_deref(),
        Some("7"),
        "of another cluster"
    );
}

#[test]
fn collection_without_a_definition_has_no_version() {
    let mut receiver = CollectionReceiver::<ClusterNetworkPolicy>::new();
    receiver.take(end(OURS));
    assert!(receiver.collection.version().is_installed);
    receiver.take(missing(OURS));
    let read = receiver.collection.version();
    assert_eq!((read.version, read.is_installed), (None, false));
}
