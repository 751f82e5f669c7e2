//! The floor of an ADD or a DEL: a process that makes the same changes to the kernel's state as
//! `flatland`, by the same netlink code, and nothing else. It reads no configuration, reserves no
//! address and checks nothing.
//!
//! ```text
//! floor add NETNS HOST-INTERFACE NODE-ADDRESS,POD-ADDRESS [NODE-ADDRESS,POD-ADDRESS]
//! floor del NETNS HOST-INTERFACE
//! floor nothing
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dlmalloc::GlobalDlmalloc;
use ipnetwork::IpNetwork;
use wire::netlink::{
    Address, Ipv4Settings, LinkChange, Mac, Neighbour, NetlinkRequest, NetlinkSocket, Route,
    RouteKind, VethPair,
};
use wire::netns::Netns;

/// The allocator of the programs that are compared with it.
#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const HOST_MAC: Mac = Mac([0x02, 0xf1, 0, 0, 0, 1]);
const POD_MAC: Mac = Mac([0x02, 0xf1, 0, 0, 0, 2]);
const GATEWAY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));
const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["nothing"] => Ok(()),
        ["add", netns, host, pairs @ ..] => add(netns, host, pairs),
        ["del", netns, host] => del(netns, host),
        _ => Err("see the source for how to call this".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "floor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn add(netns: &str, host_name: &str, pairs: &[&str]) -> Outcome {
    let pairs: Vec<(IpAddr, IpAddr)> = pairs
        .iter()
        .map(|text| pair(text))
        .collect::<Outcome<_>>()?;
    let netns = Netns::open(Path::new(netns))?;
    let mut host = NetlinkSocket::open()?;
    let mut pod = netns.socket()?;
    let (host_end, pod_end) = host.add_veth(&VethPair {
        name: host_name.to_owned(),
        mac: HOST_MAC,
        mtu: 1500,
        group: 0,
        peer_name: "eth0".to_owned(),
        peer_mac: POD_MAC,
        peer_netns: netns.as_raw_fd(),
    })?;
    host.apply_all(&host_requests(host_name, host_end, &pairs))?;
    pod.apply_all(&pod_requests(pod_end, &pairs))?;
    let pods = pairs.iter().map(|(_, address)| *address);
    let mut known = vec![NetlinkRequest::NoticeCarrier { link: host_end }];
    known.extend(pods.map(|address| neighbour(host_end, address, POD_MAC, false)));
    if pairs.iter().all(|(_, address)| address.is_ipv4()) {
        known.push(NetlinkRequest::DelMulticastRoute { link: host_end });
    }
    host.apply_all(&known)?;
    Ok(())
}

fn pair(text: &str) -> Outcome<(IpAddr, IpAddr)> {
    let (node, pod) = text.split_once(',').ok_or("expected NODE,POD")?;
    Ok((node.parse()?, pod.parse()?))
}

fn host_requests(name: &str, link: u32, pairs: &[(IpAddr, IpAddr)]) -> Vec<NetlinkRequest> {
    let mut requests = vec![change(
        link,
        LinkChange {
            up: Some(true),
            alias: Some(format!("floor {name}/eth0")),
            no_ipv6_link_local: true,
            ipv4: Ipv4Settings {
                proxy_arp: true,
                strict_rp_filter: true,
                ..Ipv4Settings::default()
            },
            ..LinkChange::default()
        },
    )];
    if pairs.iter().any(|(_, address)| address.is_ipv4()) {
        let delay = Duration::ZERO;
        requests.push(NetlinkRequest::SetProxyDelay { link, delay });
    }
    if pairs.iter().any(|(_, address)| address.is_ipv6()) {
        requests.push(NetlinkRequest::AddAddress(Address {
            no_dad: true,
            no_prefix_route: true,
            ..Address::new(link, IpNetwork::from(GATEWAY_V6))
        }));
    }
    requests.extend(pairs.iter().map(|(node, address)| {
        NetlinkRequest::AddRoute(Route {
            dev: Some(link),
            src: Some(*node),
            ..Route::new((*address).into(), RouteKind::Unicast)
        })
    }));
    requests
}

fn pod_requests(link: u32, pairs: &[(IpAddr, IpAddr)]) -> Vec<NetlinkRequest> {
    let mut requests = vec![change(
        link,
        LinkChange {
            up: Some(true),
            ..LinkChange::default()
        },
    )];
    let through = |dst: &str, via: Option<IpAddr>| -> Option<NetlinkRequest> {
        Some(NetlinkRequest::AddRoute(Route {
            dev: Some(link),
            via,
            ..Route::new(dst.parse().ok()?, RouteKind::Unicast)
        }))
    };
    for (_, address) in pairs {
        requests.push(NetlinkRequest::AddAddress(Address {
            no_dad: address.is_ipv6(),
            ..Address::new(link, IpNetwork::from(*address))
        }));
        let gateway: IpAddr = if address.is_ipv4() {
            GATEWAY_V4
        } else {
            requests.push(NetlinkRequest::AddRoute(Route {
                dev: Some(link),
                ..Route::new((*address).into(), RouteKind::Local)
            }));
            GATEWAY_V6
        };
        requests.push(neighbour(link, gateway, HOST_MAC, true));
        if address.is_ipv4() {
            requests.extend(through("169.254.1.1/32", None));
            requests.extend(through("0.0.0.0/0", Some(gateway)));
        } else {
            requests.extend(through("::/0", Some(gateway)));
        }
    }
    requests
}

fn neighbour(link: u32, address: IpAddr, mac: Mac, permanent: bool) -> NetlinkRequest {
    NetlinkRequest::AddNeighbour(Neighbour {
        link,
        address,
        mac,
        permanent,
    })
}

fn change(index: u32, change: LinkChange) -> NetlinkRequest {
    NetlinkRequest::ChangeLink { index, change }
}

fn del(netns: &str, host_name: &str) -> Outcome {
    let mut host = NetlinkSocket::open()?;
    withdraw(&mut host, host_name, None)?;
    let mut pod = Netns::open(Path::new(netns))?.socket()?;
    withdraw(&mut pod, "eth0", Some("flatx"))
}

/// Takes a link out of use, renamed to `hidden` if given. It is destroyed later, together with
/// others.
fn withdraw(socket: &mut NetlinkSocket, name: &str, hidden: Option<&str>) -> Outcome {
    let link = socket.link_by_name(name)?.ok_or("no such link")?;
    let mut requests = vec![change(
        link.index,
        LinkChange {
            up: Some(false),
            group: Some(wire::REMOVED_GROUP),
            ..LinkChange::default()
        },
    )];
    requests.extend(hidden.map(|hidden| {
        let name = Some(format!("{hidden}{}", link.index));
        change(
            link.index,
            LinkChange {
                name,
                ..LinkChange::default()
            },
        )
    }));
    socket.apply_all(&requests)?;
    Ok(())
}
