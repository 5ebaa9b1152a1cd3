//! The application of `examples/async_hello` as on a microcontroller: one host that talks to itself, in memory of a known
//! size, by interrupts alone, and without a single allocation: the allocator ends the process if it is called meanwhile.
//! `cargo test --no-default-features --features ipv4 --test async_no_heap` says how much memory the tasks take.

mod watchman;

use std::{
    cell::{Cell, RefCell},
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::Ordering,
    time::Duration,
};

use embassy_futures::select::{Either, select};
use glasstack::{
    Error, Result, Stack,
    smoltcp::time::Instant,
    socket::{
        Interrupts, Local, Runner, TcpListener, TcpStream, UdpSocket, block_on, poll, timeout,
    },
    stack::{Events, PollFd, Storage},
};
use watchman::ARMED;

#[path = "../examples/async_hello/application.rs"]
mod application;

const SAID: &str = "\
Waiting for connection...
Bind UDP on 9999...
Accept new connection from 127.0.0.1:PORT...
← Welcome!
→ Michael
← Hello, Michael!
→ Tracy
← Hello, Tracy!
→ Sarah
← Hello, Sarah!
→ exit
Connection from 127.0.0.1:PORT closed.
→ Michael
Received from 127.0.0.1:PORT.
← Hello, Michael!
→ Tracy
Received from 127.0.0.1:PORT.
← Hello, Tracy!
→ Sarah
Received from 127.0.0.1:PORT.
← Hello, Sarah!
";

/// Both ends of four connections and of UDP, a listener; 1,024 octets a buffer; a loopback of 1,500 octets a packet.
type Memory<'m> = Storage<'m, 12, 8, 2, 1024, 1, 4, 1500>;

fn converse(said: &RefCell<heapless::String<1024>>) -> Result<()> {
    let mut memory = Memory::new();
    let time = Cell::new(Instant::ZERO);
    let network = Local::new(Stack::new(&mut memory, [7; 16], ()), || time.get());
    // The only interrupt here is the timer's.
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            time.set(until.unwrap_or(Instant::from_secs(3600)));
        }
    });
    let mut runner = Runner::loopback(&network, &interrupts);

    let say = |line: std::fmt::Arguments<'_>| {
        let mut said = said.borrow_mut();
        // What has no room is missed below.
        let _ = writeln!(said, "{line}");
    };
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 9999));
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 9999));
    let servers = application::servers(&network, any, say);
    let clients = application::clients(&network, server, say);
    let sizes = (size_of_val(&servers), size_of_val(&clients));
    let end = block_on(&interrupts, runner.run_until(select(servers, clients)))?;
    ARMED.store(false, Ordering::Relaxed);
    println!(
        "octets of memory: the servers' tasks {}, the clients' {}",
        sizes.0, sizes.1
    );
    match end {
        Either::First(end) => end.map(|never| match never {}),
        Either::Second(end) => end,
    }
}

/// Two sockets, a time limit, and one datagram: what a task does that waits for many.
fn wait_for_many() -> Result<[Events; 2]> {
    let mut memory = Memory::new();
    let time = Cell::new(Instant::ZERO);
    let network = Local::new(Stack::new(&mut memory, [7; 16], ()), || time.get());
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            time.set(until.unwrap_or(Instant::from_secs(3600)));
        }
    });
    let mut runner = Runner::loopback(&network, &interrupts);
    let program = async {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let here = UdpSocket::bind(&network, address(1))?;
        let there = UdpSocket::bind(&network, address(2))?;
        let mut fds = [here.fd(), there.fd()].map(|fd| PollFd::new(fd, Events::POLLIN));
        let limit = Duration::from_secs(1);
        match timeout(&network, limit, poll(&network, &mut fds)).await {
            Err(Error::TimedOut) => {}
            _ => return Err(Error::InvalidArgument),
        }
        here.send_to(b"x", address(2)).await?;
        timeout(&network, limit, poll(&network, &mut fds)).await??;
        Ok(fds.map(|row| row.revents))
    };
    block_on(&interrupts, runner.run_until(program))?
}

/// Looks a name up at a name server on the same host, and connects to what it says.
fn connect_by_name() -> Result<SocketAddr> {
    // One name at a time.
    let mut memory = Storage::<6, 3, 1, 1024, 1, 4, 1500, 0, 1>::new();
    let time = Cell::new(Instant::ZERO);
    let mut stack = Stack::new(&mut memory, [7; 16], ());
    stack.add_name_server(Ipv4Addr::LOCALHOST.into())?;
    let network = Local::new(stack, || time.get());
    let interrupts = Interrupts::new(|until, is_woken: &dyn Fn() -> bool| {
        if !is_woken() {
            time.set(until.unwrap_or(Instant::from_secs(3600)));
        }
    });
    let mut runner = Runner::loopback(&network, &interrupts);
    let name_server = async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 53));
        let socket = UdpSocket::bind(&network, address)?;
        let mut message = [0; 512];
        loop {
            let query = socket.recv_from(&mut message).await?;
            // An answer; of type A with one record, whose name is the question's.
            message[2] |= 0x80;
            let mut len = query.len;
            if message[len - 3] == 1 {
                message[7] = 1;
                let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
                message[len..len + record.len()].copy_from_slice(&record);
                len += record.len();
            }
            socket.send_to(&message[..len], query.from).await?;
        }
    };
    let listener = TcpListener::bind(&network, (Ipv4Addr::LOCALHOST, 9999).into(), 1)?;
    let client = async {
        let stream = TcpStream::connect_by_name(&network, "www.example.com", 9999).await?;
        listener.accept().await?;
        stream.peer_addr()
    };
    match block_on(&interrupts, runner.run_until(select(name_server, client)))? {
        Either::First(end) => end,
        Either::Second(peer) => peer,
    }
}

fn main() {
    ARMED.store(true, Ordering::Relaxed);
    let peer = connect_by_name();
    ARMED.store(false, Ordering::Relaxed);
    assert_eq!(peer, Ok((Ipv4Addr::LOCALHOST, 9999).into()));

    ARMED.store(true, Ordering::Relaxed);
    let found = wait_for_many();
    ARMED.store(false, Ordering::Relaxed);
    assert_eq!(found, Ok([Events::NONE, Events::POLLIN]));

    let said = RefCell::new(heapless::String::new());
    ARMED.store(true, Ordering::Relaxed);
    let end = converse(&said);
    ARMED.store(false, Ordering::Relaxed);
    assert_eq!(end, Ok(()));
    // Ephemeral ports are the only numbers of five digits.
    let said = said.into_inner();
    let words = said.split_inclusive(|c: char| !c.is_ascii_digit());
    let words = words.map(|word| match word.len() {
        6 if word.starts_with(|c: char| c.is_ascii_digit()) => format!("PORT{}", &word[5..]),
        _ => word.to_owned(),
    });
    assert_eq!(words.collect::<String>(), SAID);
    println!("a poll and a conversation of tasks without a heap: ok");
}
