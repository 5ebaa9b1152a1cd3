//! How the board gets its addresses: by itself, or as it is told.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use glasstack::{
    Error, Result, Stack,
    socket::{Network, configured, timeout},
    stack::{InterfaceId, InterfaceIdentifier, Origin},
    trace::Observer,
};

/// The address where nobody gives one, and its gateway: those that QEMU's user network expects.
pub const FALL_BACK: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(10, 0, 2, 15)), 24);
pub const FALL_BACK_GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 2));

/// How long DHCP may take: two rounds without an answer, and the check that nobody else has the address.
const PATIENCE: Duration = Duration::from_secs(20);

/// An IPv4 address by DHCP or, where no server answers, the fall-back's; IPv6 addresses as the routers of the link say. All in
/// place of what was given.
pub async fn find<N: Network>(
    network: &N,
    link: InterfaceId,
    say: impl Fn(fmt::Arguments<'_>),
) -> Result<()> {
    network.call(|stack| {
        take_back(stack, link, |_| true)?;
        stack.autoconfigure(link, Some(InterfaceIdentifier::Opaque))?;
        stack.start_dhcp(link)
    })?;
    match timeout(network, PATIENCE, configured(network)).await {
        // There may be no router: IPv4 is what is waited for.
        Ok(_) | Err(Error::TimedOut) => {}
        Err(error) => return Err(error),
    }
    let has_address =
        network.call(|stack| Ok(stack.addresses(link).any(|it| it.address.is_ipv4())))?;
    if has_address {
        return Ok(());
    }
    let (address, prefix_len) = FALL_BACK;
    say(format_args!(
        "No DHCP server: {address}/{prefix_len}, then."
    ));
    give(network, link, FALL_BACK, Some(FALL_BACK_GATEWAY))
}

/// This address and this way out, in place of that family's that were given before, or came by DHCP. What cannot be leaves all as
/// it was.
pub fn give<N: Network>(
    network: &N,
    link: InterfaceId,
    (address, prefix_len): (IpAddr, u8),
    gateway: Option<IpAddr>,
) -> Result<()> {
    if gateway.is_some_and(|gateway| !leads_out(gateway, address, prefix_len)) {
        return Err(Error::NetworkUnreachable);
    }
    network.call(|stack| {
        let known = stack.addresses(link).find(|it| it.address == address);
        match known.map(|it| (it.origin, it.prefix_len)) {
            None => stack.add_address(link, address, prefix_len)?,
            Some(known) if known == (Origin::Static, prefix_len) => {}
            Some(_) => return Err(Error::AddrInUse),
        }
        if address.is_ipv4() {
            stack.stop_dhcp(link)?;
        }
        let is_other = |given: IpAddr| given.is_ipv4() == address.is_ipv4() && given != address;
        take_back(stack, link, is_other)?;
        match gateway {
            Some(gateway) => stack.set_gateway(link, gateway),
            None => Ok(()),
        }
    })
}

/// Whether a gateway is of the address's network, or any router of the link.
fn leads_out(gateway: IpAddr, address: IpAddr, prefix_len: u8) -> bool {
    match (gateway, address) {
        (IpAddr::V4(gateway), IpAddr::V4(address)) => {
            let differing = gateway.to_bits() ^ address.to_bits();
            differing.leading_zeros() >= prefix_len.into()
        }
        (IpAddr::V6(gateway), IpAddr::V6(address)) => {
            let differing = gateway.to_bits() ^ address.to_bits();
            gateway.is_unicast_link_local() || differing.leading_zeros() >= prefix_len.into()
        }
        _ => false,
    }
}

/// Removes the addresses and the routes that were given, of the families that are meant.
fn take_back<O: Observer>(
    stack: &mut Stack<'_, O>,
    link: InterfaceId,
    is_meant: impl Fn(IpAddr) -> bool,
) -> Result<()> {
    let is_given = |origin, of| origin == Origin::Static && is_meant(of);
    // An address takes the routes by gateways of its network along; those by a router's link-local address stay.
    loop {
        let mut addresses = stack.addresses(link);
        let Some(given) = addresses.find(|it| is_given(it.origin, it.address)) else {
            break;
        };
        drop(addresses);
        stack.remove_address(link, given.address)?;
    }
    loop {
        let mut routes = stack.routes(link);
        let Some(given) = routes.find(|it| is_given(it.origin, it.route.destination)) else {
            return Ok(());
        };
        drop(routes);
        stack.remove_route(link, given.route)?;
    }
}
