//! Host ends of pods' interfaces that do not say yet whose they are, and such as are out of use.

use crate::netlink::Link;
use crate::{REMOVED_GROUP, node};

/// Whether DEL has taken this link out of use: it is down, and destroyed in a moment.
pub fn is_removed(link: &Link) -> bool {
    link.group == REMOVED_GROUP
}

/// Whether an ADD made this link, or is making it, and has not said for whom: a pair cannot be
/// born with its alias. What stays so was left by an ADD that was cut short.
///
/// Nobody else's link passes: it has to be a veth without an alias, with a name as only we give
/// them, and with a hardware address that goes with that name ([`node::is_host_end`]).
pub fn is_unfinished(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth")
        && link.alias.is_none()
        && !is_removed(link)
        && link
            .mac
            .is_some_and(|mac| node::is_host_end(&link.name, mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cni::Attachment;

    fn unfinished(container_id: &str) -> Link {
        let attachment = Attachment::new(container_id, "eth0").unwrap();
        Link {
            name: node::host_interface("flatland", &attachment),
            mac: Some(node::macs("flatland", &attachment).0),
            kind: Some("veth".to_owned()),
            ..Link::default()
        }
    }

    type Change = fn(&mut Link);

    #[test]
    fn a_new_host_end_is_unfinished_and_what_is_anybody_elses_is_not() {
        for number in 0..100 {
            assert!(is_unfinished(&unfinished(&format!("c{number}"))));
        }
        let ours = unfinished("c1");
        let cases: [(&str, Change); 9] = [
            ("it is out of use", |link| link.group = REMOVED_GROUP),
            ("it has an alias", |link| link.alias = Some("x".into())),
            ("it is no veth", |link| link.kind = Some("dummy".into())),
            ("it is hardware", |link| link.kind = None),
            ("another name", |link| link.name = "veth0".into()),
            ("a longer name", |link| link.name.push('0')),
            ("no hexadecimal digits", |link| {
                link.name = "flatx1234567890".into();
            }),
            ("no address", |link| link.mac = None),
            ("another address", |link| {
                link.mac = Some("22:53:eb:e3:dd:59".parse().unwrap());
            }),
        ];
        for (case, change) in cases {
            let mut link = ours.clone();
            change(&mut link);
            assert!(!is_unfinished(&link), "{case}: {link:?}");
        }
    }
}
