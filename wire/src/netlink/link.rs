//! Links: network interfaces.

use std::fmt;
use std::os::fd::RawFd;
use std::str::FromStr;

use rtnetlink::packet_core::{DecodeError, Emitable, ParseableParametrized};
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InetDevConf, InfoData, InfoVeth,
    LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::attributes::readable;

/// A hardware address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac(
    /// Its bytes, in the order in which they are written.
    pub [u8; 6],
);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ":" };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

/// Text that is no hardware address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no hardware address: six pairs of hexadecimal digits joined by colons")]
pub struct InvalidMac(String);

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            u8::from_str_radix(part, 16).ok().filter(|_| digits)
        };
        let bytes: Option<Vec<u8>> = text.split(':').map(pair).collect();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| InvalidMac(text.to_owned()))
    }
}

/// A link as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number, unique in its network namespace for as long as the link exists.
    pub index: u32,
    /// Its name, 1 to 15 bytes.
    pub name: String,
    /// Its hardware address, unless it has none or one that is not six bytes long.
    pub mac: Option<Mac>,
    /// The largest packet it carries, in bytes.
    pub mtu: u32,
    /// Whether it was brought up (`IFF_UP`).
    pub up: bool,
    /// Whether it is operational: up and with a carrier (`IFF_RUNNING`).
    pub running: bool,
    /// Whether it is the loopback link.
    pub loopback: bool,
    /// Its type: `veth`, `bridge`, ...; hardware has none.
    pub kind: Option<String>,
    /// The index of the link it hangs on (`IFLA_LINK`): of a veth, its other end, in the namespace
    /// of that end.
    pub link: Option<u32>,
    /// Free text attached to it.
    pub alias: Option<String>,
    /// The device group, 0 unless set.
    pub group: u32,
}

/// A veth pair whose peer is born in another network namespace, by one message.
///
/// The host end comes up in the same message. The peer cannot (its other half does not exist yet:
/// `ENOTCONN`) and is brought up afterwards. The kernel takes no alias and no per-family settings
/// while it creates a link: a [`LinkChange`] sets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethPair {
    /// Name of the host end, in the namespace of the socket.
    pub name: String,
    /// Hardware address of the host end.
    pub mac: Mac,
    /// MTU of both ends, in bytes.
    pub mtu: u32,
    /// Device group of the host end; 0 is the group of everything else.
    pub group: u32,
    /// Name of the peer, in its own namespace.
    pub peer_name: String,
    /// Hardware address of the peer.
    pub peer_mac: Mac,
    /// The network namespace of the peer: a descriptor that must stay open until the request is
    /// answered.
    pub peer_netns: RawFd,
}

/// What to change of a link; what is `None` or unset stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkChange {
    /// Brings it up or down.
    pub up: Option<bool>,
    /// The MTU, in bytes.
    pub mtu: Option<u32>,
    /// A new name.
    pub name: Option<String>,
    /// The device group.
    pub group: Option<u32>,
    /// Free text, at most 255 bytes; empty removes it.
    pub alias: Option<String>,
    /// Settings of IPv4.
    pub ipv4: Ipv4Settings,
    /// Lets IPv6 make no link-local address by itself, neither now nor when the link comes up.
    pub no_ipv6_link_local: bool,
}

/// Settings under `net.ipv4.conf.<link>` that netlink sets with no sysctl file.
///
/// They can only be switched on: the message builder leaves out zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ipv4Settings {
    /// `proxy_arp`: answers ARP for every address this host has another route to.
    pub proxy_arp: bool,
    /// `rp_filter=1`: drops packets whose source is not reached back through this link.
    pub strict_rp_filter: bool,
    /// `forwarding`: routes packets that come in here.
    pub forwarding: bool,
}

impl Ipv4Settings {
    fn message(self) -> Option<AfSpecInet> {
        let mut settings = InetDevConf::default();
        settings.proxy_arp = i32::from(self.proxy_arp);
        settings.rp_filter = i32::from(self.strict_rp_filter);
        settings.forwarding = i32::from(self.forwarding);
        (settings != InetDevConf::default()).then_some(AfSpecInet::DevConfRequest(settings))
    }
}

impl VethPair {
    pub(super) fn message(&self) -> LinkMessage {
        let peer = LinkUnspec::new_with_name(&self.peer_name)
            .address(self.peer_mac.0.to_vec())
            .mtu(self.mtu)
            .setns_by_fd(self.peer_netns)
            .build();
        let mut pair = LinkVeth::new(&self.name, &self.peer_name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .address(self.mac.0.to_vec())
            .mtu(self.mtu)
            .up();
        if self.group != 0 {
            pair = pair.link_group(self.group);
        }
        pair.build()
    }
}

impl fmt::Display for VethPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ip link add {} address {} mtu {}",
            self.name, self.mac, self.mtu
        )?;
        if self.group != 0 {
            write!(f, " group {}", self.group)?;
        }
        write!(
            f,
            " up type veth peer name {} address {} mtu {} netns /proc/self/fd/{}",
            self.peer_name, self.peer_mac, self.mtu, self.peer_netns
        )
    }
}

impl LinkChange {
    /// The message that does it, or two where it brings the link up and changes settings: within
    /// a message the kernel brings the link up first (`do_setlink`), so that IPv6 would make the
    /// address it is told not to make.
    pub(super) fn messages(&self, index: u32) -> (LinkMessage, Option<LinkMessage>) {
        let settings = self.per_family();
        let mut change = self.own(index);
        if settings.is_empty() {
            return (change.build(), None);
        }
        let settings = LinkAttribute::AfSpecUnspec(settings);
        if self.up == Some(true) {
            let first = LinkUnspec::new_with_index(index).append_extra_attribute(settings);
            return (first.build(), Some(change.build()));
        }
        change = change.append_extra_attribute(settings);
        (change.build(), None)
    }

    /// What changes the link itself, not what IPv4 and IPv6 do with it.
    fn own(&self, index: u32) -> LinkMessageBuilder<LinkUnspec> {
        let mut change = LinkUnspec::new_with_index(index);
        change = match self.up {
            Some(true) => change.up(),
            Some(false) => change.down(),
            None => change,
        };
        if let Some(mtu) = self.mtu {
            change = change.mtu(mtu);
        }
        if let Some(name) = &self.name {
            change = change.name(name.clone());
        }
        if let Some(group) = self.group {
            change = change.link_group(group);
        }
        if let Some(alias) = &self.alias {
            change = change.alias(alias.clone());
        }
        change
    }

    fn per_family(&self) -> Vec<AfSpecUnspec> {
        let ipv4 = self
            .ipv4
            .message()
            .map(|settings| AfSpecUnspec::Inet(vec![settings]));
        let ipv6 = self
            .no_ipv6_link_local
            .then(|| AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]));
        ipv4.into_iter().chain(ipv6).collect()
    }
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up {
            f.write_str(if up { " up" } else { " down" })?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " name {name}")?;
        }
        if let Some(group) = self.group {
            write!(f, " group {group}")?;
        }
        if let Some(alias) = &self.alias {
            write!(f, " alias {alias:?}")?;
        }
        for (set, name) in [
            (self.ipv4.proxy_arp, "proxy_arp=1"),
            (self.ipv4.strict_rp_filter, "rp_filter=1"),
            (self.ipv4.forwarding, "forwarding=1"),
        ] {
            if set {
                write!(f, " {name}")?;
            }
        }
        if self.no_ipv6_link_local {
            f.write_str(" addrgenmode none")?;
        }
        Ok(())
    }
}

/// Asks for one link by name or index, or, with neither, for all of them; without statistics,
/// which are most of a link's message.
pub(super) fn query(name: Option<&str>, index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
        .attributes
        .extend(name.map(|name| LinkAttribute::IfName(name.to_owned())));
    message
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

impl Link {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let header = LinkHeader::parse(payload)?;
        let mut link = Self {
            index: header.index,
            up: header.flags.contains(LinkFlags::Up),
            running: header.flags.contains(LinkFlags::Running),
            loopback: header.flags.contains(LinkFlags::Loopback),
            ..Self::default()
        };
        let attributes = readable(payload, header.buffer_len(), |attribute| {
            LinkAttribute::parse_with_param(attribute, header.interface_family)
        });
        for attribute in attributes {
            link.read(attribute);
        }
        Ok(link)
    }

    fn read(&mut self, attribute: LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name = name,
            LinkAttribute::Address(bytes) => self.mac = bytes.try_into().ok().map(Mac),
            LinkAttribute::Mtu(mtu) => self.mtu = mtu,
            LinkAttribute::Link(index) => self.link = Some(index),
            LinkAttribute::IfAlias(alias) => self.alias = Some(alias),
            LinkAttribute::Group(group) => self.group = group,
            LinkAttribute::LinkInfo(infos) => {
                self.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
}
