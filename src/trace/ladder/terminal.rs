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
    /// locale's character set is not UTF-8, and the width that `COLUMNS` says, or else the terminal's own.
    pub fn suiting(out: &impl IsTerminal) -> Options {
        let size = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let is_terminal = out.is_terminal();
        let own = is_terminal.then(size).flatten();
        Options::of_environment(is_terminal, own, |name| std::env::var(name).ok())
    }

    fn of_environment(
        is_terminal: bool,
        own_width: Option<usize>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Options {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        // POSIX: the first of these that is set decides.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(variable);
        let is_utf_8 = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
        let columns = variable("COLUMNS").and_then(|columns| columns.parse().ok());
        let default = Options::default();
        Options {
            width: columns.or(own_width).unwrap_or(default.width),
            ascii: !is_utf_8,
            colour: is_terminal && variable("NO_COLOR").is_none() && !is_dumb,
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(is_terminal: bool, variables: &[(&str, &str)]) -> Options {
        Options::of_environment(is_terminal, Some(100), |name| {
            let mut variables = variables.iter();
            let found = variables.find(|(known, _)| *known == name);
            found.map(|(_, value)| String::from(*value))
        })
    }

    #[test]
    fn a_terminal_has_colour_unless_it_is_told_not_to() {
        assert!(options(true, &[("TERM", "xterm")]).colour);
        assert!(!options(false, &[("TERM", "xterm")]).colour);
        assert!(!options(true, &[("NO_COLOR", "1")]).colour);
        assert!(
            options(true, &[("NO_COLOR", "")]).colour,
            "empty is as if it were not set"
        );
        assert!(!options(true, &[("TERM", "dumb")]).colour);
    }

    #[test]
    fn the_locale_says_whether_there_is_more_than_ascii() {
        assert!(!options(true, &[]).ascii);
        assert!(!options(true, &[("LANG", "de_DE.UTF-8")]).ascii);
        assert!(options(true, &[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]).ascii);
    }

    #[test]
    fn columns_says_how_wide_it_is_or_the_terminal_does() {
        assert_eq!(options(true, &[("COLUMNS", "132")]).width, 132);
        assert_eq!(options(true, &[("COLUMNS", "many")]).width, 100);
        assert_eq!(Options::of_environment(false, None, |_| None).width, 80);
    }
}
