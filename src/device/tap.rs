//! Linux TAP and TUN interfaces: the kernel's own network stack is at the other end of the wire.

use super::ioctl;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::net::if_::if_nametoindex;
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use std::fs::File;
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use tun_tap::{Iface, Mode};

/// A TAP interface: Ethernet frames.
pub type Tap = TunTap<Ethernet>;

/// A TUN interface: IP packets without a link header.
pub type Tun = TunTap<Ip>;

/// [`Tap`]'s layer.
#[derive(Debug)]
pub enum Ethernet {}

/// [`Tun`]'s layer.
#[derive(Debug)]
pub enum Ip {}

/// What an interface carries: [`Ethernet`] frames or [`Ip`] packets. There is no third.
pub trait Layer: sealed::Layer {}
impl Layer for Ethernet {}
impl Layer for Ip {}

mod sealed {
    use super::{Medium, Mode};

    pub trait Layer {
        const MODE: Mode;
        const MEDIUM: Medium;
        /// The word that `ip tuntap` has for it.
        const WORD: &'static str;
    }

    impl Layer for super::Ethernet {
        const MODE: Mode = Mode::Tap;
        const MEDIUM: Medium = Medium::Ethernet;
        const WORD: &'static str = "tap";
    }

    impl Layer for super::Ip {
        const MODE: Mode = Mode::Tun;
        const MEDIUM: Medium = Medium::Ip;
        const WORD: &'static str = "tun";
    }
}

/// Bytes of an Ethernet header.
const ETHERNET_HEADER: usize = 14;
/// Bytes that an IEEE 802.1Q tag adds.
const VLAN_TAG: usize = 4;

/// An open TUN or TAP interface, non-blocking; see [`Tap`] and [`Tun`].
///
/// Wait for frames with `poll(2)` on [`as_fd`](AsFd::as_fd). One buffer each way is made when it is opened and none later.
#[derive(Debug)]
pub struct TunTap<L> {
    file: File,
    name: String,
    mtu: usize,
    received: Vec<u8>,
    outgoing: Outgoing,
    layer: PhantomData<L>,
}

/// The sending half of the state: a transmit token borrows it while the receive token borrows the rest.
#[derive(Debug)]
struct Outgoing {
    buffer: Vec<u8>,
    dropped: u64,
    gone: bool,
}

impl<L: Layer> TunTap<L> {
    /// Opens an existing interface, made for this user with `ip tuntap add dev NAME mode tap user USER`
    /// (for a [`Tun`], `mode tun`).
    ///
    /// # Errors
    ///
    /// No such interface, one of another kind or another user's, one that another program has open,
    /// and no `/dev/net/tun`: each with the command that mends it.
    pub fn open(name: &str) -> io::Result<Self> {
        // To a privileged program TUNSETIFF would give a new interface instead: without an address, and down.
        if let Err(errno) = if_nametoindex(name) {
            let text = format!(
                "there is no interface {name:?} ({errno}): make it with `{}`",
                recipe::<L>(name)
            );
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Self::attach(name)
    }

    /// Creates an interface that lives as long as this value, in the caller's network namespace.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without `CAP_NET_ADMIN`, and those of [`open`](Self::open).
    pub fn create(name: &str) -> io::Result<Self> {
        if if_nametoindex(name).is_ok() {
            let text = format!("there is an interface {name:?} already");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Self::attach(name)
    }

    fn attach(name: &str) -> io::Result<Self> {
        let interface =
            Iface::without_packet_info(name, L::MODE).map_err(|e| explain::<L>(name, e))?;
        // The kernel's word: it may have shortened the name.
        let name = interface.name().to_owned();
        let file = ioctl::into_file(interface);
        let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
        fcntl(&file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;

        let mtu = ioctl::mtu(&name)?;
        let frame = match L::MEDIUM {
            Medium::Ethernet => mtu + ETHERNET_HEADER,
            Medium::Ip => mtu,
        };
        Ok(TunTap {
            file,
            name,
            mtu: frame,
            received: vec![0; frame + VLAN_TAG],
            outgoing: Outgoing {
                buffer: vec![0; frame],
                dropped: 0,
                gone: false,
            },
            layer: PhantomData,
        })
    }
}

impl<L> TunTap<L> {
    /// The interface's name, as `ip link` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many frames could not be written, because the interface was down, its queue full or itself gone.
    pub fn dropped(&self) -> u64 {
        self.outgoing.dropped
    }

    /// Whether the interface was deleted. No frame comes any more, and `poll(2)` reports an error at
    /// once, every time: stop waiting on the descriptor.
    ///
    /// It turns true when a frame is next received or sent.
    pub fn is_gone(&self) -> bool {
        self.outgoing.gone
    }
}

impl<L> AsFd for TunTap<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl<L: Layer> Device for TunTap<L> {
    type RxToken<'a>
        = Receive<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Transmit<'a>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Receive<'_>, Transmit<'_>)> {
        if self.outgoing.gone {
            return None;
        }
        let len = match (&self.file).read(&mut self.received) {
            Ok(len) => len,
            Err(error) => {
                self.outgoing.gone = !is_passing(&error);
                return None;
            }
        };
        let frame = self.received.get(..len)?;
        let transmit = Transmit {
            file: &self.file,
            outgoing: &mut self.outgoing,
        };
        Some((Receive(frame), transmit))
    }

    // A token also when the interface is gone: "not now" would have the stack ask again without a pause.
    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit {
            file: &self.file,
            outgoing: &mut self.outgoing,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = L::MEDIUM;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// A frame that came in.
#[derive(Debug)]
pub struct Receive<'a>(&'a [u8]);

impl RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

/// Room for one frame to go out.
#[derive(Debug)]
pub struct Transmit<'a> {
    file: &'a File,
    outgoing: &'a mut Outgoing,
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let Transmit { mut file, outgoing } = self;
        // Never for a frame within the MTU; a caller's longer one must not panic.
        if outgoing.buffer.len() < len {
            outgoing.buffer.resize(len, 0);
        }
        let frame = &mut outgoing.buffer[..len];
        let result = f(frame);
        if let Err(error) = file.write(frame) {
            outgoing.dropped += 1;
            outgoing.gone |= is_deleted(&error);
        }
        result
    }
}

/// Reading may go on after it. Any other error would be there again the next time: the end.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// `drivers/net/tun.c` answers with EBADFD where the descriptor has lost its interface.
fn is_deleted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EBADFD as i32)
}

/// How to make the interface that `open` wants.
fn recipe<L: Layer>(name: &str) -> String {
    let word = L::WORD;
    format!("sudo ip tuntap add dev {name} mode {word} user $USER && sudo ip link set {name} up")
}

/// The kernel's error with what to do about it.
fn explain<L: Layer>(name: &str, error: io::Error) -> io::Error {
    let word = L::WORD;
    let advice = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => {
            "there is no /dev/net/tun: `sudo modprobe tun`; a container needs `--device /dev/net/tun`".into()
        }
        Some(Errno::EACCES) => {
            "this user may not open /dev/net/tun: `sudo chmod 0666 /dev/net/tun`".into()
        }
        Some(Errno::EPERM) => format!(
            "this user may not use it: `sudo ip link delete {name}` if it exists, then `{}`",
            recipe::<L>(name)
        ),
        Some(Errno::EBUSY) => "another program has it open".into(),
        Some(Errno::EINVAL) => {
            format!("it is not a {word} interface, or one with several queues")
        }
        _ => "TUNSETIFF failed".into(),
    };
    io::Error::new(error.kind(), format!("{word} {name}: {advice} ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<L: Layer>(errno: Errno) -> String {
        explain::<L>("tap7", io::Error::from_raw_os_error(errno as i32)).to_string()
    }

    #[test]
    fn an_interface_that_is_not_there_comes_with_the_command_that_makes_it() {
        let error = Tap::open("no-such-tap").map(drop);
        let error = error.map_err(|error| (error.kind(), error.to_string()));
        let Err((io::ErrorKind::NotFound, text)) = error else {
            unreachable!("{error:?}");
        };
        assert!(text.contains("sudo ip tuntap add dev no-such-tap mode tap user $USER"));
    }

    #[test]
    fn each_error_says_what_to_do() {
        assert!(text::<Ethernet>(Errno::ENOENT).contains("sudo modprobe tun"));
        assert!(text::<Ethernet>(Errno::EACCES).contains("sudo chmod 0666 /dev/net/tun"));
        assert!(text::<Ip>(Errno::EPERM).contains("ip tuntap add dev tap7 mode tun user $USER"));
        assert!(text::<Ethernet>(Errno::EBUSY).contains("another program"));
        assert!(text::<Ip>(Errno::EINVAL).contains("not a tun interface"));
    }

    #[test]
    fn a_device_may_move_to_the_thread_that_drives_it() {
        fn is_send<T: Send>() {}
        is_send::<Tap>();
        is_send::<Tun>();
    }
}
