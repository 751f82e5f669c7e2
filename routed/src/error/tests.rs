use registry::Error as RegistryError;

use super::*;

#[test]
fn failures_that_can_pass_are_no_usage_errors() {
    let config = |code| Error::Config(cni::Error::new(code, "x"));
    let registry = || {
        Box::new(RegistryError::Config {
            what: "ca.crt".to_owned(),
            why: "x".to_owned(),
        })
    };
    let io = || io::Error::other("x");
    let lock = lock::Error::File {
        path: "/run/x".into(),
        source: io(),
    };
    for (error, expected) in [
        (config(code::INVALID_CONFIG), USAGE),
        (config(code::UNSUPPORTED_FIELD), USAGE),
        (config(code::DECODING), USAGE),
        (config(code::INCOMPATIBLE_VERSION), USAGE),
        (Error::ConfigRejected(registry()), USAGE),
        (config(code::IO), 1),
        (
            Error::Machine(cni::Error::new(code::INVALID_CONFIG, "x")),
            1,
        ),
        (Error::Registry(registry()), 1),
        (Error::Lock(lock), 1),
        (Error::Runtime(io()), 1),
        (Error::Ended("x"), 1),
    ] {
        assert_eq!(error.exit_status(), expected, "{error:?}");
    }
}
