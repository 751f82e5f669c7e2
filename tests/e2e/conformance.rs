//! The conformance suite: our plugins pass every row that applies, other plugins are judged too,
//! and a plugin with deliberate faults fails the expected rows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lab::conformance::{
    ConformanceReport, PluginKind, RowVerdict, Subject, all, details, json, judge, table,
};
use lab::{Error, Result, program_under_test};
use serde_json::Value;

/// The folder of Debian's containernetworking-plugins.
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

fn ours(kind: PluginKind) -> Result<Subject> {
    let name = match kind {
        PluginKind::Ipam => "flatland-ipam",
        PluginKind::Interface | PluginKind::Chained => "flatland",
    };
    let claim = program_under_test("flatland-claim")?;
    Subject::new(kind, &program_under_test(name)?, config("flatland")?, None)?.with(&[claim])
}

fn debian(kind: PluginKind, name: &str, of: &str) -> Result<Subject> {
    Subject::new(kind, &Path::new(DEBIAN).join(name), config(of)?, None)
}

/// The ids of the rows that fail.
fn failed(report: &ConformanceReport) -> BTreeSet<&'static str> {
    report.failures().map(|(row, _)| row.id).collect()
}

#[test]
fn our_plugins_pass_every_applicable_row() -> Result {
    let reports = judge(&[ours(PluginKind::Interface)?, ours(PluginKind::Ipam)?])?;
    let (table, details) = (table(&reports), details(&reports));
    assert_eq!(details, "", "{table}");
    // The only rows that do not apply concern other kinds of plugins, and dns, which is configured
    // in flatland.
    for (report, expected) in reports.iter().zip([vec![], vec!["dns-respected"]]) {
        let exempt = report.verdicts.iter().filter(|(_, verdict)| {
            let other_kind = "plugins of this kind";
            matches!(verdict, RowVerdict::NotApplicable(why) if !why.contains(other_kind))
        });
        let exempt: Vec<_> = exempt.map(|(row, _)| row.id).collect();
        assert_eq!(exempt, expected, "{}", report.name);
    }
    Ok(())
}

#[test]
fn other_plugins_are_judged_and_shown_side_by_side() -> Result {
    let subjects = [
        debian(PluginKind::Interface, "ptp", "ptp")?,
        debian(PluginKind::Interface, "bridge", "bridge")?,
        debian(PluginKind::Ipam, "host-local", "ptp")?,
        debian(PluginKind::Chained, "tuning", "tuning")?,
    ];
    let reports = judge(&subjects)?;
    let table = table(&reports);
    let json = json(&reports);
    for (report, json) in reports.iter().zip(json.as_array().into_iter().flatten()) {
        assert!(table.contains(&report.name), "{table}");
        assert_eq!(json["rows"].as_array().map(Vec::len), Some(all().count()));
        // Whatever else they fail, they add and delete.
        for id in ["add-result", "del-twice", "exit-success"] {
            assert!(!failed(report).contains(id), "{}", details(&reports));
        }
    }
    Ok(())
}

/// A plugin with faults, and the rows that each fault fails.
struct Faulty {
    kind: PluginKind,
    faults: &'static [(&'static str, &'static str)],
}

/// Faults that fail different rows share a plugin.
const FAULTY: &[Faulty] = &[
    Faulty {
        kind: PluginKind::Ipam,
        faults: &[(
            "exit-zero",
            "add-environment check-environment check-no-prev-result check-reservation \
                 command-missing command-of-version command-unknown del-environment error-1 \
                 error-4 error-4-names error-6 error-7 error-object error-reserved \
                 error-version exit-failure gc-by-ifname gc-environment id-alphabet \
                 name-alphabet name-required version-refuses",
        )],
    },
    Faulty {
        kind: PluginKind::Ipam,
        faults: &[
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
    Faulty {
        kind: PluginKind::Ipam,
        faults: &[
            ("half-json", "version-input version-list version-prints"),
            ("del-once", "del-twice del-unknown"),
        ],
    },
    Faulty {
        kind: PluginKind::Ipam,
        faults: &[
            (
                "leaky",
                "check-reservation del-environment del-frees del-netns-gone-frees \
                 del-no-prev-result status-others-work",
            ),
            ("gc-greedy", "gc-by-ifname gc-frees gc-keeps"),
        ],
    },
    Faulty {
        kind: PluginKind::Ipam,
        faults: &[
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
    Faulty {
        kind: PluginKind::Ipam,
        faults: &[
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
    Faulty {
        kind: PluginKind::Interface,
        faults: &[(
            "path-deaf",
            "delegate-add delegate-add-undone delegate-check delegate-check-error \
                 delegate-config delegate-del delegate-del-error delegate-del-gone \
                 delegate-environment delegate-gc delegate-gc-error delegate-path \
                 delegate-status delegate-status-error delegate-stderr gc-environment \
                 result-of-ipam",
        )],
    },
    Faulty {
        kind: PluginKind::Interface,
        faults: &[
            ("chain-deaf", "add-prev-result"),
            ("quiet", "delegate-stderr"),
            ("masks-own", "result-of-ipam"),
            ("route-made-up", "result-routes"),
            ("chatty", "check-silent gc-silent"),
        ],
    },
];

/// The faulty plugin beside the correct one, which it calls.
fn faulty_subject(plugin: &Faulty, folder: &Path) -> Result<Subject> {
    let faults: Vec<_> = plugin.faults.iter().map(|(fault, _)| *fault).collect();
    let name = faults.join(",");
    let path = folder.join(format!("faulty-{name}"));
    fs::copy(source("faulty.sh"), &path).map_err(|error| Error::new(error.to_string()))?;
    let correct = ours(plugin.kind)?;
    let mut delegates = correct.delegates;
    delegates.push(correct.plugin);
    Ok(Subject {
        name,
        plugin: path,
        delegates,
        ..correct
    })
}

#[test]
fn faulty_plugin_fails_exactly_the_rows_of_its_faults() -> Result {
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let subjects: Vec<_> = FAULTY
        .iter()
        .map(|it| faulty_subject(it, folder.path()))
        .collect::<Result<_>>()?;
    let mut differences = Vec::new();
    for (faulty, report) in FAULTY.iter().zip(judge(&subjects)?) {
        let expected = faulty.faults.iter();
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
