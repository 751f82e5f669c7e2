//! Who a node is, and the names that follow from a network and an attachment without any look-up.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use siphasher::sip128::SipHasher13;

use crate::cni::{Attachment, Error, code};
use crate::netlink::Mac;

/// The name of a node: an RFC 1123 subdomain, as Kubernetes requires of its nodes. Clones share the
/// text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The longest name, in bytes.
    pub const MAX: usize = 253;

    /// Refuses (code 7) what is empty, longer than 253 bytes, or not made of lower-case letters,
    /// digits and `-`, in parts that `.` separates and that start and end with a letter or digit.
    pub fn new(name: &str) -> Result<Self, Error> {
        if name.len() <= Self::MAX && name.split('.').all(is_label) {
            return Ok(Self(name.into()));
        }
        let msg = format!("node name {name:?} is not a lower-case RFC 1123 subdomain");
        Err(Error::new(code::INVALID_CONFIG, msg)
            .advise("use letters a-z, digits, \"-\" and \".\", 253 at most, as Kubernetes does"))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let has_dash_outside = label.starts_with('-') || label.ends_with('-');
    !label.is_empty() && !has_dash_outside && label.as_bytes().iter().all(is_inner)
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl TryFrom<String> for NodeName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(&name)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.as_str().to_owned()
    }
}

/// This node's name: `explicit` (a flag, the conflist), else the environment's `NODE_NAME`, else
/// the host name in lower case.
pub fn node_name(explicit: Option<&str>) -> Result<NodeName, Error> {
    if let Some(name) = explicit {
        return NodeName::new(name);
    }
    if let Some(name) = env::var_os("NODE_NAME").filter(|name| !name.is_empty()) {
        return NodeName::new(&name.to_string_lossy()).map_err(|error| error.within("NODE_NAME"));
    }
    let host = nix::unistd::gethostname()
        .map_err(|error| Error::new(code::IO, format!("cannot get the host name: {error}")))?;
    from_host(&host.to_string_lossy())
}

fn from_host(host: &str) -> Result<NodeName, Error> {
    NodeName::new(&host.to_lowercase()).map_err(|error| {
        error
            .within("host name")
            .advise("set NODE_NAME, or give the node's name explicitly")
    })
}

/// What the names of host ends begin with.
const HOST_END: &str = "flat";

/// The host end's name: `flat` and 11 hexadecimal digits, 15 bytes in all.
pub fn host_interface(network: &str, attachment: &Attachment) -> String {
    let digest = u128::from_be_bytes(digest(network, attachment));
    format!("{HOST_END}{:011x}", digest >> (128 - 11 * 4))
}

/// Whether a link of this name and hardware address is the host end of some attachment of some
/// network. Both come from one hash, of which the name has the first 44 bits and the address those
/// from the 33rd on, but for five: they have to agree on the seven that are left.
pub fn is_host_end(name: &str, mac: Mac) -> bool {
    let digits = name.strip_prefix(HOST_END).unwrap_or_default();
    let is_hash = digits.len() == 11 && !digits.contains('+');
    let hash = u64::from_str_radix(digits, 16).ok().filter(|_| is_hash);
    let [first, second, ..] = mac.0;
    hash.is_some_and(|hash| {
        let expected = (hash >> 4 & 0xe0 | 0x02, hash & 0x0f);
        expected == (u64::from(first), u64::from(second >> 4))
    })
}

/// The hardware addresses of the host end and of the pod end: unicast, locally administered and
/// administratively assigned (IEEE 802c: the second digit is 2), so that udev leaves them alone;
/// never equal, because the lowest bit of the first digit tells them apart.
pub fn macs(network: &str, attachment: &Attachment) -> (Mac, Mac) {
    let digest = digest(network, attachment);
    let mac = |start: usize, mark: u8| {
        let mut mac = [0; 6];
        mac.copy_from_slice(&digest[start..start + 6]);
        mac[0] = (mac[0] & 0xe0) | mark;
        Mac(mac)
    };
    (mac(4, 0x02), mac(10, 0x12))
}

/// `SipHash`-1-3 with 128 bits and fixed keys: every program, now and later, finds the same names.
/// The parts hold no zero byte, so that no two attachments give the same input.
fn digest(network: &str, attachment: &Attachment) -> [u8; 16] {
    let parts = [network, attachment.container_id(), attachment.interface()];
    let hasher = SipHasher13::new_with_keys(u64::from_be_bytes(*b"flatland"), 0);
    hasher
        .hash(parts.join("\0").as_bytes())
        .as_u128()
        .to_be_bytes()
}

/// What tells one machine from another: the content of `/etc/machine-id`, 32 hexadecimal digits
/// (machine-id(5)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineId(String);

impl MachineId {
    /// Reads `/etc/machine-id`. Code 5 if it cannot be read, 7 if it holds no id yet.
    pub fn read() -> Result<Self, Error> {
        Self::read_from(Path::new("/etc/machine-id"))
    }

    /// As [`MachineId::read`], from another file of that format.
    pub fn read_from(path: &Path) -> Result<Self, Error> {
        let advice = "run systemd-machine-id-setup, or dbus-uuidgen --ensure=/etc/machine-id";
        let text = fs::read_to_string(path).map_err(|error| {
            let msg = format!(
                "cannot read the machine id from {}: {error}",
                path.display()
            );
            Error::new(code::IO, msg).advise(advice)
        })?;
        let id = text.trim().to_ascii_lowercase();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id && id.bytes().any(|byte| byte != b'0') {
            return Ok(Self(id));
        }
        let msg = format!(
            "{} holds no machine id but {:?}",
            path.display(),
            text.trim()
        );
        Err(Error::new(code::INVALID_CONFIG, msg).advise(advice))
    }

    /// The 32 digits, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a network keeps what dies with a reboot, as the pods do.
pub fn run_dir(network: &str) -> PathBuf {
    Path::new("/run/flatland").join(network)
}

/// Where a network keeps what the node owns across reboots.
pub fn state_dir(network: &str) -> PathBuf {
    Path::new("/var/lib/flatland").join(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(container_id: &str, interface: &str) -> Attachment {
        Attachment::new(container_id, interface).unwrap()
    }

    #[test]
    fn node_names_are_what_kubernetes_takes() {
        let long = format!("{}a", "a.".repeat(126));
        for name in ["n1", "node-1.example.com", "10", "a", &long] {
            assert_eq!(NodeName::new(name).unwrap().to_string(), name);
        }
        let too_long = format!("{long}.b");
        let refused = [
            "", "N1", "-a", "a-", "a..b", ".a", "a.", "a_b", "a/b", "a b", "\u{e4}",
        ];
        for name in refused.into_iter().chain([too_long.as_str()]) {
            let error = NodeName::new(name).unwrap_err();
            assert_eq!(error.code, code::INVALID_CONFIG, "{name}");
            assert!(error.msg.contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn a_node_name_in_json_is_checked_when_it_is_read() {
        assert_eq!(
            serde_json::to_string(&NodeName::new("n1").unwrap()).unwrap(),
            "\"n1\""
        );
        assert!(serde_json::from_str::<NodeName>("\"n1\"").is_ok());
        let error = serde_json::from_str::<NodeName>("\"N 1\"").unwrap_err();
        assert!(error.to_string().contains("N 1"), "{error}");
    }

    #[test]
    fn an_explicit_name_comes_first_and_the_host_name_is_taken_in_lower_case() {
        assert_eq!(node_name(Some("n1")).unwrap().as_str(), "n1");
        assert!(node_name(Some("")).is_err());
        assert_eq!(
            from_host("Worker-1.Local").unwrap().as_str(),
            "worker-1.local"
        );
        let error = from_host("my_host").unwrap_err();
        assert!(error.details.contains("NODE_NAME"), "{error}");
    }

    #[test]
    fn names_and_addresses_of_an_attachment_never_change_between_releases() {
        let eth0 = attachment("c1", "eth0");
        assert_eq!(host_interface("flatland", &eth0), "flatd9fa313d28e");
        let (host, pod) = macs("flatland", &eth0);
        assert_eq!(host.to_string(), "22:e3:eb:e3:dd:59");
        assert_eq!(pod.to_string(), "72:9f:24:f6:90:16");
    }

    #[test]
    fn each_attachment_of_each_network_has_names_and_addresses_of_its_own() {
        let mut names = std::collections::HashSet::new();
        let mut addresses = std::collections::HashSet::new();
        for (network, id, interface) in [
            ("a", "bc", "d"),
            ("ab", "c", "d"),
            ("a", "b", "cd"),
            ("a", "bc", "e"),
            ("b", "bc", "d"),
        ] {
            let attachment = attachment(id, interface);
            let name = host_interface(network, &attachment);
            assert_eq!(name.len(), 15);
            assert!(names.insert(name));
            let (host, pod) = macs(network, &attachment);
            assert_eq!((host.0[0] & 0x1f, pod.0[0] & 0x1f), (0x02, 0x12));
            assert!(addresses.insert(host) && addresses.insert(pod));
        }
    }

    #[test]
    fn a_machine_id_is_read_and_what_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine-id");
        let error = MachineId::read_from(&path).unwrap_err();
        assert_eq!(error.code, code::IO);
        assert!(error.msg.contains(path.to_str().unwrap()), "{error}");

        let id = "0123456789abcdef0123456789abcdef";
        fs::write(&path, format!("{}\n", id.to_uppercase())).unwrap();
        assert_eq!(MachineId::read_from(&path).unwrap().as_str(), id);

        for text in ["", "uninitialized\n", &"0".repeat(32), &id[1..]] {
            fs::write(&path, text).unwrap();
            assert_eq!(
                MachineId::read_from(&path).unwrap_err().code,
                code::INVALID_CONFIG
            );
        }
    }

    #[test]
    fn folders_are_per_network() {
        assert_eq!(run_dir("blue"), Path::new("/run/flatland/blue"));
        assert_eq!(state_dir("blue"), Path::new("/var/lib/flatland/blue"));
    }
}
