//! The few Linux calls that Rust has no safe words for: `netdevice(7)`'s ioctls, and taking over a descriptor.
//!
//! This is the one file with `unsafe` in it. Each function here is safe to call with any argument.
#![allow(unsafe_code)]

use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::fs::File;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

/// The raw calls, as nix's macros write them: `unsafe fn NAME(fd, *mut T) -> nix::Result<c_int>`.
mod raw {
    use nix::libc;
    nix::ioctl_readwrite_bad!(get_mtu, libc::SIOCGIFMTU, libc::ifreq);
    nix::ioctl_readwrite_bad!(get_flags, libc::SIOCGIFFLAGS, libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_address, libc::SIOCSIFADDR, libc::ifreq);
    nix::ioctl_write_ptr_bad!(set_netmask, libc::SIOCSIFNETMASK, libc::ifreq);
    nix::ioctl_write_ptr_bad!(add_address_v6, libc::SIOCSIFADDR, libc::in6_ifreq);
}

/// The interface's MTU in bytes: what fits behind the link's own header.
pub(crate) fn mtu(interface: &str) -> io::Result<usize> {
    let mut request = request(interface)?;
    let socket = any_socket(AddressFamily::Inet)?;
    // SAFETY: the kernel writes one `ifreq`, which lives until after the call.
    unsafe { raw::get_mtu(socket.as_raw_fd(), &mut request)? };
    // SAFETY: SIOCGIFMTU filled this member; any bits are an `int`.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };
    usize::try_from(mtu).map_err(io::Error::other)
}

/// Brings the interface up, as `ip link set NAME up` does.
pub(crate) fn bring_up(interface: &str) -> io::Result<()> {
    let mut request = request(interface)?;
    let socket = any_socket(AddressFamily::Inet)?;
    // SAFETY: the kernel writes one `ifreq`, which lives until after the call.
    unsafe { raw::get_flags(socket.as_raw_fd(), &mut request)? };
    // SAFETY: SIOCGIFFLAGS filled this member; any bits are a `short`.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads one whole `ifreq`.
    unsafe { raw::set_flags(socket.as_raw_fd(), &request)? };
    Ok(())
}

/// Gives the interface its IPv4 address and prefix.
pub(crate) fn set_address_v4(interface: &str, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
    let netmask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32)));
    let netmask = Ipv4Addr::from(netmask.unwrap_or(0));
    let socket = any_socket(AddressFamily::Inet)?;
    let mut request = request(interface)?;
    request.ifr_ifru.ifru_addr = sockaddr_v4(address);
    // SAFETY: the kernel reads one whole `ifreq`.
    unsafe { raw::set_address(socket.as_raw_fd(), &request)? };
    request.ifr_ifru.ifru_netmask = sockaddr_v4(netmask);
    // SAFETY: as above.
    unsafe { raw::set_netmask(socket.as_raw_fd(), &request)? };
    Ok(())
}

/// Adds an IPv6 address to the interface.
pub(crate) fn add_address_v6(interface: &str, address: Ipv6Addr, prefix: u8) -> io::Result<()> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    let request = libc::in6_ifreq {
        ifr6_addr: libc::in6_addr {
            s6_addr: address.octets(),
        },
        ifr6_prefixlen: u32::from(prefix),
        ifr6_ifindex: libc::c_int::try_from(index).map_err(io::Error::other)?,
    };
    let socket = any_socket(AddressFamily::Inet6)?;
    // SAFETY: on an AF_INET6 socket the kernel reads one whole `in6_ifreq`.
    unsafe { raw::add_address_v6(socket.as_raw_fd(), &request)? };
    Ok(())
}

/// The descriptor behind a `tun_tap::Iface`, which itself lends neither a `BorrowedFd` nor a non-blocking mode.
pub(crate) fn into_file(interface: tun_tap::Iface) -> File {
    // SAFETY: `into_raw_fd` gives up the one ownership of an open descriptor.
    File::from(unsafe { OwnedFd::from_raw_fd(interface.into_raw_fd()) })
}

/// These ioctls need a socket of the family, whichever.
fn any_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    Ok(socket)
}

/// A request that names the interface and is zero elsewhere.
fn request(interface: &str) -> io::Result<libc::ifreq> {
    let name = interface.as_bytes();
    // The last byte stays 0: the kernel's names end with one.
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{interface:?} cannot be the name of an interface (1 to 15 bytes)"),
        ));
    }
    // SAFETY: `ifreq` is plain C data (integers, arrays and pointers), for which all-zero bytes are a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    Ok(request)
}

/// A `sockaddr_in` in the shape that `ifreq` wants: two bytes of port, then the address.
fn sockaddr_v4(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr {
        sa_family: libc::AF_INET as libc::sa_family_t,
        sa_data: data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_mtu_of_an_interface() {
        // Every network namespace has `lo`; its MTU is 65,536 unless somebody changed it.
        assert!(mtu("lo").is_ok_and(|mtu| mtu >= 1280));
    }

    #[test]
    fn names_that_no_interface_can_have_are_refused() {
        for name in ["", "a-name-of-16-byt", "nul\0"] {
            let error = mtu(name).map_err(|error| error.kind());
            assert_eq!(error, Err(io::ErrorKind::InvalidInput), "{name:?}");
        }
        let error = mtu("no-such-iface").map_err(|error| error.raw_os_error());
        assert_eq!(error, Err(Some(libc::ENODEV)));
    }
}
