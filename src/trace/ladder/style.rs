//! What a row is drawn with: glyphs and colours.

/// The characters of a drawing; each takes one column.
#[derive(Debug)]
pub(in crate::trace) struct Glyphs {
    pub(super) line: char,
    pub(super) from_left: char,
    pub(super) from_right: char,
    pub(super) shaft: char,
    pub(super) unknown: char,
    pub(super) right: char,
    pub(super) left: char,
    pub(in crate::trace) lost: char,
    pub(in crate::trace) again: char,
    pub(in crate::trace) clock: char,
    pub(in crate::trace) change: &'static str,
    pub(super) both: &'static str,
    pub(in crate::trace) ellipsis: char,
    pub(super) more: &'static str,
    pub(super) times: char,
}

pub(in crate::trace) const UTF_8: Glyphs = Glyphs {
    line: '│',
    from_left: '├',
    from_right: '┤',
    shaft: '─',
    unknown: '┄',
    right: '►',
    left: '◄',
    lost: '╳',
    again: '↻',
    clock: '◷',
    change: "→",
    both: "↔",
    ellipsis: '…',
    more: "…",
    times: '×',
};

pub(in crate::trace) const ASCII: Glyphs = Glyphs {
    line: '|',
    from_left: '+',
    from_right: '+',
    shaft: '-',
    unknown: '.',
    right: '>',
    left: '<',
    lost: 'X',
    again: '@',
    clock: '*',
    change: "->",
    both: "<->",
    ellipsis: '~',
    more: "...",
    times: 'x',
};

/// What a piece of a row is, which gives its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::trace) enum Paint {
    #[default]
    Plain,
    Dim,
    Name,
    Call,
    State,
    Timer,
    Again,
    Lost,
}

impl Paint {
    /// The parameters of ECMA-48's SGR: the eight colours that every terminal has, in the reader's own palette.
    pub(in crate::trace) const fn sgr(self) -> Option<&'static str> {
        match self {
            Paint::Plain => None,
            Paint::Dim => Some("2"),
            Paint::Name => Some("1"),
            Paint::Call => Some("1;36"),
            Paint::State => Some("32"),
            Paint::Timer => Some("35"),
            Paint::Again => Some("33"),
            Paint::Lost => Some("1;31"),
        }
    }
}
