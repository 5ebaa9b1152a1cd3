//! One host on two TAPs, with Linux at the other end of both.
//!
//! A program of its own rather than tests in a harness: see `ground`.

mod ground;
mod need;

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{self, IpAddr, SocketAddr},
    process::ExitCode,
    thread::{self, JoinHandle},
    time::Duration,
};

use glasstack::{
    host::{Host, lab::Lab},
    socket::blocking::{TcpListener, TcpStream, UdpSocket},
};
use ground::{LINUX, SECOND_LINUX, SECOND_STACK, SECOND_TAP, STACK};

/// What takes longer has failed.
const LONG: Duration = Duration::from_secs(30);
const PORT: u16 = 9999;

/// This stack's addresses, and Linux's, on each TAP.
const LINKS: [[ground::Addresses; 2]; 2] = [[STACK, LINUX], [SECOND_STACK, SECOND_LINUX]];

fn main() -> ExitCode {
    ground::run(
        &[],
        &[
            (
                "connections_over_both_at_once",
                connections_over_both_at_once,
            ),
            ("datagrams_to_both_in_turn", datagrams_to_both_in_turn),
            (
                "the_loss_of_one_is_not_the_others",
                the_loss_of_one_is_not_the_others,
            ),
        ],
    )
}

fn host(lab: &mut Lab) -> Host {
    let interfaces = [ground::interface(lab), ground::second_interface(lab)];
    Host::builder().start_on(interfaces).expect("a host")
}

/// Sends back what one client sends, from Linux; and says who that was.
fn echo(address: IpAddr) -> JoinHandle<io::Result<IpAddr>> {
    let listener = net::TcpListener::bind((address, PORT)).expect("an address of Linux's");
    thread::spawn(move || {
        let (stream, peer) = listener.accept()?;
        io::copy(&mut &stream, &mut &stream)?;
        Ok(peer.ip())
    })
}

fn there_and_back(stream: &mut (impl Read + Write), text: &[u8]) -> io::Result<()> {
    let mut back = vec![0; text.len()];
    for _ in 0..100 {
        stream.write_all(text)?;
        stream.read_exact(&mut back)?;
        assert_eq!(back, text);
    }
    Ok(())
}

fn connections_over_both_at_once(mut lab: Lab) {
    let host = host(&mut lab);
    let listener = TcpListener::bind(&host, ("::", PORT)).expect("any address");
    let mut threads = Vec::new();
    for [stack, linux] in LINKS {
        for (stack, linux) in stack.into_iter().zip(linux) {
            // From here to Linux …
            let (host, server) = (host.clone(), echo(linux));
            threads.push(thread::spawn(move || {
                let mut stream = TcpStream::connect(&host, (linux, PORT))?;
                stream.set_read_timeout(Some(LONG))?;
                there_and_back(&mut stream, b"to Linux")?;
                drop(stream);
                assert_eq!(server.join().expect("no panic")?, stack);
                Ok(())
            }));
            // … and from there.
            threads.push(thread::spawn(move || {
                let address = SocketAddr::new(stack, PORT);
                let mut stream = net::TcpStream::connect_timeout(&address, LONG)?;
                stream.set_read_timeout(Some(LONG))?;
                there_and_back(&mut stream, b"from Linux")
            }));
        }
    }
    for _ in 0..4 {
        let (stream, _) = listener.accept().expect("a client");
        thread::spawn(move || io::copy(&mut &stream, &mut &stream));
    }
    for thread in threads {
        let result: io::Result<()> = thread.join().expect("no panic");
        result.expect("a conversation");
    }
}

/// One socket, one queue, two links: each datagram takes its own, in order, and none is lost.
fn datagrams_to_both_in_turn(mut lab: Lab) {
    const COUNT: u32 = 200;
    let host = host(&mut lab);
    for family in 0..2 {
        let receivers = LINKS.map(|[_, linux]| {
            let receiver = net::UdpSocket::bind((linux[family], PORT)).expect("an address");
            receiver.set_read_timeout(Some(LONG)).expect("not zero");
            receiver
        });
        let sender = UdpSocket::bind(&host, ["0.0.0.0:0", "[::]:0"][family]).expect("a socket");
        for number in 0..COUNT {
            for [_, linux] in LINKS {
                let to = (linux[family], PORT);
                sender
                    .send_to(&number.to_be_bytes(), to)
                    .expect("it is sent");
            }
        }
        for (receiver, [stack, _]) in receivers.iter().zip(LINKS) {
            for number in 0..COUNT {
                let mut received = [0; 4];
                let (len, from) = receiver.recv_from(&mut received).expect("a datagram");
                assert_eq!((len, from.ip()), (4, stack[family]));
                assert_eq!(u32::from_be_bytes(received), number);
            }
        }
    }
}

/// An interface that is deleted under the stack: only its own connections stand still.
fn the_loss_of_one_is_not_the_others(mut lab: Lab) {
    let host = host(&mut lab);
    let servers = LINKS.map(|[_, linux]| echo(linux[0]));
    let mut streams = LINKS.map(|[_, linux]| {
        let stream = TcpStream::connect(&host, (linux[0], PORT)).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("not zero");
        stream
    });
    for stream in &mut streams {
        there_and_back(stream, b"before").expect("both are well");
    }
    let status = lab.run(&["ip", "link", "delete", SECOND_TAP]);
    assert!(status.expect("ip(8)").success());

    let [staying, gone] = &mut streams;
    there_and_back(staying, b"after").expect("it is on the other TAP");
    let timeout = Duration::from_millis(500);
    gone.set_user_timeout(Some(timeout)).expect("not zero");
    let error = there_and_back(gone, b"after").expect_err("nothing comes back");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "by its own timer");
    let refused = TcpStream::connect(&host, (LINUX[1], PORT)).expect_err("nobody listens there");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // The deleted TAP is "ready" for ever: whoever still waited for it would go around without a pause.
    let before = host.turns();
    thread::sleep(Duration::from_millis(300));
    assert!(
        host.turns() - before < 50,
        "{} turns",
        host.turns() - before
    );

    let [staying, _] = streams;
    drop(staying);
    let [served, _] = servers;
    assert_eq!(served.join().expect("no panic").expect("an end"), STACK[0]);
}
