//! Resource usage of processes: processor time and memory.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::figures::nanoseconds;

/// The resource usage of one or several processes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Processor time in nanoseconds, of all threads of all processes, also of threads that have
    /// ended.
    pub(crate) cpu: u64,
    /// Resident memory in KiB, of the largest process.
    pub(crate) resident: u64,
    /// Peak resident memory in KiB, of the largest process.
    pub(crate) peak: u64,
}

impl Usage {
    /// The usage of a process.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let status = read(pid, "status")?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Ok(Self {
            cpu: cpu(pid)?,
            resident: kib("VmRSS:").unwrap_or_default(),
            peak: kib("VmHWM:").unwrap_or_default(),
        })
    }

    /// The usage of all processes with this name.
    pub(crate) fn of_all(name: &str) -> Result<Self, String> {
        let entries = fs::read_dir("/proc").map_err(|error| error.to_string())?;
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut sum = Self::default();
        for pid in pids.filter(|pid| read(*pid, "comm").is_ok_and(|comm| comm.trim() == name)) {
            let one = Self::of(pid)?;
            sum.cpu += one.cpu;
            sum.resident = sum.resident.max(one.resident);
            sum.peak = sum.peak.max(one.peak);
        }
        Ok(sum)
    }
}

fn read(pid: u32, file: &str) -> Result<String, String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

/// User and system time (`clock_getcpuclockid(3)`). It is exact, while /proc/PID/stat counts in
/// ticks of 10 ms.
fn cpu(pid: u32) -> Result<u64, String> {
    let number = i32::try_from(pid).map_err(|error| error.to_string())?;
    let time = clock_getcpuclockid(Pid::from_raw(number)).and_then(ClockId::now);
    let time = time.map_err(|errno| format!("processor time of process {pid}: {errno}"))?;
    Ok(nanoseconds(Duration::from(time)))
}

#[cfg(test)]
mod tests;
