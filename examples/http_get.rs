//! An HTTP client of the embedded ecosystem, reqwless, on this stack: fetches a page from a real server.
//!
//! ```text
//! cargo run --features embedded-nal --example http_get -- http://192.168.69.100:8080/README.md \
//!     --lab -- sh tests/peers/nginx.sh 192.168.69.100 8080 .
//! ```

use std::{
    fs::File,
    io::{self, Write},
    net::IpAddr,
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use embedded_io_async::Read;
use embedded_nal_async::{Dns, TcpConnect};
use glasstack::{
    host::{Parker, lab::LINUX_V4},
    socket::block_on,
    stack::Capacity,
};
use reqwless::{
    Error,
    client::HttpClient,
    request::{Method, RequestBuilder},
};

mod place;

/// Fetches a page by reqwless, an HTTP client without a heap that knows no network, only embedded-nal-async's traits.
///
/// With --lab the peer COMMAND is started first and ended afterwards:
///
///   http_get http://192.168.69.100:8080/README.md --lab -- sh tests/peers/nginx.sh 192.168.69.100 8080 .
#[derive(Parser)]
#[command(verbatim_doc_comment, after_help = place::HELP)]
struct Options {
    /// http://NAME[:PORT][/PATH]; NAME may be an address, an IPv6 one in brackets
    #[arg(value_parser = http)]
    url: String,
    /// Save the body here [default: print it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Ask this server for names
    #[arg(long, value_name = "ADDRESS", default_value_t = LINUX_V4.into())]
    name_server: IpAddr,
    #[command(flatten)]
    place: place::Place,
}

fn main() -> ExitCode {
    place::exit(run(Options::parse()))
}

/// What this client speaks: it is built without TLS.
fn http(url: &str) -> Result<String, &'static str> {
    let is_http = url.starts_with("http://");
    is_http
        .then(|| url.into())
        .ok_or("it does not begin with http://")
}

fn run(options: Options) -> place::Result<ExitCode> {
    let running = options.place.enter(
        place::Side::Left,
        Capacity::default(),
        Some(options.name_server),
    )?;
    let peer = running.start_peer()?;
    let parker = Parker::new()?;
    let mut page = Vec::new();
    let status = running
        .patiently(|| {
            page.clear();
            match block_on(&parker, get(&running.host, &options.url, &mut page)) {
                // The server may still be starting.
                Err(error @ (Error::Dns | Error::Network(_))) => Err(error),
                outcome => Ok(outcome),
            }
        })
        .flatten()
        .map_err(|error| format!("{}: {error:?}", options.url))?;
    eprintln!("HTTP status {status}, {} bytes", page.len());
    let found = (200..300).contains(&status);
    match options.output {
        Some(file) if found => File::create(file)?.write_all(&page)?,
        Some(_) => {}
        None => io::stdout().write_all(&page)?,
    }
    running.end(peer)?;
    Ok(if found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Fetches a page, on any network: a host as here, a stack on a microcontroller, somebody else's.
async fn get<N: TcpConnect + Dns>(
    network: &N,
    url: &str,
    page: &mut Vec<u8>,
) -> Result<u16, Error> {
    // One network, twice: it connects, and it finds the address of a name.
    let mut client = HttpClient::new(network, network);
    // Without this buffer each word of the request's header would be a segment of its own.
    let mut request = [0; 512];
    let handle = client.request(Method::GET, url).await?;
    // RFC 9110 §7.2: the name and the port as in the URL; reqwless leaves the port and an IPv6 address's brackets out.
    let authority = url.split('/').nth(2).unwrap_or_default();
    let headers = [("Connection", "close")];
    let mut handle = handle
        .into_buffered(&mut request)
        .host(authority)
        .headers(&headers);

    // The answer's header has to fit, and what came with it of the body is here, too.
    let mut header = [0; 2048];
    let response = handle.send(&mut header).await?;
    let (status, length) = (response.status.0, response.content_length);
    let mut body = response.body().reader();
    let mut buffer = [0; 4096];
    loop {
        match body.read(&mut buffer).await? {
            0 => break,
            count => page.extend_from_slice(&buffer[..count]),
        }
    }
    // To reqwless the end of the connection is the end of the body, however much is missing.
    match length {
        Some(length) if length != page.len() => Err(Error::ConnectionAborted),
        _ => Ok(status),
    }
}
