//! What the kernel counts of a process: CPU seconds, resident memory. From proc(5), as it stands.

use std::fs;

use super::Outcome;

/// Ticks a second in /proc/PID/stat: USER_HZ, which is part of Linux's ABI.
const TICKS: f64 = 100.0;
const KIB_A_MIB: f64 = 1024.0;

/// CPU seconds, user and system together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu(pub f64);

/// CPU seconds of the three that work together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Clients that have ended.
    pub client: Cpu,
    /// The server.
    pub server: Cpu,
    /// PostgreSQL with all of its processes.
    pub database: Cpu,
}

impl Usage {
    /// What was spent in between.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            client: Cpu(self.client.0 - before.client.0),
            server: Cpu(self.server.0 - before.server.0),
            database: Cpu(self.database.0 - before.database.0),
        }
    }

    /// All of it.
    pub fn total_s(&self) -> f64 {
        self.client.0 + self.server.0 + self.database.0
    }
}

/// The numbers of /proc/PID/stat behind the command's name, from field 3 on: index 11 is `utime`.
fn stat(pid: &str) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, behind) = text.rsplit_once(')').ok_or("/proc/PID/stat is cut off")?;
    Ok(behind.split_whitespace().map(ToOwned::to_owned).collect())
}

fn ticks(fields: &[String], from: usize, count: usize) -> f64 {
    let numbers = fields.iter().skip(from).take(count);
    numbers
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS
}

/// CPU of one process and its threads.
pub fn cpu(pid: u32) -> Outcome<Cpu> {
    Ok(Cpu(ticks(&stat(&pid.to_string())?, 11, 2)))
}

/// CPU of the children of this process that have ended and were waited for.
pub fn ended_children() -> Outcome<Cpu> {
    Ok(Cpu(ticks(&stat("self")?, 13, 2)))
}

/// CPU of a postmaster, of its processes, and of those that it has waited for.
pub fn database(postmaster: u32) -> Outcome<Cpu> {
    let mut sum = ticks(&stat(&postmaster.to_string())?, 11, 4);
    for child in children(postmaster)? {
        // One that ended in between is in the postmaster's own count the next time.
        sum += stat(&child.to_string()).map_or(0.0, |fields| ticks(&fields, 11, 2));
    }
    Ok(Cpu(sum))
}

fn children(of: u32) -> Outcome<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let parent = stat(&pid.to_string())
            .ok()
            .and_then(|fields| fields.get(1)?.parse::<u32>().ok());
        if parent == Some(of) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn kib(path: &str, name: &str) -> Outcome<f64> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or_else(|| format!("{path} has no {name}"))?
        .parse()?)
}

/// Resident memory now, MiB.
pub fn resident_mib(pid: u32) -> Outcome<f64> {
    Ok(kib(&format!("/proc/{pid}/status"), "VmRSS:")? / KIB_A_MIB)
}

/// The most that was resident at any time, MiB.
pub fn peak_mib(pid: u32) -> Outcome<f64> {
    Ok(kib(&format!("/proc/{pid}/status"), "VmHWM:")? / KIB_A_MIB)
}

/// Memory of PostgreSQL with all of its processes, shared pages counted once (PSS), MiB.
pub fn database_mib(postmaster: u32) -> Outcome<f64> {
    let mut pids = children(postmaster)?;
    pids.push(postmaster);
    let pss = |pid: &u32| kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:").unwrap_or_default();
    Ok(pids.iter().map(pss).sum::<f64>() / KIB_A_MIB)
}

/// The load averages of 1, 5 and 15 minutes.
pub fn load_average() -> Outcome<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text
        .split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" "))
}
