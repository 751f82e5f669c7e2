use super::*;
use crate::doctor::Severity;

#[test]
fn table_that_is_low_or_was_full_is_a_warning() {
    for (limit, refused, peers, expected) in [
        (
            Ok("1024"),
            0,
            500,
            Some((Severity::Ok, "gc_thresh3 = 1024", "")),
        ),
        (
            Ok("1024"),
            0,
            600,
            Some((
                Severity::Warning,
                "600 peers are next hops",
                "gc_thresh3=4096",
            )),
        ),
        (
            Ok("1024"),
            7,
            2,
            Some((
                Severity::Warning,
                "7 new neighbours were refused",
                "gc_thresh3=4096",
            )),
        ),
        (Ok("8192"), 0, 600, Some((Severity::Ok, "8192", ""))),
        (Err("no such setting"), 7, 600, None),
    ] {
        let found = examine(&TableFacts {
            limit: Setting {
                name: "net/ipv4/neigh/default/gc_thresh3".to_owned(),
                value: limit.map(str::to_owned).map_err(str::to_owned),
            },
            refused,
            peers,
        });
        assert_eq!(found.is_some(), expected.is_some(), "{limit:?}");
        if let (Some(found), Some((severity, evidence, fix))) = (found, expected) {
            found.assert(severity, evidence, fix);
        }
    }
}

#[test]
fn refused_neighbours_are_summed_over_cpus() {
    let text =
        "entries  allocs   table_fulls\n00000031 00007552 0000000a\n00000031 00000002 00000001\n";
    assert_eq!(refused(text), 11);
    assert_eq!(refused("entries\n00000031\n"), 0);
    assert_eq!(refused(""), 0);
}
