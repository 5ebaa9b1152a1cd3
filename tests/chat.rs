//! The chat server, one thread around `poll`, with the seed's clients in Python on the kernel's sockets: as many at once as
//! there are, beside a room that talks, with a member that does not read and one that breaks off.

mod need;
mod program;

use program::{assert_success, in_lab, lines, peer};

const STACK: [&str; 2] = ["192.168.69.1", "fdaa:69::1"];

#[test]
fn one_thread_serves_the_seeds_clients_and_a_room_that_talks() {
    for address in STACK {
        let chat = ["python3", &peer("chat.py"), address, "9999"];
        let Some(output) = in_lab("chat_server", &[], &chat) else {
            return;
        };
        assert_success(&output);
        let lines = lines(&output);
        for line in [
            "a chat beside the seed's clients",
            "one who does not read misses it, and nobody else",
            "each leaves in their own way",
            "8 of the seed's clients greeted",
            "Hello, Michael!",
            "Hello, Alice!",
        ] {
            assert!(
                lines.contains(&line.to_owned()),
                "no {line:?} in {lines:#?}"
            );
        }
        let ends =
            |line: &&String| line.starts_with("Connection from") && line.ends_with("closed.");
        // The eight, Bob and Carol; Alice may be there to the end.
        assert!(lines.iter().filter(ends).count() >= 10, "{lines:#?}");
    }
}

/// More clients at once than there are places, and more than may wait: the level-triggered listener is not asked while
/// the room is full, and nobody is turned away.
#[test]
fn a_crowd_is_served_in_turn() {
    let options = ["--backlog", "5", "--clients", "64"];
    let crowd = ["python3", &peer("crowd.py"), STACK[0], "9999", "200"];
    let Some(output) = in_lab("chat_server", &options, &crowd) else {
        return;
    };
    assert_success(&output);
    let lines = lines(&output);
    let is_evidence = |line: &String| line.starts_with("200 of 200 served");
    assert!(lines.iter().any(is_evidence), "{lines:#?}");
}

/// The seed's client alone, over a link that loses one segment in ten.
#[test]
fn a_lossy_link_is_survived() {
    // Two chosen segments are lost: chance would take as many of them as outlast the client's patience.
    let options = ["--lose", "SYN", "--lose", "data 2"];
    let client = ["python3", &peer("hello_client.py"), STACK[0], "9999"];
    let Some(output) = in_lab("chat_server", &options, &client) else {
        return;
    };
    assert_success(&output);
}
