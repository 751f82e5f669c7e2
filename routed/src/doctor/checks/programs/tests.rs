use super::*;
use crate::doctor::Severity;

fn after(change: impl FnOnce(&mut InstalledProgram)) -> Finding {
    let program = |name: &str| InstalledProgram {
        path: Path::new("/opt/cni/bin").join(name),
        exists: true,
        version: Some(wire::VERSION.to_owned()),
    };
    let mut programs = PROGRAMS.map(program);
    change(&mut programs[0]);
    examine(&programs)
}

#[test]
fn missing_broken_or_other_version_is_named() {
    let (path, fix) = ("/opt/cni/bin/flatland-claim", "routed install");
    after(|_| {}).assert(Severity::Ok, path, "");
    let missing = after(|program| program.exists = false);
    missing.assert(Severity::Broken, &format!("no {path}"), fix);
    after(|program| program.version = None).assert(Severity::Broken, path, fix);
    let other = after(|program| program.version = Some("0.0.1 (a)".to_owned()));
    let text = format!("{path} is 0.0.1 (a), and routed is ");
    other.assert(Severity::Warning, &text, fix);
}
