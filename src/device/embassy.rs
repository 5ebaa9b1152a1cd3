//! Drivers that were written for embassy-net.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use embassy_net_driver::{self as driver, Driver, LinkState};
use smoltcp::phy::{self, Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::{Error, Result};

/// A driver of embassy's ([`embassy_net_driver::Driver`]) as a device: a chip's own Ethernet, a radio, a modem, whatever
/// embassy-net runs on. Its [`Runner`](crate::socket::Runner) waits by
/// [`socket::embassy::Timer`](crate::socket::embassy::Timer).
///
/// The driver wakes the runner's task. It is best polled with one waker again and again, as executors do: a driver can be
/// told of another one only when it is asked for the next frame, so that costs one turn more.
///
/// ```
/// use embassy_net_driver_channel::{self as channel, driver::{HardwareAddress, LinkState}};
/// use glasstack::socket::{Local, Runner, UdpSocket, embassy::{Timer, now}};
/// use glasstack::{Stack, device::Embassy, stack::Capacity};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A radio's driver, say, that gives and takes its frames through a channel.
/// let mut state = channel::State::<1514, 4, 4>::new();
/// let (mut radio, driver) = channel::new(&mut state, HardwareAddress::Ethernet([2, 0, 0, 0, 0, 1]));
///
/// let mut device = Embassy::new(driver)?;
/// let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
/// let hardware_address = device.hardware_address();
/// let interface = stack.add_interface(&mut device, hardware_address)?;
/// stack.add_address(interface, "10.0.0.1".parse()?, 24)?;
///
/// let network = Local::new(stack, now);
/// let socket = UdpSocket::bind(&network, "10.0.0.1:9999".parse()?)?;
/// radio.set_link_state(LinkState::Up);
/// embassy_futures::block_on(device.link_up());
/// let mut runner = Runner::new(&network, interface, device, Timer);
/// embassy_futures::block_on(runner.run_until(async {
///     socket.send_to(b"hello", "10.0.0.2:9999".parse().unwrap()).await?;
///     // It asks who has 10.0.0.2 (ARP).
///     assert_eq!(radio.tx_buf().await[12..14], [0x08, 0x06]);
///     glasstack::Result::Ok(())
/// }))??;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Embassy<D> {
    driver: D,
    medium: Medium,
    hardware_address: Option<[u8; 6]>,
    /// smoltcp asks for frames without saying who wants to know: this one, of the last turn.
    waker: Waker,
}

impl<D: Driver> Embassy<D> {
    /// # Errors
    /// [`NotSupported`](Error::NotSupported) for a medium that is neither Ethernet nor IP (IEEE 802.15.4).
    pub fn new(driver: D) -> Result<Self> {
        let (medium, hardware_address) = match driver.hardware_address() {
            driver::HardwareAddress::Ethernet(octets) => (Medium::Ethernet, Some(octets)),
            driver::HardwareAddress::Ip => (Medium::Ip, None),
            _ => return Err(Error::NotSupported),
        };
        Ok(Embassy {
            driver,
            medium,
            hardware_address,
            waker: Waker::noop().clone(),
        })
    }

    /// The driver's address, for [`add_interface`](crate::Stack::add_interface): `None` on an IP medium. (As it was at
    /// [`new`](Embassy::new): a driver that learns its address from the chip first comes here afterwards.)
    pub fn hardware_address(&self) -> Option<[u8; 6]> {
        self.hardware_address
    }

    /// Whether the link is up: a cable is plugged in, the radio has joined its network.
    pub fn is_link_up(&mut self) -> bool {
        self.poll_link(&mut Context::from_waker(&self.waker.clone()))
    }

    /// Waits until the link is up. (A runner need not: what is sent before is for the driver to drop, and TCP sends it
    /// again.)
    pub async fn link_up(&mut self) {
        poll_fn(|context| match self.poll_link(context) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    /// The driver.
    pub fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    fn poll_link(&mut self, context: &mut Context<'_>) -> bool {
        self.driver.link_state(context) == LinkState::Up
    }

    /// After a turn: has the context's waker woken by the driver. Ready where the driver knows another: it is to be asked
    /// once more.
    pub(crate) fn poll_wakes(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // For its own sake: some drivers look after their PHY when they are asked for the link.
        self.poll_link(context);
        if self.waker.will_wake(context.waker()) {
            return Poll::Pending;
        }
        self.waker.clone_from(context.waker());
        Poll::Ready(())
    }
}

impl<D: Driver> Device for Embassy<D> {
    type RxToken<'a>
        = RxToken<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let mut context = Context::from_waker(&self.waker);
        let (receive, transmit) = self.driver.receive(&mut context)?;
        Some((RxToken(receive), TxToken(transmit)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        let mut context = Context::from_waker(&self.waker);
        self.driver.transmit(&mut context).map(TxToken)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let theirs = self.driver.capabilities();
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        // The Ethernet header included, with both.
        capabilities.max_transmission_unit = theirs.max_transmission_unit;
        capabilities.max_burst_size = theirs.max_burst_size;
        capabilities.checksum = checksums(&theirs.checksum);
        capabilities
    }
}

/// Which checksums are computed and verified here; the rest is the chip's.
fn checksums(theirs: &driver::ChecksumCapabilities) -> ChecksumCapabilities {
    let ours = |checksum| match checksum {
        driver::Checksum::Both => Checksum::Both,
        driver::Checksum::Rx => Checksum::Rx,
        driver::Checksum::Tx => Checksum::Tx,
        driver::Checksum::None => Checksum::None,
    };
    let mut checksums = ChecksumCapabilities::default();
    checksums.ipv4 = ours(theirs.ipv4);
    checksums.udp = ours(theirs.udp);
    checksums.tcp = ours(theirs.tcp);
    #[cfg(feature = "ipv4")]
    {
        checksums.icmpv4 = ours(theirs.icmpv4);
    }
    #[cfg(feature = "ipv6")]
    {
        checksums.icmpv6 = ours(theirs.icmpv6);
    }
    checksums
}

/// A frame that the driver received.
#[derive(Debug)]
pub struct RxToken<T>(T);

impl<T: driver::RxToken> phy::RxToken for RxToken<T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(|frame| f(frame))
    }
}

/// Room for one frame with the driver.
#[derive(Debug)]
pub struct TxToken<T>(T);

impl<T: driver::TxToken> phy::TxToken for TxToken<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume(len, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what it is, and carries nothing.
    struct Chip(driver::HardwareAddress);

    enum Never {}

    impl driver::RxToken for Never {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, _: F) -> R {
            match self {}
        }
    }

    impl driver::TxToken for Never {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, _: usize, _: F) -> R {
            match self {}
        }
    }

    impl Driver for Chip {
        type RxToken<'a> = Never;
        type TxToken<'a> = Never;

        fn receive(&mut self, _: &mut Context<'_>) -> Option<(Never, Never)> {
            None
        }

        fn transmit(&mut self, _: &mut Context<'_>) -> Option<Never> {
            None
        }

        fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
            LinkState::Down
        }

        fn capabilities(&self) -> driver::Capabilities {
            let mut capabilities = driver::Capabilities::default();
            capabilities.max_transmission_unit = 1514;
            capabilities.max_burst_size = Some(4);
            capabilities.checksum.ipv4 = driver::Checksum::None;
            capabilities.checksum.udp = driver::Checksum::Rx;
            capabilities.checksum.tcp = driver::Checksum::Tx;
            capabilities
        }

        fn hardware_address(&self) -> driver::HardwareAddress {
            self.0
        }
    }

    #[test]
    fn a_chip_is_what_it_says() -> Result<()> {
        let mut device = Embassy::new(Chip(driver::HardwareAddress::Ethernet([2; 6])))?;
        assert_eq!(device.hardware_address(), Some([2; 6]));
        assert!(!device.is_link_up());
        let capabilities = device.capabilities();
        assert_eq!(capabilities.medium, Medium::Ethernet);
        assert_eq!(capabilities.max_transmission_unit, 1514);
        assert_eq!(capabilities.max_burst_size, Some(4));
        // Whether it is computed here (`tx`), and verified here (`rx`).
        let here = |checksum: &Checksum| (checksum.tx(), checksum.rx());
        assert_eq!(here(&capabilities.checksum.ipv4), (false, false));
        assert_eq!(here(&capabilities.checksum.udp), (false, true));
        assert_eq!(here(&capabilities.checksum.tcp), (true, false));
        let device = Embassy::new(Chip(driver::HardwareAddress::Ip))?;
        assert_eq!(device.hardware_address(), None);
        assert_eq!(device.capabilities().medium, Medium::Ip);
        Ok(())
    }

    #[test]
    fn a_medium_that_the_stack_does_not_have_is_refused() {
        let chip = Chip(driver::HardwareAddress::Ieee802154([2; 8]));
        assert!(matches!(Embassy::new(chip), Err(Error::NotSupported)));
    }
}
