//! Why this node could not claim a subnet at the last attempt: `shortage.json` in the network's
//! folder. For readers that must not query etcd themselves, such as STATUS.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::error::Error;
use crate::files;
use crate::policy::SHORTAGE_VALIDITY;

fn path(folder: &Path) -> PathBuf {
    folder.join("shortage.json")
}

/// Stores that no subnet of `pod_cidrs` can be claimed because of `why`, or, without `why`, that
/// they can. The caller holds the lock of the folder. If the file cannot be written, this is only
/// logged: it has no influence on later claims.
pub(super) fn record(folder: &Path, pod_cidrs: &[IpNet], why: Option<&Error>) {
    if pod_cidrs.is_empty() {
        return;
    }
    let mut known = read(folder);
    let before = known.len();
    for pod_cidr in pod_cidrs {
        match why {
            Some(why) => drop(known.insert(*pod_cidr, why.message())),
            None => drop(known.remove(pod_cidr)),
        }
    }
    let path = path(folder);
    let result = if !known.is_empty() {
        files::write(&path, &known)
    } else if before > 0 || path.exists() {
        fs::remove_file(&path).map_err(Error::io("remove", &path))
    } else {
        Ok(())
    };
    if let Err(error) = result {
        tracing::warn!(path = %path.display(), %error, "{error}");
    }
}

/// The pod CIDRs of which this node recently could not claim a subnet, each with the reason. An
/// unreadable file counts as empty.
pub fn read(folder: &Path) -> BTreeMap<IpNet, String> {
    let path = path(folder);
    match fs::metadata(&path).and_then(|metadata| metadata.modified()) {
        // The age is an error if the clock was set back.
        Ok(time) if time.elapsed().is_ok_and(|age| age < SHORTAGE_VALIDITY) => {}
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), error = %error, "cannot stat {}: {error}", path.display());
            return BTreeMap::new();
        }
        _ => return BTreeMap::new(),
    }
    files::read(&path).ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests;
