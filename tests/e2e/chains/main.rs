//! Chains: the plugins of Debian's containernetworking-plugins after ours, doing their job.

mod checks;
mod firewall;
mod host_ports;
mod rate;
mod routing;
mod support;
mod tuning;
mod versions;
