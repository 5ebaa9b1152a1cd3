//! When nothing happens: QEMU lets the board's time leap over the processor's sleep.

use glasstack::host::lab::Lab;

use crate::board::{Board, FIRMWARE, Network};

/// What the board says, once DHCP was given up and all that comes with a start is over.
fn alone(lab: &mut Lab) -> Board {
    let mut board = Board::start(lab, FIRMWARE, Network::Nothing);
    let started = board.hear("Address 10.0.2.15/24: Static, Preferred.\n");
    // Nobody debugs it: it has no random key, and says so.
    assert!(started.starts_with("No random key: "), "{started}");
    board.command("sleep 60");
    board
}

pub(crate) fn where_nothing_happens_nothing_wakes(mut lab: Lab) {
    let mut board = alone(&mut lab);
    // Ten minutes, and one timer: the one that ends them.
    let said = board.command("sleep 600");
    assert_eq!(
        said,
        "1 wake-ups in 600 s: 1 by the timer, 0 by Ethernet, 0 by the UART\n"
    );
}

/// The clock's 32 bits last for 45 minutes and 48 seconds, of which a start took one or two.
pub(crate) fn the_clock_goes_around(mut lab: Lab) {
    let mut board = alone(&mut lab);
    let said = board.command("sleep 36000");
    // Its alarm lasts as long: ten hours are thirteen rounds of it, and as many of the clock.
    let number: u32 = said
        .split(' ')
        .next()
        .and_then(|it| it.parse().ok())
        .expect("a number");
    assert!((14..=28).contains(&number), "{said}");
    let counters = board.command("counters");
    let seconds = crate::board::counter(&counters, "s since the start");
    assert!((36_000..37_000).contains(&seconds), "{counters}");
}
