//! An echo server on embassy-net, for comparison: four TCP connections and a UDP port, by its own documentation.

#![no_std]
#![no_main]

mod ethernet;
mod executor;
mod time;

use board::Board;
use cortex_m_rt::entry;
use embassy_executor::{Spawner, task};
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use static_cell::StaticCell;

use ethernet::Ethernet;

const CONNECTIONS: usize = if cfg!(feature = "fifth-connection") {
    5
} else {
    4
};
const BUFFER: usize = 2048;
const PORT: u16 = 9999;

static RESOURCES: StaticCell<StackResources<{ CONNECTIONS + 1 }>> = StaticCell::new();
static BOARD: StaticCell<Board> = StaticCell::new();

#[entry]
fn main() -> ! {
    // SAFETY: it is the only one.
    let board = BOARD.init_with(|| unsafe { Board::new() });
    board.start();
    time::start(&mut board.clock);
    let config = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(Ipv4Address::new(10, 0, 2, 15), 24),
        gateway: Some(Ipv4Address::new(10, 0, 2, 2)),
        dns_servers: Default::default(),
    });
    let ethernet = Ethernet(&mut board.ethernet);
    let resources = RESOURCES.init_with(StackResources::new);
    let (stack, runner) = embassy_net::new(ethernet, config, resources, 7);
    executor::run(|spawner| spawn(spawner, stack, runner))
}

fn spawn(spawner: Spawner, stack: Stack<'static>, runner: Runner<'static, Ethernet>) {
    // There is room for as many tasks as are started here.
    if let Ok(task) = run(runner) {
        spawner.spawn(task);
    }
    for _ in 0..CONNECTIONS {
        if let Ok(task) = connection(stack) {
            spawner.spawn(task);
        }
    }
    if let Ok(task) = datagrams(stack) {
        spawner.spawn(task);
    }
}

#[task]
async fn run(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

#[task(pool_size = CONNECTIONS)]
async fn connection(stack: Stack<'static>) {
    let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
    let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
    loop {
        if socket.accept(PORT).await.is_ok() {
            let _ = echo(&mut socket).await;
        }
        socket.close();
        let _ = socket.flush().await;
        socket.abort();
    }
}

async fn echo(socket: &mut TcpSocket<'_>) -> Result<(), embassy_net::tcp::Error> {
    let mut buffer = [0; 512];
    loop {
        let length = socket.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let length = socket.write(rest).await?;
            rest = &rest[length..];
        }
    }
}

#[task]
async fn datagrams(stack: Stack<'static>) {
    let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
    let (mut received, mut sent) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let mut socket = UdpSocket::new(stack, &mut received, &mut receive, &mut sent, &mut send);
    let _ = socket.bind(PORT);
    let mut buffer = [0; 512];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..length], from).await;
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
