//! The board's Ethernet controller as a driver of embassy's.

use core::task::Context;

use board::{ETHERNET_ADDRESS, Lan9118};
use embassy_net::driver::{self, Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::AtomicWaker;
use smoltcp::phy::{Device, TxToken};

use crate::time::now;

/// Who waits for a frame, or for room for one.
static WAKER: AtomicWaker = AtomicWaker::new();

/// To be called when it may have interrupted.
pub(crate) fn wake() {
    WAKER.wake();
}

pub(crate) struct Ethernet(pub(crate) &'static mut Lan9118);

impl Driver for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Room<'_>)> {
        WAKER.register(context.waker());
        let (received, room) = self.0.receive(now())?;
        Some((Received(received), Room(room)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Room<'_>> {
        WAKER.register(context.waker());
        self.0.transmit(now()).map(Room)
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = self.0.capabilities().max_transmission_unit;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(ETHERNET_ADDRESS)
    }
}

pub(crate) struct Received<'a>(<Lan9118 as Device>::RxToken<'a>);

impl driver::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0.frame)
    }
}

pub(crate) struct Room<'a>(<Lan9118 as Device>::TxToken<'a>);

impl driver::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        self.0.consume(length, write)
    }
}
