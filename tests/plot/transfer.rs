//! A transfer between two stacks on a faulty wire, in virtual time: the same one each time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use glasstack::device::wire::{Faults, Wire, WireEnd};
use glasstack::smoltcp::phy::Medium;
use glasstack::smoltcp::time::Instant;
use glasstack::stack::{Capacity, Domain, Fd, InterfaceId, Shutdown, Type};
use glasstack::trace::{At, Capture, Station};
use glasstack::{Error, Stack};

type Shared = Arc<Mutex<Capture>>;

struct Host {
    stack: Stack<'static, At<Shared>>,
    device: WireEnd,
    interface: InterfaceId,
}

impl Host {
    fn new(number: u8, mut device: WireEnd, capture: &Shared) -> Host {
        let capacity = Capacity {
            connections: 4,
            receive_buffer: 32_768,
            send_buffer: 65_535,
            ..Capacity::default()
        };
        let observer = At(Station(number), capture.clone());
        let mut stack = Stack::with_capacity(capacity, [number; 16], observer);
        let interface = stack
            .add_interface(&mut device, None)
            .expect("room for one");
        let address = [10, 0, 0, number].into();
        stack
            .add_address(interface, address, 24)
            .expect("room for one");
        Host {
            stack,
            device,
            interface,
        }
    }

    fn poll(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.stack.poll(self.interface, now, &mut self.device);
        let arrival = self.device.next_arrival();
        [deadline, arrival].into_iter().flatten().min()
    }
}

/// What two hosts and the link tell while a client sends a server so many octets.
pub(crate) fn transfer(octets: usize, faults: Faults) -> Capture {
    let capture = Arc::new(Mutex::new(Capture::new()));
    let faults = faults.sink(capture.clone());
    let ends = Wire::new(Medium::Ip, 1500).faulty_ends(faults);
    let (left, right) = ends.expect("faults that can be");
    let mut client = Host::new(1, left, &capture);
    let mut server = Host::new(2, right, &capture);
    let address = SocketAddr::from(([10, 0, 0, 2], 9999));
    let stream = |host: &mut Host| host.stack.socket(Domain::Inet, Type::Stream);
    let listener = stream(&mut server).expect("room for one");
    server.stack.bind(listener, address).expect("a free port");
    server.stack.listen(listener, 4).expect("room for four");
    let sender = stream(&mut client).expect("room for one");

    let mut now = Instant::from_secs(1);
    let mut left_to_send = octets;
    let mut receiver: Option<Fd> = None;
    let mut buffer = vec![0; 65_536];
    let mut is_shut = false;
    for _ in 0..1_000_000 {
        client.stack.set_now(now);
        server.stack.set_now(now);
        if client.stack.connect(sender, address) != Err(Error::WouldBlock) {
            let chunk = vec![0x55; left_to_send.min(buffer.len())];
            if let Ok(len) = client.stack.send(sender, &chunk) {
                left_to_send -= len;
            }
            if left_to_send == 0 && !is_shut {
                is_shut = client.stack.shutdown(sender, Shutdown::Write).is_ok();
            }
        }
        receiver = receiver.or_else(|| server.stack.accept(listener).ok().map(|(fd, _)| fd));
        if let Some(fd) = receiver {
            let received = server.stack.recv(fd, &mut buffer);
            if received == Ok(0) {
                break;
            }
        }
        let next = [client.poll(now), server.poll(now)];
        let arrival = client.device.next_arrival();
        let next = next.into_iter().chain([arrival]).flatten().min();
        now = now.max(next.unwrap_or(now));
    }
    drop((client, server));
    let capture = Arc::try_unwrap(capture).expect("nobody else has it");
    capture.into_inner().expect("nobody panicked with it")
}
