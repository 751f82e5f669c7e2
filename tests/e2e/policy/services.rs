//! Policies and Services: packets are judged after kube-proxy has chosen the pod that they go to. And
//! what belongs to an allowed connection, and pods that are over.

use std::net::IpAddr;

use lab::policy::{PodObject, PolicyCluster};
use lab::probe::{PORT, ProbeAnswer};
use lab::{DEADLINE, Error, Machine, Pod, Result, wait_until};
use serde_json::{Value, json};

use crate::service::{SERVICE_PORT, Service, ServiceEndpoint};
use crate::support::{
    ALL, Answering, DENIED_MS, LAB, answered, answering, deny, pods, query, wait_reached,
};
use crate::{iptables, nftables};

/// A port on which no server listens.
const CLOSED_PORT: u16 = PORT + 1;

/// Writes kube-proxy's rules for Services to a node.
type Proxy = fn(&Machine, &[Service]) -> Result;

#[test]
fn services_of_iptables_are_judged_by_the_pods_behind_them() -> Result {
    pods_are_judged_behind_services(iptables::install)
}

#[test]
fn services_of_nftables_are_judged_by_the_pods_behind_them() -> Result {
    pods_are_judged_behind_services(nftables::install)
}

fn pods_are_judged_behind_services(proxy: Proxy) -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    let pod = |node, name, app| answering(&cluster, node, &PodObject::new("shop", name, &[app]));
    let db = pod(1, "db", ("app", "db"))?;
    let allowed = [
        pod(1, "web", ("app", "web"))?,
        pod(2, "far", ("app", "web"))?,
    ];
    let denied = [
        pod(1, "near", ("app", "x"))?,
        pod(2, "other", ("app", "x"))?,
    ];
    let service = service_of(&cluster, &db, proxy)?;
    let all = || allowed.iter().chain(&denied).map(|it| &it.pod);
    all().try_for_each(|from| wait_through(from, &service, ALL))?;

    cluster.policy("shop", "default-deny", &deny(&["Ingress", "Egress"]))?;
    all().try_for_each(|from| wait_through(from, &service, ""))?;

    // Neither end's policy names the Service or its addresses.
    let ingress = json!({
        "podSelector": { "matchLabels": { "app": "db" } },
        "ingress": [{ "from": [pods("app", "web")], "ports": both(PORT) }],
    });
    cluster.policy("shop", "from-web", &ingress)?;
    cluster.policy("shop", "to-db", &egress(&pods("app", "db"), PORT))?;
    for from in &allowed {
        wait_through(&from.pod, &service, ALL)?;
        // The backend's policy, and its server, see the client itself.
        for answer in query(&from.pod, &service.addresses(), SERVICE_PORT)? {
            let client = answer.tcp.map_err(Error::new)?;
            assert!(from.pod.addresses().contains(&client), "{client}");
        }
    }
    for from in &denied {
        wait_through(&from.pod, &service, "")?;
    }

    // A policy that allows only what packets are before a pod is chosen, allows nothing.
    let blocks: Vec<_> = service.addresses().into_iter().map(block).collect();
    let mut to_service = egress(&blocks[0], SERVICE_PORT);
    to_service["egress"][0]["to"] = blocks.into();
    cluster.policy("shop", "to-db", &to_service)?;
    all().try_for_each(|from| wait_through(from, &service, ""))?;

    // A pod that its own Service leads back to itself.
    wait_through(&db.pod, &service, ALL)
}

#[test]
fn nodes_reach_their_own_pods_through_services_and_others_as_policies_say() -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    let db = answering(&cluster, 1, &PodObject::new("shop", "db", &[("app", "db")]))?;
    let far = answering(&cluster, 2, &PodObject::new("shop", "far", &[]))?;
    let service = service_of(&cluster, &db, nftables::install)?;
    let (own, other) = (cluster.node(1), cluster.node(2));
    wait_from_node(other, &service, ALL)?;

    cluster.policy("shop", "default-deny", &deny(&["Ingress", "Egress"]))?;
    wait_reached(&far.pod, &db.pod, "")?;
    wait_from_node(other, &service, "")?;
    wait_from_node(own, &service, ALL)?;

    // Processes on the network of another node have that node's addresses.
    let blocks: Vec<_> = other.addresses().iter().copied().map(block).collect();
    let allow = json!({
        "podSelector": {}, "ingress": [{ "from": blocks, "ports": both(PORT) }],
    });
    cluster.policy("shop", "from-node", &allow)?;
    wait_from_node(other, &service, ALL)?;
    wait_through(&far.pod, &service, "")
}

#[test]
fn errors_about_allowed_connections_pass_isolated_pods() -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    let db = answering(&cluster, 1, &PodObject::new("shop", "db", &[("app", "db")]))?;
    let near = answering(&cluster, 1, &PodObject::new("shop", "near", &[]))?;
    let far = answering(&cluster, 2, &PodObject::new("shop", "far", &[]))?;
    cluster.policy("shop", "default-deny", &deny(&["Ingress", "Egress"]))?;
    wait_refused(&near.pod, &db.pod, false)?;
    wait_refused(&far.pod, &db.pod, false)?;

    // Only towards the database: what it sends of its own is denied, at both ends.
    let ingress = json!({
        "podSelector": { "matchLabels": { "app": "db" } },
        "ingress": [{ "ports": both(CLOSED_PORT) }],
    });
    cluster.policy("shop", "to-closed", &ingress)?;
    let to_db = egress(&pods("app", "db"), CLOSED_PORT);
    cluster.policy("shop", "from-others", &to_db)?;
    for from in [&near, &far] {
        wait_refused(&from.pod, &db.pod, true)?;
        wait_reached(&db.pod, &from.pod, "")?;
    }
    Ok(())
}

#[test]
fn completed_pods_lend_their_labels_to_nobody_who_has_their_addresses_next() -> Result {
    let cluster = PolicyCluster::start(2)?;
    cluster.namespace("shop", &[])?;
    let db = answering(&cluster, 1, &PodObject::new("shop", "db", &[]))?;
    let allow = json!({ "podSelector": {}, "ingress": [{ "from": [pods("app", "web")] }] });
    cluster.policy("shop", "from-web", &allow)?;

    // The API learns late that the job is over and who has its addresses.
    let next = PodObject::new("shop", "next", &[("app", "x")]);
    cluster.put(&next.scheduled("n2"))?;
    let pod = cluster.attach(2, &next)?;
    let job = PodObject::new("shop", "job", &[("app", "web")]);
    cluster.put(&job.running("n2", &pod.addresses()))?;
    wait_reached(&pod, &db.pod, ALL)?;
    for phase in ["Succeeded", "Failed"] {
        cluster.put(&job.in_phase(phase, "n2", &pod.addresses()))?;
        wait_reached(&pod, &db.pod, "")?;
        cluster.put(&job.running("n2", &pod.addresses()))?;
        wait_reached(&pod, &db.pod, ALL)?;
    }
    cluster.put(&job.in_phase("Succeeded", "n2", &pod.addresses()))?;
    cluster.put(&next.running("n2", &pod.addresses()))?;
    wait_reached(&pod, &db.pod, "")?;

    // Its object may go at any time later: the addresses are another's.
    let relabelled = next.with_labels(&[("app", "web")]);
    cluster.put(&relabelled.running("n2", &pod.addresses()))?;
    wait_reached(&pod, &db.pod, ALL)?;
    assert!(cluster.cluster.api.delete("pods", "shop", "job"));
    let late = answering(
        &cluster,
        1,
        &PodObject::new("shop", "late", &[("app", "x")]),
    )?;
    wait_reached(&late.pod, &db.pod, "")?;
    wait_reached(&pod, &db.pod, ALL)
}

/// A Service in front of a pod, on both nodes.
fn service_of(cluster: &PolicyCluster, pod: &Answering<'_>, proxy: Proxy) -> Result<Service> {
    let endpoint = ServiceEndpoint {
        addresses: pod.pod.addresses(),
        node: pod.pod.machine().name().to_owned(),
    };
    let service = Service::new("db", 1, &[&endpoint]);
    for node in cluster.cluster.lab.nodes() {
        proxy(node, std::slice::from_ref(&service))?;
    }
    Ok(service)
}

/// A port by both protocols.
fn both(port: u16) -> Value {
    json!([{ "port": port }, { "port": port, "protocol": "UDP" }])
}

/// An `ipBlock` of one address.
fn block(address: IpAddr) -> Value {
    let length = if address.is_ipv4() { 32 } else { 128 };
    json!({ "ipBlock": { "cidr": format!("{address}/{length}") } })
}

/// The spec of a policy by which all pods may send to this peer.
fn egress(peer: &Value, port: u16) -> Value {
    json!({
        "podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{ "to": [peer], "ports": both(port) }],
    })
}

/// Waits until a Service answers exactly this.
fn wait_through(from: &Pod<'_>, service: &Service, expected: &str) -> Result {
    let ask = || query(from, &service.addresses(), SERVICE_PORT);
    wait_for(&format!("{} through Service", from.name()), expected, ask)
}

/// As [`wait_through`], from a process on the network of a node.
fn wait_from_node(node: &Machine, service: &Service, expected: &str) -> Result {
    let ask = || {
        let [v4, v6] = service.addresses().map(|it| it.to_string());
        let port = SERVICE_PORT.to_string();
        let limit = ["--no-ping", "--limit-ms", DENIED_MS, "--port", &port];
        let command = [&[LAB, "query"], &limit[..], &[&v4, &v6]].concat();
        serde_json::from_str(&node.run(&command)?).map_err(|error| Error::new(error.to_string()))
    };
    wait_for(&format!("{} through Service", node.name()), expected, ask)
}

fn wait_for(
    what: &str,
    expected: &str,
    mut ask: impl FnMut() -> Result<Vec<ProbeAnswer>>,
) -> Result {
    let mut last = String::new();
    wait_until(format!("{what}: {expected:?}"), DEADLINE, || {
        last = ask().map_or_else(|error| error.to_string(), |it| answered(&it));
        last == expected
    })
    .map_err(|error| error.doing(format!("answered: {last:?}")))
}

/// Waits until the port without a server is refused at once, by TCP's reset and by ICMP, in both
/// families; or is not answered at all.
fn wait_refused(from: &Pod<'_>, to: &Pod<'_>, is_refused: bool) -> Result {
    let mut last = Vec::new();
    let what = format!("{} to {}: refused {is_refused}", from.name(), to.name());
    wait_until(what, DEADLINE, || {
        last = query(from, &to.addresses(), CLOSED_PORT).unwrap_or_default();
        let mut errors = last.iter().flat_map(|it| [&it.tcp, &it.udp]);
        last.len() == 2
            && errors.all(|it| {
                let error = it.as_ref().err();
                error.is_some_and(|it| it.contains("refused") == is_refused)
            })
    })
    .map_err(|error| error.doing(format!("{last:?}")))
}
