//! The kernel's verdicts, packet by packet, compared with what a second evaluator reads in the API's
//! documentation (policy/tests/oracle): random clusters and policies, and the changes between them.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState as RandomHashes;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use lab::policy::{PodObject, PolicyCluster};
use lab::{Error, Result};
use policy::api::L4Protocol;
use policy::cluster::LedgerPod;
use policy::compile::PolicyEvent;
use policy::rules::{PodConnection, PodName, TrafficDirection};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::random_state::{NAMESPACES, PORTS, RandomState, states};
use crate::support::{Answering, query};
use crate::world::OracleWorld;

/// How many states of the cluster follow each other.
const STATES: usize = 24;

/// The least number of connections that are tried.
const MIN_CONNECTIONS: usize = 10_000;

/// The time that rules have to follow a state of the API, on a busy machine.
const SETTLE_DEADLINE: Duration = Duration::from_secs(20);

/// The same while a failed state is made smaller: each policy that it needs costs as much.
const SHRINK_DEADLINE: Duration = Duration::from_secs(5);

/// The seed of another run, to see its failure again.
const SEED: &str = "FLATLAND_POLICY_SEED";

/// A pod of the test: its namespace, its name and its node.
const PODS: [(&str, &str, usize); 6] = [
    ("a", "one", 1),
    ("a", "two", 2),
    ("b", "three", 1),
    ("b", "four", 2),
    ("c", "five", 1),
    ("c", "six", 2),
];

/// A connection that was tried, and who began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Probe {
    from: usize,
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    is_tcp: bool,
}

/// The pods, and the cluster in which they stay.
struct Bench<'a> {
    cluster: &'a PolicyCluster,
    pods: Vec<Answering<'a>>,
}

#[test]
fn kernel_allows_what_the_documentation_allows() -> Result {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed
            .parse()
            .map_err(|_| Error::new(format!("{SEED} is no number")))?,
        Err(_) => RandomHashes::new().build_hasher().finish(),
    };
    // Shown if anything fails.
    println!("{SEED}={seed}");
    let cluster = PolicyCluster::start(2)?;
    for namespace in NAMESPACES {
        cluster.namespace(namespace, &[])?;
    }
    let mut pods = Vec::new();
    for (namespace, name, node) in PODS {
        let pod = cluster.pod(node, &PodObject::new(namespace, name, &[]))?;
        pods.push(Answering::on(pod, &PORTS)?);
    }
    let bench = Bench {
        cluster: &cluster,
        pods,
    };
    let addresses: Vec<_> = bench.pods.iter().map(|it| it.pod.addresses()).collect();
    let mut runner = runner(seed);
    let (mut tried, mut denied) = (0, 0);
    for number in 0..STATES {
        let tree = states(&addresses).new_tree(&mut runner);
        let state = tree
            .map_err(|error| Error::new(error.to_string()))?
            .current();
        bench.apply(&state)?;
        let expected = bench.expected(&state)?;
        let wrong = bench.settle(&expected, SETTLE_DEADLINE)?;
        if !wrong.is_empty() {
            let (state, wrong) = bench.shrink(state, wrong)?;
            panic!("{SEED}={seed}, state {number}: the kernel differs for {wrong:#?}\n{state:#?}");
        }
        tried += bench.probes().len();
        denied += bench.probes().len() - expected.len();
    }
    // Both happen, so that neither an open nor a closed network passes.
    assert!(tried >= MIN_CONNECTIONS, "{tried}");
    assert!(
        denied * 10 > tried && denied < tried,
        "{denied} of {tried} denied, {SEED}={seed}"
    );
    println!("{tried} connections, {denied} of them denied");
    Ok(())
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Config::default(), rng)
}

impl Bench<'_> {
    /// Makes this the state of the API.
    fn apply(&self, state: &RandomState) -> Result {
        for (name, labels) in NAMESPACES.iter().zip(&state.namespaces) {
            self.cluster.put(&namespace(name, labels))?;
        }
        for number in 0..PODS.len() {
            self.cluster.put(&self.pod_object(number, state))?;
        }
        for (plural, wanted) in [
            ("networkpolicies", &state.policies),
            ("clusternetworkpolicies", &state.cluster_policies),
        ] {
            let api = &self.cluster.cluster.api;
            for old in api.list(plural) {
                let is_same = |it: &&Value| id(it) == id(&old);
                if !wanted.iter().any(|it| is_same(&it)) {
                    let (namespace, name) = id(&old);
                    api.delete(plural, &namespace, &name);
                }
            }
            wanted.iter().try_for_each(|it| self.cluster.put(it))?;
        }
        Ok(())
    }

    fn pod_object(&self, number: usize, state: &RandomState) -> Value {
        let (namespace, name, node) = PODS[number];
        let (labels, ports) = &state.pods[number];
        let pod = PodObject::new(namespace, name, &[]);
        let node = self.cluster.node(node).name();
        let mut object = pod.running(node, &self.pods[number].pod.addresses());
        object["metadata"]["labels"] = labels.clone();
        object["spec"]["containers"][0]["ports"] = ports.clone().into();
        object
    }

    /// What the documentation allows.
    fn expected(&self, state: &RandomState) -> Result<BTreeSet<Probe>> {
        let mut world = OracleWorld::default();
        for (name, labels) in NAMESPACES.iter().zip(&state.namespaces) {
            world.apply(PolicyEvent::NamespaceApplied(read(&namespace(
                name, labels,
            ))?));
        }
        for (number, (of, name, _)) in PODS.iter().enumerate() {
            world.apply(PolicyEvent::PodApplied(read(
                &self.pod_object(number, state),
            )?));
            world.apply(PolicyEvent::LocalPodAdded(LedgerPod {
                id: number.to_string(),
                name: PodName::new(of, name),
                uid: None,
                addresses: self.pods[number].pod.addresses(),
            }));
        }
        for policy in &state.policies {
            world.apply(PolicyEvent::NetworkPolicyApplied(read(policy)?));
        }
        for policy in &state.cluster_policies {
            world.apply(PolicyEvent::ClusterNetworkPolicyApplied(read(policy)?));
        }
        let is_allowed = |probe: &Probe| {
            let connection = PodConnection {
                source: probe.source,
                destination: probe.destination,
                protocol: if probe.is_tcp {
                    L4Protocol::Tcp
                } else {
                    L4Protocol::Udp
                },
                port: probe.port,
            };
            let both = TrafficDirection::ALL.map(|it| world.verdict(it, &connection));
            both == [Some(true); 2]
        };
        Ok(self.probes().into_iter().filter(is_allowed).collect())
    }

    /// All connections between two pods.
    fn probes(&self) -> BTreeSet<Probe> {
        let mut all = BTreeSet::new();
        for (from, pod) in self.pods.iter().enumerate() {
            for source in pod.pod.addresses() {
                let others = self.pods.iter().enumerate().filter(|(to, _)| *to != from);
                let targets = others.flat_map(|(_, it)| it.pod.addresses());
                for destination in targets.filter(|it| it.is_ipv4() == source.is_ipv4()) {
                    all.extend(PORTS.into_iter().flat_map(|port| {
                        [true, false].map(|is_tcp| Probe {
                            from,
                            source,
                            destination,
                            port,
                            is_tcp,
                        })
                    }));
                }
            }
        }
        all
    }

    /// Tries all connections until the kernel allows exactly these, and returns those that differ in
    /// the end: the rules may still be on their way. What agreed with the rules of before may differ
    /// with those of now: in the last round, all are tried at once.
    fn settle(&self, expected: &BTreeSet<Probe>, limit: Duration) -> Result<BTreeSet<Probe>> {
        let deadline = Instant::now() + limit;
        let all = self.probes();
        let differing = |mut asked: BTreeSet<Probe>| {
            let allowed = self.attempt(&asked)?;
            asked.retain(|it| allowed.contains(it) != expected.contains(it));
            Ok::<_, Error>(asked)
        };
        let mut wrong = differing(all.clone())?;
        loop {
            if wrong.is_empty() {
                wrong = differing(all.clone())?;
                if wrong.is_empty() {
                    return Ok(wrong);
                }
            }
            if Instant::now() > deadline {
                return Ok(wrong);
            }
            wrong = differing(wrong)?;
        }
    }

    /// The connections among these that are answered: each pod asks by one process for each port.
    fn attempt(&self, probes: &BTreeSet<Probe>) -> Result<BTreeSet<Probe>> {
        let mut calls = BTreeSet::new();
        calls.extend(probes.iter().map(|it| (it.from, it.port)));
        let ask = |(from, port): (usize, u16)| {
            let pod = &self.pods[from].pod;
            let asked = probes
                .iter()
                .filter(|it| (it.from, it.port) == (from, port));
            let targets: BTreeSet<_> = asked.clone().map(|it| it.destination).collect();
            let targets: Vec<_> = targets.into_iter().collect();
            let answers = query(pod, &targets, port)?;
            let is_answered = |probe: &&Probe| {
                let mut answers = answers.iter();
                let answer = answers.find(|it| it.target == probe.destination);
                answer.is_some_and(|it| {
                    if probe.is_tcp {
                        it.tcp.is_ok()
                    } else {
                        it.udp.is_ok()
                    }
                })
            };
            Ok(asked.filter(is_answered).copied().collect::<Vec<_>>())
        };
        thread::scope(|scope| {
            let calls: Vec<_> = calls
                .into_iter()
                .map(|it| scope.spawn(move || ask(it)))
                .collect();
            let mut allowed = BTreeSet::new();
            for call in calls {
                let answered: Result<Vec<Probe>> = call
                    .join()
                    .unwrap_or_else(|_| Err(Error::new("a thread panicked")));
                allowed.extend(answered?);
            }
            Ok(allowed)
        })
    }

    /// Leaves out the policies without which the kernel still differs.
    fn shrink(
        &self,
        mut state: RandomState,
        mut wrong: BTreeSet<Probe>,
    ) -> Result<(RandomState, BTreeSet<Probe>)> {
        let count = state.policies.len() + state.cluster_policies.len();
        for number in (0..count).rev() {
            let mut smaller = state.clone();
            match number.checked_sub(state.policies.len()) {
                None => drop(smaller.policies.remove(number)),
                Some(number) if number < smaller.cluster_policies.len() => {
                    smaller.cluster_policies.remove(number);
                }
                Some(_) => continue,
            }
            self.apply(&smaller)?;
            let still = self.settle(&self.expected(&smaller)?, SHRINK_DEADLINE)?;
            if !still.is_empty() {
                (state, wrong) = (smaller, still);
            }
        }
        Ok((state, wrong))
    }
}

fn namespace(name: &str, labels: &Value) -> Value {
    let metadata = json!({ "name": name, "labels": labels });
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata })
}

/// Namespace and name of an object.
fn id(object: &Value) -> (String, String) {
    let field = |key: &str| {
        object["metadata"][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (field("namespace"), field("name"))
}

fn read<T: DeserializeOwned>(object: &Value) -> Result<T> {
    T::deserialize(object).map_err(|error| Error::new(error.to_string()))
}
