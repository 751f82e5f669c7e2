//! The packet filter: masquerading, the spoof guard, and repair after changes by other programs.

mod firewalld;
mod forward;
mod masquerade;
mod repair;
mod scans;
mod spoofing;
mod support;
