//! Waiting for many sockets in one task.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::{Network, attempt::give_up};
use crate::stack::{PollFd, Waiting};
use crate::{Error, Result};

/// `poll(2)`: waits until one of the sockets at least has an event that is asked of it; how many have one, which stands in their
/// `revents`. Sockets of any type, by their `fd()`, all of this network. Level-triggered: what is not read, written or closed
/// is there again at the next call. Of no sockets, it waits for ever.
///
/// With a time limit: [`timeout(&network, duration, poll(&network, &mut fds))`](super::timeout). Where that is over, as
/// where the future is dropped, no row has an event.
///
/// However many sockets there are, it takes one place among those who [wait](crate::stack::Storage). It looks at each of
/// them when it is woken: for thousands of sockets of which few are busy, a task for each costs less.
///
/// ```
/// # use glasstack::sim::{Link, Simulation};
/// use glasstack::Result;
/// use glasstack::socket::{Network, TcpListener, UdpSocket, poll};
/// use glasstack::stack::{Events, PollFd};
///
/// /// Serves TCP and UDP by turns.
/// async fn serve<N: Network + Clone>(network: N) -> Result<()> {
///     let address = "10.0.0.2:9999".parse().unwrap();
///     let listener = TcpListener::bind(network.clone(), address, 5)?;
///     let socket = UdpSocket::bind(network.clone(), address)?;
///     let mut fds = [listener.fd(), socket.fd()].map(|fd| PollFd::new(fd, Events::POLLIN));
///     loop {
///         poll(&network, &mut fds).await?;
///         if fds[0].revents.contains(Events::POLLIN) {
///             let (stream, _) = listener.accept().await?; // does not wait
///             stream.write_all(b"Welcome!").await?;
///         }
///         if fds[1].revents.contains(Events::POLLIN) {
///             let mut buffer = [0; 1024];
///             let received = socket.recv_from(&mut buffer).await?;
///             socket.send_to(&buffer[..received.len], received.from).await?;
///         }
///     }
/// }
/// # async fn visit<N: Network>(network: N) -> Result<[u8; 8]> {
/// #     let address = "10.0.0.2:9999".parse().unwrap();
/// #     let socket = UdpSocket::bind(&network, "10.0.0.1:0".parse().unwrap())?;
/// #     socket.send_to(b"echo", address).await?;
/// #     assert_eq!(socket.recv(&mut [0; 8]).await, Ok(4));
/// #     let stream = glasstack::socket::TcpStream::connect(&network, address).await?;
/// #     let mut welcome = [0; 8];
/// #     stream.read_exact(&mut welcome).await?;
/// #     Ok(welcome)
/// # }
/// # let mut simulation = Simulation::new(1);
/// # let (client, server) = (simulation.host("client")?, simulation.host("server")?);
/// # let ends = ((client, &["10.0.0.1/24"]), (server, &["10.0.0.2/24"]));
/// # simulation.link(Link::ethernet(1514), ends.0, ends.1)?;
/// # simulation.serve(server, "serve", serve)?;
/// # let visited = simulation.spawn(client, "visit", visit)?;
/// # simulation.run()?;
/// # assert_eq!(visited.take(), Some(Ok(*b"Welcome!")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// None but [`NetworkDown`](Error::NetworkDown): what befalls a socket stands in its row.
pub fn poll<N: Network>(network: N, fds: &mut [PollFd]) -> Polling<'_, N> {
    Polling {
        network,
        fds,
        waiting: Waiting::default(),
    }
}

/// Waits for any of many sockets: what [`poll()`] gives.
#[must_use = "nobody looks at the sockets before it is awaited"]
pub struct Polling<'f, N: Network> {
    network: N,
    fds: &'f mut [PollFd],
    waiting: Waiting,
}

/// Nothing of it is ever pinned.
impl<N: Network> Unpin for Polling<'_, N> {}

impl<N: Network> Future for Polling<'_, N> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<usize>> {
        let this = &mut *self;
        let (fds, waiting) = (&mut *this.fds, &mut this.waiting);
        let result = this.network.call(|stack| match stack.poll_fds(fds) {
            0 => {
                stack.wait_for_any(fds, waiting, context.waker());
                Err(Error::WouldBlock)
            }
            ready => {
                stack.stop_waiting(waiting);
                Ok(ready)
            }
        });
        match result {
            Err(Error::WouldBlock) => Poll::Pending,
            result => Poll::Ready(result),
        }
    }
}

impl<N: Network> Drop for Polling<'_, N> {
    fn drop(&mut self) {
        give_up(&self.network, &mut self.waiting);
    }
}
