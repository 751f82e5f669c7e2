//! Links (network interfaces): how they are listed and changed.

use std::fmt;

use nix::libc;
use rtnetlink::packet_core::{DecodeError, Emitable, NlasIterator, parse_u32};
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InetDevConf, LinkAttribute,
    LinkExtentMask, LinkFlags, LinkHeader, LinkMessage,
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::{Mac, attributes};

/// A link as the kernel lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Its number, unique in its network namespace for as long as the link exists.
    pub index: u32,
    /// Its name, 1 to 15 bytes; printable, so that it is not the real one if that is not UTF-8 or
    /// contains control characters.
    pub name: String,
    /// Its hardware address; `None` if it has none, or one that is not six bytes long.
    pub mac: Option<Mac>,
    /// The largest packet it carries, in bytes.
    pub mtu: u32,
    /// Whether it was brought up (`IFF_UP`).
    pub up: bool,
    /// Whether it is operational: up and with a carrier (`IFF_RUNNING`).
    pub running: bool,
    /// Whether it is the loopback link.
    pub loopback: bool,
    /// Its type: `veth`, `bridge`, ...; `None` for hardware.
    pub kind: Option<String>,
    /// The index of its lower link (`IFLA_LINK`): for a veth the other end, in the namespace of
    /// that end.
    pub link: Option<u32>,
    /// The index of the bridge, bond or VRF that it belongs to (`IFLA_MASTER`).
    pub master: Option<u32>,
    /// Its alias: free text.
    pub alias: Option<String>,
    /// The device group; 0 is the default.
    pub group: u32,
}

/// Changes of a link; what is `None` or unset stays as it is.
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
    /// The kernel adds no IPv6 link-local address by itself, neither now nor when the link comes
    /// up.
    pub no_ipv6_link_local: bool,
}

/// Settings under `net.ipv4.conf.<link>` that netlink can set without a sysctl file.
///
/// They can only be switched on: the message builder leaves out zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ipv4Settings {
    /// `proxy_arp`: replies to ARP for every address that this host has a route to through another
    /// link.
    pub proxy_arp: bool,
    /// `rp_filter=1`: drops packets if the route back to their source is not through this link.
    pub strict_rp_filter: bool,
    /// `forwarding`: forwards packets that come in through this link.
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

impl LinkChange {
    /// One message, or two if the change brings the link up and changes something else: the other
    /// changes come first. Within one message the kernel brings the link up before it applies
    /// settings (`do_setlink`), so that IPv6 would still add a link-local address. And for any
    /// change of a link that is up the kernel walks all IPv6 routes of the namespace, several per
    /// pod (`NETDEV_CHANGE`, `rt6_sync_down_dev`).
    pub(super) fn messages(&self, index: u32) -> (LinkMessage, Option<LinkMessage>) {
        let up = || LinkUnspec::new_with_index(index).up().build();
        let rest = Self {
            up: self.up.filter(|up| !up),
            ..self.clone()
        };
        if self.up != Some(true) {
            (rest.message(index), None)
        } else if rest == Self::default() {
            (up(), None)
        } else {
            (rest.message(index), Some(up()))
        }
    }

    fn message(&self, index: u32) -> LinkMessage {
        let change = self.device_change(index);
        let settings = self.per_family();
        if settings.is_empty() {
            return change.build();
        }
        let settings = LinkAttribute::AfSpecUnspec(settings);
        change.append_extra_attribute(settings).build()
    }

    /// The changes of the link itself, without per-family settings.
    fn device_change(&self, index: u32) -> LinkMessageBuilder<LinkUnspec> {
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

/// Requests one link by name or index, or all links with neither. It leaves out statistics, which
/// are most of a link's message.
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

/// Requests the ports of a bridge.
pub(super) fn ports(bridge: u32) -> LinkMessage {
    let mut message = query(None, 0);
    message.attributes.push(LinkAttribute::Controller(bridge));
    message
}

/// Selects all links of a group, to delete them.
pub(super) fn group(group: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group));
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
        // Only these attributes are parsed: a link has hundreds of other numbers.
        for attribute in NlasIterator::new(&payload[header.buffer_len()..]) {
            let attribute = attribute?;
            link.read(attribute.kind(), attribute.value())?;
        }
        Ok(link)
    }

    fn read(&mut self, kind: u16, value: &[u8]) -> Result<(), DecodeError> {
        match kind {
            libc::IFLA_IFNAME => self.name = attributes::name(value),
            libc::IFLA_ADDRESS => self.mac = value.try_into().ok().map(Mac),
            libc::IFLA_MTU => self.mtu = parse_u32(value)?,
            libc::IFLA_LINK => self.link = Some(parse_u32(value)?),
            libc::IFLA_MASTER => self.master = Some(parse_u32(value)?),
            libc::IFLA_GROUP => self.group = parse_u32(value)?,
            libc::IFLA_IFALIAS => self.alias = Some(attributes::text(value)),
            libc::IFLA_LINKINFO => {
                self.kind = NlasIterator::new(value)
                    .map_while(Result::ok)
                    .find(|info| info.kind() == libc::IFLA_INFO_KIND)
                    .map(|info| attributes::name(info.value()));
            }
            _ => {}
        }
        Ok(())
    }
}
