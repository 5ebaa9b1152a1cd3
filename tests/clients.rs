//! The embedded ecosystem's clients on this stack against the servers of the world: reqwless and nginx, rust-mqtt and mosquitto.

use std::fs;
use std::process::Output;

mod need;
mod program;
use need::Need;
use program::{Folder, assert_in_order, assert_success, in_lab, lines, path, peer, write_noise};

const LINUX: [&str; 2] = ["192.168.69.100", "fdaa:69::100"];
const NGINX: Need = Need::Program("nginx", "nginx");
const MOSQUITTO: Need = Need::Program("mosquitto", "mosquitto");

/// `http_get` of a page that nginx has in this folder.
fn get(page: &str, address: &str, folder: &Folder, output: &[&str]) -> Option<Output> {
    let host = match address.contains(':') {
        true => format!("[{address}]"),
        false => address.to_owned(),
    };
    let url = format!("http://{host}:8080/{page}");
    let options = [&[url.as_str()], output].concat();
    let server = ["sh", &peer("nginx.sh"), address, "8080", &path(&folder.0)];
    need::all(&[NGINX]).then(|| in_lab("http_get", &options, &server))?
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_page_comes_from_nginx_over_either_family() {
    let folder = Folder::new("clients-page");
    fs::write(folder.0.join("page"), "Hello, Michael!\n").expect("a page");
    for address in LINUX {
        let Some(output) = get("page", address, &folder, &[]) else {
            return;
        };
        assert_success(&output);
        assert_eq!(lines(&output), ["Hello, Michael!"]);
        let told = errors(&output);
        assert!(told.contains("HTTP status 200, 16 bytes"), "{told}");
    }
}

#[test]
fn a_large_file_comes_whole_in_one_piece_and_in_chunks() {
    let folder = Folder::new("clients-large-file");
    let (original, copy) = (folder.0.join("large"), folder.0.join("copy"));
    write_noise(&original, 1 << 20).expect("a file of 1 MiB");
    let original = fs::read(original).expect("the file");
    for page in ["large", "chunked/large"] {
        let Some(output) = get(page, LINUX[0], &folder, &["--output", &path(&copy)]) else {
            return;
        };
        assert_success(&output);
        let copied = fs::read(&copy).expect("the copy");
        assert!(copied == original, "{page}: {} bytes", copied.len());
        fs::remove_file(&copy).expect("the copy is there");
    }
}

#[test]
fn a_page_that_nginx_does_not_have_is_a_failure_with_its_status() {
    let folder = Folder::new("clients-missing-page");
    let copy = folder.0.join("copy");
    let Some(output) = get("nothing", LINUX[0], &folder, &["--output", &path(&copy)]) else {
        return;
    };
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = errors(&output);
    assert!(told.contains("HTTP status 404, "), "{told}");
    assert!(!copy.exists());
}

/// For four times the keep-alive there is nothing but PINGREQ and PINGRESP: both sides tell of each.
#[test]
fn a_dialogue_with_mosquitto_is_kept_alive() {
    let options = ["--keep-alive", "1", "--pings", "8"];
    let server = ["sh", &peer("mosquitto.sh"), LINUX[0], "1883"];
    if !need::all(&[MOSQUITTO]) {
        return;
    }
    let Some(output) = in_lab("mqtt", &options, &server) else {
        return;
    };
    assert_success(&output);
    let said = lines(&output);
    let mut expected = vec!["Connected.", "Subscribed: GrantedQoS1"];
    // The answer and the message may cross.
    for line in ["Published.", "Received: Hello, Michael!"] {
        assert!(said[2..4].iter().any(|said| said == line), "{said:#?}");
    }
    expected.extend([&*said[2], &*said[3]]);
    expected.extend(["PINGREQ", "PINGRESP"].repeat(8));
    expected.push("Disconnected.");
    assert_eq!(said, expected);

    let heard: Vec<String> = errors(&output).lines().map(str::to_owned).collect();
    assert_in_order(
        &heard,
        &[
            &[
                "New client connected from 192.168.69.1:",
                "as glasstack (p5, c1, k1)",
            ],
            &["Received SUBSCRIBE from glasstack"],
            &["Received PUBLISH from glasstack (d0, q1,", "(15 bytes)"],
            &["Received PINGREQ from glasstack"],
            &["Sending PINGRESP to glasstack"],
            &["Received DISCONNECT from glasstack"],
        ],
    );
    let pings = heard
        .iter()
        .filter(|line| line.contains("Received PINGREQ"));
    assert_eq!(pings.count(), 8, "{heard:#?}");
}
