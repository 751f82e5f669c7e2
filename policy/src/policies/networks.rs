//! Addresses by prefix, with exceptions.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

/// The addresses of some prefixes that are in none of some others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkSet {
    /// Without host bits; sorted, each once.
    include: Arc<[IpNet]>,
    /// The same, and inside `include`.
    except: Arc<[IpNet]>,
}

impl NetworkSet {
    /// Reads CIDRs. The error names the one that is none. An exception must be inside a prefix.
    pub fn parse<'a>(
        include: impl IntoIterator<Item = &'a String>,
        except: impl IntoIterator<Item = &'a String>,
    ) -> Result<Self, String> {
        let include = parse_all(include)?;
        let except = parse_all(except)?;
        let is_inside = |it: &&IpNet| !include.iter().any(|network| network.contains(*it));
        if let Some(outside) = except.iter().find(is_inside) {
            return Err(format!("except {outside} is not inside the CIDR"));
        }
        Ok(Self {
            include: include.into(),
            except: except.into(),
        })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let is_in = |networks: &[IpNet]| networks.iter().any(|it| it.contains(&address));
        is_in(&self.include) && !is_in(&self.except)
    }

    /// The prefix, if it is a single one.
    pub fn single(&self) -> Option<IpNet> {
        match (&*self.include, &*self.except) {
            (&[network], []) => Some(network),
            _ => None,
        }
    }

    /// The same addresses as prefixes that do not overlap, sorted, as few as possible.
    pub fn prefixes(&self) -> Vec<IpNet> {
        let mut left = IpNet::aggregate(&self.include.to_vec());
        for except in self.except.iter() {
            left = left
                .into_iter()
                .flat_map(|it| without(it, except))
                .collect();
        }
        let mut left = IpNet::aggregate(&left);
        left.sort();
        left
    }
}

fn parse_all<'a>(texts: impl IntoIterator<Item = &'a String>) -> Result<Vec<IpNet>, String> {
    let parse = |text: &String| {
        let network = text.parse::<IpNet>();
        network.map_err(|_| format!("{text:?} is no CIDR"))
    };
    let networks = texts.into_iter().map(parse);
    let mut networks = networks.collect::<Result<Vec<_>, _>>()?;
    // Host bits say nothing: the API server accepts them with a warning.
    for network in &mut networks {
        *network = network.trunc();
    }
    networks.sort();
    networks.dedup();
    Ok(networks)
}

/// What is left of a prefix: as many parts as the exception is longer.
fn without(mut network: IpNet, except: &IpNet) -> Vec<IpNet> {
    if except.contains(&network) {
        return Vec::new();
    }
    let mut left = Vec::new();
    while network.contains(except) && network != *except {
        let Ok(halves) = network.subnets(network.prefix_len() + 1) else {
            break;
        };
        for half in halves {
            if half.contains(except) {
                network = half;
            } else {
                left.push(half);
            }
        }
    }
    if network != *except {
        left.push(network);
    }
    left
}

impl fmt::Display for NetworkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |networks: &[IpNet]| {
            let texts: Vec<_> = networks.iter().map(ToString::to_string).collect();
            texts.join(", ")
        };
        f.write_str(&join(&self.include))?;
        if self.except.is_empty() {
            return Ok(());
        }
        write!(f, " except {}", join(&self.except))
    }
}
