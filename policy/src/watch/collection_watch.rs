//! The watch of one collection.

use std::collections::VecDeque;

use kubernetes::{ApiClient, Watch, WatchEvent};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::collection::{Collection, NextLook};
use super::update::WatchUpdate;
use super::watched_object::WatchedObject;
use crate::timeouts::{DEFINITION_LOOK_INTERVAL, GONE_DEFINITION_CONFIRMATION};

/// How many objects a page of a list has at most: of pods, which have about 10 KB, 2.5 MB.
const PAGE_SIZE: usize = 250;

/// A collection, and where its events come from.
#[derive(Debug)]
pub(super) struct CollectionWatch<T> {
    client: ApiClient,
    events: mpsc::Receiver<WatchEvent<T>>,
    /// When it is looked for again, while it does not exist.
    look_at: Option<Instant>,
    collection: Collection<T>,
}

impl<T: WatchedObject> CollectionWatch<T> {
    /// Starts to follow the collection.
    pub(super) fn start(client: &ApiClient) -> Self {
        Self {
            client: client.clone(),
            events: Watch::start_by_pages(client.clone(), T::PATH, PAGE_SIZE),
            look_at: None,
            collection: Collection::default(),
        }
    }

    /// What is known of the collection.
    pub(super) fn collection(&self) -> &Collection<T> {
        &self.collection
    }

    /// Waits for an event. `None` means that the watch ended, which it never should. Nothing is lost if
    /// this future is dropped.
    pub(super) async fn recv(&mut self) -> Option<WatchEvent<T>> {
        if let Some(at) = self.look_at {
            sleep_until(at).await;
            self.restart();
        }
        self.events.recv().await
    }

    /// Takes in an event.
    pub(super) fn take(
        &mut self,
        event: WatchEvent<T>,
        known: &mut Option<u64>,
        updates: &mut VecDeque<WatchUpdate>,
    ) {
        let look = self.collection.take(event, known, updates);
        self.look_at = look.map(|look| {
            // Ends the watch, which would try again much sooner.
            self.events.close();
            let pause = match look {
                NextLook::ForDefinition => DEFINITION_LOOK_INTERVAL,
                NextLook::ToConfirm => GONE_DEFINITION_CONFIRMATION,
            };
            Instant::now() + pause.pause(1)
        });
    }

    /// Reads the whole collection anew.
    pub(super) fn restart(&mut self) {
        self.look_at = None;
        self.events = Watch::start_by_pages(self.client.clone(), T::PATH, PAGE_SIZE);
    }
}
