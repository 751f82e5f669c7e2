//! The HTTP server of a daemon, its pages, and the client of the command line.

pub mod client;
mod connections;
mod pages;
mod server;

pub use self::pages::{Access, HttpPages, PageResponse, json, metrics, ok, readiness, refused};
pub use self::server::{HttpServer, HttpState, start};
