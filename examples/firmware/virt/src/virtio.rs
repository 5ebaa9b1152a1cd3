//! virtio's Ethernet controller behind registers ("Virtual I/O Device (VIRTIO)", version 1.2, §4.2 and §5.1), by rCore's driver.
//! It reads and writes memory by itself, where the LAN9118 has FIFOs.

use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use static_cell::ConstStaticCell;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Octets of the longest Ethernet frame, without its check sequence.
const MTU: usize = 1514;
/// Frames that wait each way.
const FRAMES: usize = 4;
/// A frame and virtio's header before it: what the driver asks for at least.
const BUFFER: usize = 1528;
/// Octets of an MMIO device's registers.
const REGISTERS: usize = 0x1000;

type Driver = VirtIONetRaw<Memory, MmioTransport<'static>, FRAMES>;
type Buffers = [[u8; BUFFER]; FRAMES];

static RECEIVED: ConstStaticCell<Buffers> = ConstStaticCell::new([[0; BUFFER]; FRAMES]);
static SENT: ConstStaticCell<Buffers> = ConstStaticCell::new([[0; BUFFER]; FRAMES]);

/// The controller.
pub struct Ethernet {
    base: usize,
    running: Option<Running>,
}

/// What there is of it from its start on.
struct Running {
    driver: Driver,
    /// Where the controller writes, in the order of the driver's tokens.
    received: &'static mut Buffers,
    /// A token whose buffer was lent to the stack, and is to be given back to the controller.
    lent: Option<u16>,
    sent: &'static mut Buffers,
    /// Of each of those the token while the controller reads it, and how much of it.
    sending: [Option<(u16, usize)>; FRAMES],
}

impl Ethernet {
    /// # Safety
    /// The board has a virtio network device at `base`, and this is its only driver.
    pub const unsafe fn at(base: usize) -> Ethernet {
        Ethernet {
            base,
            running: None,
        }
    }

    /// Turns the controller on; from now on it interrupts for a frame that came. To be called once.
    pub fn start(&mut self) {
        self.running = NonNull::new(self.base as *mut _)
            // SAFETY: by the contract of `at`.
            .and_then(|header| unsafe { MmioTransport::new(header, REGISTERS) }.ok())
            .and_then(|transport| Driver::new(transport).ok())
            .map(|driver| Running {
                driver,
                received: RECEIVED.take(),
                lent: None,
                sent: SENT.take(),
                sending: [None; FRAMES],
            });
        if let Some(running) = &mut self.running {
            running.receive_into_all();
        }
    }
}

impl Running {
    fn receive_into_all(&mut self) {
        for buffer in self.received.iter_mut() {
            // SAFETY: nobody looks at it before its token comes back. The first tokens are 0, 1, 2 …, and a token that was
            // completed is the next one.
            let _ = unsafe { self.driver.receive_begin(buffer) };
        }
    }

    /// The next frame's token, and where it stands in its buffer.
    fn take(&mut self) -> Option<(u16, usize, usize)> {
        if let Some(token) = self.lent.take()
            && let Some(buffer) = self.received.get_mut(usize::from(token))
        {
            // SAFETY: as in `receive_into_all`; what was lent of it came back by now.
            let _ = unsafe { self.driver.receive_begin(buffer) };
        }
        let token = self.driver.poll_receive().or_else(|| {
            // Acknowledged, and looked again: a frame that comes from here on interrupts.
            self.driver.ack_interrupt();
            self.driver.poll_receive()
        })?;
        let buffer = self.received.get_mut(usize::from(token))?;
        // SAFETY: it is the buffer that this token was given for.
        let (header, length) = unsafe { self.driver.receive_complete(token, buffer) }.ok()?;
        self.lent = Some(token);
        Some((token, header, length))
    }

    /// A buffer that the controller does not read. Takes those back that it has read.
    fn room(&mut self) -> Option<usize> {
        while let Some(token) = self.driver.poll_transmit() {
            let mut places = self.sending.iter_mut().zip(self.sent.iter());
            let (place, buffer) =
                places.find(|(place, _)| matches!(place, Some((of, _)) if *of == token))?;
            let (_, length) = place.take()?;
            // SAFETY: it is what this token was given for.
            let _ = unsafe { self.driver.transmit_complete(token, buffer.get(..length)?) };
        }
        self.sending.iter().position(Option::is_none)
    }
}

impl phy::Device for Ethernet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Room<'_>)> {
        let running = self.running.as_mut()?;
        // Every frame may be answered.
        let place = running.room()?;
        let (token, header, length) = running.take()?;
        let buffer = running.received.get(usize::from(token))?;
        let received = Received {
            frame: buffer.get(header..header + length)?,
        };
        let room = Room {
            driver: &mut running.driver,
            buffer: running.sent.get_mut(place)?,
            sending: running.sending.get_mut(place)?,
        };
        Some((received, room))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        let running = self.running.as_mut()?;
        let place = running.room()?;
        Some(Room {
            buffer: running.sent.get_mut(place)?,
            sending: running.sending.get_mut(place)?,
            driver: &mut running.driver,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

/// A frame that was received.
pub struct Received<'a> {
    frame: &'a [u8],
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// Room for a frame.
pub struct Room<'a> {
    driver: &'a mut Driver,
    buffer: &'a mut [u8; BUFFER],
    sending: &'a mut Option<(u16, usize)>,
}

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let header = self
            .driver
            .fill_buffer_header(self.buffer)
            .unwrap_or_default();
        // The stack knows the MTU, and keeps to it.
        let end = header + length.min(MTU);
        let result = write(&mut self.buffer[header..end]);
        // SAFETY: nobody looks at it before its token comes back.
        let token = unsafe { self.driver.transmit_begin(&self.buffer[..end]) };
        *self.sending = token.ok().map(|token| (token, end));
        result
    }
}

/// Memory that the processor and the controller both see: all of it, by the same addresses, and without a cache in between.
struct Memory;

/// The driver's two queues, in two pieces each.
const PAGES: usize = 4;

#[repr(C, align(4096))]
struct Pages(UnsafeCell<[[u8; PAGE_SIZE]; PAGES]>);

// SAFETY: `dma_alloc` gives each page once.
unsafe impl Sync for Pages {}

static QUEUES: Pages = Pages(UnsafeCell::new([[0; PAGE_SIZE]; PAGES]));
static GIVEN: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the pages are zeroed, aligned and given once; addresses are what they are, since nothing is mapped here.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = GIVEN.fetch_add(pages, Ordering::Relaxed);
        if first + pages > PAGES {
            return (0, NonNull::dangling()); // an error, by the driver's contract
        }
        let start = QUEUES.0.get().cast::<[u8; PAGE_SIZE]>();
        // SAFETY: `first` is a page's number.
        let page = unsafe { NonNull::new_unchecked(start.add(first).cast::<u8>()) };
        (page.as_ptr() as PhysAddr, page)
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0 // the controller runs for ever
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as usize as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
