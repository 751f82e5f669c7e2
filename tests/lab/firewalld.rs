//! Debian's firewalld on a node, with its own D-Bus.

use nix::sys::signal::Signal;

use crate::{DEADLINE, Error, Machine, Process, Result, wait_until};

/// Where a machine sees the firewalld that `make setup` unpacks.
const UNPACKED: &str = "/opt/firewalld/usr";
/// Programs of the machine look for the system bus here.
const BUS: &str = "/run/dbus";
const BUS_CONFIG: &str = "/etc/firewalld-bus.conf";

/// Every process of the machine is root and may own and call everything.
const BUS_POLICY: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_requested_reply="true"/>
  </policy>
</busconfig>
"#;

/// firewalld on a machine. Dropping it ends it.
#[derive(Debug)]
pub struct Firewalld<'a> {
    machine: &'a Machine,
    daemon: Process,
    /// The message bus that firewalld needs.
    _bus: Process,
}

impl<'a> Firewalld<'a> {
    /// Starts it as Debian ships it: backend nftables, default zone `public`.
    pub fn start(machine: &'a Machine) -> Result<Self> {
        if !machine.path(UNPACKED).is_dir() {
            return Err(Error::new("no firewalld on this machine: run `make setup`"));
        }
        let over_usr = format!("lowerdir={UNPACKED}:/usr");
        machine.run(&["mount", "-t", "overlay", "overlay", "-o", &over_usr, "/usr"])?;
        machine.run(&["mkdir", "-p", "/etc/firewalld", BUS])?;
        machine.write(BUS_CONFIG, BUS_POLICY)?;
        let config = format!("--config-file={BUS_CONFIG}");
        let bus = ["dbus-daemon", &config, "--nofork", "--nopidfile"];
        let bus = machine.spawn("bus", None, &bus)?;
        wait_until("message bus", DEADLINE, || {
            machine.path(BUS).join("system_bus_socket").exists()
        })
        .map_err(|error| error.doing(bus.log()))?;
        Ok(Self {
            daemon: spawn(machine)?,
            machine,
            _bus: bus,
        })
    }

    /// Stops it, which removes its rules, and starts it again.
    pub fn restart(&mut self) -> Result {
        self.daemon.signal(Signal::SIGTERM)?;
        wait_until("end of firewalld", DEADLINE, || !self.daemon.running())?;
        self.daemon = spawn(self.machine)?;
        Ok(())
    }

    /// Reloads the permanent configuration.
    pub fn reload(&self) -> Result {
        self.machine.run(&["firewall-cmd", "--reload"]).map(drop)
    }
}

fn spawn(machine: &Machine) -> Result<Process> {
    let words = ["firewalld", "--nofork", "--nopid", "--log-target=console"];
    let daemon = machine.spawn("firewalld", None, &words)?;
    wait_until("firewalld", DEADLINE, || {
        machine.run(&["firewall-cmd", "--state"]).is_ok()
    })
    .map_err(|error| error.doing(daemon.log()))?;
    Ok(daemon)
}
