//! What takes pods' packets elsewhere is named by `routed doctor`, `routed status` and `routed
//! explain`, and by all of them alike.

mod links;
mod routes;
mod rules;
mod support;
