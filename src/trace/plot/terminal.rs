//! A plot on a terminal.

use std::io::{self, IsTerminal};

use super::Options;
use crate::trace::ladder;

impl Options {
    /// What suits standard output: see [`Options::suiting`].
    pub fn stdout() -> Options {
        Options::suiting(&io::stdout())
    }

    /// What suits `out`: colour, ASCII and the width as [`ladder::Options::suiting`] has them, and where it is a terminal,
    /// so many lines that the whole plot is seen above the line below.
    pub fn suiting(out: &impl IsTerminal) -> Options {
        let ladder = ladder::Options::suiting(out);
        let size = || terminal_size::terminal_size().map(|(_, height)| usize::from(height.0));
        let height = out.is_terminal().then(size).flatten();
        let default = Options::default();
        Options {
            width: ladder.width,
            height: height.map_or(default.height, |height| height.saturating_sub(1).max(1)),
            ascii: ladder.ascii,
            colour: ladder.colour,
            ..default
        }
    }
}
