//! Connectivity: all pods and nodes reach each other, without NAT.

use std::net::IpAddr;

use lab::probe::{LISTENING, ProbeAnswer};
use lab::{DEADLINE, Families, Lab, Pod, Process, Result, wait_until};

/// The probe program, as installed on nodes.
const LAB: &str = "/opt/flatland/lab";

/// Queries each of the targets and returns the answers as JSON.
type QueryFn<'a> = dyn Fn(&[IpAddr]) -> Result<String> + 'a;

/// A place that packets come from or go to: a pod or a node.
struct TrafficEnd<'a> {
    name: String,
    addresses: Vec<IpAddr>,
    query: Box<QueryFn<'a>>,
    _server: Process,
}

fn words(targets: &[IpAddr]) -> Vec<String> {
    let mut words = vec![LAB.to_owned(), "query".to_owned()];
    words.extend(targets.iter().map(ToString::to_string));
    words
}

fn listening(server: &Process) -> Result {
    wait_until("server that listens", DEADLINE, || {
        server.log().contains(LISTENING)
    })
}

fn at_pod<'a>(pod: &'a Pod<'a>) -> Result<TrafficEnd<'a>> {
    let server = pod.spawn("serve", &[LAB, "serve"])?;
    listening(&server)?;
    Ok(TrafficEnd {
        name: pod.name().to_owned(),
        addresses: pod.addresses(),
        query: Box::new(|targets| pod.run(&words(targets))),
        _server: server,
    })
}

fn at_node(node: &lab::Node) -> Result<TrafficEnd<'_>> {
    let server = node.spawn("serve", None, &[LAB, "serve"])?;
    listening(&server)?;
    Ok(TrafficEnd {
        name: node.name().to_owned(),
        addresses: node.addresses().to_vec(),
        query: Box::new(|targets| node.run(&words(targets))),
        _server: server,
    })
}

/// Everything that does not work, or works with another source address.
fn complaints(places: &[TrafficEnd<'_>]) -> Result<Vec<String>> {
    let targets: Vec<IpAddr> = places
        .iter()
        .flat_map(|place| place.addresses.clone())
        .collect();
    let mut all = Vec::new();
    for place in places {
        let families = |target: &IpAddr| {
            place
                .addresses
                .iter()
                .any(|own| own.is_ipv4() == target.is_ipv4())
        };
        let targets: Vec<IpAddr> = targets.iter().copied().filter(families).collect();
        let answers: Vec<ProbeAnswer> =
            serde_json::from_str(&(place.query)(&targets)?).unwrap_or_default();
        assert_eq!(answers.len(), targets.len());
        for answer in answers {
            // A host that talks to itself uses the destination address as its source.
            let complaint = answer.complaint(&place.addresses);
            all.extend(complaint.map(|complaint| format!("{} to {complaint}", place.name)));
        }
    }
    Ok(all)
}

fn everybody_reaches_everybody(families: Families) -> Result {
    let lab = Lab::builder().nodes(3).families(families).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let mut pods = Vec::new();
    for (node, names) in lab.nodes().iter().zip([["a", "b"], ["c", "d"], ["e", "f"]]) {
        for name in names {
            pods.push(node.add_pod(name)?);
        }
    }
    let mut places = Vec::new();
    for pod in &pods {
        places.push(at_pod(pod)?);
    }
    for node in lab.nodes() {
        places.push(at_node(node)?);
    }

    assert_eq!(complaints(&places)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn dual_stack_pods_and_nodes_reach_each_other_without_nat() -> Result {
    everybody_reaches_everybody(Families::Dual)
}

#[test]
fn ipv4_pods_and_nodes_reach_each_other_without_nat() -> Result {
    everybody_reaches_everybody(Families::V4)
}

#[test]
fn ipv6_pods_and_nodes_reach_each_other_without_nat() -> Result {
    everybody_reaches_everybody(Families::V6)
}

#[test]
fn packet_to_a_deleted_pod_fails_at_once() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let gone = lab.node(2).add_pod("gone")?;
    let address = gone.addresses()[0].to_string();
    gone.delete()?;
    let pod = lab.node(1).add_pod("a")?;

    let output = pod.try_run(&["ping", "-c1", "-W5", &address])?;

    assert!(
        output.stdout.contains("Destination Host Unreachable"),
        "{output:?}"
    );
    Ok(())
}
