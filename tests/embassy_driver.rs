//! A driver that was written for embassy-net, embassy-net-tuntap as it is published, under a stack of ours: the kernel's TCP
//! has a megabyte echoed through it.
//!
//! A program of its own rather than a test in a harness: the lab must be entered before any thread starts.

// A step that fails fails its test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod need;

use std::{thread, time::Duration};

use embassy_net_tuntap::TunTapDevice;
use glasstack::{
    Result, Stack,
    device::Embassy,
    host::{self, Parker, lab::Lab},
    socket::{
        Local, Network, Runner, TcpListener, block_on,
        embassy::{Timer, now},
    },
    stack::Storage,
};

/// Sends a megabyte while it receives it, and compares the two.
const CLIENT: &str = "
import os, socket, threading
sent = os.urandom(1 << 20)
stream = socket.create_connection(('192.168.70.1', 9999), timeout=20)
def send():
    stream.sendall(sent)
    stream.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
received = bytearray()
while chunk := stream.recv(65536):
    received += chunk
assert received == sent, len(received)
";

fn main() {
    // Only root's programs can make an interface in the lab.
    if !need::all(&[need::ROOT]) {
        return;
    }
    let Some(lab) = need::given(Lab::enter()) else {
        return;
    };
    for command in [
        ["tuntap", "add", "dev", "tap1", "mode", "tap"].as_slice(),
        &["address", "add", "192.168.70.100/24", "dev", "tap1"],
        &["link", "set", "tap1", "up"],
    ] {
        let status = lab.run(&[&["ip"], command].concat()).expect("ip(8)");
        assert!(status.success(), "{command:?}");
    }
    let driver = TunTapDevice::new("tap1").expect("tap1 is there");
    let mut device = Embassy::new(driver).expect("a driver for Ethernet");

    let mut storage = Storage::<2, 1, 0, 8192>::new();
    let mut stack = Stack::new(&mut storage, [7; 16], ());
    let address = device.hardware_address();
    let link = stack.add_interface(&mut device, address).unwrap();
    stack
        .add_address(link, [192, 168, 70, 1].into(), 24)
        .unwrap();
    let network = Local::new(stack, now);
    let mut runner = Runner::new(&network, link, device, Timer);
    let listener = TcpListener::bind(&network, ([192, 168, 70, 1], 9999).into(), 1).unwrap();

    let mut peer = lab
        .spawn(&["python3".to_owned(), "-c".to_owned(), CLIENT.to_owned()])
        .expect("python3");
    // A bound on the whole: what hangs fails.
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(60));
        panic!("not done after a minute");
    });
    let parker = Parker::new().unwrap();
    let echoed = block_on(&parker, runner.run_until(echo(&listener))).unwrap();
    assert_eq!(echoed, Ok(1 << 20));
    block_on(&parker, runner.drain()).unwrap();
    assert_eq!(host::exit_code(peer.wait().unwrap()), 0);
    println!("embassy_driver: all passed");
}

/// Sends back all that one client sends; how much that was.
async fn echo<N: Network + Clone>(listener: &TcpListener<N>) -> Result<usize> {
    let (stream, _) = listener.accept().await?;
    let (mut buffer, mut total) = ([0; 4096], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(total),
            len => {
                stream.write_all(&buffer[..len]).await?;
                total += len;
            }
        }
    }
}
