//! Waiting for many sockets in one thread.

use super::handle::block;
use crate::{
    host::{Deadline, Host},
    socket,
    stack::PollFd,
};
use std::{io, time::Duration};

/// `poll(2)`: waits until one of the sockets at least has an event that is asked of it; how many have one, which stands in their
/// `revents`. Sockets of any type, by their `fd()`, all of this host. 0 where the time is up: `Some(Duration::ZERO)` does not wait
/// at all, `None` waits as long as it takes.
///
/// Level-triggered: what is not read, written or closed is there again at the next call. It serves many clients in one
/// thread, beside `set_nonblocking` where one call must not wait for one client; the example `chat_server` does.
/// It is the successor of `select(2)`, whose sets are columns of its table, and which has no call of its own here.
///
/// ```
/// # use glasstack::host::Host;
/// use glasstack::socket::blocking::{TcpListener, TcpStream, UdpSocket, poll};
/// use glasstack::stack::{Events, PollFd};
///
/// # let host = Host::builder().start_loopback()?;
/// let listener = TcpListener::bind(&host, "127.0.0.1:9999")?;
/// let socket = UdpSocket::bind(&host, "127.0.0.1:9999")?;
/// let mut fds = [listener.fd(), socket.fd()].map(|fd| PollFd::new(fd, Events::POLLIN));
///
/// let _client = TcpStream::connect(&host, "127.0.0.1:9999")?;
/// assert_eq!(poll(&host, &mut fds, None)?, 1);
/// assert_eq!(fds.map(|row| row.revents), [Events::POLLIN, Events::NONE]);
/// listener.accept()?; // does not wait
/// # std::io::Result::Ok(())
/// ```
///
/// # Errors
/// None but that of a host that ended: what befalls a socket stands in its row.
pub fn poll(host: &Host, fds: &mut [PollFd], timeout: Option<Duration>) -> io::Result<usize> {
    let deadline = Deadline::after(timeout);
    match block(socket::poll(host, fds), deadline) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
