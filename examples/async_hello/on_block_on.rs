//! As on a microcontroller: two stacks in memory of a known size, one thread, no executor, no heap for any of them. Only how
//! to sleep is Linux's: `Parker` does it in poll(2), where `Interrupts` would wait for one.

use std::net::SocketAddr;

use embassy_futures::select::{Either, select};
use glasstack::{
    Stack,
    device::WireEnd,
    host::{self, Parker},
    smoltcp::time::Instant,
    socket::{Local, Runner, block_on},
    stack::{InterfaceId, Storage},
    trace::{Observer, Station},
};

use crate::{
    CLIENT, Programs, SERVER, Screen, addresses,
    application::CONNECTIONS,
    hardware_address,
    place::{Result, glass::Shown},
};

/// The connections, a socket for UDP, a listener; 1,024 octets a buffer.
type Memory<'m> = Storage<'m, { CONNECTIONS + 2 }, CONNECTIONS, 1, 1024>;

/// A stack that the tasks of this thread share.
type Network<'m, O> = Local<'m, fn() -> Instant, O>;

pub(crate) fn run(
    (mut left, mut right): (WireEnd, WireEnd),
    shown: &Shown,
    screen: &Screen,
    address: SocketAddr,
    programs: Programs,
) -> Result<()> {
    let (mut here, mut there) = (Memory::new(), Memory::new());
    let (client, client_link) = host(&mut here, &mut left, CLIENT, shown.at(CLIENT))?;
    let (server, server_link) = host(&mut there, &mut right, SERVER, shown.at(SERVER))?;
    let parker = Parker::new()?;
    let mut client_runner = Runner::new(&client, client_link, left, &parker);
    let mut server_runner = Runner::new(&server, server_link, right, &parker);

    let servers = programs.serve(&server, screen.right());
    let clients = async {
        let clients = programs.ask(&client, address, screen.left());
        client_runner.run_until(clients).await??;
        // What was sent has yet to arrive.
        client_runner.drain().await
    };
    // The clients' end is the end; the servers have one only where they fail.
    match block_on(&parker, select(clients, server_runner.run_until(servers))) {
        Either::First(end) => Ok(end?),
        Either::Second(end) => match end? {
            Err(error) => Err(error.into()),
        },
    }
}

/// A stack in this memory, with one interface for this device.
fn host<'m, O: Observer>(
    memory: &'m mut Memory<'m>,
    device: &mut WireEnd,
    station: Station,
    observer: O,
) -> Result<(Network<'m, O>, InterfaceId)> {
    // Nobody else is on this wire. Elsewhere: 128 random bits, new ones after each start.
    let mut stack = Stack::new(memory, [station.0; 16], observer);
    let interface = stack.add_interface(device, Some(hardware_address(station)))?;
    for (address, prefix_len) in addresses(station) {
        stack.add_address(interface, address, prefix_len)?;
    }
    Ok((Local::new(stack, host::now), interface))
}
