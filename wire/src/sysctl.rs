//! Kernel settings under `/proc/sys`.
//!
//! Those under `net/` are the ones of the calling thread's network namespace.

use std::fs;
use std::io;
use std::path::Path;

const PROC_SYS: &str = "/proc/sys";

/// Where a container has the host's settings if it was given them. Its own are read-only unless it
/// is privileged, and runtimes refuse to mount anything else there.
const HOST_PROC_SYS: &str = "/host/proc/sys";

/// The value of a setting, named as in `net/ipv4/ip_forward`, without white space around it.
pub fn read(name: &str) -> io::Result<String> {
    let path = Path::new(PROC_SYS).join(name);
    let value = fs::read_to_string(path).map_err(|error| explain(name, "read", &error))?;
    Ok(value.trim().to_owned())
}

/// Sets a setting unless it has that value, and tells whether it had to. In a container it takes
/// the host's `/proc/sys/net` at `/host/proc/sys/net`, or privileges.
pub fn ensure(name: &str, value: &str) -> io::Result<bool> {
    if read(name)? == value {
        return Ok(false);
    }
    let doing = format!("set to {value}");
    let written = match fs::write(Path::new(PROC_SYS).join(name), value) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            write_mounted(name, value, error)
        }
        written => written,
    };
    written.map_err(|error| explain(name, &doing, &error))?;
    Ok(true)
}

/// Sets it through the host's, if that is here; else the `first` error is what matters.
fn write_mounted(name: &str, value: &str, first: io::Error) -> io::Result<()> {
    match fs::write(Path::new(HOST_PROC_SYS).join(name), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(first),
        written => written,
    }
}

fn explain(name: &str, doing: &str, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "; this kernel has no such setting",
        io::ErrorKind::ReadOnlyFilesystem => {
            "; /proc/sys is read-only here: mount the host's /proc/sys/net at \
             /host/proc/sys/net, or make the setting on the host"
        }
        io::ErrorKind::PermissionDenied => "; it takes root",
        _ => "",
    };
    io::Error::new(
        error.kind(),
        format!("cannot {doing} the kernel setting {name}: {error}{advice}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_setting_and_says_what_to_do() {
        for (kind, advice) in [
            (
                io::ErrorKind::ReadOnlyFilesystem,
                "or make the setting on the host",
            ),
            (io::ErrorKind::PermissionDenied, "it takes root"),
            (io::ErrorKind::NotFound, "this kernel has no such setting"),
        ] {
            let error = explain("net/ipv4/ip_forward", "set to 1", &kind.into());
            assert_eq!(error.kind(), kind);
            let text = error.to_string();
            let start = "cannot set to 1 the kernel setting net/ipv4/ip_forward: ";
            assert!(text.starts_with(start) && text.ends_with(advice), "{text}");
        }
    }
}
