//! Routes of other programs.

use lab::Result;

use crate::support::{address, each_names, start};

#[test]
fn foreign_route_that_wins_is_named_by_all_commands() -> Result {
    let lab = start()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let [a4, b4, a6, b6] =
        [(&a, true), (&b, true), (&a, false), (&b, false)].map(|(pod, v4)| address(pod, v4));
    let v6_subnet = two
        .owned_subnets()?
        .into_iter()
        .find(|it| it.contains(':'))
        .unwrap_or_default();
    for (pods, make, mend, parts) in [
        (
            [&a4, &b4],
            format!("ip route add {b4} via 192.168.1.254 proto static"),
            format!("ip route del {b4}"),
            vec![
                "should go via 192.168.1.12 dev eth0, but another program's route wins: "
                    .to_owned(),
                format!("{b4}/32 via 192.168.1.254 dev eth0 proto static"),
                format!("ip route del {b4}/32 via 192.168.1.254 dev eth0"),
            ],
        ),
        // Of two IPv6 routes to one prefix the one with the lower metric.
        (
            [&a6, &b6],
            format!("ip -6 route add {v6_subnet} via fd00:192:168:1::fe metric 100 proto bird"),
            format!("ip -6 route del {v6_subnet} metric 100"),
            vec![
                format!(
                    "another program's route wins: {v6_subnet} via fd00:192:168:1::fe dev eth0 proto bird"
                ),
                format!("ip -6 route del {v6_subnet} via fd00:192:168:1::fe dev eth0 metric 100"),
            ],
        ),
        (
            [&a4, &b4],
            format!("ip route add blackhole {b4}"),
            format!("ip route del blackhole {b4}"),
            vec![format!("another program's route wins: {b4}/32")],
        ),
    ] {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        each_names(one, [pods[0], pods[1]], [&make, &mend], &parts)?;
    }
    Ok(())
}
