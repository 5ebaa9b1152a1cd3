//! What may be paid at most, in one place.

/// Octets of flash over raw smoltcp's.
pub(crate) const FLASH: u64 = 39 * 1024;
/// Octets of static memory over raw smoltcp's.
pub(crate) const RAM: u64 = 3_584;
/// Octets of memory for one more connection.
pub(crate) const CONNECTION: u64 = 5_120;
/// Instructions of an echo, and of an octet in bulk, as a part of raw smoltcp's.
pub(crate) const ECHO: f64 = 1.5;
pub(crate) const OCTET: f64 = 1.35;
/// Octets of stack.
pub(crate) const STACK: usize = 4_096;
/// Places of this crate that could panic as far as the compiler knows.
pub(crate) const PANICS: usize = 49;

/// Where else the linker left some, and why it is never gone there: a crate, how the file's path begins, the reason.
pub(crate) const EXCEPTIONS: [(&str, &str, &str); 6] = [
    (
        "smoltcp",
        "src/wire/",
        "the length of what it reads was checked before, and what it writes into has the length that it asked for",
    ),
    (
        "smoltcp",
        "src/storage/",
        "it asserts that no more is taken or put than there is, which smoltcp's sockets see to",
    ),
    (
        "smoltcp",
        "src/socket/",
        "it subtracts sequence numbers that it has compared before",
    ),
    (
        "smoltcp",
        "src/iface/",
        "a handle is of the set that it is looked up in, and an interface has the medium of its device",
    ),
    (
        "the program",
        "echo/",
        "a length that a call returned is at most the buffer's",
    ),
    (
        "static_cell",
        "src/",
        "each cell is taken once, at the start",
    ),
];
