//! Judges plugins by every row.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::rows::{Level, Row, all};
use super::spec::Spec;
use super::subject::Subject;
use super::testbed::Testbed;
use super::verdict::{Reason, RowVerdict};
use crate::error::Doing;
use crate::{Error, Lab, Result};

/// The verdicts on one plugin.
pub struct ConformanceReport {
    /// The name of the plugin.
    pub name: String,
    /// The verdict of each row, in the order of [`all`].
    pub verdicts: Vec<(&'static Row, RowVerdict)>,
}

impl ConformanceReport {
    /// Whether no MUST fails.
    pub fn conforms(&self) -> bool {
        !self.failures().any(|(row, _)| row.level == Level::Must)
    }

    /// The rows that fail, with the evidence.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Row, &str)> {
        self.verdicts
            .iter()
            .filter_map(|(row, verdict)| match verdict {
                RowVerdict::Fail(why) => Some((*row, why.as_str())),
                RowVerdict::Pass | RowVerdict::NotApplicable(_) => None,
            })
    }

    /// The numbers of rows of this level that pass, and that apply.
    pub fn count(&self, level: Level) -> (usize, usize) {
        let rows = self.verdicts.iter().filter(|(row, _)| row.level == level);
        let judged = rows.filter(|(_, verdict)| !matches!(verdict, RowVerdict::NotApplicable(_)));
        let passed = judged
            .clone()
            .filter(|(_, verdict)| *verdict == RowVerdict::Pass);
        (passed.count(), judged.count())
    }
}

/// Judges plugins by every row, each row on a fresh machine. An error means that the suite failed.
pub fn judge(subjects: &[Subject]) -> Result<Vec<ConformanceReport>> {
    let lab = Lab::builder().nodes(0).etcd(0).start()?;
    let machines = AtomicUsize::new(0);
    subjects
        .iter()
        .map(|subject| {
            let folder = tempfile::tempdir().doing("making a folder for plugins")?;
            subject.install(folder.path())?;
            let boot = |versions: &[Spec]| {
                let number = machines.fetch_add(1, Ordering::Relaxed);
                Testbed::boot(&lab, number, subject, folder.path(), versions)
            };
            let versions = supported_versions(&boot(&[])?)?;
            Ok(ConformanceReport {
                name: subject.name.clone(),
                verdicts: judge_one(subject, &versions, &boot)?,
            })
        })
        .collect()
}

/// Judges one plugin, with several rows in parallel: most of the time is spent waiting for
/// processes and the kernel.
fn judge_one<'s>(
    subject: &Subject,
    versions: &[Spec],
    boot: &(impl Fn(&[Spec]) -> Result<Testbed<'s>> + Sync),
) -> Result<Vec<(&'static Row, RowVerdict)>> {
    let rows: Vec<&'static Row> = all().collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, RowVerdict)>> {
        let mut done = Vec::new();
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            let at = rows
                .iter()
                .position(|other| other.id == row.id)
                .unwrap_or_default();
            let verdict = match exemption(row, subject, versions) {
                Some(why) => RowVerdict::NotApplicable(why),
                None => verdict(row, &boot(versions)?)?,
            };
            done.push((at, verdict));
        }
        Ok(done)
    };
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let mut verdicts = Vec::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            let done = thread
                .join()
                .map_err(|_| Error::new("a thread of the suite panicked"))?;
            verdicts.extend(done?);
            Ok::<_, Error>(())
        })
    })?;
    verdicts.sort_by_key(|(at, _)| *at);
    Ok(rows
        .into_iter()
        .zip(verdicts)
        .map(|(row, (_, verdict))| (row, verdict))
        .collect())
}

/// Why a row does not apply to a plugin, without calling the plugin.
fn exemption(row: &Row, subject: &Subject, versions: &[Spec]) -> Option<String> {
    if !row.binds.contains(&subject.kind) {
        return Some("it does not concern plugins of this kind".to_owned());
    }
    if !versions.iter().any(|version| *version >= row.since) {
        return Some(format!("it supports no version from {} on", row.since));
    }
    None
}

fn verdict(row: &Row, testbed: &Testbed<'_>) -> Result<RowVerdict> {
    match (row.check)(testbed) {
        Ok(()) => Ok(RowVerdict::Pass),
        Err(Reason::Fail(why)) => Ok(RowVerdict::Fail(why)),
        Err(Reason::NotApplicable(why)) => Ok(RowVerdict::NotApplicable(why)),
        Err(Reason::Broken(error)) => Err(error.doing(format!("judging by {}", row.id))),
    }
}

/// The versions that a plugin supports and the suite tests, oldest first. A plugin without a
/// readable answer to VERSION is judged by 1.0.0.
fn supported_versions(testbed: &Testbed<'_>) -> Result<Vec<Spec>> {
    let answer = match testbed.call("VERSION").run() {
        Ok(answer) => answer,
        Err(Reason::Broken(error)) => return Err(error),
        Err(Reason::Fail(_) | Reason::NotApplicable(_)) => return Ok(vec![Spec::V1_0_0]),
    };
    let listed: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
    let texts = listed["supportedVersions"].as_array().into_iter().flatten();
    let parsed = texts.filter_map(|text| text.as_str()?.parse().ok());
    let judged = |version: &Spec| *version >= Spec::V0_3_0 && Spec::RELEASED.contains(version);
    let mut versions: Vec<Spec> = parsed.filter(judged).collect();
    versions.sort_unstable();
    if versions.is_empty() {
        versions.push(Spec::V1_0_0);
    }
    Ok(versions)
}
