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

    /// The addresses of some sets as prefixes that do not overlap, sorted, as few as possible.
    pub fn union(sets: &[Self]) -> Vec<IpNet> {
        let mut parts = Vec::new();
        for set in sets {
            for network in IpNet::aggregate(&set.include.to_vec()) {
                add_without(network, &set.except, &mut parts);
            }
        }
        let mut all = IpNet::aggregate(&parts);
        all.sort();
        all
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

/// Adds what exceptions leave of a prefix to `parts`. Each half deals with its own exceptions, so that
/// hundreds of them cost little.
fn add_without(network: IpNet, except: &[IpNet], parts: &mut Vec<IpNet>) {
    if except.iter().any(|it| it.contains(&network)) {
        return;
    }
    let inside = except.iter().filter(|it| network.contains(*it));
    let inside: Vec<IpNet> = inside.copied().collect();
    match network.subnets(network.prefix_len() + 1) {
        Ok(halves) if !inside.is_empty() => {
            for half in halves {
                add_without(half, &inside, parts);
            }
        }
        _ => parts.push(network),
    }
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
