//! Conditions that last.

/// The text of a lasting condition, logged when it appears or changes rather than on every check.
#[derive(Debug, Default)]
pub struct OnChange(Option<String>);

impl OnChange {
    /// Stores `text`. Returns whether it differs from the previous one.
    pub fn changed(&mut self, text: &str) -> bool {
        let differs = self.0.as_deref() != Some(text);
        if differs {
            self.0 = Some(text.to_owned());
        }
        differs
    }

    /// The text of the condition, if it lasts.
    pub fn current(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Ends the condition. Returns whether there was one.
    pub fn clear(&mut self) -> bool {
        self.0.take().is_some()
    }
}
