//! The driver with a model of the controller, for what QEMU's does not do: a transmit FIFO that is full, frames that are
//! broken, frames that were lost.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use smoltcp::phy::{Device, RxToken, TxToken};

use super::*;
use crate::registers::Model;

/// Octets of the transmit FIFO, as `HW_CFG` has them, without the status words' 512.
const TX_FIFO: usize = 4608;

/// The controller, as far as its driver can tell.
#[derive(Default)]
struct Controller {
    received: VecDeque<u32>,
    received_status: VecDeque<u32>,
    /// The words of the transmit FIFO; they stay until the frames are sent.
    sending: Vec<u32>,
    sent_status: VecDeque<u32>,
    interrupts: u32,
    enabled: u32,
    drops: u32,
}

impl Controller {
    fn room(&self) -> usize {
        TX_FIFO - self.sending.len() * 4
    }

    /// A condition that lasts sets its bit again at once.
    fn status(&mut self) -> u32 {
        if !self.received_status.is_empty() {
            self.interrupts |= RSFL;
        }
        if self.room() > 25 * 64 {
            self.interrupts |= TDFA;
        }
        self.interrupts
    }

    fn asks(&mut self) -> bool {
        self.status() & self.enabled != 0
    }

    /// A frame comes from the wire, with its check sequence.
    fn receive(&mut self, frame: &[u8], errors: u32) {
        let octets = [frame, &[0xaa; 4]].concat();
        self.received_status
            .push_back((octets.len() as u32) << 16 | errors);
        for word in octets.chunks(4) {
            let mut whole = [0; 4];
            whole[..word.len()].copy_from_slice(word);
            self.received.push_back(u32::from_le_bytes(whole));
        }
    }

    /// The frames in the transmit FIFO leave, with this for their status.
    fn send(&mut self, status: u32) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut words = self.sending.drain(..);
        while let Some(command) = words.next() {
            assert_eq!(command & !0x7ff, FIRST_AND_LAST);
            let length = words.next().expect("command B") as usize & 0x7ff;
            assert_eq!(length, command as usize & 0x7ff);
            let octets = words
                .by_ref()
                .take(length.div_ceil(4))
                .flat_map(u32::to_le_bytes);
            frames.push(octets.take(length).collect());
            self.sent_status.push_back(status);
        }
        frames
    }
}

impl Model for Controller {
    fn read(&mut self, offset: usize) -> u32 {
        match offset {
            RX_DATA_FIFO => self
                .received
                .pop_front()
                .expect("no word more than there is"),
            RX_STATUS_FIFO => self.received_status.pop_front().expect("a frame"),
            TX_STATUS_FIFO => self.sent_status.pop_front().expect("a status"),
            RX_FIFO_INF => (self.received_status.len() << 16 | (self.received.len() * 4)) as u32,
            TX_FIFO_INF => (self.sent_status.len() as u32) << 16 | self.room() as u32,
            RX_DROP => std::mem::take(&mut self.drops),
            BYTE_TEST => 0x8765_4321,
            HW_CFG | MAC_CSR_CMD | E2P_CMD => 0,
            other => panic!("{other:#x} is not read"),
        }
    }

    fn write(&mut self, offset: usize, value: u32) {
        match offset {
            TX_DATA_FIFO => {
                assert!(self.room() >= 4, "the transmit FIFO runs over");
                self.sending.push(value);
            }
            INT_STS => self.interrupts &= !value,
            INT_EN => self.enabled = value,
            _ => {}
        }
    }
}

fn driver() -> (Lan9118, Rc<RefCell<Controller>>) {
    let controller = Rc::new(RefCell::new(Controller::default()));
    // SAFETY: there is no memory behind it.
    let mut driver = unsafe { Lan9118::at(0) };
    driver.registers = Registers::of(controller.clone());
    driver.start([2, 0, 0, 0, 0, 1]);
    (driver, controller)
}

fn frame(length: usize) -> Vec<u8> {
    (0..length)
        .map(|number| (number * 7 + length) as u8)
        .collect()
}

fn take(driver: &mut Lan9118) -> Option<Vec<u8>> {
    let (received, _) = driver.receive(Instant::ZERO)?;
    Some(received.consume(<[u8]>::to_vec))
}

fn send(driver: &mut Lan9118, frame: &[u8]) -> bool {
    let room = driver.transmit(Instant::ZERO);
    let is_there = room.is_some();
    if let Some(room) = room {
        room.consume(frame.len(), |octets| octets.copy_from_slice(frame));
    }
    is_there
}

#[test]
fn frames_of_every_size_go_both_ways_whole() {
    let (mut driver, controller) = driver();
    for length in HEADER..=MTU {
        let frame = frame(length);
        controller.borrow_mut().receive(&frame, 0);
        assert_eq!(take(&mut driver), Some(frame.clone()));
        assert!(send(&mut driver, &frame));
        assert_eq!(controller.borrow_mut().send(0), [frame]);
    }
    assert_eq!(take(&mut driver), None);
    assert!(controller.borrow().received.is_empty());
}

#[test]
fn what_is_broken_or_too_long_is_counted_and_the_next_frame_is_whole() {
    let (mut driver, controller) = driver();
    for (length, errors) in [
        (60, ES),     // a wrong check sequence
        (4, ES),      // the rest of a collision
        (MTU + 4, 0), // with a VLAN's tag
        (2_000, ES | TOO_LONG),
        (13, 0),
    ] {
        controller.borrow_mut().receive(&frame(length), errors);
        controller.borrow_mut().receive(&frame(61), 0);
        assert_eq!(take(&mut driver), Some(frame(61)), "after {length} octets");
    }
    let Drops {
        overrun,
        broken,
        too_long,
        unsent,
    } = driver.drops();
    assert_eq!([overrun, broken, too_long, unsent], [0, 3, 2, 0]);
}

#[test]
fn what_the_controller_lost_and_did_not_send_is_counted_once() {
    let (mut driver, controller) = driver();
    controller.borrow_mut().drops = 3;
    assert!(send(&mut driver, &frame(100)));
    controller.borrow_mut().send(ES);
    assert!(send(&mut driver, &frame(100)));
    let first = driver.drops();
    assert_eq!([first.overrun, first.unsent], [3, 1]);
    controller.borrow_mut().drops = 2;
    assert_eq!(driver.drops().overrun, 5);
}

#[test]
fn it_interrupts_for_a_frame_until_all_are_taken() {
    let (mut driver, controller) = driver();
    assert!(!controller.borrow_mut().asks());
    for _ in 0..2 {
        controller.borrow_mut().receive(&frame(60), 0);
    }
    assert!(controller.borrow_mut().asks());
    assert!(take(&mut driver).is_some());
    assert!(controller.borrow_mut().asks());
    assert!(take(&mut driver).is_some());
    assert!(take(&mut driver).is_none());
    assert!(!controller.borrow_mut().asks());
}

#[test]
fn who_finds_no_room_is_woken_once_there_is() {
    let (mut driver, controller) = driver();
    let mut number = 0;
    while send(&mut driver, &frame(MTU)) {
        number += 1;
        assert!(
            !controller.borrow_mut().asks(),
            "there is room, and that is no news"
        );
    }
    assert_eq!(number, 3, "in 4,608 octets");
    // A frame that might be answered has to wait, and wakes nobody to no purpose meanwhile.
    controller.borrow_mut().receive(&frame(60), 0);
    assert!(take(&mut driver).is_none());
    assert!(!controller.borrow_mut().asks());
    assert_eq!(controller.borrow_mut().send(0).len(), 3);
    assert!(controller.borrow_mut().asks());
    assert!(send(&mut driver, &frame(MTU)));
    // Now it is the frame that asks.
    assert!(controller.borrow_mut().asks());
    assert_eq!(take(&mut driver), Some(frame(60)));
    assert!(take(&mut driver).is_none());
    assert!(!controller.borrow_mut().asks());
}
