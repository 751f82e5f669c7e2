//! One copy of each text that many objects have.

use std::collections::HashSet;
use std::sync::Arc;

/// Below this many texts, it is not looked for unused ones.
const MIN_SWEEP: usize = 4096;

/// Texts that are shared. Those that nothing uses any more go in time.
#[derive(Debug, Default)]
pub(super) struct Texts {
    all: HashSet<Arc<str>>,
    /// How many there may be before the unused ones are looked for.
    sweep_at: usize,
}

impl Texts {
    /// The shared copy of a text.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.all.get(text) {
            return Arc::clone(shared);
        }
        if self.all.len() >= self.sweep_at {
            self.all.retain(|it| Arc::strong_count(it) > 1);
            // Twice what is left: the cost of a sweep is spread over as many new texts.
            self.sweep_at = (2 * self.all.len()).max(MIN_SWEEP);
        }
        let shared = Arc::<str>::from(text);
        self.all.insert(Arc::clone(&shared));
        shared
    }
}
