//! The conformance suite: ours pass all of it, others are judged, and one that is wrong on purpose
//! fails what it should.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lab::conformance::{Kind, Report, Subject, Verdict, all, details, json, judge, table};
use lab::{Error, Result, program_under_test};
use serde_json::Value;

/// Where Debian's containernetworking-plugins are.
const DEBIAN: &str = "/usr/lib/cni";

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("conformance")
        .join(path)
}

fn config(name: &str) -> Result<Value> {
    let path = source("configs").join(name).with_extension("json");
    let wrong = |error: &dyn std::fmt::Display| Error::new(format!("{}: {error}", path.display()));
    let text = fs::read(&path).map_err(|error| wrong(&error))?;
    serde_json::from_slice(&text).map_err(|error| wrong(&error))
}

fn ours(kind: Kind) -> Result<Subject> {
    let name = match kind {
        Kind::Ipam => "flatland-ipam",
        Kind::Interface | Kind::Chained => "flatland",
    };
    let claim = program_under_test("flatland-claim")?;
    Subject::new(kind, &program_under_test(name)?, config("flatland")?, None)?.with(&[claim])
}

fn debian(kind: Kind, name: &str, of: &str) -> Result<Subject> {
    Subject::new(kind, &Path::new(DEBIAN).join(name), config(of)?, None)
}

/// The names of the rows that it fails.
fn failed(report: &Report) -> BTreeSet<&'static str> {
    report.failures().map(|(row, _)| row.id).collect()
}

#[test]
fn ours_pass_every_row_that_concerns_them() -> Result {
    let reports = judge(&[ours(Kind::Interface)?, ours(Kind::Ipam)?])?;
    let (table, details) = (table(&reports), details(&reports));
    assert_eq!(details, "", "{table}");
    // Nothing is exempt but what is about other kinds of plugins, and dns, which is flatland's.
    for (report, expected) in reports.iter().zip([vec![], vec!["dns-respected"]]) {
        let exempt = report.verdicts.iter().filter(|(_, verdict)| {
            matches!(verdict, Verdict::NotApplicable(why) if !why.contains("such plugins"))
        });
        let exempt: Vec<_> = exempt.map(|(row, _)| row.id).collect();
        assert_eq!(exempt, expected, "{}", report.name);
    }
    Ok(())
}

#[test]
fn plugins_of_others_are_judged_and_shown_side_by_side() -> Result {
    let subjects = [
        debian(Kind::Interface, "ptp", "ptp")?,
        debian(Kind::Interface, "bridge", "bridge")?,
        debian(Kind::Ipam, "host-local", "ptp")?,
        debian(Kind::Chained, "tuning", "tuning")?,
    ];
    let reports = judge(&subjects)?;
    let table = table(&reports);
    let json = json(&reports);
    for (report, json) in reports.iter().zip(json.as_array().into_iter().flatten()) {
        assert!(table.contains(&report.name), "{table}");
        assert_eq!(json["rows"].as_array().map(Vec::len), Some(all().count()));
        // Whatever else they do, they add and delete.
        for id in ["add-result", "del-twice", "exit-success"] {
            assert!(!failed(report).contains(id), "{}", details(&reports));
        }
    }
    Ok(())
}

/// A plugin that is wrong in these ways, and the rows that it fails for each.
struct Wrong {
    kind: Kind,
    ways: &'static [(&'static str, &'static str)],
}

/// Ways that spoil different rows share a plugin.
const WRONG: &[Wrong] = &[
    Wrong {
        kind: Kind::Ipam,
        ways: &[(
            "exit-zero",
            "add-environment check-environment check-no-prev-result check-reservation \
                 command-missing command-of-version command-unknown del-environment error-1 \
                 error-4 error-4-names error-6 error-7 error-object error-reserved \
                 error-version exit-failure gc-by-ifname gc-environment id-alphabet \
                 name-alphabet name-required version-refuses",
        )],
    },
    Wrong {
        kind: Kind::Ipam,
        ways: &[
            (
                "on-stderr",
                "error-1 error-2 error-4 error-4-names error-6 error-7 error-object \
                 error-reserved error-version status-code status-exhausted",
            ),
            (
                "no-ips",
                "check-after-add concurrent-add gc-by-ifname gc-frees gc-keeps ipam-address \
                 status-others-work",
            ),
        ],
    },
    Wrong {
        kind: Kind::Ipam,
        ways: &[
            ("half-json", "version-input version-list version-prints"),
            ("del-once", "del-twice del-unknown"),
        ],
    },
    Wrong {
        kind: Kind::Ipam,
        ways: &[
            (
                "leaky",
                "check-reservation del-environment del-frees del-netns-gone-frees \
                 del-no-prev-result status-others-work",
            ),
            ("gc-greedy", "gc-by-ifname gc-frees gc-keeps"),
        ],
    },
    Wrong {
        kind: Kind::Ipam,
        ways: &[
            (
                "code-99",
                "error-1 error-2 error-4 error-6 error-7 error-reserved status-code",
            ),
            (
                "check-blind",
                "check-environment check-no-prev-result check-reservation command-of-version \
                 gc-by-ifname",
            ),
        ],
    },
    Wrong {
        kind: Kind::Ipam,
        ways: &[
            ("no-version", "result-version"),
            ("version-fixed", "version-input"),
            ("version-made-up", "version-list"),
            ("interfaces-too", "ipam-no-interfaces"),
            ("tongue-tied", "error-2 error-4-names"),
            (
                "status-blind",
                "command-of-version status-code status-exhausted",
            ),
            (
                "gc-idle",
                "command-of-version gc-by-ifname gc-environment gc-frees",
            ),
        ],
    },
    Wrong {
        kind: Kind::Interface,
        ways: &[(
            "path-deaf",
            "delegate-add delegate-add-undone delegate-check delegate-check-error \
                 delegate-config delegate-del delegate-del-error delegate-del-gone \
                 delegate-environment delegate-gc delegate-gc-error delegate-path \
                 delegate-status delegate-status-error delegate-stderr gc-environment \
                 result-of-ipam",
        )],
    },
    Wrong {
        kind: Kind::Interface,
        ways: &[
            ("chain-deaf", "add-prev-result"),
            ("quiet", "delegate-stderr"),
            ("masks-own", "result-of-ipam"),
            ("route-made-up", "result-routes"),
            ("chatty", "check-silent gc-silent"),
        ],
    },
];

/// The wrong plugin beside the right one, which it asks.
fn wrong(wrong: &Wrong, folder: &Path) -> Result<Subject> {
    let ways: Vec<_> = wrong.ways.iter().map(|(way, _)| *way).collect();
    let name = ways.join(",");
    let plugin = folder.join(format!("wrong-{name}"));
    fs::copy(source("wrong.sh"), &plugin).map_err(|error| Error::new(error.to_string()))?;
    let right = ours(wrong.kind)?;
    let mut delegates = right.delegates;
    delegates.push(right.plugin);
    Ok(Subject {
        name,
        plugin,
        delegates,
        ..right
    })
}

#[test]
fn a_plugin_that_is_wrong_on_purpose_fails_the_right_rows_and_no_other() -> Result {
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let subjects: Vec<_> = WRONG
        .iter()
        .map(|it| wrong(it, folder.path()))
        .collect::<Result<_>>()?;
    let mut differences = Vec::new();
    for (wrong, report) in WRONG.iter().zip(judge(&subjects)?) {
        let expected = wrong.ways.iter();
        let expected = expected.flat_map(|(_, rows)| rows.split_whitespace());
        let (expected, failed) = (expected.collect::<BTreeSet<_>>(), failed(&report));
        if failed != expected {
            let missed: Vec<_> = expected.difference(&failed).collect();
            let besides: Vec<_> = failed.difference(&expected).collect();
            let name = report.name.clone();
            differences.push(format!(
                "{name} does not fail {missed:?}, and fails {besides:?}\n{}",
                details(&[report])
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}
