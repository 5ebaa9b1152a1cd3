//! Whom `ping` and `traceroute` speak to: a host of this process, or whoever has a name.

use std::net::IpAddr;

use glasstack::{
    device::{Wire, WireEnd, wire::Faults},
    host::Host,
    smoltcp::phy::Medium,
    trace::{Station, ladder::Ends},
};

use crate::place::{Place, Result};

const CLIENT: Station = Station(0);
const SERVER: Station = Station(1);

/// Lets a host speak to another one of this process, "server", over a wire between them.
pub(crate) fn in_process<T>(place: &Place, speak: impl FnOnce(&Host) -> Result<T>) -> Result<T> {
    let ends = Ends::between((CLIENT, "client"), (SERVER, "server"));
    let shown = place
        .glass
        .open(ends, &[(CLIENT, "client"), (SERVER, "server")])?;
    let faults = place.link.faults(&shown)?;
    let faults = faults.unwrap_or_else(|| Faults::new(0));
    let (left, right) = Wire::new(Medium::Ethernet, 1514).faulty_ends(faults)?;
    let host = |number: u8, end: WireEnd| {
        Host::builder()
            .hardware_address([2, 0, 0, 0, 0, number])
            .address([10, 0, 0, number].into(), 24)
            .address([0xfd00, 0, 0, 0, 0, 0, 0, number.into()].into(), 64)
            .name("server", [10, 0, 0, 2].into())
            .name("server", [0xfd00, 0, 0, 0, 0, 0, 0, 2].into())
            .observer(shown.at(Station(number - 1)))
            .start(end)
    };
    let (client, _server) = (host(1, left)?, host(2, right)?);
    let outcome = speak(&client)?;
    shown.finish()?;
    Ok(outcome)
}

/// The first address of a name, of IPv4 or IPv6 alone where that is asked for.
pub(crate) fn address(host: &Host, name: &str, v4: bool, v6: bool) -> Result<IpAddr> {
    let addresses = host
        .resolve(name)
        .map_err(|error| format!("{name}: {error}"))?;
    let mut fitting = addresses.into_iter().filter(|address| match address {
        IpAddr::V4(_) => !v6,
        IpAddr::V6(_) => !v4,
    });
    let address = fitting.next();
    address.ok_or_else(|| format!("{name}: no address of this family").into())
}
