//! The clock with a model of the dual timer: over the end of its 32 bits, and of its owner's patience.

use std::{cell::RefCell, rc::Rc};

use super::*;
use crate::registers::Model;

/// Counts of the first timer since its start.
#[derive(Default)]
struct Timers {
    counts: u64,
    /// It was at zero, and nobody has said that they know.
    is_over: bool,
    /// Looks at a register. A count passes with so many of them.
    looks: u32,
    pace: Option<u32>,
    alarm: Option<u32>,
}

impl Timers {
    fn pass(&mut self, counts: u64) {
        // At zero it interrupts, and starts again a count later.
        let rounds = |counts: u64| (counts + 1) >> 32;
        let before = rounds(self.counts);
        self.counts += counts;
        self.is_over |= rounds(self.counts) != before;
    }
}

impl Model for Timers {
    fn read(&mut self, offset: usize) -> u32 {
        let value = match offset {
            it if it == TIMER1 + VALUE => u32::MAX - self.counts as u32,
            it if it == TIMER1 + RIS => self.is_over.into(),
            other => panic!("{other:#x} is not read"),
        };
        self.looks += 1;
        if self
            .pace
            .is_some_and(|pace| self.looks.is_multiple_of(pace))
        {
            self.pass(1);
        }
        value
    }

    fn write(&mut self, offset: usize, value: u32) {
        match offset {
            it if it == TIMER1 + INTCLR => self.is_over = false,
            it if it == TIMER2 + LOAD => self.alarm = Some(value),
            it if it == TIMER2 + CONTROL && value == 0 => self.alarm = None,
            _ => {}
        }
    }
}

fn clock() -> (Clock, Rc<RefCell<Timers>>) {
    let timers = Rc::new(RefCell::new(Timers::default()));
    // SAFETY: there is no memory behind it.
    let mut clock = unsafe { Clock::at(0) };
    clock.registers = Registers::of(timers.clone());
    clock.start();
    (clock, timers)
}

#[test]
fn a_second_has_1562500_counts() {
    let (mut clock, timers) = clock();
    timers.borrow_mut().pass(1_562_500);
    assert_eq!(clock.now(), Instant::from_secs(1));
}

#[test]
fn it_goes_on_where_the_timer_starts_again() {
    // Whenever the zero comes: before, between and after the looks at the registers.
    for (distance, pace) in (0..4).flat_map(|distance| (1..7).map(move |pace| (distance, pace))) {
        let (mut clock, timers) = clock();
        timers.borrow_mut().pass((1 << 32) - 1 - distance);
        timers.borrow_mut().pace = Some(pace);
        let mut before = clock.now();
        for _ in 0..32 {
            let now = clock.now();
            let passed = now.total_micros() - before.total_micros();
            assert!(
                (0..20).contains(&passed),
                "{passed} µs, {distance} before, a count in {pace}"
            );
            before = now;
        }
    }
}

#[test]
fn it_goes_on_for_centuries() {
    let (mut clock, timers) = clock();
    clock.rounds = 4_000_000;
    timers.borrow_mut().pass(7);
    let seconds = (4_000_000_u64 << 32) / 1_562_500;
    assert_eq!(clock.now().secs(), seconds as i64);
}

#[test]
fn an_alarm_is_never_early_and_never_beyond_the_timer() {
    let (mut clock, timers) = clock();
    assert!(clock.set_alarm(Some(Instant::from_micros(1))));
    assert_eq!(timers.borrow().alarm, Some(2));
    assert!(clock.set_alarm(Some(Instant::from_secs(1))));
    assert_eq!(timers.borrow().alarm, Some(1_562_501));
    assert!(clock.set_alarm(Some(Instant::from_micros(i64::MAX))));
    assert_eq!(timers.borrow().alarm, Some(u32::MAX));
    assert!(clock.set_alarm(None));
    assert_eq!(timers.borrow().alarm, None);
    timers.borrow_mut().pass(100);
    assert!(
        !clock.set_alarm(Some(Instant::from_micros(64))),
        "it is over"
    );
    assert_eq!(timers.borrow().alarm, None);
}
