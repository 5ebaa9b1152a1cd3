//! The servers and the HTTP client of `examples/async_hello`, their source as it is, on a Cortex-M3 with an Ethernet
//! controller: no operating system, no heap.
//!
//! ```text
//! cargo run --release        # starts the board in QEMU
//! nc 127.0.0.1 9999          # talks to it
//! ```
//!
//! It says what it does on its serial line, which is this terminal, and takes commands there: `help` lists them.

#![no_std]
#![no_main]

use core::{
    cell::RefCell,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    task::{Context, Poll},
};

use board::{Board, ETHERNET_ADDRESS, Lan9118, Wakeups};
use cortex_m_rt::entry;
use embassy_futures::join::join4;
use glasstack::{
    Result, Stack,
    smoltcp::time::Instant,
    socket::{Interrupts, Local, Runner, Wait, block_on},
    stack::Storage,
};
use static_cell::ConstStaticCell;

mod address;
#[path = "../../async_hello/application.rs"]
#[allow(dead_code, reason = "its clients are for the other worlds")]
mod application;
mod console;
mod counter;
mod fault;
mod glass;
#[path = "../../async_hello/http.rs"]
mod http;
mod kept;
mod record;
mod seed;
mod terminal;

use application::CONNECTIONS;
use counter::Counters;
use glass::Glass;
use kept::Kept;
use terminal::Terminal;

/// Octets of each connection's and each UDP socket's buffers.
const BUFFER: usize = 2048;

/// The server's connections and the HTTP client's, the UDP server's socket; and a descriptor for each of them and the listener.
type Memory = Storage<'static, { CONNECTIONS + 3 }, { CONNECTIONS + 1 }, 1, BUFFER, 1, 4, 0, 0, 1>;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// Every address of both families.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9999);

#[entry]
fn main() -> ! {
    // SAFETY: it is the only one.
    let mut board = unsafe { Board::new() };
    board.start();
    match run(board, Kept::get()) {
        Ok(never) => match never {},
        Err(error) => fault::end(format_args!("{error}")),
    }
}

fn run(board: Board, kept: &'static Kept) -> Result<core::convert::Infallible> {
    let Board {
        mut ethernet,
        clock,
        uart,
        watchdog,
    } = board;
    let terminal = &Terminal::new(uart);
    // First of all: what it may come to is a reset, too.
    let key = seed::seed(kept);
    tell_the_past(kept, terminal);
    kept.clear();
    if key.is_none() {
        terminal.say(format_args!("No random key: nothing on this board is, and no debugger gave one. Sequence numbers can be guessed."));
    }
    let clock = RefCell::new(clock);
    let now = || clock.borrow_mut().now();
    let mut stack = Stack::new(
        MEMORY.take(),
        key.unwrap_or_default(),
        Glass::new(kept, terminal),
    );
    stack.set_now(now());
    let link = stack.add_interface(&mut ethernet, Some(ETHERNET_ADDRESS))?;
    let network = &Local::new(stack, now);

    let watchdog = RefCell::new(watchdog);
    let wakeups = RefCell::new(Wakeups::default());
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        // Nobody sleeps with it: it guards the time awake.
        watchdog.borrow_mut().stop();
        if !is_woken() {
            let mut wakeups = wakeups.borrow_mut();
            wakeups.sleep(&mut clock.borrow_mut(), until);
            kept.note_wakeups(*wakeups);
        }
        watchdog.borrow_mut().start();
    });
    let wait = Counted {
        interrupts: &interrupts,
        kept,
    };
    let mut runner = Runner::new(network, link, ethernet, wait);

    let say = |line: core::fmt::Arguments<'_>| terminal.say(line);
    let servers = async {
        let Err(error) = application::servers(network, ANY, say).await;
        say(format_args!("The servers end: {error}"));
    };
    let addresses = async {
        if let Err(error) = address::find(network, link, say).await {
            say(format_args!("No address: {error}"));
        }
    };
    let program = join4(
        servers,
        addresses,
        terminal.read(),
        console::run(network, link, terminal, kept),
    );
    block_on(&interrupts, runner.run_until(program))?;
    block_on(&interrupts, runner.run())
}

/// Says what was before the reset, if it was this program.
fn tell_the_past(kept: &Kept, terminal: &Terminal) {
    if !kept.is_whole() {
        return;
    }
    terminal.say(format_args!("Before the reset:"));
    // The UART takes everything.
    let _ = glass::draw(kept, terminal);
    terminal.say(format_args!("{}", Counters(kept)));
    match kept.reason() {
        Some(reason) => terminal.say(format_args!("It ended by itself: {reason}")),
        None => terminal.say(format_args!("It was reset from outside.")),
    }
}

/// Waits for interrupts, and sees what the controller has dropped each time.
struct Counted<'i, F> {
    interrupts: &'i Interrupts<F>,
    kept: &'static Kept,
}

impl<F: Fn(Option<Instant>, &dyn Fn() -> bool)> Wait<Lan9118> for Counted<'_, F> {
    fn poll_wait(
        &mut self,
        device: &mut Lan9118,
        until: Option<Instant>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.kept.note_drops(device.drops());
        self.interrupts.poll_wait(device, until, context)
    }
}
