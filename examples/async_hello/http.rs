//! An HTTP client (RFC 9112), of one request a connection. As `application.rs`, it knows a network and nothing else.

use core::{fmt::Write, net::IpAddr};

use glasstack::{
    Error, Result,
    socket::{Network, TcpStream},
};

use crate::application::Say;

/// Octets of the longest request, and of the longest line of an answer's header that is looked at.
const LONGEST: usize = 256;

/// Fetches a page: says its header, a line at a time, and hands on its body in pieces.
///
/// `http://HOST[:PORT][/PATH]`, as much of RFC 3986 as it takes; HOST is a name or an address, an IPv6 one in brackets.
pub(crate) async fn get<N: Network + Clone>(
    network: N,
    url: &str,
    say: impl Say,
    mut take: impl FnMut(&[u8]),
) -> Result<()> {
    let (authority, path) = parts(url).ok_or(Error::InvalidArgument)?;
    let (host, port) = host_and_port(authority).ok_or(Error::InvalidArgument)?;
    let mut request = heapless::String::<LONGEST>::new();
    write!(
        request,
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )
    .map_err(|_| Error::InvalidArgument)?;

    let stream = match host.parse::<IpAddr>() {
        Ok(address) => TcpStream::connect(network, (address, port).into()).await?,
        Err(_) => TcpStream::connect_by_name(network, host, port).await?,
    };
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = [0; LONGEST];
    let mut header = Header::default();
    let mut octets = 0;
    while header.length.is_none_or(|length| octets < length) {
        let length = stream.read(&mut buffer).await?;
        let body = header.read(&buffer[..length], &say);
        take(body);
        octets += body.len();
        if length == 0 {
            break;
        }
    }
    if !header.is_whole || header.length.is_some_and(|length| octets < length) {
        return Err(Error::ConnectionReset);
    }
    say(format_args!("← {octets} octets"));
    Ok(())
}

/// An answer's header, as far as it was read.
#[derive(Default)]
struct Header {
    line: heapless::Vec<u8, LONGEST>,
    is_whole: bool,
    /// Octets of the body, if it says so.
    length: Option<usize>,
}

impl Header {
    /// Takes in what belongs to it, and gives what follows.
    fn read<'o>(&mut self, octets: &'o [u8], say: &impl Say) -> &'o [u8] {
        for (index, octet) in octets.iter().enumerate() {
            if self.is_whole {
                return &octets[index..];
            }
            if *octet != b'\n' {
                // The end of a longer line is not looked at.
                let _ = self.line.push(*octet);
                continue;
            }
            let line = core::str::from_utf8(&self.line)
                .unwrap_or("(no text)")
                .trim_end();
            if line.is_empty() {
                self.is_whole = true;
            } else {
                say(format_args!("← {line}"));
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    self.length = value.trim().parse().ok();
                }
            }
            self.line.clear();
        }
        &[]
    }
}

/// The server and the path of a URL.
fn parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_text = !url.contains(|c: char| c.is_ascii_control() || c == ' ');
    is_text.then_some((authority, if path.is_empty() { "/" } else { path }))
}

fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    // The colons of an IPv6 address stand inside its brackets.
    let end = authority.find(']').unwrap_or(0);
    let (host, port) = match authority[end..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(end + colon);
            (host, port[1..].parse().ok()?)
        }
        None => (authority, 80),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some((host, port))
}
