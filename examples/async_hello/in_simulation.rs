//! Under virtual time: it stands still while anything can be done, then leaps. The same seed gives the same run.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use glasstack::{
    device::wire::Conditions,
    sim::{self, Simulation},
};

use crate::{
    Programs, Screen,
    place::{
        Result,
        glass::{Link, Shown},
    },
    tell,
};

pub(crate) fn run(
    link: &Link,
    shown: &Shown,
    screen: &Screen,
    address: SocketAddr,
    programs: Programs,
) -> Result<()> {
    let start = Instant::now();
    let mut simulation = Simulation::new(link.seed.unwrap_or(1));
    let (client, server) = (simulation.host("client")?, simulation.host("server")?);
    let mut cable = sim::Link::ethernet(1514);
    if link.is_faulty() {
        cable = cable.both(link.conditions()?);
        for selector in link.lose() {
            cable = cable.lose(selector.clone());
        }
    } else {
        // The server's welcome is the first data segment, the client's name the second.
        let slow = Conditions::default().latency(Duration::from_millis(20));
        cable = cable.both(slow).lose("data 2 of stream 0".parse()?);
    }
    simulation.link(
        cable,
        (client, &["10.0.0.1/24", "fd00::1/64"]),
        (server, &["10.0.0.2/24", "fd00::2/64"]),
    )?;
    simulation.observe(shown.clone());

    let (left, right) = (screen.left(), screen.right());
    simulation.serve(server, "the servers", move |network| {
        tell(programs.serve(network, right.clone()))
    })?;
    let clients = simulation.spawn(client, "the clients", move |network| {
        programs.ask(network, address, left)
    })?;
    simulation.run()?;
    clients.take().transpose()?;
    // Until nothing happens any more: connections are closed, TIME-WAIT is over.
    simulation.settle()?;

    let (virtual_time, real_time) = (simulation.elapsed(), start.elapsed());
    let time = format!("{virtual_time:.1?} of virtual time in {real_time:.1?}");
    screen.left()(format_args!("\n{time}"));
    Ok(())
}
