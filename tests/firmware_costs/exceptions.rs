//! Where the linker left calls that panic, and why they are never reached.

/// The programs that are looked at, by their packages: the calls of the sockets alone; and all that a firmware has, from DHCP
/// to the ladder.
pub(crate) const PROGRAMS: [&str; 2] = ["echo-glasstack", "firmware"];

/// Functions of `core` whose documentation has no panic for any argument: the checks in them are of what they do themselves.
/// As symbols begin.
pub(crate) const TOTAL: [&str; 9] = [
    "<[u8]>::ends_with",
    "<[u8]>::last_chunk",
    "<core::net::ip_addr::IpAddr as core::str::traits::FromStr>",
    "<core::str::",
    "<core::time::Duration>::checked_sub",
    "<str>::find",
    "<str>::split_once",
    "<str>::strip_suffix",
    "core::str::count::",
];

#[derive(Debug)]
pub(crate) struct Exception {
    /// The crate, and how the file's path begins.
    pub(crate) library: &'static str,
    pub(crate) path: &'static str,
    /// The function; or what the name of the one that it calls has in it, or the line, or the line before.
    pub(crate) at: &'static str,
    /// How many places there may be in each of the programs: of smoltcp's a few more than today, for the compiler copies some
    /// of them or not.
    pub(crate) most: [usize; 2],
    pub(crate) reason: &'static str,
}

const fn of(
    library: &'static str,
    path: &'static str,
    at: &'static str,
    most: [usize; 2],
    reason: &'static str,
) -> Exception {
    Exception {
        library,
        path,
        at,
        most,
        reason,
    }
}

/// What the compiler puts into each asynchronous function.
const RESUMED: &str = "panic_const_async_fn_resumed";

pub(crate) const EXCEPTIONS: &[Exception] = &[
    of(
        "glasstack",
        "src/socket/",
        RESUMED,
        [0, 21],
        "a future that has ended is not polled again: `.await` lets go of it, and what polls one by itself ends with it",
    ),
    of(
        "glasstack",
        "src/socket/happy_eyeballs.rs",
        "attempts.remove",
        [0, 2],
        "the index is of the attempt that was just looked at",
    ),
    of(
        "glasstack",
        "src/stack/datagram.rs",
        "gather",
        [1, 1],
        "both slices were cut to one length",
    ),
    of(
        "glasstack",
        "src/stack/dhcp/lease.rs",
        "expiry * 7 / 8",
        [0, 4],
        "seven times the seconds that 32 bits hold are far from the longest duration, and neither divisor is zero",
    ),
    of(
        "glasstack",
        "src/stack/dns/message.rs",
        "strip_prefix",
        [0, 2],
        "`core` splits off what it has found to be there",
    ),
    of(
        "glasstack",
        "src/stack/fd.rs",
        "self.rows[",
        [1, 2],
        "an index of the heart's own, from an open descriptor, is below the number of rows",
    ),
    of(
        "glasstack",
        "src/stack/resolver.rs",
        "collect()",
        [0, 3],
        "there is room for sixteen addresses: eight of each family, `localhost`'s two, or those that were in such a list",
    ),
    of(
        "glasstack",
        "src/stack/resolver.rs",
        "addresses.extend(",
        [0, 1],
        "they are those that were in it",
    ),
    of(
        "glasstack",
        "src/stack/snapshot/screen.rs",
        "from_usize",
        [0, 3],
        "a column is as wide as its title, an address, a port or a state, and so far from 65,536",
    ),
    of(
        "glasstack",
        "src/trace/analysis/flow.rs",
        "self.directions[",
        [0, 1],
        "an end is the first or the second",
    ),
    of(
        "glasstack",
        "src/trace/analysis/mod.rs",
        "self.flows[",
        [0, 1],
        "`position` has found it, or it is the one of the least among them, of which there is one at least",
    ),
    of(
        "glasstack",
        "src/trace/ladder/",
        "from_usize",
        [0, 5],
        "a ladder has 200 columns at most, and its parts are cut to theirs before what is left is counted",
    ),
    of(
        "glasstack",
        "src/trace/ladder/flight.rs",
        "bytes.len() / 2",
        [0, 1],
        "half of a length is within it",
    ),
    of(
        "glasstack",
        "src/trace/ladder/flight.rs",
        "self.halves[half]",
        [0, 1],
        "of two, the first and the second",
    ),
    of(
        "glasstack",
        "src/trace/ladder/host.rs",
        "self.blocked.remove",
        [0, 2],
        "it is full, and so has a first; or `position` has found it",
    ),
    of(
        "glasstack",
        "src/trace/ladder/row.rs",
        "last - time",
        [0, 1],
        "where `time - last` cannot be, the other way round it can",
    ),
    of(
        "glasstack",
        "src/trace/ladder/text.rs",
        "unit",
        [0, 2],
        "the unit is a power of a thousand from one on, no larger than the number",
    ),
    of(
        "glasstack",
        "src/trace/ladder/told.rs",
        "hear",
        [0, 1],
        "what smoltcp's views give was within the frame when they checked it",
    ),
    of(
        "smoltcp",
        "src/wire/",
        "",
        [115, 310],
        "the length of what it reads was checked before, and what it writes into has the length that it asked for",
    ),
    of(
        "smoltcp",
        "src/storage/",
        "",
        [48, 48],
        "it asserts that no more is taken or put than there is, which smoltcp's sockets see to",
    ),
    of(
        "smoltcp",
        "src/socket/",
        "",
        [8, 8],
        "it subtracts sequence numbers that it has compared before; a hop limit of 0 is refused beforehand; who has something to send is connected, and its congestion window is a segment or more",
    ),
    of(
        "smoltcp",
        "src/iface/",
        "",
        [14, 34],
        "a handle is of the set that it is looked up in; the medium is IP, whatever the device's, and what is handed in and sent are TCP's segments alone, between two hosts: there are no neighbors, routes or unspecified addresses",
    ),
    of(
        "smoltcp",
        "src/time.rs",
        "total_millis",
        [0, 2],
        "inlined into what writes the four octets of a time into a place of four",
    ),
    of(
        "the program",
        "",
        RESUMED,
        [0, 14],
        "a future that has ended is not polled again: `.await`, `join` and `select` see to it",
    ),
    of(
        "the program",
        "echo/",
        "",
        [3, 0],
        "a length that a call returned is at most the buffer's",
    ),
    of(
        "the program",
        "../async_hello/",
        "buffer[..",
        [0, 3],
        "a length that a call returned is at most the buffer's",
    ),
    of(
        "the program",
        "../async_hello/application.rs",
        "greeting",
        [0, 1],
        "there is room for the longest name, and for the eight octets around it",
    ),
    of(
        "the program",
        "../async_hello/http.rs",
        "read",
        [0, 1],
        "the index is of one of the octets",
    ),
    of(
        "the program",
        "../async_hello/http.rs",
        "rest.find('/')",
        [0, 1],
        "where it was found, or the end",
    ),
    of(
        "the program",
        "../async_hello/http.rs",
        "host_and_port",
        [0, 3],
        "brackets and colons are found where they are, and take one octet",
    ),
    of(
        "the program",
        "src/fault.rs",
        "on request",
        [0, 1],
        "it is what the command `fault panic` is for",
    ),
    of(
        "the program",
        "src/main.rs",
        "borrow_mut",
        [0, 5],
        "clock, watchdog and wake-ups are each borrowed for calls that know nothing of their own cell",
    ),
    of(
        "the program",
        "src/terminal.rs",
        "borrow_mut",
        [0, 4],
        "UART and line are each borrowed for calls that know nothing of the cell, and never across a wait",
    ),
    of(
        "the program",
        "src/record.rs",
        "min(FRAME)",
        [0, 1],
        "it is cut to the length of the frame",
    ),
    of(
        "embassy-futures",
        "src/join.rs",
        "poll",
        [0, 1],
        "it takes out what its futures came to, and the terminal's and the console's never end",
    ),
    of(
        "portable-atomic",
        "src/",
        "compare_exchange",
        [2, 2],
        "it is `static_cell`'s: each cell is taken once, at the start",
    ),
    of(
        "static_cell",
        "src/",
        "take",
        [0, 1],
        "each cell is taken once, at the start",
    ),
];
