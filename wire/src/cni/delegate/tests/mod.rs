//! Tests with plugins that are shell scripts.

mod find;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tempfile::TempDir;

use crate::cni::delegate::running::PIPE_CAPACITY;
use crate::cni::delegate::*;
use crate::cni::{Args, CniVersion, Environment};

/// These tests run one after the other: a file that any process has open for writing cannot be run,
/// and a child of another test holds our open files until it calls exec.
static TURN: Mutex<()> = Mutex::new(());

struct Folder {
    path: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Folder {
    fn new() -> Self {
        Self {
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
            path: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder with an executable file called `ipam`.
    fn with(content: &str) -> Self {
        let folder = Self::new();
        folder.write(content, 0o755);
        folder
    }

    fn with_script(body: &str) -> Self {
        Self::with(&format!("#!/bin/sh\n{body}\n"))
    }

    fn write(&self, content: &str, mode: u32) {
        let file = self.path.path().join("ipam");
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn call(&self) -> Call {
        call_with_path(vec![self.path.path().to_owned()])
    }

    fn run(&self, command: CniCommand) -> Result<Vec<u8>, Error> {
        let call = self.call();
        find(&call, "ipam")?.run(&call, command)
    }
}

/// A plugin that says in its result what it was called for.
#[derive(Debug)]
struct Echo;

impl Program for Echo {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        let mut success = Success::default();
        success.dns.domain = Some(call.environment.command.to_string());
        Ok(success)
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        assert_eq!(call.environment.command, CniCommand::Del);
        Ok(())
    }
}

fn find(call: &Call, name: &str) -> Result<Delegate, Error> {
    let linked = LinkedPlugin {
        name: "linked",
        program: &Echo,
    };
    Delegate::find(call, name, linked)
}

fn call_with_path(path: Vec<PathBuf>) -> Call {
    let environment = Environment {
        command: CniCommand::Add,
        attachment: None,
        netns: None,
        args: Args::default(),
        path,
    };
    let config = json!({"cniVersion": "1.0.0", "name": "blue"});
    Call::new(environment, config.to_string().into_bytes()).unwrap()
}

#[test]
fn delegate_gets_verb_environment_and_configuration() {
    let folder = Folder::with_script(r#"echo "$CNI_COMMAND $PATH"; cat"#);
    let printed = folder.run(CniCommand::Del).unwrap();
    let path = std::env::var("PATH").unwrap();
    let config = String::from_utf8(folder.call().stdin).unwrap();
    let expected = format!("DEL {path}\n{config}");
    assert_eq!(String::from_utf8(printed).unwrap(), expected);
}

#[test]
fn helper_gets_arguments_and_its_error_is_unprefixed() {
    let folder = Folder::with_script(
        r#"case $1 in
            'a b') exit 0 ;;
            no) echo '{"code": 11, "msg": "no", "details": "why"}'; exit 1 ;;
            killed) echo '{"code": 11, "msg": "no"}'; kill -9 $$ ;;
            *) echo what; exit 1 ;;
        esac"#,
    );
    let call = folder.call();
    let program = Delegate::find_helper(&call, "ipam").unwrap();
    let run = |argument: &str| program.run_helper(&call, &[argument.to_owned()]);
    assert!(matches!(run("a b"), HelperOutcome::Done));
    let HelperOutcome::Refused(refusal) = run("no") else {
        panic!("the error of the helper is missing");
    };
    let expected = Error::new(11, "no").advise("why");
    assert_eq!(refusal.to_string(), expected.to_string());
    for (argument, error) in [
        ("killed", "killed by signal 9"),
        ("odd", "it printed \"what"),
    ] {
        let HelperOutcome::NoAnswer(failure) = run(argument) else {
            panic!("{argument} counts as an answer");
        };
        assert!(failure.to_string().contains(error), "{failure}");
    }
}

#[test]
fn delegate_result_is_parsed() {
    let folder = Folder::with_script(
        r#"echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.1.2.3/24"}]}'"#,
    );
    let call = folder.call();
    let success = find(&call, "ipam").unwrap().add(&call).unwrap();
    assert_eq!(success.ips[0].address.to_string(), "10.1.2.3/24");
}

#[test]
fn del_ignores_the_output_of_the_delegate() {
    let folder = Folder::with_script("echo whatever");
    let call = folder.call();
    let delegate = find(&call, "ipam").unwrap();
    delegate.del(&call).unwrap();
}

#[test]
fn large_configuration_reaches_delegate_that_prints_first() {
    let folder = Folder::with_script("head -c 300000 /dev/zero; cat");
    let mut call = folder.call();
    call.stdin = vec![b' '; 1 << 20];
    let delegate = find(&call, "ipam").unwrap();
    let printed = delegate.run(&call, CniCommand::Add).unwrap();
    assert_eq!(printed.len(), 300_000 + (1 << 20));
}

#[test]
fn delegate_that_reads_no_input_is_no_error() {
    let folder = Folder::with_script("exec <&-; echo {}");
    for size in [10, PIPE_CAPACITY, PIPE_CAPACITY + 1, 1 << 20] {
        let mut call = folder.call();
        call.stdin = vec![b' '; size];
        let delegate = find(&call, "ipam").unwrap();
        assert_eq!(
            delegate.run(&call, CniCommand::Add).unwrap(),
            b"{}\n",
            "{size}"
        );
    }
}

#[test]
fn delegate_error_keeps_its_code_and_gets_its_name() {
    let folder = Folder::with_script(
        r#"echo '{"cniVersion": "1.0.0", "code": 11, "msg": "busy", "details": "wait"}'; exit 1"#,
    );
    let error = folder.run(CniCommand::Add).unwrap_err();
    assert_eq!(error, Error::new(11, "ipam: busy").advise("wait"));
}

#[test]
fn failure_without_cni_error_quotes_the_output() {
    let cases = [
        (
            "echo panic: everything is lost; exit 2",
            "everything is lost",
        ),
        ("exit 2", "it printed nothing"),
        ("echo '{}'; exit 2", "{}"),
    ];
    for (body, quoted) in cases {
        let error = Folder::with_script(body).run(CniCommand::Add).unwrap_err();
        assert_eq!(error.code, code::DECODING, "{error}");
        assert!(
            error.msg.starts_with("ipam failed with exit status 2"),
            "{error}"
        );
        assert!(error.msg.contains(quoted), "{error}");
    }
}

#[test]
fn invalid_result_is_code_6_with_a_short_quote() {
    let cases = [
        ("echo hello", "hello"),
        ("true", "it printed nothing"),
        ("printf '\\377\\376'", "it printed"),
        ("head -c 100000 /dev/zero | tr '\\0' x", "xxx\"..."),
        ("echo []", "not a JSON object"),
        (r#"echo '{"ips": [{}]}'"#, "ips[0].address"),
    ];
    for (body, quoted) in cases {
        let folder = Folder::with_script(body);
        let call = folder.call();
        let error = find(&call, "ipam").unwrap().add(&call).unwrap_err();
        assert_eq!(error.code, code::DECODING, "{error}");
        assert!(error.msg.starts_with("ipam"), "{error}");
        assert!(error.msg.contains(quoted), "{error}");
        assert!(error.msg.len() < 300, "{error}");
    }
}

#[test]
fn death_by_signal_is_code_5_despite_output() {
    let folder = Folder::with_script("echo '{}'; kill -KILL $$");
    let error = folder.run(CniCommand::Add).unwrap_err();
    assert_eq!(error, Error::new(code::IO, "ipam was killed by signal 9"));
}

#[test]
fn file_that_cannot_run_is_named_with_the_reason() {
    let cases = [
        ("\u{7f}ELF nonsense", "architecture"),
        ("#!/nonexistent/interpreter\n", "interpreter"),
    ];
    for (content, advice) in cases {
        let folder = Folder::with(content);
        let error = folder.run(CniCommand::Add).unwrap_err();
        assert_eq!(error.code, code::IO, "{error}");
        let file = folder.path.path().join("ipam");
        assert!(error.msg.contains(file.to_str().unwrap()), "{error}");
        assert!(error.details.contains(advice), "{error}");
    }
}

#[test]
fn file_being_written_is_try_again() {
    let folder = Folder::with_script("echo {}");
    let file = folder.path.path().join("ipam");
    let writer = fs::OpenOptions::new().append(true).open(file).unwrap();
    let error = folder.run(CniCommand::Add).unwrap_err();
    assert_eq!(error.code, code::TRY_AGAIN, "{error}");
    drop(writer);
    assert!(folder.run(CniCommand::Add).is_ok());
}

/// The reply of a plugin of Debian 12 to an unknown verb.
const OLD: &str = r#"case $CNI_COMMAND in
    VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' ;;
    *) echo '{"code": 3, "msg": "missing containerID"}'; exit 1 ;;
esac"#;

#[test]
fn plugin_without_status_and_gc_succeeds() {
    let folder = Folder::with_script(OLD);
    let call = folder.call();
    let delegate = find(&call, "ipam").unwrap();
    delegate.status(&call).unwrap();
    delegate.gc(&call).unwrap();
}

#[test]
fn status_of_plugin_without_the_version_is_code_50() {
    let folder = Folder::with_script(OLD);
    let mut call = folder.call();
    call.version = CniVersion::V1_1_0;
    let delegate = find(&call, "ipam").unwrap();
    let error = delegate.status(&call).unwrap_err();
    assert_eq!(error.code, code::UNAVAILABLE);
    assert!(
        error.msg.contains("ipam does not speak CNI 1.1.0"),
        "{error}"
    );
    assert!(error.details.contains("cniVersions"), "{error}");
}

#[test]
fn errors_of_status_gc_and_check_are_passed_on() {
    let folder = Folder::with_script(r#"echo '{"code": 50, "msg": "full"}'; exit 1"#);
    let call = folder.call();
    let delegate = find(&call, "ipam").unwrap();
    for error in [
        delegate.status(&call),
        delegate.gc(&call),
        delegate.check(&call),
    ] {
        assert_eq!(error.unwrap_err(), Error::new(50, "ipam: full"));
    }
}
