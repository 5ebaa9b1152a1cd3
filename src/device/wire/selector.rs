//! Which frame is to be lost: "data 2 of stream 0".

use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::stream::Place;
use crate::trace::Segment;

/// Chooses frames by what they are and by their number among their like. It is written as
///
/// ```text
/// WHAT [NUMBERS] [of stream N] [from client|server]
/// ```
///
/// | written | chooses |
/// |---|---|
/// | `SYN` | the first SYN (without ACK) |
/// | `SYN-ACK` | the first SYN with ACK |
/// | `data 2` | the second segment with payload |
/// | `data 2..4` | the second to the fourth |
/// | `FIN 2..` | each FIN but the first |
/// | `ACK 3` | the third pure acknowledgment: no payload, no SYN, FIN or RST |
/// | `RST` | the first RST |
/// | `frame 7` | the seventh frame of any kind, ARP too |
/// | `data 2 of stream 0` | the second of the first TCP conversation; they are numbered as in Wireshark |
/// | `FIN from server` | the first FIN from the side that did not send the SYN |
///
/// Every frame that the link is given counts, also one that is then lost and one that repeats another: where `data 2` is
/// lost and sent again at once, that is `data 3`. Fragments are `frame`s only. Letter case does not matter.
///
/// ```
/// use glasstack::device::wire::Selector;
///
/// let selector: Selector = "data 2 of stream 0".parse()?;
/// assert_eq!(selector.to_string(), "data 2 of stream 0");
/// let error = "dat 2".parse::<Selector>().unwrap_err();
/// assert_eq!(error.to_string(), "\"dat\" is none of SYN, SYN-ACK, ACK, data, FIN, RST, frame");
/// # Ok::<(), glasstack::device::wire::SelectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    what: What,
    numbers: RangeInclusive<u64>,
    stream: Option<u64>,
    from_client: Option<bool>,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Syn,
    SynAck,
    Ack,
    Data,
    Fin,
    Rst,
    Frame,
}

/// In the order of the table above.
const WORDS: [(&str, What); 7] = [
    ("SYN", What::Syn),
    ("SYN-ACK", What::SynAck),
    ("ACK", What::Ack),
    ("data", What::Data),
    ("FIN", What::Fin),
    ("RST", What::Rst),
    ("frame", What::Frame),
];

impl What {
    fn is(self, segment: &Segment) -> bool {
        let flags = segment.flags;
        let has_ack = segment.acknowledgment.is_some();
        match self {
            What::Syn => flags.syn && !has_ack,
            What::SynAck => flags.syn && has_ack,
            What::Ack => has_ack && segment.len == 0 && !(flags.syn || flags.fin || flags.rst),
            What::Data => segment.len > 0,
            What::Fin => flags.fin,
            What::Rst => flags.rst,
            What::Frame => true,
        }
    }
}

impl Selector {
    /// Whether it looks into frames at all.
    pub(super) fn needs_segment(&self) -> bool {
        self.what != What::Frame || self.stream.is_some() || self.from_client.is_some()
    }

    /// Whether the frame is one of its kind, whatever its number.
    pub(crate) fn is_about(&self, segment: Option<&(Segment, Place)>) -> bool {
        let Some((segment, place)) = segment else {
            return !self.needs_segment();
        };
        self.what.is(segment)
            && self.stream.is_none_or(|stream| stream == place.stream)
            && self
                .from_client
                .is_none_or(|client| client == place.from_client)
    }

    /// Whether the one of its kind with this number, counted from 1, is chosen.
    pub(crate) fn chooses(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }
}

/// What is wrong with a [`Selector`]'s text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectorError {
    /// There is no word at all.
    Empty,
    /// No kind of frame has this name.
    What(String),
    /// This is no number, counted from 1, and no range of such numbers.
    Numbers(String),
    /// `of` must be followed by `stream` and its number, counted from 0.
    Stream,
    /// `from` must be followed by `client` or `server`.
    From,
    /// This word does not belong here.
    Excess(String),
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelectorError::Empty => write!(f, "say what is lost, as in \"data 2\" or \"SYN-ACK\""),
            SelectorError::What(word) => {
                write!(f, "{word:?} is none of ")?;
                for (index, (name, _)) in WORDS.iter().enumerate() {
                    write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            SelectorError::Numbers(word) => {
                write!(
                    f,
                    "{word:?} is no number from 1 on and no range as 2..4 or 2.."
                )
            }
            SelectorError::Stream => {
                write!(
                    f,
                    "\"of\" wants a conversation and its number from 0 on, as in \"of stream 0\""
                )
            }
            SelectorError::From => write!(f, "\"from\" wants \"client\" or \"server\""),
            SelectorError::Excess(word) => write!(
                f,
                "{word:?} does not belong here: WHAT [NUMBERS] [of stream N] [from client|server]"
            ),
        }
    }
}

impl std::error::Error for SelectorError {}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Selector, SelectorError> {
        let mut words = text.split_whitespace().peekable();
        let word = words.next().ok_or(SelectorError::Empty)?;
        let what = WORDS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, what)| *what)
            .ok_or_else(|| SelectorError::What(word.to_owned()))?;
        let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
        let mut selector = Selector {
            what,
            numbers: 1..=1,
            stream: None,
            from_client: None,
        };
        if let Some(word) = words.next_if(|word| !is(word, "of") && !is(word, "from")) {
            selector.numbers =
                numbers(word).ok_or_else(|| SelectorError::Numbers(word.to_owned()))?;
        }
        while let Some(word) = words.next() {
            if is(word, "of") && selector.stream.is_none() {
                let stream = words.next().is_some_and(|word| is(word, "stream"));
                let number = words.next().and_then(|word| word.parse().ok());
                let number = number.filter(|_| stream).ok_or(SelectorError::Stream)?;
                selector.stream = Some(number);
            } else if is(word, "from") && selector.from_client.is_none() {
                selector.from_client = match words.next() {
                    Some(side) if is(side, "client") => Some(true),
                    Some(side) if is(side, "server") => Some(false),
                    _ => return Err(SelectorError::From),
                };
            } else {
                return Err(SelectorError::Excess(word.to_owned()));
            }
        }
        Ok(selector)
    }
}

/// `2`, `2..4` (with the fourth) or `2..`.
fn numbers(word: &str) -> Option<RangeInclusive<u64>> {
    let number = |digits: &str| digits.parse().ok().filter(|number| *number > 0);
    let range = match word.split_once("..") {
        None => number(word)?..=number(word)?,
        Some((first, "")) => number(first)?..=u64::MAX,
        Some((first, last)) => number(first)?..=number(last)?,
    };
    (!range.is_empty()).then_some(range)
}

/// As it is parsed.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = WORDS.iter().find(|(_, what)| *what == self.what);
        f.write_str(name.map_or("", |(name, _)| name))?;
        match (*self.numbers.start(), *self.numbers.end()) {
            (1, 1) => {}
            (first, u64::MAX) => write!(f, " {first}..")?,
            (first, last) if first == last => write!(f, " {first}")?,
            (first, last) => write!(f, " {first}..{last}")?,
        }
        if let Some(stream) = self.stream {
            write!(f, " of stream {stream}")?;
        }
        match self.from_client {
            Some(true) => f.write_str(" from client"),
            Some(false) => f.write_str(" from server"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for text in [
            "SYN",
            "SYN-ACK",
            "ACK 3",
            "data 2",
            "data 2..4",
            "data 1..",
            "FIN 2.. from server",
            "RST",
            "frame 7",
            "data 2 of stream 0",
            "data 2 of stream 12 from client",
        ] {
            let selector: Result<Selector, _> = text.parse();
            assert_eq!(selector.map(|s| s.to_string()).as_deref(), Ok(text));
        }
        let same = "  Data 2..2  FROM Client of STREAM 3 ".parse::<Selector>();
        assert_eq!(same, "data 2 of stream 3 from client".parse());
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_would_be_right() {
        for (text, error) in [
            ("", "say what is lost, as in \"data 2\" or \"SYN-ACK\""),
            (
                "SYNACK",
                "\"SYNACK\" is none of SYN, SYN-ACK, ACK, data, FIN, RST, frame",
            ),
            (
                "data 0",
                "\"0\" is no number from 1 on and no range as 2..4 or 2..",
            ),
            (
                "data two",
                "\"two\" is no number from 1 on and no range as 2..4 or 2..",
            ),
            (
                "data 4..2",
                "\"4..2\" is no number from 1 on and no range as 2..4 or 2..",
            ),
            (
                "data 2 of 0",
                "\"of\" wants a conversation and its number from 0 on, as in \"of stream 0\"",
            ),
            (
                "data 2 of stream",
                "\"of\" wants a conversation and its number from 0 on, as in \"of stream 0\"",
            ),
            ("FIN from me", "\"from\" wants \"client\" or \"server\""),
            (
                "data 2 3",
                "\"3\" does not belong here: WHAT [NUMBERS] [of stream N] [from client|server]",
            ),
        ] {
            let parsed = text.parse::<Selector>().map_err(|error| error.to_string());
            assert_eq!(parsed, Err(error.to_owned()), "{text:?}");
        }
    }
}
