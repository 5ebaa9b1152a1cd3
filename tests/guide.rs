//! The guide's tables say what is there: each test that they name, each call and each option that the sources have, each size
//! and feature that a port plans with. (That what they link to exists, rustdoc sees.)
// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CALLS: &str = include_str!("../src/guide/calls.md");
const PORTING: &str = include_str!("../src/guide/porting.md");

/// What the stack's own loop is made of, which is no call of BSD's.
const OF_THE_LOOP: [&str; 8] = [
    "add_interface",
    "new",
    "now",
    "observer",
    "poll_loopback",
    "set_now",
    "source_for",
    "with_capacity",
];

fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of each row, without the headings and the lines below them.
fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    let is_row = |line: &&str| {
        let is_heading = ["| BSD |", "| Linux |", "|---"];
        line.starts_with('|') && !is_heading.iter().any(|start| line.starts_with(start))
    };
    let cells = |line: &'static str| line.split('|').map(str::trim).collect();
    CALLS.lines().filter(is_row).map(cells)
}

/// What is between backticks and names a test.
fn tests_of(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(|name| {
        name.split_once("::")
            .unwrap_or_else(|| panic!("{name} names no file"))
    })
}

/// The names of the functions that are tests: marked as such, or listed in the `main` of a file without a harness.
fn tests_in(source: &str) -> BTreeSet<&str> {
    let after = |mark: &'static str| source.split(mark).skip(1);
    let marked = after("#[test]").map(|rest| {
        let (_, name) = rest.split_once("fn ").unwrap();
        name.split('(').next().unwrap()
    });
    let listed = source
        .split("fn main()")
        .nth(1)
        .into_iter()
        .flat_map(|main| {
            let main = main.split("\n}").next().unwrap();
            main.split('"').skip(1).step_by(2)
        });
    marked.chain(listed).collect()
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut missing = Vec::new();
    for cells in rows() {
        let shown = cells[cells.len() - 2];
        assert!(!shown.is_empty(), "{cells:?}");
        for (file, name) in tests_of(shown) {
            let source = fs::read_to_string(path("tests").join(file).with_extension("rs"));
            if !source.is_ok_and(|source| tests_in(&source).contains(name)) {
                missing.push(format!("{file}::{name}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn what_is_not_missing_has_a_test() {
    for cells in rows() {
        let [_, bsd, .., here, shown, _] = cells[..] else {
            panic!("a row of {} cells: {cells:?}", cells.len());
        };
        let says_why = here.starts_with("missing") || here.starts_with("never");
        let is_of_core = ["nothing is to be freed", "never needed"];
        let needs_none = says_why || is_of_core.iter().any(|start| here.starts_with(start));
        assert!(shown != "–" || needs_none, "{bsd}: {here}");
        let is_bare = here.trim_end_matches('.') == "missing";
        assert!(!is_bare, "{bsd}: why?");
    }
}

/// The source files of the heart, without their tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.file_name().is_some_and(|name| name != "tests.rs") {
            found.push(path);
        }
    }
}

/// The public functions of `impl … Stack<…>`.
fn calls() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&path("src/stack"), &mut files);
    let mut calls = BTreeSet::new();
    for file in files {
        let text = read(&file);
        for block in text.split("\nimpl").skip(1) {
            let (head, rest) = block.split_once('{').unwrap();
            let body = rest.split("\n}").next().unwrap();
            if head.contains("Stack<") && !head.contains(" for ") {
                let public = body.split("\n    pub fn ").skip(1);
                let name = |rest: &str| rest.split(['(', '<']).next().unwrap().to_owned();
                calls.extend(public.map(name));
            }
        }
    }
    calls
}

#[test]
fn every_call_has_its_row() {
    let calls = calls();
    for known in [
        "socket",
        "sendmsg",
        "join_group",
        "poll_fds",
        "resolve",
        "wait",
    ] {
        assert!(calls.contains(known), "{calls:?}");
    }
    let has_row = |call: &String| {
        let link = format!("[`Stack::{call}`]");
        rows().any(|cells| cells.iter().any(|cell| cell.contains(&link)))
    };
    let is_of_the_loop = |call: &String| OF_THE_LOOP.contains(&call.as_str());
    let missing: Vec<_> = calls
        .iter()
        .filter(|call| !is_of_the_loop(call) && !has_row(call))
        .collect();
    assert_eq!(missing, [""; 0]);
    // What is gone needs no exception.
    for call in OF_THE_LOOP {
        assert!(calls.contains(call), "{call}");
    }
}

/// The types that stand for an option: a `struct` of their own, or a line of `options!` or `answers!`.
fn options() -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&path("src/stack/option"), &mut files);
    let mut options = BTreeSet::new();
    for file in files {
        let text = read(&file);
        let own = text.split("\nimpl SocketOption for ").skip(1);
        let first_word = |rest: &str| {
            let end = rest.find(|c: char| !c.is_alphanumeric());
            rest[..end.unwrap()].to_owned()
        };
        options.extend(own.map(first_word));
        for list in ["\noptions! {", "\nanswers! {"] {
            let Some((_, list)) = text.split_once(list) else {
                continue;
            };
            let lines = list.split("\n}").next().unwrap().lines().map(str::trim);
            let is_option = |line: &&str| line.starts_with(char::is_uppercase);
            options.extend(lines.filter(is_option).map(first_word));
        }
    }
    options
}

#[test]
fn every_option_has_its_row() {
    let options = options();
    for known in [
        "NoDelay",
        "IcmpTypes",
        "TcpInfo",
        "SendBuffer",
        "SocketError",
    ] {
        assert!(options.contains(known), "{options:?}");
    }
    let table = read(&path("src/stack/option/mod.rs"));
    for option in options {
        let link = format!("[`{option}`]");
        let has_row = rows().any(|cells| cells.iter().any(|cell| cell.contains(&link)));
        assert!(has_row, "{option} has no row in the guide");
        let row = format!("//! | {link} |");
        assert!(table.contains(&row), "{option} has no row in its module");
    }
}

/// A file that is added needs its place in the table of its folder, a folder its line in the README.
#[test]
fn every_file_has_its_place() {
    let names = |folder: &str| {
        let entries = fs::read_dir(path(folder)).unwrap().map(Result::unwrap);
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.map(|name| name.trim_end_matches(".rs").to_owned())
    };
    for folder in ["src/stack", "src/sim"] {
        let table = read(&path(folder).join("mod.rs"));
        let (_, table) = table.split_once("//! # The files").unwrap();
        let (table, _) = table.split_once("\nmod ").unwrap();
        for name in names(folder).filter(|name| name != "mod" && name != "tests") {
            assert!(table.contains(&format!("`{name}`")), "{folder}: {name}");
        }
    }
    let readme = read(&path("README.md"));
    for folder in names("src").filter(|name| path("src").join(name).is_dir()) {
        let line = format!("| `src/{folder}/` |");
        assert!(readme.contains(&line), "{folder}");
    }
}

/// The first cells of the tables in a chapter's section.
fn first_cells(chapter: &'static str, section: &str) -> Vec<&'static str> {
    let (_, section) = chapter.split_once(&format!("\n# {section}\n")).unwrap();
    let section = section.split("\n# ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap()).collect()
}

#[test]
fn a_port_can_plan_with_every_parameter_and_every_feature() {
    let names = |cells: Vec<&'static str>| {
        let quoted = cells
            .into_iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2));
        quoted.collect::<BTreeSet<_>>()
    };
    let storage = read(&path("src/stack/storage.rs"));
    let (_, storage) = storage.split_once("pub struct Storage<").unwrap();
    let (parameters, _) = storage.split_once('{').unwrap();
    let sizes = names(first_cells(PORTING, "Sizes to plan with"));
    let mut parameters: BTreeSet<_> = parameters
        .split("const ")
        .skip(1)
        .map(|rest| rest.split(':').next().unwrap())
        .collect();
    assert!(parameters.contains("BUFFER"), "{parameters:?}");
    parameters.insert("Stack");
    let sizes: BTreeSet<_> = sizes
        .into_iter()
        .filter(|name| name.chars().all(|c| c.is_alphabetic()))
        .collect();
    assert_eq!(sizes, parameters);

    let manifest = read(&path("Cargo.toml"));
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let features = features.split("\n[").next().unwrap();
    let name = |line: &'_ str| line.split_once(" = ").map(|(name, _)| name.to_owned());
    let is_one = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let features: BTreeSet<_> = features.lines().filter(is_one).filter_map(name).collect();
    assert!(features.contains("embedded-nal"), "{features:?}");
    let named = names(first_cells(PORTING, "How to shrink"));
    let missing: Vec<_> = features
        .iter()
        .filter(|name| *name != "default" && !named.contains(name.as_str()))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// What the chapter points at in the firmware is there.
#[test]
fn the_firmware_has_what_the_chapter_names() {
    let firmware = path("examples/firmware");
    for file in [
        "board/src/lan9118.rs",
        "virt/src/virtio.rs",
        "echo/glasstack",
    ] {
        assert!(
            PORTING.contains(file) && firmware.join(file).exists(),
            "{file}"
        );
    }
    for board in ["board", "virt"] {
        assert!(
            firmware.join(board).join("src/clock.rs").exists(),
            "{board}"
        );
        let source = read(&firmware.join(board).join("src/lib.rs"));
        assert!(source.contains("pub fn sleep("), "{board}");
    }
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = read(&path("README.md"));
    let manifest = read(&path("Cargo.toml"));
    let examples = manifest.split("[[example]]\nname = \"").skip(1);
    for name in examples.map(|rest| rest.split('"').next().unwrap()) {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn a_test_is_known_by_its_mark_or_by_main() {
    let source = "#[test]\nfn a_test() {}\nfn helper() {}\nfn main() {\n    run(&[(\"by_name\", by_name)])\n}\n";
    assert_eq!(tests_in(source), BTreeSet::from(["a_test", "by_name"]));
}
