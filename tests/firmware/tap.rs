//! On a TAP of Linux, whose other end is the lab's.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use glasstack::host::lab::{Lab, STACK_V4, STACK_V6, TAP};

use crate::{
    board::{Board, FIRMWARE, Network, counter},
    peers::{python, seeds_clients},
};

/// The board's address, as its driver has it.
const STATION: &str = "02:00:00:00:00:01";

const FLOOD: u32 = 10_000;

/// A board with its addresses in the lab.
fn board(lab: &mut Lab) -> Board {
    lab.ipv6().expect("the lab has IPv6");
    let mut board = Board::start(lab, FIRMWARE, Network::Tap);
    board.hear("Bind UDP on 9999...\n");
    board.command(&format!("address {STACK_V4}/24 192.168.69.100"));
    board.command(&format!("address {STACK_V6}/64"));
    board
}

pub(crate) fn both_families_on_a_tap(mut lab: Lab) {
    let mut board = board(&mut lab);
    for (host, peer) in [
        (STACK_V4.to_string(), "192.168.69.100:"),
        (STACK_V6.to_string(), "[fdaa:69::100]:"),
    ] {
        seeds_clients(&host);
        board.hear(&format!("Accept new connection from {peer}"));
        board.hear(&format!("Received from {peer}"));
    }
}

pub(crate) fn frames_of_every_size(mut lab: Lab) {
    let mut board = board(&mut lab);
    let said = python("every_size.py", &[&STACK_V4.to_string()]);
    assert_eq!(said, "1473 sizes\n");
    let counters = board.command("counters");
    assert!(counter(&counters, "frames out") >= 1473, "{counters}");
    assert!(!counters.contains("frames lost"), "{counters}");
    assert!(!counters.contains("drops: checksum"), "{counters}");
}

pub(crate) fn a_thousand_connections_leave_no_slot_behind(mut lab: Lab) {
    let mut board = board(&mut lab);
    for number in 0..1_000 {
        let outcome = visit(number);
        assert!(outcome.is_ok(), "connection {number}: {outcome:?}");
    }
    let counters = board.command("counters");
    // The listener and the UDP server's: the connections that said goodbye have none.
    assert!(counters.contains("connections, 2 sockets\n"), "{counters}");
    let said = python("crowd.py", &[&STACK_V4.to_string(), "9999", "4"]);
    assert!(said.contains("4 of 4 served"), "{said}");
}

/// One client of the seed's server, from its welcome to the end of the stream.
fn visit(number: u32) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((STACK_V4, 9999))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let hear = |stream: &mut TcpStream, text: &str| {
        let mut heard = vec![0; text.len()];
        stream.read_exact(&mut heard)?;
        assert_eq!(String::from_utf8_lossy(&heard), text);
        std::io::Result::Ok(())
    };
    hear(&mut stream, "Welcome!")?;
    stream.write_all(number.to_string().as_bytes())?;
    hear(&mut stream, &format!("Hello, {number}!"))?;
    stream.write_all(b"exit")?;
    let rest = stream.read(&mut [0; 64])?;
    assert_eq!(rest, 0, "the end of the stream");
    Ok(())
}

pub(crate) fn a_flood_of_nonsense_is_counted_and_survived(mut lab: Lab) {
    let mut board = board(&mut lab);
    let before = board.command("counters");
    let seed = std::process::id().to_string();
    println!("flood.py's seed is {seed}");
    let host = STACK_V4.to_string();
    let said = python(
        "flood.py",
        &[TAP, &host, STATION, &FLOOD.to_string(), &seed],
    );
    let after = board.command("counters");
    let more = |name: &str| counter(&after, name) - counter(&before, name);
    // All have arrived: in the stack or, being too long, at the driver.
    let too_long = more("frames lost: too long");
    let sent = format!("sent {FLOOD}, too long {too_long}, pings ");
    let pings = said.strip_prefix(&sent).map(|it| it.trim_end().parse());
    let Some(Ok::<u32, _>(pings)) = pings else {
        assert_eq!(said, sent, "{after}");
        return;
    };
    assert!(too_long > 0, "{said}");
    assert!(
        more("frames in") >= FLOOD - too_long + pings,
        "{said}{before}{after}"
    );
    assert_eq!(more("frames lost: broken on the wire"), 0, "{after}");
    for reason in ["malformed", "checksum", "not for us"] {
        assert!(more(&format!("drops: {reason}")) > 100, "{reason}: {after}");
    }
    // No start but the first, and it serves.
    assert_eq!(counter(&after, "starts since power-on"), 1, "{after}");
    seeds_clients(&host);
    seeds_clients(&STACK_V6.to_string());
}
