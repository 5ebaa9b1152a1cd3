//! Numbered frames over a faulty wire, in virtual time.

use std::sync::{Arc, Mutex};

use glasstack::device::wire::{Faults, Wire, WireEnd};
use glasstack::smoltcp::phy::{Device, Medium, RxToken, TxToken};
use glasstack::smoltcp::time::Instant;
use glasstack::trace::{DropReason, Event, Happening, Sink, Station};

/// When, why, and which frame.
pub(crate) type Loss = (Instant, DropReason, Vec<u8>);

/// What a link tells.
#[derive(Clone, Default)]
pub(crate) struct Losses(Arc<Mutex<Vec<Loss>>>);

impl Losses {
    pub(crate) fn take(&self) -> Vec<Loss> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn count(&self, reason: DropReason) -> usize {
        let losses = self.0.lock().unwrap();
        losses.iter().filter(|loss| loss.1 == reason).count()
    }
}

impl Sink for Losses {
    fn event(&mut self, station: Station, event: &Event<'_>) {
        assert_eq!(station, Station::LINK);
        let Happening::Drop { reason, bytes, .. } = event.happening else {
            panic!("{event:?}");
        };
        let mut losses = self.0.lock().unwrap();
        losses.push((event.time, reason, bytes.to_vec()));
    }
}

/// An instant in microseconds.
pub(crate) fn at(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

/// A wire that carries anything and drops nothing by itself.
pub(crate) fn ends(faults: Faults) -> (WireEnd, WireEnd) {
    let wire = Wire::new(Medium::Ip, 1500).queue(1_000_000);
    wire.faulty_ends(faults).unwrap()
}

pub(crate) fn send(device: &mut impl Device, now: Instant, frame: &[u8]) {
    let token = device.transmit(now).unwrap();
    token.consume(frame.len(), |buffer| buffer.copy_from_slice(frame));
}

pub(crate) fn receive(device: &mut impl Device, now: Instant) -> Option<Vec<u8>> {
    let (token, _) = device.receive(now)?;
    Some(token.consume(<[u8]>::to_vec))
}

/// Sends the frames numbered 0, 1, … at these times.
pub(crate) fn send_numbered(end: &mut WireEnd, times: impl IntoIterator<Item = i64>) {
    for (number, time) in (0u32..).zip(times) {
        send(end, at(time), &number.to_be_bytes());
    }
}

/// Lets time pass until nothing is under way to the end; what arrived, and when.
pub(crate) fn arrivals(end: &mut WireEnd) -> Vec<(i64, u32)> {
    let mut arrived = Vec::new();
    while let Some(next) = end.next_arrival() {
        assert_eq!(
            receive(
                end,
                next - glasstack::smoltcp::time::Duration::from_micros(1)
            ),
            None,
            "not before its time"
        );
        let frame = receive(end, next).expect("at its time");
        let number = frame.try_into().map(u32::from_be_bytes).unwrap();
        arrived.push((next.total_micros(), number));
    }
    arrived
}

/// The numbers alone.
pub(crate) fn numbers(end: &mut WireEnd) -> Vec<u32> {
    arrivals(end)
        .into_iter()
        .map(|(_, number)| number)
        .collect()
}
