//! A ladder on a terminal.

use core::fmt;
use std::io::{self, IsTerminal, Write};

use super::Options;

/// An `io::Write` as a `fmt::Write`: what is written is flushed, so that a live row is seen.
#[derive(Debug)]
pub struct Terminal<T>(pub T);

impl<T: Write> fmt::Write for Terminal<T> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)?;
        // A row is written in pieces: only its last, or the return before it is drawn again, is worth a flush.
        self.0.flush().map_err(|_| fmt::Error)
    }
}

impl Options {
    /// What suits standard output: see [`Options::suiting`].
    pub fn stdout() -> Options {
        Options::suiting(&io::stdout())
    }

    /// What suits standard error: see [`Options::suiting`].
    pub fn stderr() -> Options {
        Options::suiting(&io::stderr())
    }

    /// What suits `out`: colour where it is a terminal and `NO_COLOR` (<https://no-color.org>) is not set, ASCII where the
    /// locale's character set is not UTF-8, and the width that `COLUMNS` says.
    pub fn suiting(out: &impl IsTerminal) -> Options {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        // POSIX: the first of these that is set decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(variable);
        let is_utf_8 = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
        Options {
            width: variable("COLUMNS")
                .and_then(|columns| columns.parse().ok())
                .unwrap_or(80),
            ascii: !is_utf_8,
            colour: out.is_terminal() && variable("NO_COLOR").is_none() && !is_dumb,
            ..Options::default()
        }
    }
}
