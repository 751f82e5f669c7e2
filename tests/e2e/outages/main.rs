//! What keeps working when something else does not, and how it comes back.

mod certificates;
mod etcd;
mod members;
mod network;
mod pods;
mod routed;
mod slow;
mod space;
mod support;
