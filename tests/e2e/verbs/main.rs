//! The CNI verbs CHECK, STATUS and GC, and every verb in every version of the spec.

mod check;
mod delegation;
mod gc;
mod status;
mod support;
mod versions;
