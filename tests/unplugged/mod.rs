//! A device that was unplugged: its descriptor is "ready" for ever.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use glasstack::device::{Absent, absent::Never};
use glasstack::smoltcp::phy::{Device, DeviceCapabilities};
use glasstack::smoltcp::time::Instant;

pub(crate) struct Unplugged(pub OwnedFd);

impl AsFd for Unplugged {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Unplugged {
    type RxToken<'a> = Never;
    type TxToken<'a> = Never;

    fn receive(&mut self, _: Instant) -> Option<(Never, Never)> {
        None
    }

    fn transmit(&mut self, _: Instant) -> Option<Never> {
        None
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = Absent.capabilities();
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

/// A device's descriptor, in each way to be gone; and what is to be kept for that.
pub(crate) fn gone() -> ([OwnedFd; 3], UnixStream) {
    let (here, there) = UnixStream::pair().unwrap();
    let (half, other) = UnixStream::pair().unwrap();
    drop(there);
    other.shutdown(Shutdown::Write).unwrap();
    // Hung up; closed in one direction; an error.
    let ends = [here.into(), half.into(), io::pipe().unwrap().1.into()];
    (ends, other)
}
