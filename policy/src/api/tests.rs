use super::*;

fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_yaml_ng::from_str(yaml).unwrap()
}

#[test]
fn pod_with_sidecar_has_the_ports_of_both() {
    let pod: Pod = read(
        r#"
metadata: {namespace: shop, name: db-0, uid: u1, resourceVersion: "7", labels: {app: db},
           annotations: {kubernetes.io/config.mirror: m1}}
spec:
  nodeName: node-a
  containers:
  - ports: [{name: sql, containerPort: 5432}, {containerPort: 1}, {name: dns, containerPort: 53, protocol: UDP}]
  initContainers:
  - {restartPolicy: Always, ports: [{name: proxy, containerPort: 15001, protocol: TCP}]}
  - {ports: [{name: init, containerPort: 80}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
"#,
    );
    let names: Vec<_> = pod
        .named_ports
        .iter()
        .map(|it| (it.name.as_str(), it.port))
        .collect();
    assert_eq!(names, [("dns", 53), ("proxy", 15001), ("sql", 5432)]);
    assert_eq!(pod.addresses.len(), 2);
    assert_eq!(pod.mirrored_uid.as_deref(), Some("m1"));
    assert!(!pod.has_ended && !pod.host_network);
}

#[test]
fn object_with_nulls_is_read() {
    let pod: Pod = read(
        "{metadata: {name: a, labels: null, annotations: null}, spec: {containers: null}, \
         status: {phase: Failed, podIPs: null, podIP: 10.0.0.9}}",
    );
    assert!(pod.has_ended);
    assert_eq!(
        pod.addresses,
        ["10.0.0.9".parse::<std::net::IpAddr>().unwrap()]
    );
    let policy: NetworkPolicy =
        read("{metadata: {name: a}, spec: {podSelector: {}, ingress: null}}");
    assert!(policy.spec.ingress.is_empty());
    let namespace: Namespace = read("{metadata: {name: a, labels: {team: x}}}");
    assert_eq!(namespace.labels["team"], "x");
}

#[test]
fn peers_of_both_directions_are_read() {
    let policy: ClusterNetworkPolicy = read(
        r"
metadata: {name: first}
spec:
  tier: Admin
  priority: 3
  subject: {namespaces: {}}
  ingress: [{action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}}]}]
  egress: [{name: out, action: Accept, to: [{networks: [10.0.0.0/8]}, {later: 1}],
            protocols: [{tcp: {destinationPort: {range: {start: 1, end: 9}}}}]}]
",
    );
    assert!(policy.spec.ingress[0].peers[0].pods.is_some());
    assert_eq!(policy.spec.egress[0].peers.len(), 2);
    assert_eq!(
        policy.spec.egress[0].peers[1],
        ClusterNetworkPolicyPeer::default()
    );
}
