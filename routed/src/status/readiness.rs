//! Whether the node is ready for pods, and what is missing (`/readyz`).

/// The conditions of readiness.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "conditions that come true one by one, each with its own sentence"
)]
pub(super) struct Readiness<'a> {
    /// The whole registry was read since the daemon started.
    pub(super) registry_seen: bool,
    /// Why it is out of reach.
    pub(super) registry_failure: Option<&'a str>,
    /// The registry has this node's record and its claims.
    pub(super) has_joined: bool,
    /// Why not.
    pub(super) join_failure: Option<&'a str>,
    /// The node owns a subnet.
    pub(super) owns_subnet: bool,
    /// The node has an address by which peers reach it.
    pub(super) has_address: bool,
    /// The node forwards packets.
    pub(super) forwards: bool,
    /// The firewall rules for pods are in place.
    pub(super) firewall_ready: bool,
    /// How many desired routes are missing in the kernel or differ.
    pub(super) routes_missing: usize,
    /// The conflist is installed.
    pub(super) is_installed: bool,
}

impl Readiness<'_> {
    /// What is missing, as sentences. Once the conflist is installed, a lost etcd or a missing
    /// route to a peer does not make the node unready: its pods can be served.
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
    fn missing_conditions_are_listed_as_sentences() {
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
    fn ready_node_stays_ready_without_etcd_or_a_peer_route() {
        let later = Readiness {
            registry_failure: Some("refused"),
            routes_missing: 1,
            ..READY
        };
        assert!(later.missing().is_empty());
    }
}
