//! Whether pods can be served.

/// What it takes.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "conditions that come true one by one, each with words of its own"
)]
pub(super) struct Readiness<'a> {
    /// The registry was seen whole since the daemon started.
    pub(super) registry_seen: bool,
    /// Why it is out of reach, if it is.
    pub(super) registry_failure: Option<&'a str>,
    /// The registry has this node and its claims.
    pub(super) has_joined: bool,
    /// Why not, if that is known.
    pub(super) join_failure: Option<&'a str>,
    /// The node owns a subnet.
    pub(super) owns_subnet: bool,
    /// It has an address for peers.
    pub(super) has_address: bool,
    /// It forwards.
    pub(super) forwards: bool,
    /// The packet filter is as pods need it.
    pub(super) firewall_ready: bool,
    /// How many routes are not in the kernel as they should be.
    pub(super) routes_missing: usize,
    /// The runtime finds the conflist.
    pub(super) is_installed: bool,
}

impl Readiness<'_> {
    /// What is missing, in words. A node that was ready stays so while etcd is away, and while a
    /// peer's route is missing: its pods can be served.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut lacks = |text: &str, why: Option<&str>| {
            missing.push(match why {
                Some(why) => format!("{text}: {why}"),
                None => text.to_owned(),
            });
        };
        if !self.registry_seen {
            lacks("the registry has not been read yet", self.registry_failure);
        } else if !self.has_joined {
            lacks(
                "this node has not joined the network yet",
                self.join_failure,
            );
        }
        if !self.owns_subnet {
            lacks("this node owns no subnet", None);
        }
        if !self.has_address {
            lacks("this node has no address by which peers reach it", None);
        }
        if self.owns_subnet && !self.forwards {
            lacks("this node does not forward packets", None);
        }
        if !self.firewall_ready {
            lacks("pods are not masqueraded yet", None);
        }
        if !self.is_installed {
            if missing.is_empty() && self.routes_missing > 0 {
                missing.push(format!(
                    "routes not in the kernel yet: {}",
                    self.routes_missing
                ));
            }
            missing.push("the conflist is not installed yet".to_owned());
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Readiness<'_> = Readiness {
        registry_seen: true,
        registry_failure: None,
        has_joined: true,
        join_failure: None,
        owns_subnet: true,
        has_address: true,
        forwards: true,
        firewall_ready: true,
        routes_missing: 0,
        is_installed: true,
    };

    #[test]
    fn what_is_missing_is_said_in_words() {
        let not_installed = Readiness {
            is_installed: false,
            ..READY
        };
        for (readiness, expected) in [
            (READY, &[][..]),
            (
                Readiness {
                    registry_seen: false,
                    registry_failure: Some("refused"),
                    has_joined: false,
                    ..not_installed
                },
                &[
                    "the registry has not been read yet: refused",
                    "the conflist is not installed yet",
                ],
            ),
            (
                Readiness {
                    has_joined: false,
                    join_failure: Some("name taken"),
                    owns_subnet: false,
                    forwards: false,
                    ..not_installed
                },
                &[
                    "this node has not joined the network yet: name taken",
                    "this node owns no subnet",
                    "the conflist is not installed yet",
                ],
            ),
            (
                Readiness {
                    has_address: false,
                    forwards: false,
                    firewall_ready: false,
                    ..not_installed
                },
                &[
                    "this node has no address by which peers reach it",
                    "this node does not forward packets",
                    "pods are not masqueraded yet",
                    "the conflist is not installed yet",
                ],
            ),
            (
                Readiness {
                    routes_missing: 2,
                    ..not_installed
                },
                &[
                    "routes not in the kernel yet: 2",
                    "the conflist is not installed yet",
                ],
            ),
        ] {
            assert_eq!(readiness.missing(), expected);
        }
    }

    #[test]
    fn a_node_that_is_ready_stays_so_while_etcd_is_away_and_a_peers_route_is_missing() {
        let later = Readiness {
            registry_failure: Some("refused"),
            routes_missing: 1,
            ..READY
        };
        assert!(later.missing().is_empty());
    }
}
