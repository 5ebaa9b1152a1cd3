//! Where a program could panic: the calls of `core`'s panicking functions that the linker left in it.

use std::{collections::BTreeSet, fmt};

use crate::exceptions::{Exception, TOTAL};
use crate::program::{Program, Symbol};
use crate::source::{Place, Source};

/// A place that calls what panics.
#[derive(Debug)]
pub(crate) struct Call {
    place: Place,
    /// The function that it calls: one that panics, or one of `core` and its like that may end up in one.
    callee: String,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} calls {}", self.place, self.callee)
    }
}

impl Exception {
    pub(crate) fn is_of(&self, call: &Call) -> bool {
        let Call { place, callee } = call;
        let file = &place.file;
        let is_there = self.library == file.library && file.path.starts_with(self.path);
        is_there
            && (place.function.split('<').next() == Some(self.at)
                || callee.contains(self.at)
                || place.text().contains(self.at))
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: `{}` `{}`", self.library, self.path, self.at)
    }
}

/// The calls of functions that panic. Those within `core` are their callers', but for what panics for no argument.
pub(crate) fn calls(program: &Program) -> Vec<Call> {
    let source = Source::of(program);
    let functions = program.functions();
    let branches = branches(program);
    let mut panicking: Vec<Symbol> = functions
        .iter()
        .filter(|function| function.name.starts_with("core::panicking::"))
        .cloned()
        .collect();
    let mut seen = BTreeSet::new();
    let mut calls = Vec::new();
    let mut next = 0;
    while let Some(function) = panicking.get(next).cloned() {
        next += 1;
        for (from, _) in branches.iter().filter(|(_, to)| function.has(*to)) {
            if panicking.iter().any(|function| function.has(*from)) || !seen.insert(*from) {
                continue;
            }
            let holder = functions.iter().find(|other| other.has(*from));
            let Some(holder) = holder else {
                continue; // the linker's padding between two functions
            };
            // What several functions end with, the compiler has put into one, which is of none of them.
            let is_shared = holder.name.starts_with("OUTLINED_");
            // Where the debug information knows nothing of the call, it does of the function.
            let author = source
                .author(*from)
                .or_else(|| source.author(holder.address))
                .filter(|_| !is_shared);
            match author {
                Some(place) => {
                    let places = origins(&source, &branches, *from, place);
                    calls.extend(places.into_iter().map(|place| Call {
                        place,
                        callee: function.name.clone(),
                    }));
                }
                None if TOTAL.iter().any(|name| holder.name.starts_with(name)) => {}
                None => panicking.push(holder.clone()),
            }
        }
    }
    calls.sort_by(|Call { place: one, .. }, Call { place: other, .. }| {
        (&one.file, one.line).cmp(&(&other.file, other.line))
    });
    calls
}

/// The place of a call. Where it is several lines' it has none of them: then those of the branches to it. (Of
/// smoltcp's the file is enough.)
fn origins(source: &Source, branches: &[(u64, u64)], call: u64, place: Place) -> Vec<Place> {
    let before = branches.iter().map(|(from, _)| *from);
    let start = before.filter(|from| *from < call).max().unwrap_or(0);
    let leading = branches
        .iter()
        .filter(|(_, to)| (start + 1..=call).contains(to));
    let origins: Vec<_> = leading
        .filter_map(|(from, _)| source.author(*from))
        .collect();
    let is_smoltcps = place.file.library == "smoltcp";
    if place.line.is_some() || is_smoltcps || origins.is_empty() {
        vec![place]
    } else {
        origins
    }
}

/// From where to where the machine code goes: its calls and jumps to addresses that are part of the instruction.
fn branches(program: &Program) -> Vec<(u64, u64)> {
    let (start, text) = program.text();
    let end = start + text.len() as u64;
    let half = |address: u64| {
        let at = (address - start) as usize;
        text.get(at..at + 2)
            .map(|octets| u32::from(octets[0]) | u32::from(octets[1]) << 8)
    };
    let mut branches = Vec::new();
    let marks = program.code();
    let ends = marks
        .iter()
        .skip(1)
        .map(|(address, _)| *address)
        .chain([end]);
    for ((from, is_code), to) in marks.iter().zip(ends) {
        if !is_code || *from < start {
            continue;
        }
        let mut address = *from;
        while let Some(first) = half(address).filter(|_| address < to) {
            // "ARMv7-M Architecture Reference Manual", A5.1: which instructions have 32 bits.
            let is_long = first >> 11 >= 0b11101;
            let second = if is_long {
                half(address + 2).unwrap_or(0)
            } else {
                0
            };
            if let Some(offset) = if is_long {
                long(first, second)
            } else {
                short(first)
            } {
                branches.push((
                    address,
                    address.wrapping_add(4).wrapping_add_signed(offset.into()),
                ));
            }
            address += if is_long { 4 } else { 2 };
        }
    }
    branches
}

/// `value` has so many bits, the highest is its sign.
fn signed(value: u32, bits: u32) -> i32 {
    (value << (32 - bits)) as i32 >> (32 - bits)
}

/// How far a branch of 16 bits goes (A7.7.12 B, A7.7.21 CBZ).
fn short(first: u32) -> Option<i32> {
    match first >> 12 {
        0b1101 if first >> 9 & 0b111 != 0b111 => Some(signed(first & 0xff, 8) << 1),
        0b1110 if first >> 11 & 1 == 0 => Some(signed(first & 0x7ff, 11) << 1),
        0b1011 if first & 0x0500 == 0x0100 => {
            Some(((first >> 3 & 0x1f) << 1 | (first >> 9 & 1) << 6) as i32)
        }
        _ => None,
    }
}

/// How far a branch of 32 bits goes (A7.7.12 B, A7.7.18 BL).
fn long(first: u32, second: u32) -> Option<i32> {
    if first >> 11 != 0b11110 || second >> 15 != 1 {
        return None;
    }
    let (sign, j1, j2) = (first >> 10 & 1, second >> 13 & 1, second >> 11 & 1);
    if second >> 12 & 1 == 1 {
        let (i1, i2) = (!(j1 ^ sign) & 1, !(j2 ^ sign) & 1);
        let offset =
            sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
        return Some(signed(offset, 25));
    }
    // Under a condition; the others of this shape are no branches.
    let is_condition = second >> 14 & 1 == 0 && first >> 7 & 0b111 != 0b111;
    let offset = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3f) << 12 | (second & 0x7ff) << 1;
    is_condition.then(|| signed(offset, 21))
}

#[test]
fn branches_are_told_from_the_rest() {
    // As llvm-objdump has them: b, beq, cbz, movs, push; bl, sub.w, mul.
    assert_eq!(short(0xe7fe), Some(-4));
    assert_eq!(short(0xd007), Some(14));
    assert_eq!(short(0xb15a), Some(22));
    assert_eq!([short(0x2000), short(0xb580)], [None; 2]);
    assert_eq!(long(0xf7ff, 0xffd9), Some(-78));
    assert_eq!([long(0xf5ad, 0x4d39), long(0xfb00, 0xf001)], [None; 2]);
}
