//! What the chapter on porting says that each parameter of a storage takes is what the compiler says, for a processor of 32 bits.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

mod need;
use need::Need;

const TARGET: &str = "thumbv7m-none-eabi";
const CAN_BUILD: &str = ".ci/cargo-for thumbv7m-none-eabi";
const PORTING: &str = include_str!("../src/guide/porting.md");

/// The columns of the table: everything that it calls "all" but the families.
const ALL: &str = "dhcp,dns,fragments,loopback,multicast,path-mtu,raw,tasks";

/// Found again in what the compiler wrote, with the sizes behind it.
const MARK: &str = "sizes of storage";

const NAMES: [&str; 10] = [
    "SOCKETS",
    "CONNECTIONS",
    "DATAGRAMS",
    "BUFFER",
    "INTERFACES",
    "SYNS",
    "LOOPBACK",
    "REASSEMBLY",
    "LOOKUPS",
    "Stack",
];

const SOURCE: &str = r#"
#![no_std]
use glasstack::{Stack, stack::Storage};

macro_rules! octets {
    ($($number:literal),*) => { size_of::<Storage<'static, $($number),*>>() as u32 };
}

#[repr(C)]
pub struct Sizes([u8; 16], [u32; 10]);

const LEAST: u32 = octets!(1, 0, 0, 0, 1, 0, 0, 0, 0);
const FIVE: u32 = octets!(5, 0, 0, 0, 1, 0, 0, 0, 0);
const CONNECTIONS: u32 = octets!(5, 4, 0, 0, 1, 0, 0, 0, 0);

#[used]
pub static SIZES: Sizes = Sizes(*b"sizes of storage", [
    (FIVE - LEAST) / 4,
    (CONNECTIONS - FIVE) / 4,
    (octets!(5, 0, 4, 0, 1, 0, 0, 0, 0) - FIVE) / 4,
    (octets!(5, 4, 0, 256, 1, 0, 0, 0, 0) - CONNECTIONS) / 1024,
    (octets!(1, 0, 0, 0, 5, 0, 0, 0, 0) - LEAST) / 4,
    (octets!(1, 0, 0, 0, 1, 4, 0, 0, 0) - LEAST) / 4,
    (octets!(1, 0, 0, 0, 1, 0, 4096, 0, 0) - LEAST) / 4096,
    (octets!(1, 0, 0, 0, 1, 0, 0, 4096, 0) - LEAST) / 4096,
    (octets!(1, 0, 0, 0, 1, 0, 0, 0, 4) - LEAST) / 4,
    size_of::<Stack<'static>>() as u32,
]);
"#;

/// Builds a library that knows the sizes, and reads them out of it.
fn measure(features: &str) -> [u32; 10] {
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("storage_sizes");
    fs::create_dir_all(folder.join("src")).expect("a folder");
    let manifest = format!(
        "[package]\nname = \"sizes\"\nedition = \"2024\"\n[workspace]\n[dependencies.glasstack]\npath = {root:?}\n\
         default-features = false\nfeatures = {:?}\n",
        features.split(',').collect::<Vec<_>>(),
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("the folder is there");
    fs::write(folder.join("src/lib.rs"), SOURCE).expect("the folder is there");
    // The same versions as here.
    fs::copy(
        Path::new(root).join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .expect("both are there");
    let mut command = Command::new(Path::new(root).join(".ci/cargo-for"));
    command
        .args([
            TARGET,
            "rustc",
            "--quiet",
            "--",
            "--emit=obj=sizes.o",
            "-Ccodegen-units=1",
        ])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"));
    assert!(command.status().expect("it starts").success());
    let object = fs::read(folder.join("sizes.o")).expect("it was written");
    let at = object
        .windows(MARK.len())
        .position(|octets| octets == MARK.as_bytes());
    let (words, _) = object[at.expect("its mark") + MARK.len()..].as_chunks();
    std::array::from_fn(|index| u32::from_le_bytes(words[index]))
}

#[test]
fn the_table_of_sizes_is_the_compilers() {
    if !need::all(&[Need::Command(CAN_BUILD, "a compiler for a Cortex-M3")]) {
        return;
    }
    let columns = [
        measure("ipv4"),
        measure(&format!("ipv4,{ALL}")),
        measure(&format!("ipv4,ipv6,{ALL}")),
    ];
    let measured: BTreeMap<_, _> = NAMES
        .into_iter()
        .enumerate()
        .map(|(row, name)| (name, columns.map(|column| column[row])))
        .collect();

    let (_, table) = PORTING.split_once("| each of |").expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let told: BTreeMap<_, _> = rows
        .map(|row| {
            let mut cells = row.split('|').skip(1);
            let name = cells.next().and_then(|cell| cell.split('`').nth(1));
            let mut number = || -> u32 {
                let cell = cells.next().expect("four cells");
                cell.trim().replace(',', "").parse().expect("a number")
            };
            (name.expect("a name"), [number(), number(), number()])
        })
        .collect();
    assert_eq!(told, measured);
}
