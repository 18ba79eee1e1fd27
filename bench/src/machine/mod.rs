//! The machine: what it is, for whoever reads the figures, and whether it is quiet.

pub(crate) mod quiet;

use std::process::Command;

use serde::Serialize;

use crate::tools;

/// What a figure depends on besides us.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    /// The processor's name.
    cpu: String,
    /// How many cores there are.
    cores: usize,
    /// Memory, MiB.
    memory_mib: u64,
    /// The kernel's version.
    kernel: String,
    /// What the programs that we measure with and against say they are.
    programs: Vec<String>,
}

impl Facts {
    /// Looks around.
    pub(crate) fn gather() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
        Self {
            cpu: field(&cpu, "model name").unwrap_or("unknown").to_owned(),
            cores: cpu
                .lines()
                .filter(|line| is_field(line, "processor"))
                .count(),
            memory_mib: field(&memory, "MemTotal").and_then(mebibytes).unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            programs: PROGRAMS.iter().filter_map(version).collect(),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{}, {} cores, {} MiB, Linux {}\n",
            self.cpu, self.cores, self.memory_mib, self.kernel
        );
        for program in &self.programs {
            text.push_str(program);
            text.push('\n');
        }
        text
    }
}

/// Programs, and how each tells its version.
const PROGRAMS: [(&str, &str); 4] = [
    ("h2load", "--version"),
    ("wrk", "-v"),
    ("nginx", "-v"),
    ("etcd", "--version"),
];

/// The first line that a program says; some say it as an error, and to the other stream.
fn version((program, argument): &(&str, &str)) -> Option<String> {
    let path = tools::find(program).ok()?;
    let output = Command::new(path).arg(argument).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&said)
        .lines()
        .next()?
        .trim()
        .to_owned();
    Some(line)
}

fn is_field(line: &str, key: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(name, _)| name.trim() == key)
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| is_field(line, key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn mebibytes(kilobytes: &str) -> Option<u64> {
    let number = kilobytes.strip_suffix("kB")?.trim();
    Some(number.parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_are_read() {
        let text = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nprocessor\t: 1\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC"));
        assert_eq!(field(text, "flags"), None);
        assert_eq!(mebibytes("16384 kB"), Some(16));
    }
}
