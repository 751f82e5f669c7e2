//! What processes have used, by /proc.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};
use serde::{Deserialize, Serialize};

/// What one or several processes have used.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Processor time in milliseconds, of all of them.
    pub(crate) cpu_ms: u64,
    /// Memory in KiB that is there now, of the largest.
    pub(crate) resident: u64,
    /// Memory in KiB that was there at most, of the largest.
    pub(crate) peak: u64,
}

impl Usage {
    /// Of a process.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let status = read(pid, "status")?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Ok(Self {
            cpu_ms: cpu_ms(&read(pid, "stat")?).ok_or("/proc/PID/stat is not as expected")?,
            resident: kib("VmRSS:").unwrap_or_default(),
            peak: kib("VmHWM:").unwrap_or_default(),
        })
    }

    /// Of all processes of that name.
    pub(crate) fn of_all(name: &str) -> Result<Self, String> {
        let entries = fs::read_dir("/proc").map_err(|error| error.to_string())?;
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut sum = Self::default();
        for pid in pids.filter(|pid| read(*pid, "comm").is_ok_and(|comm| comm.trim() == name)) {
            let one = Self::of(pid)?;
            sum.cpu_ms += one.cpu_ms;
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

/// User and system time (`proc_pid_stat(5)`, fields 14 and 15). The name, field 2, may hold blanks.
fn cpu_ms(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    Some(ticks * 1000 / u64::try_from(per_second).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_whatever_the_name_is() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 30 20 0 0 20 0 1 0 5 0 0";
        assert_eq!(cpu_ms(stat), cpu_ms(&stat.replace("(a) b)", "(ab)")));
        assert!(cpu_ms(stat).is_some_and(|ms| ms > 0));
        assert_eq!(cpu_ms(""), None);
    }
}
