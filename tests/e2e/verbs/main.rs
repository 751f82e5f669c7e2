//! What each verb says of a node and its pods, and changes, in every version of the spec.

mod check;
mod delegation;
mod gc;
mod status;
mod support;
mod versions;
