//! Connecting by name, to the first address that answers (RFC 8305, "Happy Eyeballs"): an address that swallows what is
//! sent to it costs a quarter of a second and not two minutes.
//!
//! ```text
//!   0 ms     AAAA and A are asked for
//!   20 ms    A is answered: AAAA has another 50 ms
//!   30 ms    AAAA is answered ──▶ the first address, of whichever family RFC 6724 puts first
//!   280 ms   it has not answered ──▶ the first of the other family, beside it
//!   530 ms   nor has that one ──▶ the second of the first family …
//! ```

use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::task::{Poll, Waker};

use heapless::Vec;
use smoltcp::time::{Duration, Instant};

use super::{Network, TcpStream, handle::Handle};
use crate::stack::{Domain, Interest, Lookup, Type, Waiting};
use crate::trace::Observer;
use crate::{Error, Fd, Result, Stack};

/// How long an address is tried before the next one is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long IPv4 addresses wait for the IPv6 ones (RFC 8305 §3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// Addresses that are tried; each has a socket.
const ATTEMPTS: usize = 16;

impl<N: Network> TcpStream<N> {
    /// Looks a name up and connects to the first of its addresses that answers, as RFC 8305 says: IPv6 and IPv4 in turn, in
    /// RFC 6724's order, the next one 250 ms after the last or as soon as it fails, beside those that are still trying. The
    /// first connection is the one; the others are given up, and so are all where this is dropped.
    ///
    /// # Errors
    /// What [`resolve`](super::resolve) says; else that of the address that failed last, as of
    /// [`connect`](TcpStream::connect). [`Exhausted`](Error::Exhausted) where there is no socket for any.
    pub async fn connect_by_name(network: N, name: &str, port: u16) -> Result<Self> {
        connect(network, name, port).await.map(TcpStream::of)
    }
}

/// The connection to the first of a name's addresses that answers.
pub(crate) async fn connect<N: Network>(network: N, name: &str, port: u16) -> Result<Handle<N>> {
    let lookup = network.call(|stack| stack.resolve(name))?;
    let mut race = Race {
        network: &network,
        port,
        lookup: Some(lookup),
        is_resolved: false,
        found: Vec::new(),
        tried: Vec::new(),
        attempts: Vec::new(),
        next_at: None,
        failure: Error::NameNotFound,
        resolving: Waiting::default(),
        sleeping: Waiting::default(),
    };
    let winner = poll_fn(|context| race.poll(context.waker())).await;
    drop(race);
    winner.map(|fd| Handle::of(network, fd))
}

/// One address that is tried.
struct Attempt {
    fd: Fd,
    address: SocketAddr,
    waiting: Waiting,
}

/// The addresses of a name, and how far each has come; dropped, it gives all up.
struct Race<'n, N: Network> {
    network: &'n N,
    port: u16,
    lookup: Option<Lookup>,
    /// There are no more addresses to come.
    is_resolved: bool,
    /// In the order in which they are to be tried.
    found: Vec<IpAddr, ATTEMPTS>,
    tried: Vec<IpAddr, ATTEMPTS>,
    attempts: Vec<Attempt, ATTEMPTS>,
    /// When the next address is to be tried; `None` before there is one.
    next_at: Option<Instant>,
    /// Why the last one was not it.
    failure: Error,
    resolving: Waiting,
    sleeping: Waiting,
}

impl<N: Network> Race<'_, N> {
    fn poll(&mut self, waker: &Waker) -> Poll<Result<Fd>> {
        let network = self.network;
        let result = network.call(|stack| self.carry_on(stack, waker));
        match result {
            Err(Error::WouldBlock) => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    /// Goes as far as it goes now: the connection, or [`Error::WouldBlock`] and a place among those who wait.
    fn carry_on<O: Observer>(&mut self, stack: &mut Stack<'_, O>, waker: &Waker) -> Result<Fd> {
        loop {
            self.hear_resolver(stack, waker)?;
            if let Some(fd) = self.hear_attempts(stack, waker)? {
                return Ok(fd);
            }
            let Some(next) = next_address(&self.found, &self.tried) else {
                stack.stop_waiting(&mut self.sleeping);
                // Who is still trying may succeed, and the resolver may find more.
                let is_over = self.attempts.is_empty() && self.is_resolved;
                return Err(if is_over {
                    self.failure
                } else {
                    Error::WouldBlock
                });
            };
            let at = *self.next_at.get_or_insert(stack.now());
            if stack.wait_until(at, &mut self.sleeping, waker) {
                return Err(Error::WouldBlock);
            }
            self.next_at = Some(stack.now() + ATTEMPT_DELAY);
            self.try_next(stack, next);
        }
    }

    /// Takes in what the resolver has found, and waits for more.
    fn hear_resolver<O: Observer>(
        &mut self,
        stack: &mut Stack<'_, O>,
        waker: &Waker,
    ) -> Result<()> {
        let Some(lookup) = self.lookup else {
            return Ok(());
        };
        let (found, is_pending) = stack.resolved_so_far(lookup)?;
        let is_ipv4_alone = found.iter().all(IpAddr::is_ipv4);
        self.found = found;
        if is_pending {
            if is_ipv4_alone && !self.found.is_empty() && self.next_at.is_none() {
                self.next_at = Some(stack.now() + RESOLUTION_DELAY);
            }
            stack.wait_for_lookup(lookup, &mut self.resolving, waker)?;
        } else {
            self.is_resolved = true;
            self.lookup = None;
            stack.stop_waiting(&mut self.resolving);
            match stack.resolved(lookup) {
                Ok(_) => {}
                Err(error) => self.failure = error,
            }
        }
        if self.tried.is_empty() && !(is_pending && is_ipv4_alone) {
            self.next_at = None; // nothing to wait for any more
        }
        Ok(())
    }

    /// Looks at those who are trying: the first that has succeeded, which is then no longer among them.
    fn hear_attempts<O: Observer>(
        &mut self,
        stack: &mut Stack<'_, O>,
        waker: &Waker,
    ) -> Result<Option<Fd>> {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get_mut(index) {
            match stack.connect(attempt.fd, attempt.address) {
                Err(Error::WouldBlock) => {
                    stack.wait(attempt.fd, Interest::Writable, &mut attempt.waiting, waker)?;
                    index += 1;
                }
                Ok(()) => {
                    let mut attempt = self.attempts.remove(index);
                    stack.stop_waiting(&mut attempt.waiting);
                    return Ok(Some(attempt.fd));
                }
                Err(error) => {
                    self.failure = error;
                    // The next one need not wait (RFC 8305 §5).
                    self.next_at = Some(stack.now());
                    give_up(stack, self.attempts.remove(index));
                }
            }
        }
        Ok(None)
    }

    /// Begins to try an address. Where there is no socket for it, it is its turn again once there may be.
    fn try_next<O: Observer>(&mut self, stack: &mut Stack<'_, O>, addr: IpAddr) {
        let domain = match addr {
            IpAddr::V4(_) => Domain::Inet,
            IpAddr::V6(_) => Domain::Inet6,
        };
        let address = SocketAddr::new(addr, self.port);
        let begun =
            stack
                .socket(domain, Type::Stream)
                .and_then(|fd| match stack.connect(fd, address) {
                    Err(Error::WouldBlock) | Ok(()) => Ok(fd),
                    Err(error) => {
                        let _ = stack.close(fd);
                        Err(error)
                    }
                });
        match begun {
            Err(Error::Exhausted(_)) if !self.attempts.is_empty() => return,
            Ok(fd) => {
                // There is room for as many as there are addresses.
                let _ = self.attempts.push(Attempt {
                    fd,
                    address,
                    waiting: Waiting::default(),
                });
            }
            Err(error) => {
                self.failure = error;
                self.next_at = Some(stack.now());
            }
        }
        let _ = self.tried.push(addr);
    }
}

impl<N: Network> Drop for Race<'_, N> {
    fn drop(&mut self) {
        // Without a stack there is nothing to give up.
        let _ = self.network.call(|stack| {
            stack.stop_waiting(&mut self.resolving);
            stack.stop_waiting(&mut self.sleeping);
            if let Some(lookup) = self.lookup {
                stack.cancel(lookup);
            }
            while let Some(attempt) = self.attempts.pop() {
                give_up(stack, attempt);
            }
            Ok(())
        });
    }
}

fn give_up<O: Observer>(stack: &mut Stack<'_, O>, mut attempt: Attempt) {
    stack.stop_waiting(&mut attempt.waiting);
    // It is open: close has no other error.
    let _ = stack.close(attempt.fd);
}

/// The address to try next: the first that is left of the family that was not tried last, so that the families take turns
/// (RFC 8305 §4); of the other one where there is none.
fn next_address(found: &[IpAddr], tried: &[IpAddr]) -> Option<IpAddr> {
    let mut left = found.iter().filter(|address| !tried.contains(address));
    let last = tried.last();
    let turn = |address: &&IpAddr| last.is_none_or(|last| last.is_ipv4() != address.is_ipv4());
    left.clone().find(turn).or_else(|| left.next()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn order(found: &[&str]) -> Vec<std::string::String> {
        let found: Vec<IpAddr> = found
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect();
        let mut tried = Vec::new();
        while let Some(next) = next_address(&found, &tried) {
            tried.push(next);
        }
        tried.iter().map(std::string::ToString::to_string).collect()
    }

    #[test]
    fn the_families_take_turns_and_the_first_address_is_the_first() {
        assert_eq!(
            order(&["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]),
            ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]
        );
        assert_eq!(
            order(&["1.1.1.1", "2.2.2.2", "::1"]),
            ["1.1.1.1", "::1", "2.2.2.2"]
        );
        assert_eq!(order(&["1.1.1.1", "2.2.2.2"]), ["1.1.1.1", "2.2.2.2"]);
        assert!(order(&[]).is_empty());
        // An address twice is one address.
        assert_eq!(order(&["::1", "::1"]), ["::1"]);
    }

    #[test]
    fn what_is_found_later_takes_its_turn() {
        let parse = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let (a, b) = (parse("1.1.1.1"), parse("2.2.2.2"));
        let six = parse("::1");
        assert_eq!(next_address(&[six, a, b], &[a]), Some(six));
        assert_eq!(next_address(&[six, a, b], &[a, b]), Some(six));
        assert_eq!(next_address(&[six, a, b], &[a, six]), Some(b));
    }
}
