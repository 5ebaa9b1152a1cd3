//! DNS as a host asks it (RFC 1034 §5.3.1's "stub resolver"): names, messages, and one question's way from server to
//! server.
//!
//! A [`Query`] is told the time and what arrived, says when it wants to be called, and writes what is to be sent. It knows
//! servers by their number alone; who asks on its behalf compares addresses and ports.
//!
//! ```text
//!   new ──▶ Asking ──asked──▶ Waiting ──hear: an answer───────────────▶ Over
//!             ▲                 │  │ hear: an alias without an address: asks for what it stands for
//!             ├──the next───────┘  │ hear: truncated
//!             │   1 s … 8 s        ▼
//!             └───────────────── Streaming ──hear_stream──────────────▶ Over
//!                 a failure, 5 s
//! ```
//!
//! Its messages have no EDNS record (RFC 6891): a server cuts what it says over UDP at 512 octets, which every path
//! carries whole, and says the rest over TCP.

mod message;
mod name;
mod query;
#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may fail.
mod tests;

pub(crate) use message::{Family, MAX_QUERY};
pub(crate) use name::Name;
pub(crate) use query::{MAX_SERVERS, Outcome, Query};
