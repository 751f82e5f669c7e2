//! Parses the JSON of a result. Every error names the place: `ips[1].address`.

use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use serde_json::{Map, Value};

use super::{CniRoute, Dns, Interface, IpConfig, Success};
use crate::cni::{CniVersion, Error, code};

impl Success {
    /// Parses a result of any supported version: that of its `cniVersion` or, without one,
    /// `assumed` (the version of the configuration). Errors have code 6.
    ///
    /// It accepts what plugins print: `null` and an empty string count as absent, unknown fields of
    /// the result and of `ips` are dropped, and fields of later versions are read.
    pub fn parse(value: &Value, assumed: CniVersion) -> Result<Self, Error> {
        let result = Object::new(String::new(), value)?;
        let version = result_version(&result, assumed)?;
        let interfaces = result.list("interfaces", parse_interface)?;
        let ips = result.list("ips", |ip| parse_ip(ip, version))?;
        if let Some((index, ip)) = ips.iter().enumerate().find(|(_, ip)| {
            ip.interface
                .is_some_and(|position| position >= interfaces.len())
        }) {
            let position = ip.interface.unwrap_or_default();
            let count = interfaces.len();
            return Err(undecodable(format!(
                "ips[{index}].interface is {position}, but there are {count} interfaces"
            )));
        }
        Ok(Self {
            interfaces,
            ips,
            routes: result.list("routes", parse_route)?,
            dns: result
                .get("dns")
                .map(Dns::parse)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

impl Dns {
    /// Parses `dns` of a result or of a configuration.
    pub(crate) fn parse(value: &Value) -> Result<Self, Error> {
        let dns = Object::new("dns".to_owned(), value)?;
        Ok(Self {
            nameservers: dns.strings("nameservers")?,
            domain: dns.string("domain")?.map(str::to_owned),
            search: dns.strings("search")?,
            options: dns.strings("options")?,
        })
    }
}

/// 0.3.0 has the result of 0.3.1; older versions have no list of addresses.
fn result_version(result: &Object<'_>, assumed: CniVersion) -> Result<CniVersion, Error> {
    match result.string("cniVersion")? {
        None => Ok(assumed),
        Some("0.3.0") => Ok(CniVersion::V0_3_1),
        Some(text) => text
            .parse::<CniVersion>()
            .map_err(|error| Error::new(code::INCOMPATIBLE_VERSION, error.to_string())),
    }
}

fn parse_interface(interface: &Object<'_>) -> Result<Interface, Error> {
    let name = interface.string("name")?;
    let name = name.ok_or_else(|| interface.missing("name"))?.to_owned();
    let mac = interface.string("mac")?.map(str::to_owned);
    let mtu = interface.number("mtu")?;
    let sandbox = interface.string("sandbox")?.map(str::to_owned);
    Ok(Interface {
        name,
        mac,
        mtu,
        sandbox,
        other: interface.rest(&["name", "mac", "mtu", "sandbox"]),
    })
}

fn parse_ip(ip: &Object<'_>, version: CniVersion) -> Result<IpConfig, Error> {
    let text = ip.string("address")?.ok_or_else(|| ip.missing("address"))?;
    let address = prefix(text).ok_or_else(|| {
        ip.wrong(
            "address",
            "an address with its prefix length, as 10.1.2.3/24",
        )
    })?;
    if version < CniVersion::V1_0_0 {
        let family = if address.addr().is_ipv4() { "4" } else { "6" };
        if ip.string("version")?.is_some_and(|stated| stated != family) {
            return Err(ip.wrong("version", "the family of its address"));
        }
    }
    Ok(IpConfig {
        address: IpNetwork::new(address.addr(), address.prefix_len())
            .map_err(|error| undecodable(format!("{}: {error}", ip.place("address"))))?,
        gateway: ip.address("gateway")?,
        interface: ip.number("interface")?,
    })
}

fn parse_route(route: &Object<'_>) -> Result<CniRoute, Error> {
    let text = route.string("dst")?.ok_or_else(|| route.missing("dst"))?;
    let dst = prefix(text).ok_or_else(|| route.wrong("dst", "a prefix, as 10.1.0.0/16"))?;
    Ok(CniRoute {
        dst: dst.trunc(),
        gw: route.address("gw")?,
        other: route.rest(&["dst", "gw"]),
    })
}

/// `10.1.2.3/24` with its host bits; no other notation, as in the spec's library.
fn prefix(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

fn undecodable(what: impl Into<String>) -> Error {
    Error::new(code::DECODING, what)
}

/// A JSON object and its place in the result.
struct Object<'a> {
    place: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    fn new(place: String, value: &'a Value) -> Result<Self, Error> {
        match value {
            Value::Object(fields) => Ok(Self { place, fields }),
            _ if place.is_empty() => Err(undecodable("not a JSON object")),
            _ => Err(undecodable(format!("{place} is not a JSON object"))),
        }
    }

    fn place(&self, key: &str) -> String {
        if self.place.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.place)
        }
    }

    fn missing(&self, key: &str) -> Error {
        undecodable(format!("{} is missing", self.place(key)))
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        let found = &self.fields[key];
        undecodable(format!("{} {found} is not {expected}", self.place(key)))
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn string(&self, key: &str) -> Result<Option<&'a str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    fn number<N: TryFrom<u64>>(&self, key: &str) -> Result<Option<N>, Error> {
        let number = |value: &Value| value.as_u64().and_then(|number| number.try_into().ok());
        self.get(key)
            .map(|value| number(value).ok_or_else(|| self.wrong(key, "a number in range")))
            .transpose()
    }

    fn address(&self, key: &str) -> Result<Option<IpAddr>, Error> {
        self.string(key)?
            .map(|text| text.parse().map_err(|_| self.wrong(key, "an IP address")))
            .transpose()
    }

    fn list<T>(
        &self,
        key: &str,
        parse: impl Fn(&Object<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| parse(&Object::new(format!("{key}[{index}]"), item)?))
                .collect(),
            Some(_) => Err(self.wrong(key, "a list")),
        }
    }

    fn strings(&self, key: &str) -> Result<Vec<String>, Error> {
        let list = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<_>>(),
            Some(_) => None,
        };
        list.ok_or_else(|| self.wrong(key, "a list of strings"))
    }

    /// The fields that are not `known`.
    fn rest(&self, known: &[&str]) -> Map<String, Value> {
        let unknown = self
            .fields
            .iter()
            .filter(|(key, _)| !known.contains(&key.as_str()));
        unknown
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}
