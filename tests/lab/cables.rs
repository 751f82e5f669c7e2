//! Taking machines off the network, and putting them back.

use crate::{Lab, Machine, Result};

impl Lab {
    /// Pulls a machine's cable out: its interface has no carrier.
    pub fn unplug(&self, machine: &Machine) -> Result {
        self.run(&["ip", "link", "set", machine.name(), "down"])
            .map(drop)
    }

    /// Puts it back.
    pub fn plug(&self, machine: &Machine) -> Result {
        self.connect(machine)
    }

    /// Lets the switch drop all that goes to and comes from a machine, whose interface has carrier
    /// as before; [`Lab::forward`] ends it.
    pub fn block(&self, machine: &Machine) -> Result {
        self.set_port(machine, "0")
    }

    /// Ends a [`Lab::block`].
    pub fn forward(&self, machine: &Machine) -> Result {
        self.set_port(machine, "3")
    }

    /// `BR_STATE_DISABLED` is 0, `BR_STATE_FORWARDING` 3 (`linux/if_bridge.h`).
    fn set_port(&self, machine: &Machine, state: &str) -> Result {
        let port = machine.name();
        self.run(&["bridge", "link", "set", "dev", port, "state", state])
            .map(drop)
    }
}
