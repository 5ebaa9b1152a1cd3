//! A program for the board, as the linker left it.

use std::{fs, path::PathBuf};

use object::{
    Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind,
    elf::{self, SHF_ALLOC, SHF_WRITE},
    read::elf::ElfFile32,
};

pub(crate) struct Program {
    pub(crate) path: PathBuf,
    data: Vec<u8>,
}

/// What it takes of the chip, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// `.vector_table`, `.text`, `.rodata`, and the values that `.data` begins with.
    pub(crate) flash: u64,
    /// `.data` and `.bss`; not the stack.
    pub(crate) ram: u64,
}

/// Something with a name: a function, most of the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) name: String,
}

impl Symbol {
    pub(crate) fn has(&self, address: u64) -> bool {
        (self.address..self.address + self.size).contains(&address)
    }
}

impl Program {
    pub(crate) fn read(path: PathBuf) -> Program {
        let data = fs::read(&path).unwrap();
        Program { path, data }
    }

    fn elf(&self) -> ElfFile32<'_> {
        ElfFile32::parse(&*self.data).unwrap()
    }

    pub(crate) fn size(&self) -> Size {
        let mut size = Size { flash: 0, ram: 0 };
        for (_, octets, is_loaded, is_written) in self.sections() {
            size.flash += if is_loaded { octets } else { 0 };
            size.ram += if is_written { octets } else { 0 };
        }
        size
    }

    /// What the chip holds: the name, the octets, whether they are in the flash, whether they are in the RAM.
    pub(crate) fn sections(&self) -> Vec<(String, u64, bool, bool)> {
        let elf = self.elf();
        let sections = elf.sections().filter_map(|section| {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
                return None;
            };
            let has = |flag: elf::SectionFlags| sh_flags.0 & flag.0 != 0;
            let is_loaded = section.kind() != SectionKind::UninitializedData;
            let name = section.name().unwrap().to_owned();
            has(SHF_ALLOC).then(|| (name, section.size(), is_loaded, has(SHF_WRITE)))
        });
        sections.filter(|(_, octets, ..)| *octets > 0).collect()
    }

    /// With which compiler it was built: the figures are its.
    pub(crate) fn compiler(&self) -> String {
        let elf = self.elf();
        let comment = elf.section_by_name(".comment").unwrap();
        let comment = String::from_utf8_lossy(comment.data().unwrap());
        let rustc = comment.split('\0').find(|line| line.starts_with("rustc"));
        rustc.unwrap_or("an unknown compiler").to_owned()
    }

    /// The address that a symbol of the linker's stands for.
    pub(crate) fn address(&self, name: &str) -> u64 {
        let elf = self.elf();
        let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
        symbol.unwrap_or_else(|| panic!("no {name}")).address()
    }

    /// The functions, by their address.
    pub(crate) fn functions(&self) -> Vec<Symbol> {
        let elf = self.elf();
        let symbols = elf
            .symbols()
            .filter(|symbol| symbol.is_definition() && symbol.size() > 0);
        let mut symbols: Vec<_> = symbols
            .map(|symbol| Symbol {
                // The lowest bit says that it is Thumb.
                address: symbol.address() & !1,
                size: symbol.size(),
                name: addr2line::demangle_auto(symbol.name().unwrap().into(), None).into_owned(),
            })
            .collect();
        symbols.sort_by_key(|symbol| symbol.address);
        symbols
    }

    /// The machine code, and the address where it begins.
    pub(crate) fn text(&self) -> (u64, Vec<u8>) {
        let elf = self.elf();
        let text = elf.section_by_name(".text").unwrap();
        (text.address(), text.data().unwrap().to_vec())
    }

    /// Where in the text there is code (`$t`), and where data (`$d`): "ELF for the Arm Architecture", §5.5.5.
    pub(crate) fn code(&self) -> Vec<(u64, bool)> {
        let elf = self.elf();
        let mut marks: Vec<_> = elf
            .symbols()
            .filter_map(|symbol| match symbol.name().ok()?.get(..2)? {
                "$t" => Some((symbol.address(), true)),
                "$d" => Some((symbol.address(), false)),
                _ => None,
            })
            .collect();
        marks.sort_unstable();
        marks
    }
}
