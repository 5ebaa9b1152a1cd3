//! In QEMU's own network, as `cargo run` has it.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream, UdpSocket},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use glasstack::host::{Peer, lab::Lab};

use crate::board::{Board, ECHO, FIRMWARE, Network};

/// Where the page comes from, for the board 10.0.2.2.
const PAGES: u16 = 8000;

/// Runs one of the Python programs to its end, which must be a good one, and gives what it says.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");
    let mut command = Command::new("python3");
    let output = command
        .arg(format!("{folder}/{script}"))
        .args(arguments)
        .output();
    let output = output.expect("python3");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The seed's clients, and more of them at once than the board has connections.
pub(crate) fn seeds_clients(host: &str) {
    let greetings = ["Hello, Michael!", "Hello, Tracy!", "Hello, Sarah!"];
    let said = python("hello_client.py", &[host, "9999"]);
    assert!(
        said.lines().eq(["Welcome!"].into_iter().chain(greetings)),
        "{said}"
    );
    let said = python("udp_client.py", &[host, "9999"]);
    assert!(said.lines().eq(greetings), "{said}");
    let said = python("crowd.py", &[host, "9999", "4"]);
    assert!(said.contains("4 of 4 served"), "{said}");
}

pub(crate) fn the_newcomers_command_starts_a_server_that_has_its_addresses_by_itself(mut lab: Lab) {
    let mut board = Board::start(&mut lab, FIRMWARE, Network::User);
    let started = board.hear("Address 10.0.2.15/24: Dhcp, Preferred.\n");
    // A debugger is there, and gave a key; it is the first start.
    assert!(
        started.starts_with("Waiting for connection...\nBind UDP on 9999...\n"),
        "{started}"
    );
    // QEMU's router advertises this one.
    assert!(started.contains("Address fec0::"), "{started}");
    assert!(
        started.contains("/64: Autoconfigured, Preferred."),
        "{started}"
    );
    seeds_clients("127.0.0.1");
    board.hear("Accept new connection from 10.0.2.2:");
    board.hear("Connection from 10.0.2.2:");
    board.hear("Received from 10.0.2.2:");
    let sockets = board.command("sockets");
    assert!(sockets.contains("tcp   LISTEN"), "{sockets}");
    assert!(sockets.contains("udp   UNCONN"), "{sockets}");

    // What is typed counts until it finds them by itself again.
    board.command("address 10.0.2.99/24 10.0.2.77");
    board.command("address fdaa:69::1/64 fe80::77");
    let routes = board.command("routes");
    assert!(
        routes.contains("0.0.0.0/0 by 10.0.2.77: Static\n"),
        "{routes}"
    );
    assert!(routes.contains("::/0 by fe80::77: Static\n"), "{routes}");
    board.command("dhcp");
    let routes = board.command("routes");
    for found in [
        "0.0.0.0/0 by 10.0.2.2: Dhcp\n",
        "::/0 by fe80::2: Autoconfigured\n",
    ] {
        assert!(routes.contains(found), "no {found:?} in {routes}");
    }
    assert!(!routes.contains("Static"), "{routes}");
}

pub(crate) fn it_fetches_a_page_and_draws_the_ladder_of_it(mut lab: Lab) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");
    let port = PAGES.to_string();
    let mut server = Command::new("python3");
    server.args([
        "-u",
        "-m",
        "http.server",
        &port,
        "--bind",
        "127.0.0.1",
        "--directory",
        folder,
    ]);
    let server = server.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Peer::spawn(server).expect("python3");
    drop(connect(PAGES));
    let mut board = Board::start(&mut lab, FIRMWARE, Network::User);
    board.hear("Bind UDP on 9999...\n");
    board.command("address 10.0.2.15/24 10.0.2.2");

    let page = fs::read_to_string(format!("{folder}/crowd.py")).expect("this repository");
    let said = board.command(&format!("get http://10.0.2.2:{PAGES}/crowd.py"));
    assert!(said.starts_with("← HTTP/1.0 200 OK\n"), "{said}");
    assert!(said.contains(&page), "{said}");
    assert!(
        said.contains(&format!("← {} octets\n", page.len())),
        "{said}"
    );

    board.command("ladder on");
    let said = board.command(&format!("get http://10.0.2.2:{PAGES}/nothing"));
    let steps = [
        "│ SYN-SENT\n",
        "SYN seq=0 win=2048",
        "SYN,ACK seq=0 ack=1",
        "│ ESTABLISHED\n",
        "connect() = 0",
        "PSH,ACK seq=1 ack=1",
        "← HTTP/1.0 404 File not found\n",
        "recv() =",
    ];
    let mut rest = said.as_str();
    for step in steps {
        let found = rest.split_once(step);
        assert!(found.is_some(), "no {step:?} in {said}");
        (_, rest) = found.unwrap_or_default();
    }
    board.command("ladder off");
    // A server that is not there, and a page that is none.
    board.write(b"get http://10.0.2.2:8001/\r");
    board.hear("error: connection refused");
    board.write(b"get 10.0.2.2\r");
    board.hear("error: invalid argument");
    // No connection is left but those that wait for late segments.
    assert!(!board.command("sockets").contains("ESTAB"));
}

pub(crate) fn a_megabyte_comes_back_whole_through_two_kilobytes(mut lab: Lab) {
    let _board = Board::start(&mut lab, ECHO, Network::User);
    wait_for_echo();
    let sent: Vec<u8> = (0..1 << 20_u32)
        .map(|number| ((number * 31) >> 5) as u8)
        .collect();
    let mut stream = connect(9999);
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time");
    let mut writer = stream.try_clone().expect("a descriptor");
    let octets = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&octets)?;
        writer.shutdown(Shutdown::Write)
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("it comes back");
    writing.join().expect("no panic").expect("all is sent");
    assert!(
        received == sent,
        "{} octets came back, or others",
        received.len()
    );
}

/// Until the echo server is there, which says nothing on its serial line: QEMU listens before it is.
fn wait_for_echo() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a time");
    socket.connect("127.0.0.1:9999").expect("an address");
    let end = Instant::now() + Duration::from_secs(10);
    while socket
        .send(b"?")
        .and_then(|_| socket.recv(&mut [0; 8]))
        .is_err()
    {
        assert!(Instant::now() < end, "the echo server does not answer");
    }
}

/// Connects to a server that is about to listen.
fn connect(port: u16) -> TcpStream {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < end, "nobody listens on {port}: {error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}
