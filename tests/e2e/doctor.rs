//! `routed doctor`: finds each fault, which the tests really make.

use lab::{DEADLINE, Error, Families, Lab, Node, Result, wait_until};
use serde_json::{Value, json};

const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";

/// The exit status, and each finding: check, verdict, evidence and fix.
fn examine(node: &Node, arguments: &[&str]) -> Result<(Option<i32>, Vec<[String; 4]>)> {
    let words = [&["doctor", "-o", "json"], arguments].concat();
    let output = node.routed_command(&words)?;
    let report: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let findings = report["findings"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = findings
        .filter(|finding| finding["verdict"] != "ok")
        .map(|finding| ["check", "verdict", "evidence", "fix"].map(|key| text(&finding[key])))
        .collect();
    Ok((output.status.code(), found))
}

/// The exit status and the only finding.
fn only(node: &Node, arguments: &[&str]) -> Result<(Option<i32>, [String; 4])> {
    let (status, found) = examine(node, arguments)?;
    assert_eq!(found.len(), 1, "{found:#?}");
    Ok((status, found.into_iter().next().unwrap_or_default()))
}

fn raise() -> Result<Lab> {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let on = ["sysctl", "-qw", "net.ipv4.ip_forward=1"];
    lab.node(1).run(&on)?;
    Ok(lab)
}

#[test]
fn healthy_host_before_the_first_start_has_no_findings() -> Result {
    let lab = raise()?;
    let node = lab.node(1);
    let services = ["--conflist", CONFLIST, "--service-cidr", "10.96.0.0/12"];
    assert_eq!(examine(node, &services)?, (Some(0), vec![]));
    let words = [&["doctor"], &services[..]].concat();
    let text = node.routed_command(&words)?.success()?;
    assert!(
        text.contains("ok       etcd: http://192.168.1.2:2379 answers, at revision"),
        "{text}"
    );
    assert!(
        text.contains("ok       clock: the same as etcd's\n"),
        "{text}"
    );
    assert!(text.ends_with("\n0 broken, 0 warnings\n"), "{text}");

    // Without a conflist, the host is still examined.
    let (status, found) = only(node, &[])?;
    assert_eq!((status, found[1].as_str()), (Some(0), "unknown"));
    assert!(found[3].contains("--conflist"), "{found:?}");
    let missing = node.routed_command(&["doctor", "--conflist", "/none.conflist"])?;
    assert_eq!(missing.status.code(), Some(64));
    Ok(())
}

/// What makes each fault and what ends it, and its check, verdict and evidence.
const HOST_FAULTS: [[&str; 5]; 10] = [
    [
        "sysctl -qw net.ipv4.ip_forward=0",
        "sysctl -qw net.ipv4.ip_forward=1",
        "forwarding",
        "broken",
        "net.ipv4.ip_forward = 0",
    ],
    [
        "mv /opt/cni/bin/flatland-claim /tmp",
        "mv /tmp/flatland-claim /opt/cni/bin",
        "programs",
        "broken",
        "there is no /opt/cni/bin/flatland-claim",
    ],
    [
        "mv /opt/cni/bin/flatland /tmp && cp /bin/true /opt/cni/bin/flatland",
        "mv /tmp/flatland /opt/cni/bin",
        "programs",
        "broken",
        "or cannot be run: /opt/cni/bin/flatland",
    ],
    [
        "iptables-nft -P FORWARD DROP",
        "iptables-nft -P FORWARD ACCEPT",
        "FORWARD policy",
        "broken",
        "chain FORWARD of table ip filter drops",
    ],
    [
        "nft add table inet mine && nft add chain inet mine through \
         '{ type filter hook forward priority 0; policy drop; }'",
        "nft delete table inet mine",
        "FORWARD policy",
        "broken",
        "chain through of table inet mine drops",
    ],
    [
        "sysctl -qw net.ipv4.conf.all.rp_filter=2",
        "sysctl -qw net.ipv4.conf.all.rp_filter=0",
        "rp_filter",
        "warning",
        "net.ipv4.conf.all.rp_filter = 2",
    ],
    [
        "mkdir -p /run/systemd/netif",
        "mkdir -p /etc/systemd/networkd.conf.d && printf \
         '[Network]\\nManageForeignRoutes=no\\n' > /etc/systemd/networkd.conf.d/50-flatland.conf",
        "systemd-networkd",
        "broken",
        "ManageForeignRoutes=yes (the default)",
    ],
    [
        "mkdir -p /run/NetworkManager",
        "mkdir -p /etc/NetworkManager/conf.d && printf \
         '[keyfile]\\nunmanaged-devices=interface-name:flat*\\n' > \
         /etc/NetworkManager/conf.d/flatland.conf",
        "NetworkManager",
        "warning",
        "flat*",
    ],
    [
        "ip address add 10.244.3.1/24 dev eth0",
        "ip address del 10.244.3.1/24 dev eth0",
        "overlapping CIDRs",
        "broken",
        "pod CIDR 10.244.0.0/16 and 10.244.3.1/24, a network of link eth0",
    ],
    [
        "ip route add 10.244.99.0/24 via 192.168.1.1 proto static",
        "ip route del 10.244.99.0/24",
        "foreign routes",
        "broken",
        "10.244.99.0/24 via 192.168.1.1 dev eth0 proto static",
    ],
];

#[test]
fn host_fault_is_the_only_finding_until_it_is_repaired() -> Result {
    let lab = raise()?;
    let node = lab.node(1);
    let sound = ["--conflist", CONFLIST];
    for [make, mend, check, verdict, evidence] in HOST_FAULTS {
        node.run(&["sh", "-c", make])?;
        let (status, found) = only(node, &sound)?;
        assert_eq!(
            (found[0].as_str(), found[1].as_str()),
            (check, verdict),
            "{found:?}"
        );
        assert!(found[2].contains(evidence), "{found:?}");
        assert!(!found[3].is_empty(), "{found:?}");
        assert_eq!(status, Some(i32::from(verdict == "broken")));
        node.run(&["sh", "-c", mend])?;
        assert_eq!(examine(node, &sound)?, (Some(0), vec![]), "after {mend}");
    }
    Ok(())
}

#[test]
fn service_cidr_mtu_and_unreachable_etcd_are_found() -> Result {
    let lab = raise()?;
    let node = lab.node(1);
    let sound = ["--conflist", CONFLIST];
    let services = [
        &sound[..],
        &["--service-cidr", "10.244.128.0/20,192.168.1.0/28"],
    ]
    .concat();
    let (_, found) = only(node, &services)?;
    for part in [
        "pod CIDR 10.244.0.0/16 and service CIDR 10.244.128.0/20",
        "service CIDR 192.168.1.0/28 and 192.168.1.11/24, a network of link eth0",
    ] {
        assert!(found[2].contains(part), "{found:?}");
    }

    let mut conflist = node.conflist();
    conflist["plugins"][0]["mtu"] = 9000.into();
    node.write("/tmp/10-large.conflist", conflist.to_string())?;
    let (status, found) = only(node, &["--conflist", "/tmp/10-large.conflist"])?;
    assert_eq!((status, found[0].as_str()), (Some(1), "MTU"));
    assert_eq!(found[2], "the conflist says 9000, and eth0 carries 1500");

    lab.etcd()[0].stop()?;
    let (status, found) = examine(node, &sound)?;
    assert_eq!(status, Some(1));
    assert_eq!(
        (found[0][0].as_str(), found[0][1].as_str()),
        ("etcd", "broken")
    );
    assert!(
        found[0][2].contains("192.168.1.2:2379 did not answer"),
        "{found:?}"
    );
    assert_eq!(
        (found[1][0].as_str(), found[1][1].as_str()),
        ("clock", "unknown")
    );
    Ok(())
}

/// Two authorities, `ours` and `theirs`, and certificates of `ours`: `server`, `client`, the expired
/// `late`, and `one` of X.509 version 1.
const AUTHORITIES: &str = r"
set -e
mkdir /tmp/pki && cd /tmp/pki
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
for name in ours theirs; do
    openssl req -x509 $key -days 2 -subj /CN=$name -keyout $name.key -out $name.pem
done
cat > conf <<'END'
[ca]
default_ca = it
[it]
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = policy
unique_subject = no
x509_extensions = extensions
[policy]
commonName = supplied
[extensions]
subjectAltName = IP:192.168.1.2
extendedKeyUsage = serverAuth,clientAuth
END
: > index
echo 01 > serial
sign() {
    openssl req $key -subj /CN=$1 -keyout $1.key -out request
    openssl ca -batch -config conf -cert ours.pem -keyfile ours.key -notext \
        -startdate $2 -enddate $3 -in request -out $1.pem
}
sign server 20200101000000Z 20991231000000Z
sign client 20200101000000Z 20991231000000Z
sign late 20200101000000Z 20210101000000Z
sed -i s/serverAuth,clientAuth/serverAuth/ conf
sign serveronly 20200101000000Z 20991231000000Z
openssl req $key -subj /CN=one -keyout one.key -out request
openssl x509 -req -in request -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -out one.pem
";

/// A port of etcd, the authority and the client certificate that are configured for it, and the check
/// that finds the fault, its evidence and its fix.
const BROKEN_CERTIFICATES: &str = "\
2479 | theirs | client | etcd | UnknownIssuer | caFile is not the authority
2579 | ours | client | etcd | expired | renew etcd's certificate
2479 | ours | late | client certificate | /tmp/late.pem | renew it
2479 | ours | serveronly | client certificate | /tmp/serveronly.pem: it is not for clients | extendedKeyUsage clientAuth
2479 | ours | one | client certificate | /tmp/one.pem: it is of X.509 version 1 | issue one of version 3
2679 | ours | client | etcd | etcd's certificate is of X.509 version 1 | subjectAltName";

#[test]
fn certificates_of_etcd_are_checked_as_routed_uses_them() -> Result {
    let lab = raise()?;
    let (node, etcd) = (lab.node(1), lab.etcd()[0].machine());
    etcd.run(&["sh", "-c", AUTHORITIES])?;
    let all = etcd.run(&["sh", "-c", "cd /tmp/pki; ls *.pem *.key"])?;
    for name in all.split_whitespace() {
        let path = format!("/tmp/pki/{name}");
        node.write(format!("/tmp/{name}"), etcd.read(path)?)?;
    }
    let serve = |name: &str, port: u16| {
        let words = format!(
            "exec /opt/etcd --data-dir=/tmp/etcd-{name} --listen-client-urls=https://0.0.0.0:{port} \
             --advertise-client-urls=https://192.168.1.2:{port} --listen-peer-urls=http://127.0.0.1:\
             1{port} --initial-advertise-peer-urls=http://127.0.0.1:1{port} \
             --initial-cluster=default=http://127.0.0.1:1{port} --cert-file=/tmp/pki/{name}.pem \
             --key-file=/tmp/pki/{name}.key --trusted-ca-file=/tmp/pki/ours.pem --client-cert-auth"
        );
        etcd.spawn(name, None, &["sh", "-c", &words])
    };
    let ports = [("server", 2479), ("late", 2579), ("one", 2679)];
    let _etcds = ports.map(|(name, port)| serve(name, port));
    let with = |port: &str, authority: &str, client: &str| -> Result<_> {
        let mut conflist = node.conflist();
        conflist["plugins"][0]["ipam"]["etcd"] = json!({
            "endpoints": [format!("https://192.168.1.2:{port}")],
            "caFile": format!("/tmp/{authority}.pem"),
            "certFile": format!("/tmp/{client}.pem"),
            "keyFile": format!("/tmp/{client}.key"),
        });
        node.write("/tmp/10-tls.conflist", conflist.to_string())?;
        examine(node, &["--conflist", "/tmp/10-tls.conflist"])
    };
    let mut seen = None;
    wait_until("a sound etcd with TLS", DEADLINE, || {
        seen = with("2479", "ours", "client").ok();
        seen == Some((Some(0), vec![]))
    })
    .map_err(|error| error.doing(format!("{seen:#?}")))?;

    for row in BROKEN_CERTIFICATES.lines() {
        let fields: Vec<_> = row.split(" | ").collect();
        let [port, authority, client, check, evidence, fix] = fields[..] else {
            return Err(Error::new(format!("not six fields: {row}")));
        };
        let mut seen = None;
        wait_until(format!("{check} with {evidence}"), DEADLINE, || {
            seen = with(port, authority, client).ok();
            seen.iter().any(|(status, found)| {
                let is_it = |it: &[String; 4]| {
                    it[0] == check
                        && it[1] == "broken"
                        && it[2].contains(evidence)
                        && it[3].contains(fix)
                };
                *status == Some(1) && found.iter().any(is_it)
            })
        })
        .map_err(|error| error.doing(format!("{seen:#?}")))?;
    }
    Ok(())
}
