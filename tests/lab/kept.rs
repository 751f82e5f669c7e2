//! Labs that keep running after the process that started them: recording, entering and ending them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::error::Doing;
use crate::namespaces::own_path;
use crate::{DEADLINE, Error, Result, wait_until};

/// A lab that runs until it is taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The lab's pid 1, in the caller's pid namespace. Everything in the lab ends with it.
    pid: u32,
    /// The start time of that process: its process id may be reused later.
    started: u64,
    /// The nodes and pods that can be entered.
    pub places: Vec<KeptPlace>,
}

/// A node or a pod of a kept lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPlace {
    /// `n1`, or `n1/a`.
    pub name: String,
    /// A process of the node.
    pub target: u32,
    /// The path of the pod's network namespace on the node.
    pub netns: Option<PathBuf>,
}

impl Kept {
    /// The file that records the kept lab of this build of `lab`: beside the program.
    pub fn file() -> Result<PathBuf> {
        Ok(own_path()?.with_file_name("demo.json"))
    }

    /// The kept lab that runs; an error if there is none.
    pub fn find() -> Result<Self> {
        let file = Self::file()?;
        Self::read(&file)?
            .ok_or_else(|| Error::new("no demo is running: `make demo KEEP=1` starts one"))
    }

    /// The lab that is recorded in `file`, if it still runs.
    pub fn read(file: &Path) -> Result<Option<Self>> {
        let Ok(text) = fs::read(file) else {
            return Ok(None);
        };
        let kept: Self = serde_json::from_slice(&text).doing(file.display())?;
        Ok(kept.is_up().then_some(kept))
    }

    /// Records the lab with pid 1 `pid` in `file`.
    pub(crate) fn record(file: &Path, pid: u32, places: Vec<KeptPlace>) -> Result<Self> {
        let started = started(pid).ok_or_else(|| Error::new("the lab's pid 1 has ended"))?;
        let kept = Self {
            pid,
            started,
            places,
        };
        let text = serde_json::to_vec_pretty(&kept).doing("recording the lab")?;
        fs::write(file, text).doing(file.display())?;
        Ok(kept)
    }

    /// The place called `name`.
    pub fn place(&self, name: &str) -> Result<&KeptPlace> {
        self.places
            .iter()
            .find(|place| place.name == name)
            .ok_or_else(|| {
                let names: Vec<&str> = self
                    .places
                    .iter()
                    .map(|place| place.name.as_str())
                    .collect();
                Error::new(format!(
                    "there is no {name}; there are {}",
                    names.join(", ")
                ))
            })
    }

    /// Ends the lab and everything in it.
    pub fn take_down(&self) -> Result {
        let pid = Pid::from_raw(i32::try_from(self.pid).doing("process id")?);
        match kill(pid, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).doing(format!("ending process {pid}")),
        }
        wait_until(format!("end of process {pid}"), DEADLINE, || !self.is_up())
    }

    fn is_up(&self) -> bool {
        started(self.pid) == Some(self.started)
    }
}

/// The start time of a process, in clock ticks since boot: field 22 of `/proc/pid/stat`. `None` if
/// it has ended.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name, which may contain spaces and brackets.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    (*fields.first()? != "Z").then(|| fields.get(19)?.parse().ok())?
}

#[cfg(test)]
mod tests;
