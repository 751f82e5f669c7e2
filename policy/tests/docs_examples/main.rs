//! The examples of the Kubernetes documentation: the concept page "Network Policies", and the task
//! "Declare Network Policy". Each connection is judged by the rules of a node that has all the pods, and
//! by the policies themselves.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod lab;

use crate::lab::check;

/// `FROM TO PROTOCOL PORT yes|no`; an end without `/` is an address outside the cluster.
const PODS: &str = "
    default/db        10.1.0.1  role=db
    default/frontend  10.1.0.2  role=frontend
    default/client    10.1.0.3  role=client
    mine/any          10.1.0.4  role=other
    mine/client       10.1.0.5  role=client
    alice/client      10.1.0.6  role=client
    alice/other       10.1.0.7  role=other
    front/web         10.1.0.8  app=web
    back/api          10.1.0.9  app=api
";

const NAMESPACES: &str = "
    default  kubernetes.io/metadata.name=default
    mine     kubernetes.io/metadata.name=mine,project=myproject
    alice    kubernetes.io/metadata.name=alice,user=alice
    front    kubernetes.io/metadata.name=front,namespace=frontend
    back     kubernetes.io/metadata.name=back,namespace=backend
";

#[test]
fn example_of_the_resource_allows_what_the_page_lists() {
    let policy = "
metadata: {name: test-network-policy, namespace: default}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}
    - namespaceSelector: {matchLabels: {project: myproject}}
    - podSelector: {matchLabels: {role: frontend}}
    ports: [{protocol: TCP, port: 6379}]
  egress:
  - to: [{ipBlock: {cidr: 10.0.0.0/24}}]
    ports: [{protocol: TCP, port: 5978}]
";
    check(
        NAMESPACES,
        PODS,
        &[policy],
        "
        default/frontend  default/db        tcp 6379  yes
        default/frontend  default/db        tcp 6380  no
        default/frontend  default/db        udp 6379  no
        default/client    default/db        tcp 6379  no
        mine/any          default/db        tcp 6379  yes
        alice/client      default/db        tcp 6379  no
        172.17.0.255      default/db        tcp 6379  yes
        172.17.1.0        default/db        tcp 6379  no
        172.17.1.255      default/db        tcp 6379  no
        172.17.2.0        default/db        tcp 6379  yes
        172.18.0.1        default/db        tcp 6379  no
        default/db        10.0.0.9          tcp 5978  yes
        default/db        10.0.0.9          tcp 5979  no
        default/db        10.0.1.9          tcp 5978  no
        default/db        default/frontend  tcp 5978  no
        default/frontend  default/client    tcp 1     yes
    ",
    );
}

#[test]
fn peer_with_both_selectors_is_one_element() {
    let policy = "
metadata: {name: one, namespace: default}
spec:
  podSelector: {}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {user: alice}}
      podSelector: {matchLabels: {role: client}}
";
    check(
        NAMESPACES,
        PODS,
        &[policy],
        "
        alice/client    default/db  tcp 80  yes
        alice/other     default/db  tcp 80  no
        default/client  default/db  tcp 80  no
    ",
    );
    let policy = "
metadata: {name: two, namespace: default}
spec:
  podSelector: {}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {user: alice}}
    - podSelector: {matchLabels: {role: client}}
";
    check(
        NAMESPACES,
        PODS,
        &[policy],
        "
        alice/client    default/db  tcp 80  yes
        alice/other     default/db  tcp 80  yes
        default/client  default/db  tcp 80  yes
        mine/client     default/db  tcp 80  no
    ",
    );
}

#[test]
fn default_policies_deny_and_allow_as_named() {
    let deny_ingress = "
metadata: {name: default-deny-ingress, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}";
    let allow_ingress = "
metadata: {name: allow-all-ingress, namespace: default}
spec: {podSelector: {}, ingress: [{}], policyTypes: [Ingress]}";
    let deny_egress = "
metadata: {name: default-deny-egress, namespace: default}
spec: {podSelector: {}, policyTypes: [Egress]}";
    let allow_egress = "
metadata: {name: allow-all-egress, namespace: default}
spec: {podSelector: {}, egress: [{}], policyTypes: [Egress]}";
    let deny_all = "
metadata: {name: default-deny-all, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}";
    let egress_only = "
metadata: {name: allow-all-egress-deny-all-ingress, namespace: default}
spec: {podSelector: {}, egress: [{}], policyTypes: [Ingress, Egress]}";
    // Whether connections that come in are allowed, and those that go out.
    let cases: [(&[&str], &str, &str); 10] = [
        (&[], "yes", "yes"),
        (&[deny_ingress], "no", "yes"),
        (&[allow_ingress], "yes", "yes"),
        (&[deny_ingress, allow_ingress], "yes", "yes"),
        (&[deny_egress], "yes", "no"),
        (&[allow_egress], "yes", "yes"),
        (&[deny_egress, allow_egress], "yes", "yes"),
        (&[deny_all], "no", "no"),
        (&[deny_all, allow_egress], "no", "yes"),
        (&[egress_only], "no", "yes"),
    ];
    for (policies, incoming, outgoing) in cases {
        check(
            NAMESPACES,
            PODS,
            policies,
            &format!(
                "
            mine/any    default/db    tcp 80   {incoming}
            9.9.9.9     default/db    udp 53   {incoming}
            default/db  mine/any      tcp 80   {outgoing}
            default/db  9.9.9.9       sctp 9   {outgoing}
            default/db  default/db    tcp 80   yes
            mine/any    alice/client  tcp 80   yes
        "
            ),
        );
    }
}

#[test]
fn connection_that_one_end_denies_is_denied() {
    let egress = "
metadata: {name: out, namespace: default}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 80}]}]}";
    let ingress = "
metadata: {name: in, namespace: mine}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}";
    check(
        NAMESPACES,
        PODS,
        &[egress, ingress],
        "
        default/db   mine/any      tcp 80  no
        default/db   alice/client  tcp 80  yes
        default/db   alice/client  tcp 81  no
        mine/client  mine/any      tcp 81  yes
        alice/client mine/any      tcp 81  no
    ",
    );
}

#[test]
fn range_of_ports_allows_its_ends() {
    let policy = "
metadata: {name: multi-port-egress, namespace: default}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Egress]
  egress:
  - to: [{ipBlock: {cidr: 10.0.0.0/24}}]
    ports: [{protocol: TCP, port: 32000, endPort: 32768}]
";
    check(
        NAMESPACES,
        PODS,
        &[policy],
        "
        default/db      10.0.0.1  tcp 31999  no
        default/db      10.0.0.1  tcp 32000  yes
        default/db      10.0.0.1  tcp 32768  yes
        default/db      10.0.0.1  tcp 32769  no
        default/db      10.0.0.1  udp 32000  no
        default/client  10.0.0.1  tcp 1      yes
    ",
    );
}

#[test]
fn namespaces_are_selected_by_labels_and_by_name() {
    let by_labels = "
metadata: {name: egress-namespaces, namespace: default}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector:
        matchExpressions: [{key: namespace, operator: In, values: [frontend, backend]}]
";
    check(
        NAMESPACES,
        PODS,
        &[by_labels],
        "
        default/db  front/web     tcp 80  yes
        default/db  back/api      tcp 80  yes
        default/db  alice/client  tcp 80  no
    ",
    );
    let by_name = "
metadata: {name: by-name, namespace: default}
spec:
  podSelector: {matchLabels: {role: db}}
  policyTypes: [Egress]
  egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: alice}}}]}]
";
    check(
        NAMESPACES,
        PODS,
        &[by_name],
        "
        default/db  alice/client  tcp 80  yes
        default/db  front/web     tcp 80  no
    ",
    );
}

#[test]
fn task_access_nginx_lets_in_only_labelled_pods() {
    let pods = "
        default/nginx  10.1.0.1  app=nginx
        default/one    10.1.0.2  access=true
        default/two    10.1.0.3  run=busybox
    ";
    let policy = r#"
metadata: {name: access-nginx, namespace: default}
spec:
  podSelector: {matchLabels: {app: nginx}}
  ingress: [{from: [{podSelector: {matchLabels: {access: "true"}}}]}]
"#;
    check(
        NAMESPACES,
        pods,
        &[policy],
        "
        default/one    default/nginx  tcp 80  yes
        default/two    default/nginx  tcp 80  no
        default/nginx  default/two    tcp 80  yes
    ",
    );
}
