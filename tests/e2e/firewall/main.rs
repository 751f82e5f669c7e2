//! The packet filter: who sees pods under which address, who cannot pretend to be another, and
//! what becomes of it when others change it.

mod firewalld;
mod forward;
mod masquerade;
mod repair;
mod spoofing;
mod support;
