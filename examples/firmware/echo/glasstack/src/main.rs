//! An echo server: four TCP connections and a UDP port, by the BSD calls.

#![no_std]
#![no_main]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use board::{Board, ETHERNET_ADDRESS, entry};
use glasstack::stack::{Domain, Route, Storage, Type};
use glasstack::{Error, Fd, Result, Stack};
use static_cell::{ConstStaticCell, StaticCell};

const CONNECTIONS: usize = if cfg!(feature = "fifth-connection") {
    5
} else {
    4
};
const BUFFER: usize = 2048;
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9999);

/// One link. No connection request is kept that finds no room, as with smoltcp alone: its sender repeats it.
type Memory = Storage<'static, { CONNECTIONS + 2 }, CONNECTIONS, 1, BUFFER, 1, 0>;

static STORAGE: ConstStaticCell<Memory> = ConstStaticCell::new(Storage::new());
static BOARD: StaticCell<Board> = StaticCell::new();

#[entry]
fn main() -> ! {
    // SAFETY: it is the only one.
    let board = BOARD.init_with(|| unsafe { Board::new() });
    board.start();
    // A constant, since this board is in QEMU alone: a real one takes 128 random bits, new ones after each start.
    let key = [7; 16];
    let mut stack = Stack::new(STORAGE.take(), key, ());
    let _ = serve(&mut stack, board);
    loop {}
}

fn serve(stack: &mut Stack<'static>, board: &mut Board) -> Result<()> {
    stack.set_now(board.clock.now());
    let link = stack.add_interface(&mut board.ethernet, Some(ETHERNET_ADDRESS))?;
    stack.add_address(link, Ipv4Addr::new(10, 0, 2, 15).into(), 24)?;
    stack.add_route(
        link,
        Route {
            destination: Ipv4Addr::UNSPECIFIED.into(),
            prefix_len: 0,
            gateway: Some(Ipv4Addr::new(10, 0, 2, 2).into()),
            metric: 0,
        },
    )?;
    let listener = stack.socket(Domain::Inet, Type::Stream)?;
    stack.bind(listener, ANY)?;
    stack.listen(listener, CONNECTIONS)?;
    let datagrams = stack.socket(Domain::Inet, Type::Datagram)?;
    stack.bind(datagrams, ANY)?;

    let mut connections = [None; CONNECTIONS];
    loop {
        let until = stack.poll(link, board.clock.now(), &mut board.ethernet);
        let mut is_idle = true;
        for place in &mut connections {
            if place.is_none()
                && let Ok((fd, _)) = stack.accept(listener)
            {
                *place = Some(fd);
                is_idle = false;
            }
            let Some(fd) = *place else {
                continue;
            };
            let end = loop {
                match echo(stack, fd) {
                    Ok(()) => is_idle = false,
                    Err(error) => break error,
                }
            };
            if end != Error::WouldBlock {
                let _ = stack.close(fd);
                *place = None;
                is_idle = false;
            }
        }
        let mut buffer = [0; 512];
        while let Ok(datagram) = stack.recvfrom(datagrams, &mut buffer) {
            let _ = stack.sendto(datagrams, &buffer[..datagram.len], datagram.from);
            is_idle = false;
        }
        // What was done here is to be sent first.
        if is_idle {
            board::sleep(&mut board.clock, until);
        }
    }
}

/// Sends a piece of what came back, as far as there is room for it.
fn echo(stack: &mut Stack<'_>, fd: Fd) -> Result<()> {
    let mut buffer = [0; 512];
    let length = stack.peek(fd, &mut buffer)?;
    if length == 0 {
        return Err(Error::NotConnected);
    }
    let length = stack.send(fd, &buffer[..length])?;
    stack.recv(fd, &mut buffer[..length])?;
    Ok(())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
