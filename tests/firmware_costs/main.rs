//! What a microcontroller pays for the sockets: one echo server on raw smoltcp, on embassy-net and on this crate, built for a
//! Cortex-M3 and run in QEMU. With `-- --nocapture --test-threads=1` it prints the tables.
#![cfg(all(target_os = "linux", feature = "std", feature = "ipv4"))]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../need/mod.rs"]
mod need;

mod bounds;
mod bytes;
mod exceptions;
mod firmware;
mod load;
mod panics;
mod peer;
mod program;
mod qemu;
mod source;

use std::collections::BTreeMap;

use exceptions::{EXCEPTIONS, PROGRAMS};
use load::Instructions;
use program::Size;

/// What one of the servers costs.
struct Cost {
    size: Size,
    /// Octets of memory for one more connection.
    connection: u64,
    instructions: Instructions,
    /// Octets, where it was deepest.
    stack: usize,
}

impl Cost {
    fn of(library: &str) -> glasstack::Result<Cost> {
        let four = firmware::echo(library, "");
        let five = firmware::echo(library, "fifth-connection");
        Ok(Cost {
            size: four.size(),
            connection: five.size().ram - four.size().ram,
            instructions: load::instructions(&four)?,
            stack: load::stack_depth(&four)?,
        })
    }
}

#[test]
fn an_echo_server_costs_no_more_than_its_bounds() -> glasstack::Result<()> {
    if !firmware::can_be_built() {
        return Ok(());
    }
    let [smoltcp, embassy_net, glasstack] = firmware::LIBRARIES.map(Cost::of);
    let costs = [smoltcp?, embassy_net?, glasstack?];
    print_costs(&costs);

    let [smoltcp, _, ours] = costs;
    let over = |ours: u64, theirs: u64| ours.saturating_sub(theirs);
    assert!(over(ours.size.flash, smoltcp.size.flash) <= bounds::FLASH);
    assert!(over(ours.size.ram, smoltcp.size.ram) <= bounds::RAM);
    assert!(ours.connection <= bounds::CONNECTION);
    let (ours_counted, smoltcps) = (ours.instructions, smoltcp.instructions);
    assert!(ours_counted.echo <= smoltcps.echo * bounds::ECHO);
    assert!(ours_counted.octet <= smoltcps.octet * bounds::OCTET);
    assert!(ours.stack <= bounds::STACK);
    Ok(())
}

fn print_costs(costs: &[Cost; 3]) {
    let row = |what: &str, value: &dyn Fn(&Cost) -> f64, digits: usize| {
        let values = costs.iter().map(|cost| format!("{:.digits$}", value(cost)));
        println!("| {what} | {} |", values.collect::<Vec<_>>().join(" | "));
    };
    println!(
        "\nBuilt by {}.\n",
        firmware::echo("glasstack", "").compiler()
    );
    println!("| | raw smoltcp | embassy-net | glasstack |\n|---|---:|---:|---:|");
    row("flash", &|cost| cost.size.flash as f64, 0);
    row("static RAM", &|cost| cost.size.ram as f64, 0);
    row(
        "RAM for one more connection",
        &|cost| cost.connection as f64,
        0,
    );
    row("stack at its deepest", &|cost| cost.stack as f64, 0);
    row(
        "instructions: 64 octets there and back",
        &|cost| cost.instructions.echo,
        0,
    );
    row(
        "instructions: an octet of many, there and back",
        &|cost| cost.instructions.octet,
        1,
    );
}

#[test]
fn every_octet_of_flash_is_somebodys() {
    if !firmware::can_be_built() {
        return;
    }
    let program = firmware::echo("glasstack", "");
    let files = bytes::by_file(&program);
    let total: u64 = files.values().sum();
    assert_eq!(
        total.next_multiple_of(4),
        program.size().flash.next_multiple_of(4)
    );

    let mut modules = BTreeMap::<_, u64>::new();
    for ((library, path), octets) in files {
        *modules.entry(module(library, &path)).or_default() += octets;
    }
    let [heart, tcp] = ["`src/stack/ingress`", "smoltcp's `socket`"].map(|name| modules.get(name));
    assert!(heart.is_some() && tcp.is_some(), "{modules:#?}");
    let mut modules: Vec<_> = modules.into_iter().collect();
    modules.sort_by_key(|(name, octets)| (std::cmp::Reverse(*octets), name.clone()));
    println!("\n| flash of the echo server | octets |\n|---|---:|");
    for (name, octets) in &modules {
        println!("| {name} | {octets} |");
    }
    println!("| all | {total} |");
}

/// What a row of the table is about: a file of this crate, with those in the folder of its name; a part of smoltcp; a crate.
fn module(library: String, path: &str) -> String {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let parts: Vec<_> = path.split('/').collect();
    match (&*library, &parts[..]) {
        ("glasstack", [face, part, ..]) => format!("`src/{face}/{}`", part.trim_end_matches(".rs")),
        ("glasstack", _) => format!("`src/{}`", path.trim_end_matches(".rs")),
        ("smoltcp", [part, ..]) => format!("smoltcp's `{}`", part.trim_end_matches(".rs")),
        ("data", _) => format!("section `{path}`"),
        ("core" | "compiler-builtins", _) => "`core`".to_owned(),
        _ => library,
    }
}

#[test]
fn the_sockets_cannot_panic() {
    if !firmware::can_be_built() {
        return;
    }
    let mut counts = vec![[0; PROGRAMS.len()]; EXCEPTIONS.len()];
    let mut others = Vec::new();
    for (nth, package) in PROGRAMS.into_iter().enumerate() {
        for call in panics::calls(&firmware::program(package, "")) {
            match EXCEPTIONS
                .iter()
                .position(|exception| exception.is_of(&call))
            {
                Some(exception) => counts[exception][nth] += 1,
                None => others.push(format!("{package}: {call}")),
            }
        }
    }
    let programs = PROGRAMS.join(" | ");
    println!("\n| could panic | {programs} | why it does not |\n|---|---:|---:|---|");
    for (exception, [echo, whole]) in EXCEPTIONS.iter().zip(&counts) {
        println!("| {exception} | {echo} | {whole} | {} |", exception.reason);
    }
    // That there are some says that they are found.
    for nth in 0..PROGRAMS.len() {
        assert!(counts.iter().map(|counts| counts[nth]).sum::<usize>() > 100);
    }
    assert!(others.is_empty(), "could panic:\n{}", others.join("\n"));
    for (exception, counts) in EXCEPTIONS.iter().zip(counts) {
        let is_within = counts
            .iter()
            .zip(exception.most)
            .all(|(count, most)| *count <= most);
        assert!(is_within, "{counts:?} places: {exception:?}");
    }
}
