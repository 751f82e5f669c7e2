//! Nodes on which another tool drops forwarded packets.

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use serde_json::json;

use crate::support::{apply_cure, back_within_a_second, load, raise, reaches, run};

fn cluster() -> Result<Lab> {
    raise(2, Families::Dual, &json!({}))
}

fn iptables(node: &Node, variant: &str, words: &str) -> Result {
    for program in ["iptables", "ip6tables"] {
        run(node, &format!("{program}-{variant} {words}"))?;
    }
    Ok(())
}

fn rules(node: &Node, variant: &str) -> Result<String> {
    let list = |program| run(node, &format!("{program}-{variant} -S FORWARD"));
    Ok(list("iptables")? + &list("ip6tables")?)
}

/// Tests everything that is promised for a FORWARD chain that drops.
fn pods_pass_through_a_forward_chain_that_drops(variant: &str) -> Result {
    let lab = cluster()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b, c) = (one.add_pod("a")?, two.add_pod("b")?, one.add_pod("c")?);
    let pass = || reaches(&a, &b) && reaches(&b, &a) && reaches(&a, &c);
    iptables(one, variant, "-A FORWARD -o none0 -j DROP")?;
    let harmless = rules(one, variant)?;
    assert!(pass());
    assert_eq!(rules(one, variant)?, harmless);

    iptables(one, variant, "-P FORWARD DROP")?;
    let ours = || rules(one, variant).is_ok_and(|text| text.matches("flatland: pods").count() == 4);
    wait_until("rules for pods", DEADLINE, ours).map_err(|error| error.doing(one.routed_log()))?;
    assert!(pass(), "{}", rules(one, variant)?);

    iptables(one, variant, "-F")?;
    back_within_a_second(one, "rules after a flush", ours)?;
    assert!(pass());

    // A specific drop rule of the administrator keeps its effect.
    let [v4, v6] = [b.addresses()[0], b.addresses()[1]];
    run(
        one,
        &format!("iptables-{variant} -I FORWARD -d {v4} -j DROP"),
    )?;
    run(
        one,
        &format!("ip6tables-{variant} -I FORWARD -d {v6} -j DROP"),
    )?;
    assert!(!reaches(&a, &b) && reaches(&a, &c));
    run(
        one,
        &format!("iptables-{variant} -D FORWARD -d {v4} -j DROP"),
    )?;
    run(
        one,
        &format!("ip6tables-{variant} -D FORWARD -d {v6} -j DROP"),
    )?;

    iptables(one, variant, "-P FORWARD ACCEPT")?;
    iptables(one, variant, "-A FORWARD -j REJECT")?;
    wait_until("pods through a chain that ends in a reject", DEADLINE, pass)
        .map_err(|error| error.doing(rules(one, variant).unwrap_or_default()))?;

    iptables(one, variant, "-D FORWARD -j REJECT")?;
    wait_until("rules of ours to go", DEADLINE, || {
        rules(one, variant).is_ok_and(|text| !text.contains("flatland"))
    })?;
    assert!(pass());
    Ok(())
}

#[test]
fn pods_behind_dropping_iptables_nft_chain_pass() -> Result {
    pods_pass_through_a_forward_chain_that_drops("nft")
}

#[test]
fn pods_behind_dropping_iptables_legacy_chain_pass() -> Result {
    pods_pass_through_a_forward_chain_that_drops("legacy")
}

#[test]
fn restored_iptables_rules_are_not_duplicated() -> Result {
    let lab = cluster()?;
    let node = lab.node(1);
    let count = |node: &Node| {
        let listed = run(node, "nft list chain ip filter FORWARD");
        listed.map_or(0, |text| text.matches("10.244.0.0/16").count())
    };
    run(node, "iptables-nft -P FORWARD DROP")?;
    wait_until("rules for pods", DEADLINE, || count(node) == 2)?;
    let before = run(node, "nft list chain ip filter FORWARD")?;

    for _ in 0..2 {
        let saved = run(node, "iptables-nft-save")?;
        let output = node.run_with(&["iptables-nft-restore"], saved.as_bytes())?;
        output.success()?;
        wait_until("the same rules", DEADLINE, || {
            run(node, "nft list chain ip filter FORWARD").is_ok_and(|text| text == before)
        })?;
    }
    Ok(())
}

#[test]
fn dropping_chain_of_another_table_is_logged_once_with_the_cure() -> Result {
    let lab = cluster()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    load(
        one,
        "table inet filter { chain forward { type filter hook forward priority 0; policy drop; }; }",
    )?;
    let about = "chain forward of table inet filter drops";
    let is_logged = || one.routed_log().contains(about);
    wait_until("advice", DEADLINE, is_logged)?;
    assert!(!reaches(&a, &b));

    apply_cure(one, about)?;

    let done = "chain forward of table inet filter no longer drops packets of pods";
    wait_until("log line about the success", DEADLINE, || {
        one.routed_log().contains(done)
    })?;
    assert!(reaches(&a, &b) && reaches(&b, &a));
    Ok(())
}

#[test]
fn firewalld_that_drops_pods_is_logged_with_the_cure() -> Result {
    let lab = raise(1, Families::V4, &json!({}))?;
    let node = lab.node(1);
    // As firewalld 1.3 writes it, without the parts that do not matter here.
    let table = |zones: &str, policies: &str| {
        format!(
            "table inet firewalld {{\n\
             chain filter_FORWARD {{\n\
             type filter hook forward priority 10; policy accept;\n\
             ct state {{ established, related }} accept\n\
             jump filter_FORWARD_POLICIES_pre\n\
             jump filter_FORWARD_ZONES\n\
             reject with icmpx admin-prohibited\n\
             }}\n\
             chain filter_FORWARD_POLICIES_pre {{ {policies}; }}\n\
             chain filter_FORWARD_ZONES {{ {zones}; }}\n\
             }}\n"
        )
    };
    load(node, &table("counter", "counter"))?;
    let advice = "firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16";
    wait_until("advice", DEADLINE, || node.routed_log().contains(advice))?;

    let reloaded = table(
        "ip saddr 10.244.0.0/16 accept",
        "ip daddr 10.244.0.0/16 accept",
    );
    load(node, &format!("delete table inet firewalld\n{reloaded}"))?;

    wait_until("log line about the success", DEADLINE, || {
        node.routed_log()
            .contains("no longer drops packets of pods")
    })
}
