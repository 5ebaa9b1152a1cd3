//! What is left after a reset.

use glasstack::host::lab::Lab;

use crate::{
    board::{Board, FIRMWARE, Network, counter},
    peers::python,
};

pub(crate) fn a_fault_is_told_after_the_reset(mut lab: Lab) {
    let mut board = Board::start(&mut lab, FIRMWARE, Network::User);
    for (starts, (command, reason)) in (1..).zip([
        ("fault memory", "HardFault at 0x"),
        ("fault panic", "panicked at src/fault.rs:"),
        ("fault hang", "Watchdog: awake for more than 4s"),
        ("restart", "restart"),
    ]) {
        board.hear("Bind UDP on 9999...\n");
        board.command("address 10.0.2.15/24 10.0.2.2");
        let said = python("udp_client.py", &["127.0.0.1", "9999"]);
        assert!(said.contains("Hello, Sarah!"), "{said}");
        board.hear("Received from 10.0.2.2:");
        board.write(format!("{command}\r").as_bytes());
        board.hear("Before the reset:\n");
        let told = board.hear(&format!("It ended by itself: {reason}"));
        // The last of the ladder is the last that happened.
        for step in [
            "this board",
            "bind([::]:9999)",
            "UDP",
            "recvfrom() = 5 from [::ffff:10.0.2",
            "sendto(",
        ] {
            assert!(told.contains(step), "no {step:?} in {told}");
        }
        assert_eq!(counter(&told, "starts since power-on"), starts, "{told}");
        assert!(counter(&told, "frames in") >= 3, "{told}");
        assert!(counter(&told, "wake-ups by Ethernet") >= 1, "{told}");
    }
}

pub(crate) fn a_reset_from_outside_is_told_and_power_on_is_not(mut lab: Lab) {
    for _ in 0..2 {
        // A new board: what is in its memory is nobody's.
        let mut board = Board::start(&mut lab, FIRMWARE, Network::User);
        let told = board.hear("Bind UDP on 9999...\n");
        assert!(!told.contains("Before the reset"), "{told}");
        board.monitor("system_reset");
        // The monitor's own words may stand among the first of them.
        let told = board.hear("It was reset from outside.\n");
        assert!(told.contains("efore the reset:\n"), "{told}");
        assert!(told.contains("bind([::]:9999)"), "{told}");
        board.hear("Bind UDP on 9999...\n");
    }
}
