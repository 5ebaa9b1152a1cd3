//! What may be paid at most, in one place.

/// Octets of flash over raw smoltcp's.
pub(crate) const FLASH: u64 = 36 * 1024;
/// Octets of static memory over raw smoltcp's.
pub(crate) const RAM: u64 = 1_600;
/// Octets of memory for one more connection.
pub(crate) const CONNECTION: u64 = 4_864;
/// Instructions of an echo, and of an octet in bulk, as a part of raw smoltcp's.
pub(crate) const ECHO: f64 = 1.25;
pub(crate) const OCTET: f64 = 1.25;
/// Octets of stack.
pub(crate) const STACK: usize = 4_096;

/// Where the linker left calls that panic, and why they are never reached.
#[derive(Debug)]
pub(crate) struct Exception {
    /// The crate, and how the file's path begins.
    pub(crate) library: &'static str,
    pub(crate) path: &'static str,
    /// The function; or what the line has in it, or the line before.
    pub(crate) at: &'static str,
    /// How many places there may be: of smoltcp's a few more than today, for the compiler copies some of them or not.
    pub(crate) most: usize,
    pub(crate) reason: &'static str,
}

pub(crate) const EXCEPTIONS: [Exception; 8] = [
    Exception {
        library: "glasstack",
        path: "src/stack/fd.rs",
        at: "self.rows[",
        most: 2,
        reason: "an index of the heart's own, from an open descriptor, is below the number of rows",
    },
    Exception {
        library: "glasstack",
        path: "src/stack/datagram.rs",
        at: "gather",
        most: 1,
        reason: "both slices were cut to one length",
    },
    Exception {
        library: "smoltcp",
        path: "src/wire/",
        at: "",
        most: 115,
        reason: "the length of what it reads was checked before, and what it writes into has the length that it asked for",
    },
    Exception {
        library: "smoltcp",
        path: "src/storage/",
        at: "",
        most: 48,
        reason: "it asserts that no more is taken or put than there is, which smoltcp's sockets see to",
    },
    Exception {
        library: "smoltcp",
        path: "src/socket/",
        at: "",
        most: 8,
        reason: "it subtracts sequence numbers that it has compared before",
    },
    Exception {
        library: "smoltcp",
        path: "src/iface/",
        at: "",
        most: 14,
        reason: "a handle is of the set that it is looked up in, and an interface has the medium of its device",
    },
    Exception {
        library: "the program",
        path: "echo/",
        at: "",
        most: 3,
        reason: "a length that a call returned is at most the buffer's",
    },
    Exception {
        library: "portable-atomic",
        path: "src/",
        at: "compare_exchange",
        most: 2,
        reason: "it is `static_cell`'s: each cell is taken once, at the start",
    },
];
