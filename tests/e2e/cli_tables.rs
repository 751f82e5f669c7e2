//! The tables of `routed subnets` and `routed addresses`.

use lab::{DEADLINE, Lab, Result, wait_until};
use serde_json::Value;

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn subnets_command_without_etcd_shows_own_claims_only() -> Result {
    let lab = Lab::builder().nodes(2).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    wait_until("presence of both", DEADLINE, || {
        lab.etcd()[0]
            .keys("/flatland/flatland/presence/")
            .is_ok_and(|keys| keys.len() == 2)
    })?;
    let one = lab.node(1);

    let table = one.routed_command(&["subnets"])?.success()?;
    for node in lab.nodes() {
        for subnet in node.owned_subnets()? {
            let is_shown = |line: &str| {
                line.starts_with(&subnet) && line.contains(node.name()) && line.ends_with("yes")
            };
            assert!(table.lines().any(is_shown), "{table}");
        }
    }
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    let json = parse(&one.routed_command(&["subnets", "-o", "json"])?.success()?);
    assert_eq!(json["subnets"].as_array().map(Vec::len), Some(4));
    assert_eq!(json["podCIDRs"][0]["claimed"], 2);

    lab.etcd()[0].stop()?;
    let output = one.routed_command(&["subnets", "-o", "json"])?;
    assert!(
        output.stderr.contains("of this node only"),
        "{}",
        output.stderr
    );
    let json = parse(&output.success()?);
    assert_eq!(json["complete"], false);
    assert_eq!(json["subnets"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn addresses_command_works_without_etcd() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let node = lab.node(1);
    node.start_routed()?;
    let before = parse(
        &node
            .routed_command(&["addresses", "-o", "json"])?
            .success()?,
    );
    assert_eq!(before["total"]["ipv4"]["free"], 253);
    let (pod, gone) = (node.add_pod("kept")?, node.add_pod("gone")?);
    gone.delete()?;
    lab.etcd()[0].stop()?;

    let json = parse(
        &node
            .routed_command(&["addresses", "-o", "json"])?
            .success()?,
    );
    for family in ["ipv4", "ipv6"] {
        let total = &json["total"][family];
        assert_eq!((&total["used"], &total["cooling"]), (&1.into(), &1.into()));
    }
    assert_eq!(json["total"]["ipv4"]["free"], 251);
    let table = node.routed_command(&["addresses"])?.success()?;
    for address in pod.addresses() {
        let start = format!("{address} ");
        let line = table.lines().find(|line| line.starts_with(&start));
        assert!(line.is_some_and(|line| line.contains(" kept ")), "{table}");
    }
    assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    Ok(())
}
