//! Two nodes with kube-proxy's rules, backend pods, client pods, and a machine outside.

use std::net::IpAddr;

use lab::probe::{LISTENING, ProbeAnswer};
use lab::{DEADLINE, Error, Families, Lab, Machine, Pod, Process, Result, wait_until};

use crate::service::{SERVICE_PORT, Service, ServiceEndpoint};
use crate::{iptables, nftables};

/// The probe program, as installed on nodes.
const LAB: &str = "/opt/flatland/lab";

/// The mode of kube-proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    Iptables,
    Nftables,
}

/// Two ready nodes whose pods are masqueraded to the outside.
pub(crate) fn raise() -> Result<Lab> {
    let mut lab = Lab::builder().nodes(2).families(Families::Dual).start()?;
    for number in 1..=2 {
        let mut conflist = lab.conflist();
        conflist["plugins"][0]["ipMasq"] = true.into();
        lab.node_mut(number).set_conflist(&conflist)?;
    }
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

/// A pod that runs a probe server.
pub(crate) struct ServiceBackend<'a> {
    pub(crate) pod: Pod<'a>,
    pub(crate) endpoint: ServiceEndpoint,
    _server: Process,
}

/// Starts a backend pod on node `number`.
pub(crate) fn backend<'a>(lab: &'a Lab, number: usize, name: &str) -> Result<ServiceBackend<'a>> {
    let node = lab.node(number);
    let pod = node.add_pod(name)?;
    let server = listening(pod.spawn("serve", &[LAB, "serve"])?)?;
    let endpoint = ServiceEndpoint {
        addresses: pod.addresses(),
        node: node.name().to_owned(),
    };
    Ok(ServiceBackend {
        pod,
        endpoint,
        _server: server,
    })
}

/// A backend on the host's network of a machine.
pub(crate) fn host_backend(machine: &Machine) -> Result<(ServiceEndpoint, Process)> {
    let server = listening(machine.spawn("serve", None, &[LAB, "serve"])?)?;
    let endpoint = ServiceEndpoint {
        addresses: machine.addresses().to_vec(),
        node: machine.name().to_owned(),
    };
    Ok((endpoint, server))
}

fn listening(server: Process) -> Result<Process> {
    wait_until("server that listens", DEADLINE, || {
        server.log().contains(LISTENING)
    })?;
    Ok(server)
}

/// A client machine outside of the cluster.
pub(crate) fn outside(lab: &Lab) -> Result<Machine> {
    let machine = lab.add_external_machine("outside", 200)?;
    let program = lab.node(1).path(LAB);
    std::fs::copy(program, machine.path(LAB)).map_err(|error| Error::new(error.to_string()))?;
    Ok(machine)
}

/// Installs the rules for these Services on both nodes.
pub(crate) fn proxy(lab: &Lab, mode: Mode, services: &[Service]) -> Result {
    lab.nodes().iter().try_for_each(|node| match mode {
        Mode::Iptables => iptables::install(node, services),
        Mode::Nftables => nftables::install(node, services),
    })
}

/// A client of a Service.
#[derive(Clone, Copy)]
pub(crate) enum Client<'a> {
    Pod(&'a Pod<'a>),
    Machine(&'a Machine),
}

impl Client<'_> {
    fn run(&self, words: &[String]) -> Result<String> {
        match self {
            Self::Pod(pod) => pod.run(words),
            Self::Machine(machine) => machine.run(words),
        }
    }

    /// The client's own addresses.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        match self {
            Self::Pod(pod) => pod.addresses(),
            Self::Machine(machine) => machine.addresses().to_vec(),
        }
    }

    /// The results of queries to these addresses on a port.
    pub(crate) fn query(&self, targets: &[IpAddr], port: u16) -> Result<Vec<ProbeAnswer>> {
        let mut words: Vec<String> = ["query", "--no-ping", "--port"].map(str::to_owned).to_vec();
        words.insert(0, LAB.to_owned());
        words.push(port.to_string());
        words.extend(targets.iter().map(ToString::to_string));
        serde_json::from_str(&self.run(&words)?).map_err(|error| Error::new(error.to_string()))
    }

    /// The source addresses that the backends see, by TCP and by UDP, one for each target.
    pub(crate) fn seen(&self, targets: &[IpAddr], port: u16) -> Result<Vec<IpAddr>> {
        let seen = |answer: ProbeAnswer| match (&answer.tcp, &answer.udp) {
            (Ok(tcp), Ok(udp)) if tcp == udp => Ok(*tcp),
            _ => Err(Error::new(format!("query on port {port}: {answer:?}"))),
        };
        self.query(targets, port)?.into_iter().map(seen).collect()
    }

    /// As [`Client::seen`], through the addresses of a Service.
    pub(crate) fn seen_through(&self, service: &Service) -> Result<Vec<IpAddr>> {
        self.seen(&service.addresses(), SERVICE_PORT)
    }
}
