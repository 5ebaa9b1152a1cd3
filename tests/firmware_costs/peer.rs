//! The other end of the board's link: a stack of this crate.

use std::{
    collections::VecDeque, io::ErrorKind, os::unix::net::UnixDatagram, thread, time::Duration,
};

use glasstack::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use glasstack::smoltcp::time::{Duration as VirtualDuration, Instant};
use glasstack::stack::{Capacity, Domain, InterfaceId, Type};
use glasstack::{Error, Fd, Result, Stack};

use crate::program::Program;
use crate::qemu::Board;

/// The echo server.
const SERVER: &str = "10.0.2.15:9999";
/// Rounds in which nothing came, before the test gives up: it may have to wait for its retransmission timer.
const PATIENCE: u32 = 1_500;
const A_WHILE: Duration = Duration::from_millis(20);

/// It and the board take turns: each does what there is to do while the other one sleeps, so that every run is the same.
pub(crate) struct Peer {
    pub(crate) board: Board,
    stack: Stack<'static>,
    interface: InterfaceId,
    now: Instant,
    pub(crate) link: Link,
}

impl Peer {
    /// A board that runs this program, and its peer.
    pub(crate) fn of(program: &Program) -> Peer {
        let (board, socket) = Board::start(program);
        socket.set_nonblocking(true).unwrap();
        let mut link = Link {
            socket,
            received: VecDeque::new(),
            kept: Vec::new(),
            lose: 0,
        };
        let mut stack = Stack::with_capacity(Capacity::default(), [7; 16], ());
        let interface = stack
            .add_interface(&mut link, Some([2, 0, 0, 0, 0, 2]))
            .unwrap();
        let address = "10.0.2.2".parse().unwrap();
        stack.add_address(interface, address, 24).unwrap();
        Peer {
            board,
            stack,
            interface,
            now: Instant::ZERO,
            link,
        }
    }

    /// Calls until it would not have to wait.
    fn until<T>(&mut self, mut call: impl FnMut(&mut Stack<'static>) -> Result<T>) -> Result<T> {
        let mut quiet = 0;
        while quiet < PATIENCE {
            let _ = self.stack.poll(self.interface, self.now, &mut self.link);
            let done = call(&mut self.stack);
            let _ = self.stack.poll(self.interface, self.now, &mut self.link);
            if !matches!(done, Err(Error::WouldBlock)) {
                self.board.asleep();
                return done;
            }
            self.board.asleep();
            quiet = if self.link.collect() { 0 } else { quiet + 1 };
            if quiet > 0 {
                // The board's time goes on by itself.
                thread::sleep(A_WHILE);
                self.now += VirtualDuration::from(A_WHILE);
            }
        }
        panic!("the board does not answer");
    }

    pub(crate) fn connect(&mut self) -> Result<Fd> {
        let fd = self.stack.socket(Domain::Inet, Type::Stream)?;
        self.until(|stack| stack.connect(fd, SERVER.parse().unwrap()))?;
        Ok(fd)
    }

    pub(crate) fn close(&mut self, fd: Fd) -> Result<()> {
        self.until(|stack| stack.close(fd))
    }

    /// Sends so many octets, and has them back: at once on all of these connections.
    pub(crate) fn echo(&mut self, connections: &[Fd], length: usize) -> Result<()> {
        let octet = |index: usize| (index * 7 + index / 251) as u8;
        let data: Vec<u8> = (0..length).map(octet).collect();
        let mut done = vec![(0, 0); connections.len()];
        self.until(|stack| {
            let mut buffer = [0; 4096];
            for (fd, (sent, received)) in connections.iter().zip(&mut done) {
                match stack.send(*fd, &data[*sent..]) {
                    Ok(length) => *sent += length,
                    Err(Error::WouldBlock) => {}
                    Err(error) => return Err(error),
                }
                match stack.recv(*fd, &mut buffer) {
                    Ok(0) if *received < length => return Err(Error::NotConnected),
                    Ok(length) => {
                        assert_eq!(buffer[..length], data[*received..][..length]);
                        *received += length;
                    }
                    Err(Error::WouldBlock) => {}
                    Err(error) => return Err(error),
                }
            }
            let all = done.iter().all(|(_, received)| *received == length);
            if all { Ok(()) } else { Err(Error::WouldBlock) }
        })
    }

    /// A datagram there and back.
    pub(crate) fn echo_datagram(&mut self, length: usize) -> Result<()> {
        let fd = self.stack.socket(Domain::Inet, Type::Datagram)?;
        let data = vec![0x55; length];
        self.stack.sendto(fd, &data, SERVER.parse().unwrap())?;
        let mut buffer = [0; 2048];
        let received = self.until(|stack| stack.recvfrom(fd, &mut buffer))?;
        assert_eq!(buffer[..received.len], data);
        self.stack.close(fd)
    }
}

/// The cable.
pub(crate) struct Link {
    socket: UnixDatagram,
    received: VecDeque<Vec<u8>>,
    /// The frames that were sent, to make others of them.
    pub(crate) kept: Vec<Vec<u8>>,
    /// So many of the next frames of the board are lost.
    pub(crate) lose: usize,
}

impl Link {
    /// Takes what the board sent since. Whether there is anything.
    fn collect(&mut self) -> bool {
        loop {
            let mut frame = vec![0; 2048];
            match self.socket.recv(&mut frame) {
                Ok(_) if self.lose > 0 => self.lose -= 1,
                Ok(length) => {
                    frame.truncate(length);
                    self.received.push_back(frame);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        !self.received.is_empty()
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.socket.send(frame).unwrap();
    }
}

impl Device for Link {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Room<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Frame(frame), Room(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

pub(crate) struct Frame(Vec<u8>);

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(crate) struct Room<'a>(&'a mut Link);

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.send(&frame);
        if self.0.kept.len() < 64 {
            self.0.kept.push(frame);
        }
        result
    }
}
