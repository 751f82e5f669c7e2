//! What keeps packets from the way that our routes say.

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Examined {
    /// How many packets the kernel was queried about.
    pub(crate) queries: usize,
    /// What keeps packets from the way that our routes say, one for each culprit.
    pub(crate) faults: Vec<PathFault>,
    /// What harms no packet now.
    pub(crate) remarks: Vec<PathFault>,
    /// Rules that take packets with a mark elsewhere, which is what marks are for.
    pub(crate) marked: Vec<String>,
}

/// Why packets do not go the way that our routes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathFault {
    /// What happens to which packet, and what does that, in a sentence.
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) fix: String,
}

impl PathFault {
    /// Both in one line.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.text, self.fix)
    }
}
