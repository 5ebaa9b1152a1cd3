//! Where the flash went: octets of machine code by source file.

use std::collections::BTreeMap;

use crate::program::Program;
use crate::source::Source;

/// Octets of flash by crate and file. They add up to the whole.
pub(crate) fn by_file(program: &Program) -> BTreeMap<(String, String), u64> {
    let source = Source::of(program);
    let (start, text) = program.text();
    let mut bytes = BTreeMap::new();
    let mut add = |library: &str, path: &str, octets: u64| {
        *bytes
            .entry((library.to_owned(), path.to_owned()))
            .or_default() += octets;
    };
    for address in (start..start + text.len() as u64).step_by(2) {
        match source.author(address) {
            Some(place) => add(&place.file.library, &place.file.path, 2),
            None => add("core", "and what nobody is named for", 2),
        }
    }
    // An instruction is two octets or four, and the text may end within one.
    let counted: u64 = bytes.values().sum();
    for (name, octets, is_loaded, _) in program.sections() {
        let octets = if name == ".text" { 0 } else { octets };
        if is_loaded && octets > 0 {
            *bytes.entry(("data".into(), name)).or_default() += octets;
        }
    }
    assert_eq!(counted, (text.len() as u64).next_multiple_of(2));
    bytes
}
