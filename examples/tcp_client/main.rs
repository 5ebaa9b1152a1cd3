//! The TCP client: fetches a page by name over HTTP, prints its header and saves its body.
//!
//! ```text
//! cargo run --example tcp_client -- http://192.168.69.100:8000/README.md -o page --lab -- python3 -m http.server
//! ```

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read, Write},
    net::IpAddr,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use glasstack::{
    host::{Host, lab::LINUX_V4},
    socket::blocking::TcpStream,
    stack::Capacity,
};

#[path = "../place/mod.rs"]
mod place;
mod url;

use url::Url;

/// An HTTP client on a userspace stack: looks the name up, connects, prints the header, saves the body.
///
/// With --lab the peer COMMAND is started first and ended afterwards:
///
///   tcp_client http://192.168.69.100:8000/README.md -o page --lab -- python3 -m http.server
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    /// http://NAME[:PORT][/PATH]; NAME may be an address, an IPv6 one in brackets
    url: Url,
    /// Save the body here
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Ask this server for names
    #[arg(long, value_name = "ADDRESS", default_value_t = LINUX_V4.into())]
    name_server: IpAddr,
    #[command(flatten)]
    place: place::Place,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

fn run(options: Options) -> place::Result<ExitCode> {
    let running = options.place.enter(
        place::Side::Left,
        Capacity::default(),
        Some(options.name_server),
    )?;
    let peer = running.start_peer()?;
    let stream = running
        .patiently(|| connect(&running.host, &options.url))
        .map_err(|error| format!("{}: {error}", options.url.host))?;
    let found = fetch(stream, &options.url, &options.output)?;
    running.end(peer)?;
    Ok(if found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Connects to the first of the name's addresses that answers.
fn connect(host: &Host, url: &Url) -> io::Result<TcpStream> {
    let name = url.host.trim_start_matches('[').trim_end_matches(']');
    TcpStream::connect(host, (name, url.port))
}

/// Asks for the page, prints the header and, if it speaks of success (2xx), saves the body.
fn fetch(mut stream: TcpStream, url: &Url, output: &PathBuf) -> place::Result<bool> {
    // HTTP/1.0, because a 1.1 server may cut the body into chunks (RFC 9112, section 7.1).
    let request = format!(
        "GET {} HTTP/1.0\r\nHost: {}:{}\r\nConnection: close\r\n\r\n",
        url.path, url.host, url.port
    );
    stream.write_all(request.as_bytes())?;

    let mut stream = BufReader::new(stream);
    let header = read_header(&mut stream)?;
    header.lines().for_each(|line| println!("{line}"));
    let status = header.split_whitespace().nth(1).unwrap_or_default();
    if !(status.len() == 3 && status.starts_with('2')) {
        return Ok(false);
    }
    let length = header
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| {
            let named = name.eq_ignore_ascii_case("content-length");
            named.then(|| value.trim().parse::<u64>().ok()).flatten()
        });
    // Without a length the end of the stream is the end of the body.
    let saved = save(
        &mut stream.take(length.unwrap_or(u64::MAX)),
        length,
        File::create(output)?,
    )?;
    match length {
        Some(length) if saved < length => {
            Err(format!("the body ended after {saved} of {length} bytes").into())
        }
        _ => Ok(true),
    }
}

/// Everything up to the empty line; 64 KiB are enough for any header.
fn read_header(stream: &mut impl BufRead) -> place::Result<String> {
    let mut header = Vec::new();
    let mut stream = stream.take(65_536);
    while !header.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut header)? == 0 {
            return Err("the server's header has no end".into());
        }
    }
    Ok(String::from_utf8_lossy(&header).into_owned())
}

/// Copies the body piece by piece: it may be larger than memory.
fn save(body: &mut impl Read, length: Option<u64>, mut file: File) -> io::Result<u64> {
    let (start, terminal) = (Instant::now(), io::stderr().is_terminal());
    let (mut buffer, mut saved, mut told) = ([0; 65_536], 0, Duration::ZERO);
    loop {
        let count = body.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count])?;
        saved += count as u64;
        // Progress, once a second, for a person who waits.
        let elapsed = start.elapsed();
        if terminal && elapsed >= told + Duration::from_secs(1) {
            told = elapsed;
            let of = length.map_or(String::new(), |l| format!(" of {:.1}", l as f64 / 1e6));
            eprint!("\r{:.1}{of} MB", saved as f64 / 1e6);
        }
    }
    if !told.is_zero() {
        eprintln!(
            "\r{:.1} MB in {:.1} s",
            saved as f64 / 1e6,
            start.elapsed().as_secs_f64()
        );
    }
    Ok(saved)
}
