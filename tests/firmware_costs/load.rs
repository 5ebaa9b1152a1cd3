//! What the board is given to do: for the instructions little and always the same, for the stack all there is.

use glasstack::Result;

use crate::peer::Peer;
use crate::program::Program;

/// Octets of an echo, and of a transfer in bulk.
const SMALL: usize = 64;
const BULK: usize = 64 * 1024;

/// Instructions, the average of many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Instructions {
    /// Of 64 octets there and back over TCP.
    pub(crate) echo: f64,
    /// Of an octet that came in bulk, and went back.
    pub(crate) octet: f64,
}

/// Counts between two moments at which the board sleeps: what begins and ends a connection does not count.
pub(crate) fn instructions(program: &Program) -> Result<Instructions> {
    let mut peer = Peer::of(program);
    let connection = [peer.connect()?];
    // Short and long must say the same: then what was counted is the echoes, and nothing beside them. Nearly: the clock divides,
    // which takes the longer the later it is.
    let [short, long] = [50, 200].map(|count| {
        let before = peer.board.asleep();
        for _ in 0..count {
            peer.echo(&connection, SMALL)?;
        }
        Ok((peer.board.asleep() - before) as f64 / f64::from(count))
    });
    let (short, echo): (f64, f64) = (short?, long?);
    let ratio = short / echo;
    assert!(
        (0.9..1.1).contains(&ratio),
        "{short} and {echo} instructions"
    );
    let before = peer.board.asleep();
    peer.echo(&connection, BULK)?;
    let octet = (peer.board.asleep() - before) as f64 / BULK as f64;
    Ok(Instructions { echo, octet })
}

/// Octets of stack, after everything that is in the echo server's power.
pub(crate) fn stack_depth(program: &Program) -> Result<usize> {
    let mut peer = Peer::of(program);
    // Four at once, as much as they take, with losses in it; the ends that follow.
    let connections = [(); 4].map(|()| peer.connect());
    let connections: Result<Vec<_>> = connections.into_iter().collect();
    let connections = connections?;
    for _ in 0..3 {
        peer.link.lose = 3;
        peer.echo(&connections, BULK / 4)?;
    }
    for fd in connections {
        peer.close(fd)?;
    }
    for length in [0, 1, 500] {
        peer.echo_datagram(length)?;
    }
    malformed(&mut peer);
    // It lives.
    peer.echo_datagram(500)?;
    Ok(peer.board.stack_depth())
}

/// Frames that were sent before, with some octets changed, or cut off: the same ones each time.
fn malformed(peer: &mut Peer) {
    let mut luck = 1_u32;
    let mut draw = |below: usize| {
        // "Numerical Recipes", §7.1.
        luck = luck.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (luck >> 8) as usize % below
    };
    for round in 0..1_000 {
        let mut frame = peer.link.kept[draw(peer.link.kept.len())].clone();
        for _ in 0..1 + draw(4) {
            // Behind the addresses of the link, or it would not be heard.
            let place = 12 + draw(frame.len().min(70) - 12);
            frame[place] = draw(256) as u8;
        }
        frame.truncate(frame.len() - draw(frame.len() - 14));
        peer.link.send(&frame);
        if round % 8 == 0 {
            peer.board.asleep();
        }
    }
    // Some of them said that the peer has another address: what it sent first says which.
    let question = peer.link.kept[0].clone();
    peer.link.send(&question);
    peer.board.asleep();
}
