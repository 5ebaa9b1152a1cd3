//! An Ethernet switch: it learns who is where (IEEE 802.1D §7).

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use smoltcp::{
    phy::{Device, RxToken, TxToken},
    wire::{EthernetAddress, EthernetFrame},
};

use super::clock::{Time, Virtual};
use crate::device::WireEnd;

/// Stations that a switch knows; beyond them the oldest is forgotten.
const STATIONS: usize = 1024;

/// The ports of a switch, which links are plugged into while it runs.
#[derive(Clone, Default)]
pub(super) struct Ports {
    ends: Rc<RefCell<Vec<WireEnd>>>,
    /// The switch, which is to look at a new port.
    switch: Rc<RefCell<Option<Waker>>>,
}

impl Ports {
    pub(super) fn plug(&self, end: WireEnd) {
        self.ends.borrow_mut().push(end);
        if let Some(switch) = self.switch.borrow_mut().take() {
            switch.wake();
        }
    }
}

/// A switch at work: forwards frames as they arrive, each to the port of its station, or to all others.
pub(super) async fn forward(ports: Ports, time: Rc<Time>) {
    let mut switch = Switch {
        ports,
        sleep: Virtual::new(time.clone()),
        time,
        stations: Vec::new(),
        frame: Vec::new(),
    };
    poll_fn(|context| switch.turn(context)).await
}

struct Switch {
    ports: Ports,
    time: Rc<Time>,
    sleep: Virtual,
    stations: Vec<(EthernetAddress, usize)>,
    frame: Vec<u8>,
}

impl Switch {
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        *self.ports.switch.borrow_mut() = Some(context.waker().clone());
        let ports = self.ports.ends.clone();
        let mut ports = ports.borrow_mut();
        for port in 0..ports.len() {
            ports[port].register_waker(context.waker());
            // One a turn: in a loop of links without latency there is always one more.
            if self.receive(&mut ports[port]) {
                self.pass_on(&mut ports, port);
            }
        }
        let next = ports.iter().filter_map(WireEnd::next_arrival).min();
        // At once again: another frame waits.
        if self.sleep.sleep(next, context.waker()).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn receive(&mut self, port: &mut WireEnd) -> bool {
        let Some((frame, _)) = port.receive(self.time.now()) else {
            return false;
        };
        frame.consume(|frame| {
            self.frame.clear();
            self.frame.extend_from_slice(frame);
        });
        true
    }

    fn pass_on(&mut self, ports: &mut [WireEnd], from: usize) {
        let Ok(frame) = EthernetFrame::new_checked(&self.frame[..]) else {
            return;
        };
        let (source, destination) = (frame.src_addr(), frame.dst_addr());
        if source.is_unicast() {
            self.learn(source, from);
        }
        let place = |(station, _): &&(EthernetAddress, usize)| *station == destination;
        let known = self.stations.iter().find(place).map(|(_, port)| *port);
        for (number, port) in ports.iter_mut().enumerate() {
            if number != from && known.is_none_or(|known| known == number) {
                let token = port.transmit(self.time.now());
                if let Some(token) = token {
                    token.consume(self.frame.len(), |frame| frame.copy_from_slice(&self.frame));
                }
            }
        }
    }

    fn learn(&mut self, source: EthernetAddress, port: usize) {
        if self.stations.last() == Some(&(source, port)) {
            return;
        }
        self.stations.retain(|(station, _)| *station != source);
        if self.stations.len() == STATIONS {
            self.stations.remove(0);
        }
        self.stations.push((source, port));
    }
}
