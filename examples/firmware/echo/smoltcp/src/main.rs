//! An echo server on smoltcp alone, for comparison: four TCP connections and a UDP port, by its own documentation.

#![no_std]
#![no_main]

use board::{Board, ETHERNET_ADDRESS, entry};
use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
use smoltcp::socket::{tcp, udp};
use smoltcp::wire::{EthernetAddress, IpCidr, Ipv4Address};
use static_cell::{ConstStaticCell, StaticCell};

const CONNECTIONS: usize = if cfg!(feature = "fifth-connection") {
    5
} else {
    4
};
const BUFFER: usize = 2048;
const PORT: u16 = 9999;

static BUFFERS: ConstStaticCell<[[[u8; BUFFER]; 2]; CONNECTIONS]> =
    ConstStaticCell::new([[[0; BUFFER]; 2]; CONNECTIONS]);
static DATAGRAMS: ConstStaticCell<[[u8; BUFFER]; 2]> = ConstStaticCell::new([[0; BUFFER]; 2]);
static ROWS: ConstStaticCell<[[udp::PacketMetadata; 4]; 2]> =
    ConstStaticCell::new([[udp::PacketMetadata::EMPTY; 4]; 2]);
static SOCKETS: StaticCell<[SocketStorage<'static>; CONNECTIONS + 1]> = StaticCell::new();
static BOARD: StaticCell<Board> = StaticCell::new();

#[entry]
fn main() -> ! {
    // SAFETY: it is the only one.
    let board = BOARD.init_with(|| unsafe { Board::new() });
    board.start();
    let mut config = Config::new(EthernetAddress(ETHERNET_ADDRESS).into());
    config.random_seed = 7;
    let now = board.clock.now();
    let mut interface = Interface::new(config, &mut board.ethernet, now);
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(Ipv4Address::new(10, 0, 2, 15).into(), 24));
    });
    let _ = interface
        .routes_mut()
        .add_default_ipv4_route(Ipv4Address::new(10, 0, 2, 2));
    let sockets = SOCKETS.init_with(|| [SocketStorage::EMPTY; CONNECTIONS + 1]);
    let mut sockets = SocketSet::new(&mut sockets[..]);
    let connections = BUFFERS.take().each_mut().map(|[receive, send]| {
        let receive = tcp::SocketBuffer::new(&mut receive[..]);
        let send = tcp::SocketBuffer::new(&mut send[..]);
        sockets.add(tcp::Socket::new(receive, send))
    });
    let [receive, send] = DATAGRAMS.take();
    let [received, sent] = ROWS.take();
    let mut datagrams = udp::Socket::new(
        udp::PacketBuffer::new(&mut received[..], &mut receive[..]),
        udp::PacketBuffer::new(&mut sent[..], &mut send[..]),
    );
    let _ = datagrams.bind(PORT);
    let datagrams = sockets.add(datagrams);

    loop {
        let now = board.clock.now();
        interface.poll(now, &mut board.ethernet, &mut sockets);
        for handle in connections {
            let socket = sockets.get_mut::<tcp::Socket>(handle);
            if !socket.is_open() {
                let _ = socket.listen(PORT);
            }
            echo(socket);
        }
        let socket = sockets.get_mut::<udp::Socket>(datagrams);
        let mut buffer = [0; 512];
        while socket.can_send() {
            let Ok((length, from)) = socket.recv_slice(&mut buffer) else {
                break;
            };
            let _ = socket.send_slice(&buffer[..length], from);
        }
        let now = board.clock.now();
        let until = interface.poll_at(now, &sockets);
        board::sleep(&mut board.clock, until);
    }
}

fn echo(socket: &mut tcp::Socket<'_>) {
    let mut buffer = [0; 512];
    while socket.can_send() && socket.can_recv() {
        let room = (socket.send_capacity() - socket.send_queue()).min(buffer.len());
        let Ok(length) = socket.recv_slice(&mut buffer[..room]) else {
            break;
        };
        let _ = socket.send_slice(&buffer[..length]);
    }
    if socket.may_send() && !socket.may_recv() {
        socket.close();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
