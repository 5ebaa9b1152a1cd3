//! When nothing happens: QEMU lets the board's time leap over the processor's sleep.

use glasstack::host::lab::Lab;

use crate::board::{Board, FIRMWARE, Network, counter};

/// A board that has given DHCP up.
fn alone(lab: &mut Lab) -> Board {
    let mut board = Board::start(lab, FIRMWARE, Network::Nothing);
    let started = board.hear("No DHCP server: 10.0.2.15/24, then.\n");
    // Nobody debugs it: it has no random key, and says so.
    assert!(started.starts_with("No random key: "), "{started}");
    board
}

/// What woke it in so many seconds: the timer's wake-ups, and those for a router solicitation, which it sends ever more
/// seldom (RFC 7559).
fn wakeups(board: &mut Board, seconds: u32) -> (u32, u32) {
    let sent = |board: &mut Board| counter(&board.command("counters"), "frames out");
    let before = sent(board);
    let said = board.command(&format!("sleep {seconds}"));
    let solicitations = sent(board) - before;
    let number = said.split(' ').next().and_then(|it| it.parse().ok());
    let number: u32 = number.expect("a number");
    let expected = format!(
        "{number} wake-ups in {seconds} s: {number} by the timer, 0 by Ethernet, 0 by the UART\n"
    );
    assert_eq!(said, expected);
    (number, solicitations)
}

pub(crate) fn where_nothing_happens_nothing_wakes(mut lab: Lab) {
    let mut board = alone(&mut lab);
    let (number, solicitations) = wakeups(&mut board, 600);
    // One more: that of the time that is over.
    assert_eq!(number, solicitations + 1);
    assert!((2..=6).contains(&solicitations), "{solicitations}");
}

/// The clock's 32 bits last for 45 minutes and 48 seconds, and so does the longest alarm.
pub(crate) fn the_clock_goes_around(mut lab: Lab) {
    let mut board = alone(&mut lab);
    let ten_hours = 36_000;
    let clock = |board: &mut Board| counter(&board.command("counters"), "s since the start");
    let before = clock(&mut board);
    let (number, solicitations) = wakeups(&mut board, ten_hours);
    let after = clock(&mut board);
    assert!(after - before >= ten_hours, "from {before} to {after}");
    let rounds = 13;
    assert!(
        (rounds..=2 * rounds + solicitations + 3).contains(&number),
        "{number}"
    );
}
