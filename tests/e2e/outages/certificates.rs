//! TLS certificates that expire and are replaced on disk.

use lab::{EtcdMember, Lab, Node, Result};
use nix::sys::signal::Signal;

use crate::support::{
    OUTAGE_LOG, RECOVERY_LOG, add_and_delete_pods, assert_logged_once, is_present, wait_logged,
    wait_on, wait_routes_to,
};

/// The folder of certificates on nodes and etcd members.
const FOLDER: &str = "/root/pki";

/// Makes authorities and certificates on the machine of an etcd member, with openssl.
struct Authority<'a>(&'a EtcdMember);

impl Authority<'_> {
    fn script(&self, lines: &str) -> Result {
        let script = format!("set -e\nmkdir -p {FOLDER}\ncd {FOLDER}\n{lines}\n");
        let output = self
            .0
            .machine()
            .run_with(&["sh", "-s"], script.as_bytes())?;
        output.success().map(drop)
    }

    /// Makes a new authority.
    fn make(&self, name: &str) -> Result {
        self.script(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
             -subj /CN={name} -keyout {name}.key -out {name}.pem \
             -addext basicConstraints=critical,CA:TRUE\n\
             printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase={name}.db\\nnew_certs_dir=.\\n\
             default_md=sha256\\nrand_serial=yes\\npolicy=p\\nunique_subject=no\\n\
             [p]\\ncommonName=supplied\\n[e]\\nsubjectAltName=IP:192.168.1.2\\n\
             extendedKeyUsage=serverAuth,clientAuth\\n' >{name}.cnf\n\
             : >{name}.db"
        ))
    }

    /// Signs a certificate `name` by `authority` that is valid until `end`, as YYMMDDHHMMSSZ.
    fn sign(&self, authority: &str, name: &str, end: &str) -> Result {
        self.script(&format!(
            "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.csr\n\
             openssl ca -batch -notext -config {authority}.cnf -extensions e \
             -cert {authority}.pem -keyfile {authority}.key \
             -startdate 200101000000Z -enddate {end} -in {name}.csr -out {name}.pem"
        ))
    }

    /// Installs a client certificate and an authority to trust on `node`, file by file, as a
    /// program that renews them does.
    fn give(&self, node: &Node, authority: &str, name: &str) -> Result {
        node.run(&["mkdir", "-p", FOLDER])?;
        for (from, to) in [
            (format!("{authority}.pem"), "ca.pem"),
            (format!("{name}.pem"), "node.pem"),
            (format!("{name}.key"), "node.key"),
        ] {
            let content = self.0.machine().read(format!("{FOLDER}/{from}"))?;
            let draft = format!("{FOLDER}/draft");
            node.write(&draft, content)?;
            node.run(&["mv", &draft, &format!("{FOLDER}/{to}")])?;
        }
        Ok(())
    }

    /// Starts etcd with the certificate `name`, trusting clients of `authority`.
    fn serve(&self, authority: &str, name: &str) -> Result {
        self.0.start_with(&[
            "--listen-client-urls=https://192.168.1.2:2379,http://127.0.0.1:2379",
            "--advertise-client-urls=https://192.168.1.2:2379",
            "--client-cert-auth",
            &format!("--trusted-ca-file={FOLDER}/{authority}.pem"),
            &format!("--cert-file={FOLDER}/{name}.pem"),
            &format!("--key-file={FOLDER}/{name}.key"),
        ])?;
        self.0.wait()
    }
}

const VALID: &str = "491231235959Z";
const EXPIRED: &str = "200102000000Z";

/// Two nodes that connect to etcd by TLS with certificates of the authority `old`.
fn raise() -> Result<Lab> {
    let mut lab = Lab::builder().nodes(2).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["etcd"] = serde_json::json!({
        "endpoints": ["https://192.168.1.2:2379"],
        "caFile": format!("{FOLDER}/ca.pem"),
        "certFile": format!("{FOLDER}/node.pem"),
        "keyFile": format!("{FOLDER}/node.key"),
    });
    for number in [1, 2] {
        lab.node_mut(number).set_conflist(&conflist)?;
    }
    lab.etcd()[0].stop()?;
    let authority = Authority(&lab.etcd()[0]);
    for name in ["old", "new"] {
        authority.make(name)?;
        for (kind, end) in [("server", VALID), ("client", VALID), ("expired", EXPIRED)] {
            authority.sign(name, &format!("{kind}-{name}"), end)?;
        }
    }
    authority.serve("old", "server-old")?;
    for node in lab.nodes() {
        authority.give(node, "old", "client-old")?;
    }
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

#[test]
fn expired_certificate_replaced_on_disk_works_without_restart() -> Result {
    let mut lab = raise()?;
    let authority = Authority(&lab.etcd()[0]);
    let [one, two] = [lab.node(1), lab.node(2)];
    let routes = one.routes()?;
    authority.give(one, "old", "expired-old")?;
    lab.etcd()[0].stop()?;
    authority.serve("old", "server-old")?;
    wait_logged(one, OUTAGE_LOG, 1)?;
    wait_logged(two, RECOVERY_LOG, 1)?;
    add_and_delete_pods(one, two.add_pod("old")?)?;
    assert_eq!(one.routes()?, routes);

    authority.give(one, "old", "client-old")?;
    wait_on(one, "presence", || is_present(&lab, one))?;
    wait_logged(one, RECOVERY_LOG, 1)?;
    assert_logged_once(one);
    let conflist = lab.node(1).conflist();
    lab.add_node()?;
    lab.node_mut(3).set_conflist(&conflist)?;
    Authority(&lab.etcd()[0]).give(lab.node(3), "old", "client-old")?;
    lab.node(3).spawn_routed(&[])?;
    wait_routes_to(lab.node(1), lab.node(3))
}

#[test]
fn replaced_authority_and_certificates_are_used() -> Result {
    let lab = raise()?;
    let authority = Authority(&lab.etcd()[0]);
    let one = lab.node(1);
    let routes = one.routes()?;
    lab.etcd()[0].stop()?;
    authority.serve("new", "server-new")?;
    for node in lab.nodes() {
        wait_logged(node, OUTAGE_LOG, 1)?;
    }
    for node in lab.nodes() {
        authority.give(node, "new", "client-new")?;
    }
    for node in lab.nodes() {
        wait_logged(node, RECOVERY_LOG, 1)?;
        wait_on(node, "presence", || is_present(&lab, node))?;
        assert_logged_once(node);
    }
    assert_eq!(one.routes()?, routes);
    one.end_routed(Signal::SIGTERM)
}
