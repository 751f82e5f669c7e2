//! Watches the kernel's route events: when do our routes appear?

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use rtnetlink::packet_core::NlasIterator;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;

use crate::figures::nanoseconds;

/// From linux/rtnetlink.h.
const RTM_NEWROUTE: u16 = 24;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTN_UNICAST: u8 = 1;
const RTA_DST: u16 = 1;
const NETLINK_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
/// The receive buffer: room for the events of 20,000 routes.
const BUFFER: usize = 64 * 1024 * 1024;

/// A route that appeared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteEvent {
    /// The destination without the prefix length.
    pub(crate) subnet: String,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) at: u64,
}

/// A netlink socket that receives the kernel's IPv4 route events.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
}

impl Listener {
    /// Receives all events from now on in this network namespace.
    pub(crate) fn open() -> Result<Self, String> {
        let words = |error: std::io::Error| error.to_string();
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(words)?;
        socket.set_non_blocking(true).map_err(words)?;
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &BUFFER));
        socket
            .bind(&SocketAddr::new(0, RTMGRP_IPV4_ROUTE))
            .map_err(words)?;
        Ok(Self { socket })
    }

    /// Waits until `count` of our routes to peers have appeared.
    pub(crate) fn wait_for_routes(
        &self,
        count: usize,
        timeout: Duration,
    ) -> Result<Vec<RouteEvent>, String> {
        let (deadline, mut seen) = (Instant::now() + timeout, Vec::with_capacity(count));
        let mut datagram = Vec::with_capacity(64 * 1024);
        while seen.len() < count {
            datagram.clear();
            match self.socket.recv(&mut datagram, 0) {
                Ok(_) => {
                    let at = now();
                    seen.extend(subnets(&datagram).map(|subnet| (subnet, at)));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if Instant::now() > deadline {
                        return Err(format!(
                            "{} of {count} routes after {timeout:?}",
                            seen.len()
                        ));
                    }
                    let mut readable = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
                    poll(&mut readable, PollTimeout::from(100_u8))
                        .map_err(|errno| errno.to_string())?;
                }
                Err(error) => return Err(format!("listening to the kernel: {error}")),
            }
        }
        let seen = seen.into_iter().map(|(subnet, at)| RouteEvent {
            subnet: subnet.to_string(),
            at,
        });
        Ok(seen.collect())
    }
}

/// Runs commands with `ip -batch`. Returns the time from there until `count` routes have appeared,
/// in nanoseconds.
pub(crate) fn time_batch(commands: &str, count: usize, timeout: Duration) -> Result<u64, String> {
    let words = |error: std::io::Error| format!("ip -batch: {error}");
    let listener = Listener::open()?;
    let begin = now();
    let mut ip = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(words)?;
    if let Some(mut pipe) = ip.stdin.take() {
        pipe.write_all(commands.as_bytes()).map_err(words)?;
    }
    let seen = listener.wait_for_routes(count, timeout)?;
    ip.wait().map_err(words)?;
    Ok(seen.last().map_or(0, |seen| seen.at) - begin)
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| nanoseconds(Duration::from(time)))
}

/// The destinations of our new routes in a datagram of the kernel.
fn subnets(mut datagram: &[u8]) -> impl Iterator<Item = Ipv4Addr> {
    std::iter::from_fn(move || {
        let length: [u8; 4] = datagram.get(..4)?.try_into().ok()?;
        let length = usize::try_from(u32::from_ne_bytes(length)).ok()?;
        let message = datagram
            .get(..length)
            .filter(|_| length >= NETLINK_HEADER)?;
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some(subnet(message))
    })
    .flatten()
}

fn subnet(message: &[u8]) -> Option<Ipv4Addr> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let header = message.get(NETLINK_HEADER..NETLINK_HEADER + ROUTE_HEADER)?;
    if kind != RTM_NEWROUTE || header[5] != wire::ROUTE_PROTOCOL || header[7] != RTN_UNICAST {
        return None;
    }
    let attributes = NlasIterator::new(message.get(NETLINK_HEADER + ROUTE_HEADER..)?);
    let dst = attributes
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == RTA_DST)?;
    let octets: [u8; 4] = dst.value().try_into().ok()?;
    let subnet = Ipv4Addr::from(octets);
    // The route to the pods' gateway leads to no peer.
    (subnet != wire::GATEWAY_V4).then_some(subnet)
}

#[cfg(test)]
mod tests;
