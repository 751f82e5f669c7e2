//! What the receiver has of one collection, and what an event of the API changes there. Pure: it reads
//! no clock, and waits for nothing.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;

use kubernetes::{Error, WatchEvent, cluster_id};

use super::update::{CollectionVersion, WatchUpdate};
use super::watched_object::WatchedObject;
use crate::compile::PolicyEvent;

/// How often in a row the API must say that a definition is not installed before the objects of it
/// that were there count as gone.
const ANSWERS_TO_BELIEVE: u32 = 2;

/// One collection as the receiver knows it.
#[derive(Debug)]
pub(super) struct Collection<T> {
    /// The keys of the objects that the receiver has, each with the number of the list in or after
    /// which it was last seen.
    seen: HashMap<Box<str>, u32>,
    /// The number of the list that is being read, or was last.
    list: u32,
    is_complete: bool,
    /// The version of the last list, or of the last change since.
    version: Option<String>,
    /// The other cluster that answers for this collection, if one does.
    refused: Option<u64>,
    is_installed: Option<bool>,
    /// How often in a row it was said that the collection does not exist.
    missing: u32,
    of: PhantomData<fn() -> T>,
}

/// When the collection has to be looked for, instead of being followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextLook {
    /// Its definition is not installed.
    ForDefinition,
    /// Its definition may have gone, with objects that the receiver has.
    ToConfirm,
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self {
            seen: HashMap::new(),
            list: 0,
            is_complete: false,
            version: None,
            refused: None,
            is_installed: None,
            missing: 0,
            of: PhantomData,
        }
    }
}

impl<T: WatchedObject> Collection<T> {
    /// Whether it was read to its end at least once.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How far it was read.
    pub(super) fn version(&self) -> CollectionVersion<'_> {
        CollectionVersion {
            collection: T::COLLECTION,
            version: self.version.as_deref(),
            is_installed: self.is_installed != Some(false),
        }
    }

    /// The other cluster that answers for it, if one does.
    pub(super) fn refused(&self) -> Option<u64> {
        self.refused
    }

    /// Takes in an event. `known` is the known cluster: the first that answers, if it is none before.
    /// Returns whether the collection is to be looked for later, because it does not exist.
    pub(super) fn take(
        &mut self,
        event: WatchEvent<T>,
        known: &mut Option<u64>,
        updates: &mut VecDeque<WatchUpdate>,
    ) -> Option<NextLook> {
        match event {
            WatchEvent::Page {
                items,
                cluster,
                is_first,
            } => {
                if self.is_of(&cluster, known, updates) {
                    self.list += u32::from(is_first);
                    self.apply(items, updates);
                }
            }
            WatchEvent::Reset {
                items,
                cluster,
                version,
            } => {
                if self.is_of(&cluster, known, updates) {
                    self.version = Some(version);
                    self.apply(items, updates);
                    self.end_list(updates);
                }
            }
            WatchEvent::Missing { cluster, error } => {
                if self.is_of(&cluster, known, updates) {
                    return self.not_found(error, updates);
                }
            }
            WatchEvent::Applied(object) if self.refused.is_none() => {
                self.version = Some(object.version().to_owned());
                self.apply(vec![object], updates);
            }
            WatchEvent::Deleted(object) if self.refused.is_none() => {
                self.version = Some(object.version().to_owned());
                self.delete(&object, updates);
            }
            WatchEvent::Applied(_) | WatchEvent::Deleted(_) => {}
            WatchEvent::Disconnected(error) => updates.push_back(WatchUpdate::Disconnected {
                collection: T::COLLECTION,
                error,
            }),
            WatchEvent::Connected => updates.push_back(connected::<T>()),
        }
        None
    }

    /// Whether the cluster that answers is the known one.
    fn is_of(
        &mut self,
        uid: &str,
        known: &mut Option<u64>,
        updates: &mut VecDeque<WatchUpdate>,
    ) -> bool {
        let answers = cluster_id(uid);
        let known = *known.get_or_insert(answers);
        let refused = (answers != known).then_some(answers);
        if self.refused != refused {
            self.refused = refused;
            updates.push_back(match refused {
                None => connected::<T>(),
                Some(answers) => WatchUpdate::OtherCluster {
                    collection: T::COLLECTION,
                    known,
                    answers,
                },
            });
        }
        refused.is_none()
    }

    fn apply(&mut self, objects: Vec<T>, updates: &mut VecDeque<WatchUpdate>) {
        let mut events = Vec::with_capacity(objects.len());
        for object in objects {
            let key = object.key();
            match self.seen.get_mut(key.as_str()) {
                Some(list) => *list = self.list,
                None => drop(self.seen.insert(key.into(), self.list)),
            }
            events.push(object.applied());
        }
        push_events(events, updates);
    }

    fn delete(&mut self, object: &T, updates: &mut VecDeque<WatchUpdate>) {
        let key = object.key();
        if self.seen.remove(key.as_str()).is_some() {
            push_events(vec![T::deleted(&key)], updates);
        }
    }

    /// What the list that ends here did not have is gone. All that it had was applied before: so an
    /// address, or a port, is another's before it is nobody's.
    fn end_list(&mut self, updates: &mut VecDeque<WatchUpdate>) {
        let (list, mut events) = (self.list, Vec::new());
        self.seen.retain(|key, seen_in| {
            let is_there = *seen_in == list;
            if !is_there {
                events.push(T::deleted(key));
            }
            is_there
        });
        // An empty place costs as much as a full one.
        self.seen.shrink_to(2 * self.seen.len());
        push_events(events, updates);
        self.missing = 0;
        self.is_complete = true;
        self.set_installed(true, updates);
    }

    /// The cluster does not have the collection.
    fn not_found(&mut self, error: Error, updates: &mut VecDeque<WatchUpdate>) -> Option<NextLook> {
        if !T::IS_OPTIONAL {
            let collection = T::COLLECTION;
            updates.push_back(WatchUpdate::Disconnected { collection, error });
            return None;
        }
        self.missing += 1;
        if !self.seen.is_empty() && self.missing < ANSWERS_TO_BELIEVE {
            return Some(NextLook::ToConfirm);
        }
        let gone = self.seen.drain().map(|(key, _)| T::deleted(&key));
        push_events(gone.collect(), updates);
        self.is_complete = true;
        self.version = None;
        self.set_installed(false, updates);
        Some(NextLook::ForDefinition)
    }

    fn set_installed(&mut self, is_installed: bool, updates: &mut VecDeque<WatchUpdate>) {
        if T::IS_OPTIONAL && self.is_installed != Some(is_installed) {
            self.is_installed = Some(is_installed);
            updates.push_back(WatchUpdate::Installed {
                collection: T::COLLECTION,
                is_installed,
            });
        }
    }
}

fn connected<T: WatchedObject>() -> WatchUpdate {
    let collection = T::COLLECTION;
    WatchUpdate::Connected { collection }
}

fn push_events(events: Vec<PolicyEvent>, updates: &mut VecDeque<WatchUpdate>) {
    if !events.is_empty() {
        updates.push_back(WatchUpdate::Events(events));
    }
}

#[cfg(test)]
mod tests;
