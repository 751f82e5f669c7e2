//! Numbers of pods and of their groups.

/// The number of a group. None is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GroupId(u64);

impl GroupId {
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The number of a pod. It is used again once the pod is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(u32);

impl PodId {
    pub(super) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("memory for fewer pods than this"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}
