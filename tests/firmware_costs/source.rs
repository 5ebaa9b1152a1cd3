//! Which line of which file an instruction comes from.

use std::{fmt, fs, path::Path};

use addr2line::Loader;

use crate::program::Program;

/// Crates whose functions do for others what these could have written themselves: their code is their callers'.
const BELONGS_TO_CALLER: [&str; 5] = ["core", "heapless", "managed", "byteorder", "siphasher"];

/// Where the firmware's programs are.
const WORKSPACE: &str = "examples/firmware/";

/// A file: its crate, and its path in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct File {
    pub(crate) library: String,
    pub(crate) path: String,
}

impl fmt::Display for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.library, self.path)
    }
}

impl File {
    /// By the path that the compiler knew it by.
    fn of(path: &str) -> File {
        let file = |library: &str, path: &str| File {
            library: library.to_owned(),
            path: path.to_owned(),
        };
        if let Some((_, rest)) = path.split_once("/registry/src/")
            && let Some((_, rest)) = rest.split_once('/')
            && let Some((library, path)) = rest.split_once('/')
        {
            let library = library.trim_end_matches(|end: char| !end.is_ascii_alphabetic());
            return file(library, path);
        }
        if let Some((_, rest)) = path.split_once("/library/") {
            let (library, path) = rest.split_once('/').unwrap_or((rest, ""));
            return file(library, path);
        }
        let folder = env!("CARGO_MANIFEST_DIR");
        let path = Path::new(path)
            .strip_prefix(folder)
            .unwrap_or(Path::new(path));
        let path = path.to_string_lossy();
        // The workspace's own are known by their path in it.
        let Some(inside) = path.strip_prefix(WORKSPACE) else {
            return file("glasstack", &path);
        };
        match inside.strip_prefix("board/") {
            Some(inside) => file("board", inside),
            // It has some of its source from another example.
            None => file("the program", &inside.replace("src/../../", "../")),
        }
    }

    /// What is in it; nothing if it is not of this repository.
    fn text(&self) -> String {
        let folder = match &*self.library {
            "the program" => WORKSPACE,
            "glasstack" => "",
            _ => return String::new(),
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        fs::read_to_string(path.join(&self.path)).unwrap_or_default()
    }

    pub(crate) fn belongs_to_caller(&self) -> bool {
        BELONGS_TO_CALLER.contains(&&*self.library)
    }
}

/// Where an instruction comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: File,
    /// None where the compiler made one of several lines' code.
    pub(crate) line: Option<u32>,
    pub(crate) function: String,
}

impl Place {
    /// The line, and the one before it.
    pub(crate) fn text(&self) -> String {
        let Some(line) = self.line else {
            return String::new();
        };
        let text = self.file.text();
        let before = (line as usize).saturating_sub(2);
        let lines: Vec<_> = text.lines().skip(before).take(2).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self
            .line
            .map_or("several".to_owned(), |line| line.to_string());
        let function = self.function.split('<').next().unwrap_or_default();
        write!(formatter, "{}:{line} {function}", self.file)
    }
}

/// The debug information of a program.
pub(crate) struct Source(Loader);

impl Source {
    pub(crate) fn of(program: &Program) -> Source {
        Source(Loader::new(&program.path).unwrap())
    }

    /// The functions that an instruction is of, each inlined into the next.
    pub(crate) fn places(&self, address: u64) -> Vec<Place> {
        let mut places = Vec::new();
        let Ok(mut frames) = self.0.find_frames(address) else {
            return places;
        };
        while let Ok(Some(frame)) = frames.next() {
            let Some((path, line)) = frame.location.and_then(|at| Some((at.file?, at.line))) else {
                continue;
            };
            let function = frame
                .function
                .as_ref()
                .and_then(|name| name.demangle().ok());
            places.push(Place {
                file: File::of(path),
                line: line.filter(|line| *line > 0),
                function: function.unwrap_or_default().into_owned(),
            });
        }
        places
    }

    /// The innermost of these that wrote it, rather than had it written.
    pub(crate) fn author(&self, address: u64) -> Option<Place> {
        let places = self.places(address);
        places
            .into_iter()
            .find(|place| !place.file.belongs_to_caller())
    }
}
