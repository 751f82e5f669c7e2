//! The `etcd` section of `ipam`: how to reach the registry.

use std::path::PathBuf;

use serde_json::Value;

use super::invalid;
use super::section::Section;
use crate::cni::Error;

/// The default prefix of our keys.
const DEFAULT_PREFIX: &str = "/flatland";

/// How to reach etcd, and the prefix of our keys: the `etcd` section of `ipam`.
///
/// The comments of the fields are also the descriptions of the keys in docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdConfig {
    /// The members' URLs, at least one: `http://HOST:PORT` or `https://HOST:PORT`.
    pub endpoints: Vec<String>,
    /// The certificate authority that signed etcd's certificate; by default those of the system.
    /// Only with `https` endpoints.
    ///
    /// Files are read again for each connection: replacing a certificate takes no restart.
    pub ca_file: Option<PathBuf>,
    /// This client's certificate. Requires `keyFile`.
    pub cert_file: Option<PathBuf>,
    /// The key of `certFile`. Requires `certFile`.
    pub key_file: Option<PathBuf>,
    /// The prefix of our keys; each network has its own keys below it. It starts with `/` and does
    /// not end with one.
    pub prefix: String,
}

impl EtcdConfig {
    /// The keys of the section.
    pub const KEYS: &[&str] = &["endpoints", "prefix", "caFile", "certFile", "keyFile"];

    pub(super) fn parse(value: &Value) -> Result<Self, Error> {
        let section = Section::new("ipam.etcd", value)?;
        section.refuse_unknown(Self::KEYS)?;
        let etcd = Self {
            endpoints: section.list("endpoints", "a string", |value| {
                value.as_str().map(str::to_owned)
            })?,
            ca_file: section.file("caFile")?,
            cert_file: section.file("certFile")?,
            key_file: section.file("keyFile")?,
            prefix: section
                .string("prefix")?
                .unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
        };
        etcd.check_endpoints(&section)?;
        etcd.check_files(&section)?;
        check_prefix(&section, &etcd.prefix)?;
        Ok(etcd)
    }

    fn check_endpoints(&self, section: &Section<'_>) -> Result<(), Error> {
        let name = section.name("endpoints");
        if self.endpoints.is_empty() {
            return Err(match section.collection("endpoints") {
                Some(_) => invalid(format!("{name} is empty")),
                None => section.missing("endpoints"),
            }
            .advise("name at least one, or leave out the etcd section for a single node"));
        }
        for endpoint in &self.endpoints {
            check_endpoint(endpoint).map_err(|why| {
                invalid(format!("{name}: {endpoint:?} {why}")).advise("write https://HOST:PORT")
            })?;
        }
        Ok(())
    }

    fn check_files(&self, section: &Section<'_>) -> Result<(), Error> {
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => {
                return Err(section.missing("keyFile").advise("certFile needs its key"));
            }
            (None, Some(_)) => {
                return Err(section
                    .missing("certFile")
                    .advise("keyFile needs its certificate"));
            }
            _ => {}
        }
        let has_files = self.ca_file.is_some() || self.cert_file.is_some();
        let is_plain = |endpoint: &&String| endpoint.starts_with("http://");
        match self.endpoints.iter().find(is_plain) {
            Some(endpoint) if has_files => {
                let msg = format!(
                    "{}: certificates are of no use for {endpoint}",
                    section.name("endpoints")
                );
                Err(invalid(msg).advise("write https://, or remove caFile, certFile and keyFile"))
            }
            _ => Ok(()),
        }
    }
}

/// The port is required: the client library would default to 80 or 443, not to etcd's 2379.
fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| endpoint.strip_prefix(scheme))
        .ok_or("does not start with https:// or http://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | '?' | '#')) {
        return Err("holds more than a host and a port");
    }
    let (host, port) = authority
        .rsplit_once(':')
        .ok_or("has no port (etcd's is 2379)")?;
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !is_bracketed) {
        return Err("has no valid host (an IPv6 address stands in brackets)");
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err("has no valid port (etcd's is 2379)"),
    }
}

fn check_prefix(section: &Section<'_>, prefix: &str) -> Result<(), Error> {
    let why = if !prefix.starts_with('/') {
        "does not start with \"/\""
    } else if prefix.ends_with('/') {
        "ends with \"/\""
    } else if prefix.contains("//") {
        "holds an empty part"
    } else {
        return Ok(());
    };
    let msg = format!("{}: {prefix:?} {why}", section.name("prefix"));
    Err(invalid(msg).advise(format!("write something like {DEFAULT_PREFIX:?}")))
}

#[cfg(test)]
mod tests;
