//! An HTTP server (RFC 9112) of one page, for the client of `http.rs` where no other is. As `application.rs`, it knows a network
//! and nothing else.

use core::{convert::Infallible, net::SocketAddr};

use glasstack::{
    Error, Result,
    socket::{Network, TcpListener, TcpStream},
};

use crate::application::Say;

const HEADER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n";
const PAGE: &[u8; 13] = b"Hello, world!";

/// Octets of the longest request.
const LONGEST: usize = 1024;

/// The page for whoever asks, whatever for.
pub(crate) async fn server<N: Network + Clone>(
    network: N,
    address: SocketAddr,
    say: impl Say,
) -> Result<Infallible> {
    let listener = TcpListener::bind(network, address, 1)?;
    say(format_args!("Serving a page on port {}...", address.port()));
    loop {
        let (stream, peer) = listener.accept().await?;
        let address = peer.ip().to_canonical();
        match answer(&stream).await {
            Ok(()) => say(format_args!("{address} has it.")),
            Err(error) => say(format_args!("{address} has it not: {error}")),
        }
    }
}

async fn answer<N: Network>(stream: &TcpStream<N>) -> Result<()> {
    let mut request = [0; LONGEST];
    let mut length = 0;
    while !request[..length].ends_with(b"\r\n\r\n") {
        match stream.read(&mut request[length..]).await? {
            // It ended before its end, or has none that fits.
            0 => return Err(Error::InvalidArgument),
            more => length += more,
        }
    }
    stream.write_all(HEADER).await?;
    stream.write_all(PAGE).await
}
