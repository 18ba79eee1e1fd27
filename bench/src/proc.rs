//! What the kernel says about a process: CPU time and memory. The reading is pure.

use std::time::Duration;

use anyhow::Context as _;

/// The kernel's unit of CPU time in `/proc`: `USER_HZ` is 100 wherever we run.
const TICK: Duration = Duration::from_millis(10);

/// How long resident memory must stay the same before it is believed.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is looked at, at most.
const LOOKS: usize = 20;
/// How much it may move in between and still be the same, of its whole.
const STEADY: f64 = 0.005;

/// The CPU time of a process, all of its threads, those that ended as well.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    let ticks = cpu_ticks(&stat).context("/proc/PID/stat is not as we know it")?;
    Ok(TICK * ticks)
}

/// A process' memory, bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    /// Resident.
    pub(crate) rss: f64,
    /// Resident, pages that are shared counted in part.
    pub(crate) pss: f64,
}

/// The memory of a process, once it stands still or five seconds are over.
pub(crate) async fn settled_memory(pid: u32) -> anyhow::Result<Memory> {
    let mut before = memory(pid)?;
    for _ in 0..LOOKS {
        tokio::time::sleep(LOOK).await;
        let now = memory(pid)?;
        let is_steady = (now.rss - before.rss).abs() <= before.rss * STEADY;
        before = now;
        if is_steady {
            break;
        }
    }
    Ok(before)
}

fn memory(pid: u32) -> anyhow::Result<Memory> {
    let (status, rollup) = (read(pid, "status")?, read(pid, "smaps_rollup")?);
    let bytes = |text: &str, key: &str| {
        kilobytes(text, key)
            .map(|kilobytes| kilobytes * 1024.0)
            .with_context(|| format!("the kernel does not tell {key}"))
    };
    Ok(Memory {
        rss: bytes(&status, "VmRSS:")?,
        pss: bytes(&rollup, "Pss:")?,
    })
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
}

/// utime and stime, fields 14 and 15. The name, field 2, may have spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// The number behind a key: `VmRSS:   260240 kB`.
fn kilobytes(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_name_with_anything_in_it() {
        let stat =
            "31040 (a) b (c) S 1 31040 31040 0 -1 4194560 1035 0 2 0 731 269 5 6 20 0 1 0 99";
        assert_eq!(cpu_ticks(stat), Some(1_000));
        assert_eq!(cpu_ticks("31040 (short) S 1"), None);
    }

    #[test]
    fn memory_is_read_by_its_whole_key() {
        let status = "VmHWM:\t  300000 kB\nVmRSS:\t  260240 kB\nRssAnon:\t  1 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(260_240.0));
        let rollup = "Rss:              260240 kB\nPss:              259251 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(kilobytes(rollup, "Pss:"), Some(259_251.0));
        assert_eq!(kilobytes(rollup, "Swap:"), None);
    }

    #[test]
    fn the_kernel_tells_about_this_process() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap().rss > 100_000.0);
        cpu_time(pid).unwrap();
    }
}
