//! Network failures of a machine: carrier loss, and a switch port that drops everything.

use crate::{Lab, Machine, Result};

impl Lab {
    /// Takes away the carrier of a machine's interface, as pulling its cable does.
    pub fn unplug(&self, machine: &Machine) -> Result {
        self.run(&["ip", "link", "set", machine.name(), "down"])
            .map(drop)
    }

    /// Ends [`Lab::unplug`].
    pub fn plug(&self, machine: &Machine) -> Result {
        self.connect(machine)
    }

    /// Makes the switch drop all packets from and to a machine. The machine's interface keeps its
    /// carrier. [`Lab::forward`] ends it.
    pub fn block(&self, machine: &Machine) -> Result {
        self.set_port(machine, "0")
    }

    /// Ends [`Lab::block`].
    pub fn forward(&self, machine: &Machine) -> Result {
        self.set_port(machine, "3")
    }

    /// Sets the state of the machine's switch port: `BR_STATE_DISABLED` is 0, `BR_STATE_FORWARDING`
    /// 3 (`linux/if_bridge.h`).
    fn set_port(&self, machine: &Machine, state: &str) -> Result {
        let port = machine.name();
        self.run(&["bridge", "link", "set", "dev", port, "state", state])
            .map(drop)
    }
}
