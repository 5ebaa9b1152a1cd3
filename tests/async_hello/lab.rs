//! The example itself: with the kernel's clients in the lab, and in its three worlds.

use std::{path::Path, process::Command};

use crate::{
    need::{self, Need},
    program::program,
    transcript::without_ports,
};

#[test]
fn the_kernels_clients_are_greeted_on_tokio() {
    for (stack, linux) in [
        ("192.168.69.1", "192.168.69.100"),
        ("fdaa:69::1", "[fdaa:69::100]"),
    ] {
        let Some(tcp) = in_lab("hello_client.py", stack) else {
            return;
        };
        let accepted = format!("Accept new connection from {linux}:PORT...");
        let closed = format!("Connection from {linux}:PORT closed.");
        let greeted = [
            "Welcome!",
            "Hello, Michael!",
            "Hello, Tracy!",
            "Hello, Sarah!",
        ];
        assert_eq!(
            tcp,
            sorted(
                [
                    &[
                        "Waiting for connection...",
                        "Bind UDP on 9999...",
                        &accepted,
                        &closed
                    ],
                    &greeted[..]
                ]
                .concat()
            )
        );
        let Some(udp) = in_lab("udp_client.py", stack) else {
            return;
        };
        let received = format!("Received from {linux}:PORT.");
        assert_eq!(
            udp,
            sorted(
                [
                    &["Waiting for connection...", "Bind UDP on 9999..."],
                    &[received.as_str(); 3][..],
                    &greeted[1..]
                ]
                .concat()
            )
        );
    }
}

#[test]
fn the_example_says_the_same_in_each_world() {
    let said = |options: &[&str]| {
        let output = Command::new(program("async_hello")).args(options).output();
        let output = output.expect("the example starts");
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        // What follows is the simulation's own.
        let lines = lines.lines().take_while(|line| !line.is_empty());
        lines.map(without_ports).collect::<Vec<_>>()
    };
    for family in [&[][..], &["--ipv6"]] {
        let in_world = |world| said(&[&["--world", world], family].concat());
        let simulation = in_world("simulation");
        assert_eq!(simulation.len(), 22, "{simulation:#?}");
        assert_eq!(sorted(simulation.clone()), sorted(in_world("tokio")));
        assert_eq!(simulation, in_world("block-on"));
        // The HTTP client, too.
        let in_world = |world| said(&[&["--http", "--world", world], family].concat());
        let simulation = in_world("simulation");
        let page = [
            "← HTTP/1.1 200 OK",
            "← Content-Type: text/plain",
            "← Content-Length: 13",
            "Hello, world!",
            "← 13 octets",
        ];
        let client = |line: &&String| !line.starts_with(' ');
        assert!(
            simulation.iter().filter(client).skip(1).eq(&page),
            "{simulation:#?}"
        );
        assert_eq!(simulation.len(), page.len() + 3, "{simulation:#?}");
        assert_eq!(sorted(simulation.clone()), sorted(in_world("tokio")));
        assert_eq!(sorted(simulation), sorted(in_world("block-on")));
    }
}

/// Runs the example in the lab with one of the Python programs, if the machine can; what both say, in the order of the
/// alphabet, since they are two processes.
fn in_lab(client: &str, address: &str) -> Option<Vec<String>> {
    let server = program("tcp_server");
    need::all(&[Need::Program("python3", "python3"), Need::Lab(server)]).then(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/peers")
            .join(client);
        let mut command = Command::new(program("async_hello"));
        // Python keeps its output back where it is not a terminal.
        command.env("PYTHONUNBUFFERED", "1");
        command
            .args(["--world", "tokio", "--lab", "--", "python3"])
            .arg(script);
        let output = command
            .args([address, "9999"])
            .output()
            .expect("the example starts");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        sorted(text.lines().map(without_ports).collect())
    })
}

fn sorted<T: Into<String>>(lines: Vec<T>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().map(Into::into).collect();
    lines.sort();
    lines
}
