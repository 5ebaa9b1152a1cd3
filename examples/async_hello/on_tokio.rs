//! On tokio: who drives a stack is a task, and so is each program on it.

use std::{
    fs::File,
    io::Read,
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use glasstack::{
    Error, Stack,
    device::{
        WireEnd,
        wire::{Faults, Faulty},
    },
    host::{self, exit_code, lab},
    smoltcp::{phy::Device, time::Instant},
    socket::{Locked, Network as _, Runner, configured, timeout, tokio::Reactor},
    stack::Capacity,
    trace::{
        Observer,
        ladder::{Ends, Side},
    },
};
use tokio::{runtime::Runtime, task};

use crate::{
    CLIENT, Programs, SERVER, Screen, addresses, hardware_address,
    place::{DHCP_PATIENCE, NO_DHCP_SERVER, Place, Result, glass::Shown},
    tell,
};

/// A stack that the tasks of all threads share.
type Network<O> = Arc<Locked<'static, fn() -> Instant, O>>;

/// Who drives it.
type Driver<O, D> = Runner<Network<O>, D, Reactor>;

/// Two hosts, joined by a wire.
pub(crate) fn run(
    (left, right): (WireEnd, WireEnd),
    shown: &Shown,
    screen: &Screen,
    address: SocketAddr,
    programs: Programs,
) -> Result<()> {
    let (own, others) = (addresses(SERVER), addresses(CLIENT));
    Runtime::new()?.block_on(async {
        let (server, mut runner) = host(right, (hardware_address(SERVER), &own), shown.at(SERVER))?;
        task::spawn(async move { tell(runner.run()).await });
        task::spawn(tell(programs.serve(server, screen.right())));

        let (client, mut runner) =
            host(left, (hardware_address(CLIENT), &others), shown.at(CLIENT))?;
        let clients = task::spawn(programs.ask(client, address, screen.left()));
        runner.run_until(clients).await???;
        // What was sent has yet to arrive.
        Ok(runner.drain().await?)
    })
}

/// The servers on a TAP, or in a lab with a peer, whose status is passed on.
pub(crate) fn on_a_tap(place: Place, programs: Programs) -> Result<ExitCode> {
    let (lab, tap) = place.device()?;
    let ends = Ends::beside(Side::Right, (SERVER, "this stack"), "Linux");
    let shown = place.glass.open(ends, &[(SERVER, "this stack")])?;
    let faults = place.link.faults(&shown)?.unwrap_or(Faults::new(0));
    let screen = Screen::default();
    let _dhcp_server = place.start_dhcp_server(lab.as_ref())?;
    let v4 = (lab::STACK_V4.into(), lab::PREFIX_V4);
    let v6 = (lab::STACK_V6.into(), lab::PREFIX_V6);
    Runtime::new()?.block_on(async {
        let device = Faulty::new(tap, faults)?;
        let addresses = if place.dhcp { &[v6][..] } else { &[v4, v6] };
        let (server, mut runner) = host(device, (lab::STACK_MAC, addresses), shown.at(SERVER))?;
        if place.dhcp {
            server.call(|stack| {
                let interface = stack.interfaces().next().ok_or(Error::InvalidArgument)?;
                stack.start_dhcp(interface)
            })?;
            let configured = timeout(&server, DHCP_PATIENCE, configured(&server));
            runner
                .run_until(configured)
                .await?
                .map_err(|_| NO_DHCP_SERVER)??;
        }
        let servers = programs.serve(server.clone(), screen.left());
        task::spawn(tell(servers));
        let Some(lab) = lab else {
            return Ok(runner.run().await.map(|never| match never {})?);
        };
        let mut peer = lab.spawn(&place.command)?;
        let ended = task::spawn_blocking(move || peer.wait());
        let status = runner.run_until(ended).await???;
        // The peer is gone: what it has not acknowledged by now it never will.
        let _ = timeout(&server, Duration::from_secs(1), runner.drain()).await;
        screen.finish(&shown)?;
        Ok(exit_code(status).into())
    })
}

/// A stack with one interface, and who drives it.
fn host<D: Device + AsFd, O: Observer>(
    mut device: D,
    (hardware_address, addresses): ([u8; 6], &[(IpAddr, u8)]),
    observer: O,
) -> Result<(Network<O>, Driver<O, D>)> {
    let mut key = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let mut stack = Stack::with_capacity(Capacity::default(), key, observer);
    let interface = stack.add_interface(&mut device, Some(hardware_address))?;
    for (address, prefix_len) in addresses {
        stack.add_address(interface, *address, *prefix_len)?;
    }
    let network: Network<O> = Arc::new(Locked::new(stack, host::now));
    let runner = Runner::new(network.clone(), interface, device, Reactor::new()?);
    Ok((network, runner))
}
