//! What the operator says of itself on `/metrics`, and the kernel of its memory.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

/// One look at `/metrics`.
#[derive(Debug, Clone)]
pub struct Scrape(String);

impl Scrape {
    /// Asks the operator that listens on a port of this machine.
    pub fn of(port: u16) -> Result<Self> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .context("connecting to the operator's metrics")?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(Self(text))
    }

    /// The sum of a family's samples whose labels hold all of these.
    pub fn sum(&self, family: &str, labels: &[&str]) -> f64 {
        self.0
            .lines()
            .filter_map(|line| line.strip_prefix(family))
            .filter(|rest| rest.starts_with(['{', ' ']))
            .filter(|rest| labels.iter().all(|label| rest.contains(label)))
            .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The samples of a family, for people.
    pub fn family(&self, family: &str) -> Vec<&str> {
        let of_it = |line: &&str| line.starts_with(family);
        self.0.lines().filter(of_it).collect()
    }
}

/// The most memory that a process has had, in MiB.
pub fn peak_memory(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0)
        .ok_or_else(|| anyhow!("{path} has no VmHWM"))
}

/// The processor time that a process has used, in seconds.
pub fn processor_time(id: u32) -> Result<f64> {
    const TICKS_A_SECOND: f64 = 100.0;
    let path = format!("/proc/{id}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    // "pid (name) state …": user and system time are the 12th and 13th after the name.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: f64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    Ok(ticks / TICKS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_their_labels() {
        let scrape = Scrape(
            "# HELP a b\na{x=\"GET v\",status=\"200\"} 3\na{x=\"PUT v\",status=\"200\"} 4\nab 9\na 1\n"
                .to_owned(),
        );
        assert_eq!(scrape.sum("a", &[]), 8.0);
        assert_eq!(scrape.sum("a", &["\"GET ", "200"]), 3.0);
        assert_eq!(scrape.sum("c", &[]), 0.0);
    }
}
