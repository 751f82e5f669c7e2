//! What the event loop says of this node, for its Node object.

/// What is reported about this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NodeReport {
    /// Whether there is a Node object of this node.
    pub(crate) has_node: bool,
    /// What the node lacks to be ready for pods, as sentences.
    pub(crate) missing: Vec<String>,
    /// What an operator has to do about this node: a word for the kind, and a sentence.
    pub(crate) troubles: Vec<(&'static str, String)>,
}
