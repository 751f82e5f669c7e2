//! The keys of the conflist. Their meaning is read from the doc comments of the types; their values
//! and defaults are read from the parsers themselves.

use serde_json::{Value, json};
use syn::{Attribute, Expr, Fields, Item, Lit, Meta};
use wire::cni;
use wire::conf::{
    CrossSubnet, EtcdConfig, IPAM_TYPE, IpamConfig, KubernetesConfig, PLUGIN_TYPE, PluginConfig,
    PolicyConfig,
};

/// One of our sections of the conflist.
pub(super) struct ConflistSection {
    pub(super) name: &'static str,
    pub(super) keys: Vec<ConflistKey>,
}

/// A key of a section.
pub(super) struct ConflistKey {
    pub(super) name: &'static str,
    /// `required`, `none`, or the value as JSON in backquotes.
    pub(super) default: String,
    /// Which values the parser accepts.
    pub(super) values: String,
    /// The paragraphs of the doc comment; the first one is a summary.
    pub(super) meaning: Vec<String>,
}

impl ConflistKey {
    /// The default, and the values.
    pub(super) fn range(&self) -> String {
        let default = match self.default.as_str() {
            "required" => "Required".to_owned(),
            value => format!("Default: {value}"),
        };
        format!("{default}. Value: {}.", self.values)
    }
}

/// All sections, from the outermost to the innermost.
pub(super) fn sections() -> Vec<ConflistSection> {
    let (plugin, ipam) = parse(&smallest_config("")).unwrap();
    let etcd = ipam.etcd.clone().unwrap();
    let policy = parse(&smallest_config(POLICY)).unwrap().0.policy.unwrap();
    let section = |name, path, keys: &[&'static str], source, defaults: Defaults| ConflistSection {
        name,
        keys: keys
            .iter()
            .map(|key| explained(path, key, &meanings(source), &defaults))
            .collect(),
    };
    vec![
        section(
            "flatland",
            "",
            PluginConfig::KEYS,
            include_str!("../../../../wire/src/conf/plugin.rs"),
            of_plugin(plugin),
        ),
        section(
            "policy",
            POLICY,
            PolicyConfig::KEYS,
            include_str!("../../../../wire/src/conf/policy.rs"),
            of_policy(&policy),
        ),
        section(
            "flatland-ipam",
            "/ipam",
            IpamConfig::KEYS,
            include_str!("../../../../wire/src/conf/ipam.rs"),
            of_ipam(ipam),
        ),
        section(
            "etcd",
            "/ipam/etcd",
            EtcdConfig::KEYS,
            include_str!("../../../../wire/src/conf/etcd.rs"),
            of_etcd(etcd),
        ),
        section(
            "kubernetes",
            KUBERNETES,
            KubernetesConfig::KEYS,
            include_str!("../../../../wire/src/conf/kubernetes.rs"),
            vec![("apiServer", Value::Null)],
        ),
    ]
}

/// The path of the section that switches NetworkPolicies on.
const POLICY: &str = "/policy";

/// The path of the section that takes the place of `etcd`.
const KUBERNETES: &str = "/ipam/kubernetes";

/// The smallest valid configuration that has the section at `path`, and all others that may be
/// beside it.
fn smallest_config(path: &str) -> Value {
    let mut config = json!({
        "cniVersion": "1.1.0", "name": "flatland", "type": PLUGIN_TYPE,
        "ipam": {
            "type": IPAM_TYPE, "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"],
            "etcd": { "endpoints": ["https://10.0.0.1:2379"] },
        },
    });
    if path == KUBERNETES {
        let ipam = config["ipam"].as_object_mut().unwrap();
        ipam.remove("etcd");
        ipam.insert("kubernetes".into(), json!({}));
    }
    if path == POLICY {
        config["policy"] = json!({});
    }
    config
}

fn parse(config: &Value) -> Result<(PluginConfig, IpamConfig), cni::Error> {
    Ok((PluginConfig::parse(config)?, IpamConfig::parse(config)?))
}

/// The default of each key; `null` where there is none.
type Defaults = Vec<(&'static str, Value)>;

// Destructured without `..`, so that a new field does not compile until it is listed here.

fn of_plugin(plugin: PluginConfig) -> Defaults {
    let PluginConfig {
        ip_masq,
        non_masquerade_cidrs,
        mtu,
        node_addresses,
        cross_subnet,
        policy: _,
        ipam_type: _,
        dns: _,
        sysctl,
    } = plugin;
    let cross_subnet = match cross_subnet {
        CrossSubnet::Report => "report",
        CrossSubnet::Gateway => "gateway",
    };
    vec![
        ("ipMasq", json!(ip_masq)),
        ("nonMasqueradeCIDRs", json!(non_masquerade_cidrs)),
        ("mtu", json!(mtu)),
        ("nodeAddresses", json!(node_addresses)),
        ("crossSubnet", json!(cross_subnet)),
        ("policy", Value::Null),
        ("dns", json!({})),
        ("sysctl", sysctl.into_iter().collect()),
    ]
}

fn of_policy(policy: &PolicyConfig) -> Defaults {
    let PolicyConfig { fail_open_after } = policy;
    let fail_open_after = fail_open_after.map(|it| it.as_secs());
    vec![("failOpenAfter", json!(fail_open_after))]
}

fn of_ipam(ipam: IpamConfig) -> Defaults {
    let IpamConfig {
        network: _,
        pod_cidrs: _,
        subnet_lengths,
        etcd: _,
        kubernetes: _,
        node_name,
        exclude,
        cool_down,
        max_cooling_percent,
        give_back_after,
        sweep_after,
        forget_after,
    } = ipam;
    vec![
        ("subnetLengths", json!(subnet_lengths)),
        ("etcd", Value::Null),
        ("kubernetes", Value::Null),
        ("nodeName", json!(node_name)),
        ("exclude", json!(exclude)),
        ("coolDown", json!(cool_down.as_secs())),
        ("maxCoolingPercent", json!(max_cooling_percent)),
        ("giveBackAfter", json!(give_back_after.as_secs())),
        ("sweepAfter", json!(sweep_after.as_secs())),
        ("forgetAfter", json!(forget_after.map(|it| it.as_secs()))),
    ]
}

fn of_etcd(etcd: EtcdConfig) -> Defaults {
    let EtcdConfig {
        endpoints: _,
        ca_file,
        cert_file,
        key_file,
        prefix,
    } = etcd;
    vec![
        ("caFile", json!(ca_file)),
        ("certFile", json!(cert_file)),
        ("keyFile", json!(key_file)),
        ("prefix", json!(prefix)),
    ]
}

fn explained(
    path: &str,
    key: &'static str,
    meanings: &[(String, Vec<String>)],
    defaults: &Defaults,
) -> ConflistKey {
    let field = if key == "ipam" { "ipamtype" } else { key };
    let is_match = |(name, _): &&(String, _)| name.eq_ignore_ascii_case(field);
    let meaning = meanings.iter().find(is_match).map(|(_, text)| text.clone());
    let meaning = match (key, path) {
        ("type", "") => vec![format!("This plugin: `{PLUGIN_TYPE}`.")],
        ("type", _) => vec![format!("This plugin: `{IPAM_TYPE}`.")],
        _ => meaning.unwrap_or_else(|| panic!("no field has the key {key}")),
    };
    ConflistKey {
        name: key,
        default: default_of(path, key, defaults),
        values: values_of(path, key),
        meaning,
    }
}

fn default_of(path: &str, key: &str, defaults: &Defaults) -> String {
    let mut without = smallest_config(path);
    let section = without.pointer_mut(path).unwrap().as_object_mut().unwrap();
    section.remove(key);
    // The interface plugin does not read its own name, but no runtime calls it without one.
    if parse(&without).is_err() || key == "type" {
        return "required".to_owned();
    }
    let (_, value) = defaults.iter().find(|(name, _)| *name == key).unwrap();
    match value {
        Value::Null => "none".to_owned(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        // Writing the default explicitly must not change what the parser returns.
        value => {
            let mut explicit = smallest_config(path);
            explicit.pointer_mut(path).unwrap()[key] = value.clone();
            assert_eq!(
                parse(&explicit).unwrap(),
                parse(&smallest_config(path)).unwrap(),
                "{key}"
            );
            format!("`{value}`")
        }
    }
}

/// The parser's own description of valid values, taken from its error for an invalid one.
fn values_of(path: &str, key: &str) -> String {
    let ours = [("", PLUGIN_TYPE), ("/ipam", IPAM_TYPE)];
    if let Some((_, name)) = ours.iter().find(|(at, _)| key == "type" && *at == path) {
        return format!("`\"{name}\"`");
    }
    let mut invalid = smallest_config(path);
    invalid.pointer_mut(path).unwrap()[key] = json!([{}]);
    let error = parse(&invalid).unwrap_err().msg;
    let (found, expected) = error
        .split_once(" is not ")
        .unwrap_or_else(|| panic!("{error}"));
    let each = if found.ends_with(" {}") {
        "a list; each of it "
    } else {
        ""
    };
    format!("{each}{expected}")
}

/// The name of each field of the source's public structure, without underscores, and the paragraphs
/// of its doc comment.
fn meanings(source: &str) -> Vec<(String, Vec<String>)> {
    let file = syn::parse_file(source).unwrap();
    let structures = file.items.into_iter().filter_map(|item| match item {
        Item::Struct(item) => Some(item.fields),
        _ => None,
    });
    let fields = structures.flat_map(|fields| match fields {
        Fields::Named(fields) => fields.named,
        _ => panic!("the sections' fields have names"),
    });
    fields
        .map(|field| {
            let name = field.ident.unwrap().to_string().replace('_', "");
            (name, paragraphs(&field.attrs))
        })
        .collect()
}

fn paragraphs(attributes: &[Attribute]) -> Vec<String> {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => Some(text.value().trim().to_owned()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        });
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect()
}
