//! How the board gets its addresses: by itself, or as it is told.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use glasstack::{
    Error, Result, Stack,
    socket::{Network, configured, timeout},
    stack::{InterfaceAddress, InterfaceId, InterfaceIdentifier, Origin},
    trace::Observer,
};

/// The address where nobody gives one, and its gateway: those that QEMU's user network expects.
pub const FALL_BACK: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(10, 0, 2, 15)), 24);
pub const FALL_BACK_GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 2));

/// How long DHCP may take: two rounds without an answer, and the check that nobody else has the address.
const PATIENCE: Duration = Duration::from_secs(20);

/// An IPv4 address by DHCP or, where no server answers, the fall-back's, in place of one that was given; IPv6 addresses as the
/// routers of the link say.
pub async fn find<N: Network>(
    network: &N,
    link: InterfaceId,
    say: impl Fn(fmt::Arguments<'_>),
) -> Result<()> {
    network.call(|stack| {
        take_back(stack, link, true)?;
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

/// This address in place of that family's that were given before, or came by DHCP.
pub fn give<N: Network>(
    network: &N,
    link: InterfaceId,
    (address, prefix_len): (IpAddr, u8),
    gateway: Option<IpAddr>,
) -> Result<()> {
    network.call(|stack| {
        if address.is_ipv4() {
            stack.stop_dhcp(link)?;
        }
        take_back(stack, link, address.is_ipv4())?;
        stack.add_address(link, address, prefix_len)?;
        match gateway {
            Some(gateway) => stack.set_gateway(link, gateway),
            None => Ok(()),
        }
    })
}

/// Removes the addresses of a family that were given.
fn take_back<O: Observer>(
    stack: &mut Stack<'_, O>,
    link: InterfaceId,
    is_ipv4: bool,
) -> Result<()> {
    let is_given =
        |it: &InterfaceAddress| it.origin == Origin::Static && it.address.is_ipv4() == is_ipv4;
    loop {
        let Some(given) = stack.addresses(link).find(is_given) else {
            return Ok(());
        };
        stack.remove_address(link, given.address)?;
    }
}
