//! Domain names: as text, and in a message, where the end of one may be a pointer to an earlier place (RFC 1035 §4.1.4).

use heapless::Vec;

/// Octets of a name in a message, the lengths of its labels included (RFC 1035 §2.3.4).
pub(super) const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;
/// As many labels as fit into a name, so that no name needs more pointers.
const MAX_POINTERS: usize = 127;

/// A name as a message carries it without compression: each label behind its length, the root's empty one last. In lower
/// case, as case says nothing (RFC 4343).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(Vec<u8, MAX_NAME>);

impl Name {
    /// The name that a text means; the dot at its end is optional. `None` where it cannot be a host's (RFC 1035 §2.3.4):
    /// an empty label, a label of more than 63 octets, more than 255 in all, or what is not visible ASCII.
    pub(crate) fn from_text(text: &str) -> Option<Name> {
        let mut name = Name(Vec::new());
        for label in text.strip_suffix('.').unwrap_or(text).split('.') {
            if label.is_empty() || !label.bytes().all(|octet| octet.is_ascii_graphic()) {
                return None;
            }
            name.push(label.as_bytes())?;
        }
        name.0.push(0).ok()?;
        Some(name)
    }

    /// The name at an offset of a message, and the offset behind it. `None` where there is none: a pointer must lead to
    /// before the labels that it ends, so that no message is an endless loop.
    pub(crate) fn read(message: &[u8], offset: usize) -> Option<(Name, usize)> {
        let mut name = Name(Vec::new());
        let mut behind = None;
        let mut pointers = 0;
        let (mut begin, mut at) = (offset, offset);
        loop {
            let first = *message.get(at)?;
            let len = usize::from(first);
            match first >> 6 {
                0b00 if first == 0 => {
                    name.0.push(0).ok()?;
                    return Some((name, behind.unwrap_or(at + 1)));
                }
                0b00 => {
                    name.push(message.get(at + 1..at + 1 + len)?)?;
                    at += 1 + len;
                }
                0b11 => {
                    let to = (len & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                    pointers += 1;
                    if to >= begin || pointers > MAX_POINTERS {
                        return None;
                    }
                    behind = behind.or(Some(at + 2));
                    (begin, at) = (to, to);
                }
                _ => return None, // RFC 6891 §5: obsolete label types
            }
        }
    }

    /// As a message carries it.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    fn push(&mut self, label: &[u8]) -> Option<()> {
        // One octet is left for the root.
        if label.len() > MAX_LABEL || self.0.len() + 1 + label.len() >= MAX_NAME {
            return None;
        }
        self.0.push(label.len() as u8).ok()?;
        let lower = label.iter().map(u8::to_ascii_lowercase);
        lower.for_each(|octet| {
            let _ = self.0.push(octet);
        });
        Some(())
    }
}
