//! An echo server: four TCP connections and a UDP port, by the BSD calls.

#![no_std]
#![no_main]

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use board::{Board, ETHERNET_ADDRESS};
use cortex_m_rt::entry;
use glasstack::stack::{Domain, Route, Storage, Type};
use glasstack::{Error, Fd, Result, Stack};
use static_cell::ConstStaticCell;

const CONNECTIONS: usize = 4;
const BUFFER: usize = 2048;
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9999);

static STORAGE: ConstStaticCell<Storage<'static, { CONNECTIONS + 2 }, CONNECTIONS, 1, BUFFER>> =
    ConstStaticCell::new(Storage::new());
static BOARD: ConstStaticCell<Board> = ConstStaticCell::new(unsafe { Board::new() });

#[entry]
fn main() -> ! {
    let board = BOARD.take();
    board.start();
    let mut stack = Stack::new(STORAGE.take(), [7; 16], ());
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
            if place.is_none() {
                *place = stack.accept(listener).ok().map(|(fd, _)| fd);
            }
            if let Some(fd) = *place {
                let mut echoed = echo(stack, fd);
                while echoed.is_ok() {
                    is_idle = false;
                    echoed = echo(stack, fd);
                }
                if echoed != Err(Error::WouldBlock) {
                    is_idle = false;
                    let _ = stack.close(fd);
                    *place = None;
                }
            }
        }
        let mut buffer = [0; 512];
        while let Ok(datagram) = stack.recvfrom(datagrams, &mut buffer) {
            is_idle = false;
            let _ = stack.sendto(datagrams, &buffer[..datagram.len], datagram.from);
        }
        // What was done may have something to send, and the time that `poll` said was before it.
        if is_idle {
            board::sleep(&mut board.clock, until);
        }
    }
}

/// Sends back some of what came, if there is room for it.
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
