//! Chained plugins of Debian's containernetworking-plugins after ours.

mod bandwidth;
mod checks;
mod firewall;
mod portmap;
mod sbr;
mod support;
mod tuning;
mod versions;
