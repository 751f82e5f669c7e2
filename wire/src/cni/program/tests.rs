//! Calls of a plugin without a process: from environment and standard input to both output streams
//! and the exit status.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::*;

const ADD: &[(&str, &str)] = &[
    ("CNI_COMMAND", "ADD"),
    ("CNI_CONTAINERID", "c1"),
    ("CNI_NETNS", "/run/netns/c1"),
    ("CNI_IFNAME", "eth0"),
];

/// A plugin that records the verb, and fails if the configuration says so.
#[derive(Default, Debug)]
struct Recorder(RefCell<Vec<String>>);

impl Recorder {
    fn note(&self, verb: &str, call: &Call) -> Result<(), Error> {
        self.0.borrow_mut().push(format!("{verb} {}", call.network));
        match call.config.get("fail") {
            Some(_) => Err(Error::new(code::TRY_AGAIN, "busy").advise("wait")),
            None => Ok(()),
        }
    }
}

impl Program for Recorder {
    fn add(&self, call: &Call) -> Result<Success, Error> {
        self.note("add", call)?;
        Ok(call.prev_result()?.unwrap_or_default())
    }

    fn del(&self, call: &Call) -> Result<(), Error> {
        self.note("del", call)
    }
}

fn call_with(
    program: &Recorder,
    variables: &[(&str, &str)],
    arguments: &[&str],
    stdin: &str,
) -> CallOutcome {
    let get = |name: &str| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let input = ConfigSource {
        reader: stdin.as_bytes(),
        is_terminal: false,
    };
    serve("thing 1.0", program, &arguments, get, input)
}

fn call(variables: &[(&str, &str)], stdin: &str) -> CallOutcome {
    call_with(&Recorder::default(), variables, &[], stdin)
}

fn command(name: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut variables = ADD.to_vec();
    variables[0].1 = name;
    variables.push(("CNI_PATH", "/opt/cni/bin"));
    variables
}

fn config(version: &str) -> String {
    json!({"cniVersion": version, "name": "blue", "type": "flatland"}).to_string()
}

fn printed(outcome: &CallOutcome) -> Value {
    let text = str::from_utf8(&outcome.stdout).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    assert!(text.ends_with('\n'), "{text}");
    serde_json::from_str(text).unwrap()
}

fn refused(outcome: &CallOutcome) -> Error {
    assert!(outcome.failed);
    serde_json::from_value(printed(outcome)).unwrap()
}

#[test]
fn add_prints_the_result_in_the_version_of_the_request() {
    for version in CniVersion::ALL {
        let outcome = call(ADD, &config(version.as_str()));
        assert!(!outcome.failed);
        assert_eq!(printed(&outcome), json!({"cniVersion": version.as_str()}));
        assert!(outcome.stderr.is_empty());
    }
}

#[test]
fn del_prints_nothing_and_needs_no_namespace() {
    let variables = [ADD[1], ADD[3], ("CNI_COMMAND", "DEL")];
    let program = Recorder::default();
    let outcome = call_with(&program, &variables, &[], &config("0.3.1"));
    assert!(!outcome.failed && outcome.stdout.is_empty() && outcome.stderr.is_empty());
    assert_eq!(*program.0.borrow(), ["del blue"]);
}

#[test]
fn plugin_error_has_the_version_of_the_request() {
    let stdin = json!({"cniVersion": "0.4.0", "name": "blue", "fail": true}).to_string();
    let outcome = call(ADD, &stdin);
    let error = json!({"cniVersion": "0.4.0", "code": 11, "msg": "busy", "details": "wait"});
    assert_eq!(printed(&outcome), error);
    assert!(outcome.failed);
}

#[test]
fn version_reply_has_the_request_version_or_the_latest() {
    let cases = [
        (config("0.4.0"), "0.4.0"),
        (json!({"cniVersion": "1.0.0"}).to_string(), "1.0.0"),
        (config("0.2.0"), "1.1.0"),
        (config("9.9.9"), "1.1.0"),
        (String::new(), "1.1.0"),
        ("garbage".to_owned(), "1.1.0"),
    ];
    for (stdin, version) in cases {
        let outcome = call(&[("CNI_COMMAND", "VERSION")], &stdin);
        let supported = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];
        let answer = json!({"cniVersion": version, "supportedVersions": supported});
        assert_eq!(printed(&outcome), answer, "{stdin}");
        assert!(!outcome.failed);
    }
}

#[test]
fn verb_missing_in_the_plugin_is_code_4_with_advice() {
    for (verb, advice) in [
        ("CHECK", "disableCheck"),
        ("GC", "disableGC"),
        ("STATUS", "1.0.0"),
    ] {
        let error = refused(&call(&command(verb), &config("1.1.0")));
        assert_eq!(error.code, code::INVALID_ENVIRONMENT);
        let start = format!("CNI_COMMAND {verb} is not supported");
        assert!(error.msg.starts_with(&start), "{error}");
        assert!(error.details.contains(advice), "{error}");
    }
}

#[test]
fn verb_missing_in_the_version_is_code_1() {
    for (verb, version) in [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "0.4.0")] {
        let error = refused(&call(&command(verb), &config(version)));
        assert_eq!(error.code, code::INCOMPATIBLE_VERSION);
        assert!(
            error.msg.contains(verb) && error.msg.contains(version),
            "{error}"
        );
    }
}

#[test]
fn invalid_configuration_is_refused_before_the_plugin_runs() {
    let cases = [
        ("", 6, "is empty"),
        (" \n", 6, "is empty"),
        ("{", 6, "line 1"),
        ("[]", 6, "not a JSON object"),
        (r#"{"name": "n"}"#, 1, "means 0.1.0"),
        (r#"{"name": "n", "cniVersion": "0.2.0"}"#, 1, "0.2.0"),
        (r#"{"name": "n", "cniVersion": ""}"#, 1, "cniVersion"),
        (r#"{"name": "n", "cniVersion": 1}"#, 6, "cniVersion 1"),
        (r#"{"cniVersion": "1.0.0"}"#, 7, "\"name\""),
        (r#"{"name": "", "cniVersion": "1.0.0"}"#, 7, "is empty"),
        (r#"{"name": 5, "cniVersion": "1.0.0"}"#, 6, "network name 5"),
        (r#"{"name": "../x", "cniVersion": "1.0.0"}"#, 7, "../x"),
        (r#"{"name": "a/b", "cniVersion": "1.0.0"}"#, 7, "a/b"),
    ];
    for (stdin, code, culprit) in cases {
        let program = Recorder::default();
        let error = refused(&call_with(&program, ADD, &[], stdin));
        assert_eq!(error.code, code, "{stdin}: {error}");
        assert!(error.to_string().contains(culprit), "{stdin}: {error}");
        assert!(program.0.borrow().is_empty());
    }
}

#[test]
fn incompatible_version_error_lists_the_supported_ones() {
    let error = refused(&call(ADD, &config("0.2.0")));
    assert!(
        error.details.contains("0.3.1, 0.4.0, 1.0.0, 1.1.0"),
        "{error}"
    );
}

#[test]
fn environment_error_has_the_version_of_the_configuration() {
    let outcome = call(&[("CNI_COMMAND", "ADD")], &config("0.4.0"));
    assert_eq!(printed(&outcome)["cniVersion"], "0.4.0");
    assert_eq!(refused(&outcome).code, code::INVALID_ENVIRONMENT);
}

#[test]
fn unreadable_standard_input_is_code_5() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("torn"))
        }
    }
    let get = |name: &str| {
        let found = ADD.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let input = ConfigSource {
        reader: Broken,
        is_terminal: false,
    };
    let error = refused(&serve("", &Recorder::default(), &[], get, input));
    assert_eq!(error.code, code::IO);
    assert!(error.msg.contains("torn"), "{error}");
}

#[test]
fn help_flag_prints_the_introduction() {
    for argument in ["--version", "--help", "-h", "-V"] {
        let outcome = call_with(&Recorder::default(), &[], &[argument], "");
        assert!(!outcome.failed);
        let text = String::from_utf8(outcome.stdout).unwrap();
        let version = crate::VERSION;
        assert_eq!(
            text,
            format!("thing 1.0\nversion {version}\nCNI versions: 0.3.1, 0.4.0, 1.0.0, 1.1.0\n")
        );
    }
}

#[test]
fn run_without_command_prints_error_and_introduction() {
    for variables in [&[][..], &[("CNI_COMMAND", "")]] {
        let outcome = call(variables, "");
        assert!(outcome.stderr.starts_with(b"thing 1.0\n"));
        let error = refused(&outcome);
        assert_eq!(error.code, code::INVALID_ENVIRONMENT);
        assert!(error.msg.contains("CNI_COMMAND"), "{error}");
    }
}

#[test]
fn arguments_are_ignored_in_a_runtime_call() {
    let outcome = call_with(&Recorder::default(), ADD, &["--help"], &config("1.0.0"));
    assert_eq!(printed(&outcome), json!({"cniVersion": "1.0.0"}));
}

#[test]
fn terminal_is_not_read_when_no_input_is_needed() {
    struct Untouchable;
    impl Read for Untouchable {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("the terminal was read")
        }
    }
    for (command, failed) in [("VERSION", false), ("ADD", true), ("NONSENSE", true)] {
        let get = |name: &str| (name == "CNI_COMMAND").then(|| OsString::from(command));
        let input = ConfigSource {
            reader: Untouchable,
            is_terminal: true,
        };
        let outcome = serve("", &Recorder::default(), &[], get, input);
        assert_eq!(outcome.failed, failed, "{command}");
    }
}

#[test]
fn prev_result_is_parsed_in_its_own_version() {
    let with = |prev: Value| {
        json!({"cniVersion": "1.0.0", "name": "blue", "prevResult": prev}).to_string()
    };
    let prev = json!({"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.1.2.3/24"}]});
    let answer = json!({"cniVersion": "1.0.0", "ips": [{"address": "10.1.2.3/24"}]});
    assert_eq!(printed(&call(ADD, &with(prev))), answer);
    assert_eq!(
        printed(&call(ADD, &with(Value::Null))),
        json!({"cniVersion": "1.0.0"})
    );

    let error = refused(&call(ADD, &with(json!({"ips": [{"address": "nowhere"}]}))));
    assert_eq!(error.code, code::DECODING);
    assert!(
        error.msg.starts_with("prevResult: ips[0].address"),
        "{error}"
    );
}
