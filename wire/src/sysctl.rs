//! Kernel settings (sysctls) under `/proc/sys`.
//!
//! Those under `net/` belong to the network namespace of the calling thread.

use std::fs;
use std::io;
use std::path::Path;

const PROC_SYS: &str = "/proc/sys";

/// Where a container may have the host's settings mounted. Its own `/proc/sys` is read-only unless
/// it is privileged, and runtimes refuse to mount anything over it.
const HOST_PROC_SYS: &str = "/host/proc/sys";

/// The value of a setting, trimmed. `name` is a path such as `net/ipv4/ip_forward`.
pub fn read(name: &str) -> io::Result<String> {
    let path = Path::new(PROC_SYS).join(name);
    let value = fs::read_to_string(path).map_err(|error| explain(name, "read", &error))?;
    Ok(value.trim().to_owned())
}

/// The name as sysctl(8) takes it: `net.ipv4.ip_forward`. A dot in the name of an interface is then a
/// slash, as in `net.ipv4.conf.eth0/100.forwarding`.
pub fn dotted(name: &str) -> String {
    let other = |letter| match letter {
        '/' => '.',
        '.' => '/',
        letter => letter,
    };
    name.chars().map(other).collect()
}

/// The interfaces that have settings of this family (`ipv4`, `ipv6`), besides `all` and `default`, which
/// are among them. Interfaces whose names are not UTF-8 are left out.
pub fn interfaces(family: &str) -> io::Result<Vec<String>> {
    let name = format!("net/{family}/conf");
    let entries = fs::read_dir(Path::new(PROC_SYS).join(&name))
        .map_err(|error| explain(&name, "read", &error))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

/// Gives a setting this value; returns whether it had another one. In a container this needs the
/// host's `/proc/sys/net` mounted at `/host/proc/sys/net`, or privileges.
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

/// Sets it through the mount of the host's settings; without the mount it returns the `first`
/// error.
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
mod tests;
