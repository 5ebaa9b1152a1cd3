//! What a client says in each state, and to whom (RFC 2131 §4.3.2, §4.4, table 5).

use smoltcp::time::{Duration, Instant};

use super::exchange::Exchange;
use super::lease::Lease;
use super::message::{MESSAGE_LEN, MessageType, Request};
use super::{Dhcp, PAUSE, REQUESTS, Route, State};

/// After so many conflicts in a row …
const MAX_CONFLICTS: u8 = 10;
/// … an address is asked for so often at most (RFC 5227 §2.1.1).
const RATE_LIMIT_INTERVAL: Duration = Duration::from_secs(60);

impl Dhcp {
    /// Between which addresses the message goes that is due, if one is.
    pub(crate) fn due(&self, now: Instant) -> Option<Route> {
        let everybody = |is_due: bool| is_due.then_some(Route::EVERYBODY);
        match &self.state {
            State::Selecting(exchange) => everybody(exchange.is_due(now)),
            State::Requesting { exchange, .. } | State::Rebooting(_, exchange) => {
                everybody(exchange.is_due(now) && exchange.sent < REQUESTS)
            }
            State::Declining(_) => everybody(true),
            State::Renewing(lease, exchange) => {
                exchange.is_due(now).then(|| Route::to_server(lease))
            }
            State::Rebinding(lease, exchange) => exchange.is_due(now).then_some(Route {
                source: lease.address,
                ..Route::EVERYBODY
            }),
            State::Releasing(lease) => Some(Route::to_server(lease)),
            State::Probing(_) | State::Bound(_) | State::Stopped => None,
        }
    }

    /// Writes the message that is [`due`](Dhcp::due), and takes it for sent. Says whether there was one.
    pub(crate) fn emit(&mut self, now: Instant, message: &mut [u8; MESSAGE_LEN]) -> bool {
        let request = match self.due(now) {
            Some(_) => self.next_request(now),
            None => None,
        };
        if let Some(request) = &request {
            request.write(self.hardware_address, message);
        }
        request.is_some()
    }

    fn next_request(&mut self, now: Instant) -> Option<Request> {
        let random = &mut self.random;
        let longest_answer = Some(self.longest);
        match &mut self.state {
            State::Selecting(exchange) => {
                let is_repeated = exchange.sent > 0;
                exchange.note_sent(random, now);
                Some(Request {
                    secs: exchange.secs(now),
                    broadcast: is_repeated,
                    longest_answer,
                    ..Request::new(MessageType::Discover, exchange.xid)
                })
            }
            State::Requesting {
                exchange,
                address,
                server,
                secs,
            } => {
                let is_repeated = exchange.sent > 0;
                exchange.note_sent(random, now);
                Some(Request {
                    secs: *secs,
                    broadcast: is_repeated,
                    requested: Some(*address),
                    server: Some(*server),
                    longest_answer,
                    ..Request::new(MessageType::Request, exchange.xid)
                })
            }
            State::Renewing(lease, exchange) => {
                exchange.note_renewal(random, now, lease.renewal()?, lease.rebinding()?);
                Some(extension(lease, exchange, now, longest_answer))
            }
            State::Rebinding(lease, exchange) => {
                exchange.note_renewal(random, now, lease.rebinding()?, lease.expiry()?);
                Some(extension(lease, exchange, now, longest_answer))
            }
            State::Rebooting(lease, exchange) => {
                let is_repeated = exchange.sent > 0;
                exchange.note_sent(random, now);
                Some(Request {
                    secs: exchange.secs(now),
                    broadcast: is_repeated,
                    requested: Some(lease.address),
                    longest_answer,
                    ..Request::new(MessageType::Request, exchange.xid)
                })
            }
            State::Declining(lease) => {
                let request = Request {
                    requested: Some(lease.address),
                    server: Some(lease.server),
                    ..Request::new(MessageType::Decline, random.xid())
                };
                self.begin(now + pause(self.conflicts));
                Some(request)
            }
            State::Releasing(lease) => {
                let request = Request {
                    client_address: lease.address,
                    server: Some(lease.server),
                    ..Request::new(MessageType::Release, random.xid())
                };
                self.state = State::Stopped;
                Some(request)
            }
            State::Probing(_) | State::Bound(_) | State::Stopped => None,
        }
    }
}

impl Route {
    fn to_server(lease: &Lease) -> Route {
        Route {
            source: lease.address,
            destination: lease.server,
        }
    }
}

/// The request for more time (RFC 2131 §4.3.2).
fn extension(
    lease: &Lease,
    exchange: &Exchange,
    now: Instant,
    longest_answer: Option<u16>,
) -> Request {
    Request {
        secs: exchange.secs(now),
        client_address: lease.address,
        longest_answer,
        ..Request::new(MessageType::Request, exchange.xid)
    }
}

/// How long to wait after a conflict.
fn pause(conflicts: u8) -> Duration {
    if conflicts < MAX_CONFLICTS {
        PAUSE
    } else {
        RATE_LIMIT_INTERVAL
    }
}
