//! The firmware on a board in QEMU: its servers and its client talk to programs of this machine, by QEMU's own network and on
//! a TAP; what it does when nothing happens, when nonsense happens, and what is left of it after a fault.
//!
//! A program of its own rather than tests in a harness: each test is in a lab, in which port 9999 of 127.0.0.1 is nobody
//! else's.

#[path = "../ground/mod.rs"]
mod ground;
#[path = "../need/mod.rs"]
mod need;

mod board;
mod idle;
mod memory;
mod peers;
mod tap;

use std::{env, process::ExitCode};

use need::Need;

fn main() -> ExitCode {
    let needs = [
        Need::Program("python3", "python3"),
        Need::Program("qemu-system-arm", "qemu-system-arm"),
        Need::Command(
            ".ci/cargo-for thumbv7m-none-eabi",
            "a compiler for a Cortex-M3",
        ),
    ];
    let is_first = !env::args().any(|argument| argument == "--inside" || argument == "--lab");
    if is_first {
        if !need::all(&needs) {
            return ExitCode::SUCCESS;
        }
        board::build();
    }
    ground::run(
        &[],
        &[
            (
                "the_newcomers_command_starts_a_server_that_has_its_addresses_by_itself",
                peers::the_newcomers_command_starts_a_server_that_has_its_addresses_by_itself,
            ),
            (
                "it_fetches_a_page_and_draws_the_ladder_of_it",
                peers::it_fetches_a_page_and_draws_the_ladder_of_it,
            ),
            (
                "a_megabyte_comes_back_whole_through_two_kilobytes",
                peers::a_megabyte_comes_back_whole_through_two_kilobytes,
            ),
            ("both_families_on_a_tap", tap::both_families_on_a_tap),
            ("frames_of_every_size", tap::frames_of_every_size),
            (
                "a_thousand_connections_leave_no_slot_behind",
                tap::a_thousand_connections_leave_no_slot_behind,
            ),
            (
                "a_flood_of_nonsense_is_counted_and_survived",
                tap::a_flood_of_nonsense_is_counted_and_survived,
            ),
            (
                "where_nothing_happens_nothing_wakes",
                idle::where_nothing_happens_nothing_wakes,
            ),
            ("the_clock_goes_around", idle::the_clock_goes_around),
            (
                "a_fault_is_told_after_the_reset",
                memory::a_fault_is_told_after_the_reset,
            ),
            (
                "a_reset_from_outside_is_told_and_power_on_is_not",
                memory::a_reset_from_outside_is_told_and_power_on_is_not,
            ),
        ],
    )
}
