//! The firmware's echo server on another processor and another Ethernet controller than the one it was written for: RISC-V, and
//! virtio's in QEMU's `virt` machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

mod need;
use need::Need;

const TARGET: &str = "riscv32imac-unknown-none-elf";
const CAN_BUILD: &str = ".ci/cargo-for riscv32imac-unknown-none-elf";
const PATIENCE: Duration = Duration::from_secs(30);

/// The server in QEMU, which ends with it.
struct Board {
    qemu: Child,
    tcp: SocketAddr,
    udp: SocketAddr,
}

impl Board {
    /// Builds the server and starts it, at ports that the machine has free. `None` where the machine cannot.
    fn start() -> Option<Board> {
        let needs = [
            Need::Program("qemu-system-riscv32", "qemu-system-misc"),
            Need::Command(CAN_BUILD, "a compiler for RISC-V"),
        ];
        need::all(&needs).then(|| {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let mut command = Command::new(root.join(".ci/cargo-for"));
            command
                .args([TARGET, "run", "--quiet", "--release"])
                .args(["--package", "echo-glasstack"])
                .current_dir(root.join("examples/firmware"))
                .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"))
                .env("PORT", "0")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            let mut qemu = command.spawn().expect("the build starts");
            // QEMU's monitor is behind Ctrl-A, C.
            let input = qemu.stdin.as_mut().expect("it is piped");
            input.write_all(b"\x01cinfo usernet\n").expect("it listens");
            let output = BufReader::new(qemu.stdout.as_mut().expect("it is piped"));
            let mut lines = output.lines().map_while(Result::ok);
            let mut forwarded = |protocol: &str| {
                let line = lines.find(|line| line.trim_start().starts_with(protocol));
                let line = line.expect("a port is forwarded");
                let mut words = line.split_whitespace().skip(2);
                assert_eq!(words.next(), Some("127.0.0.1"));
                let port: u16 = words
                    .next()
                    .and_then(|port| port.parse().ok())
                    .expect("a port");
                SocketAddr::from((Ipv4Addr::LOCALHOST, port))
            };
            let (tcp, udp) = (
                forwarded("TCP[HOST_FORWARD]"),
                forwarded("UDP[HOST_FORWARD]"),
            );
            Board { qemu, tcp, udp }
        })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.tcp).expect("QEMU listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("it is not zero");
        stream
    }

    /// The time that its processor took so far, in ticks of 10 ms.
    fn busy(&self) -> u64 {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.qemu.id())).expect("Linux has it");
        let (_, after_name) = stat.rsplit_once(')').expect("its name is in brackets");
        let mut fields = after_name.split_whitespace().skip(11); // utime, stime: proc(5)
        let mut next = || fields.next().and_then(|field| field.parse::<u64>().ok());
        next()
            .zip(next())
            .map(|(user, system)| user + system)
            .expect("two numbers")
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Octets of which no two windows are the same.
fn noise(of: u32, octets: u32) -> Vec<u8> {
    let word = |at: u32| (at ^ of).wrapping_mul(0x9e37_79b9).rotate_left(13);
    (0..octets).map(|at| word(at) as u8).collect()
}

#[test]
fn it_echoes_streams_and_datagrams_and_sleeps_when_nobody_speaks() {
    let Some(board) = Board::start() else {
        return;
    };

    // Four at once, each a hundred times the size of a buffer, and then four again: no connection is lost.
    for round in 0..2 {
        thread::scope(|scope| {
            for number in 0..4 {
                let stream = board.connect();
                scope.spawn(move || {
                    let sent = noise(round * 4 + number, 200_000);
                    let mut echoed = Vec::new();
                    thread::scope(|scope| {
                        scope.spawn(|| {
                            (&stream).write_all(&sent).expect("it takes all");
                            stream.shutdown(Shutdown::Write).expect("it is open");
                        });
                        (&stream).read_to_end(&mut echoed).expect("it echoes");
                    });
                    assert!(echoed == sent, "{} octets of {}", echoed.len(), sent.len());
                });
            }
        });
    }

    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("it is not zero");
    for length in [0, 1, 500] {
        let sent = noise(length, length);
        socket.send_to(&sent, board.udp).expect("QEMU listens");
        let mut echoed = [0; 600];
        let received = socket.recv(&mut echoed).expect("it echoes");
        assert!(echoed[..received] == sent, "{received} octets of {length}");
    }

    // A processor that waits for interrupts takes next to nothing of this one's time; one that asks again and again, all.
    let before = board.busy();
    thread::sleep(Duration::from_secs(1));
    let busy = board.busy() - before;
    assert!(busy < 50, "busy for {busy} of 100 ticks");
}
