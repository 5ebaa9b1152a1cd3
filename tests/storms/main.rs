//! A thousand networks, each drawn from a seed of its own: whatever the links, the buffers and the programs are like, the bytes
//! arrive whole and in order, nothing hangs, and nothing is left behind.
//!
//! A network that fails names its seed: `STORM_SEED=… cargo test --test storms -- --nocapture` has that one alone again, and
//! draws what happened in it. `STORMS=100000` takes more networks than a thousand; `STORM=…` takes others.
#![cfg(all(feature = "std", feature = "ipv4", feature = "ipv6"))]
#![allow(clippy::unwrap_used, clippy::panic)] // it is a test

mod luck;
mod plan;
mod run;
mod talk;

use std::env;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use luck::Luck;
use run::Totals;

/// Networks, and the number that all their seeds come from.
const NETWORKS: u64 = 1_000;
const NUMBER: u64 = 1;

fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let value = env::var(name).ok()?;
    match value.parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name}={value} is no number"),
    }
}

#[test]
fn bytes_arrive_whole_nothing_hangs_and_nothing_is_left_behind() {
    if let Some(seed) = from_environment("STORM_SEED") {
        let totals = run::storm(seed, true).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{totals:?}");
        return;
    }
    let networks = from_environment("STORMS").unwrap_or(NETWORKS);
    let number = from_environment("STORM").unwrap_or(NUMBER);
    let began = Instant::now();
    let (totals, failures) = storms(number, networks);
    let took = began.elapsed();
    let Totals {
        connections,
        segments,
        elapsed,
        ..
    } = totals;
    println!(
        "{networks} networks, {connections} connections, {segments} segments, {} of virtual time in {:.1} s",
        in_words(elapsed),
        took.as_secs_f64()
    );
    println!("{totals:?}");
    assert!(
        failures.is_empty(),
        "{} of {networks} networks of STORM={number} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn in_words(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    format!("{} days and {} h", hours / 24, hours % 24)
}

/// All of them, on as many threads as there are cores; what they came to, and the first failures.
fn storms(number: u64, networks: u64) -> (Totals, Vec<String>) {
    let next = AtomicU64::new(0);
    let all = Mutex::new((Totals::default(), Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= networks {
                        return;
                    }
                    let seed = Luck::seed(number, place);
                    let result = run::storm(seed, false);
                    let mut all = all.lock().unwrap();
                    match result {
                        Ok(totals) => all.0.add(&totals),
                        Err(failure) => all.1.push(failure),
                    }
                }
            });
        }
    });
    all.into_inner().unwrap()
}
