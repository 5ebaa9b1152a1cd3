//! What both benches share: the queue between two hosts, the rounds, the number quoted.

use std::{collections::VecDeque, env, mem};

use glasstack::smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
};

/// One host's side of the least that can be called a link: two queues of frames and spare buffers, no lock, no bound.
pub(crate) struct Port {
    medium: Medium,
    mtu: usize,
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    received: Vec<u8>,
}

impl Port {
    pub(crate) fn new(medium: Medium, mtu: usize) -> Self {
        Port {
            medium,
            mtu,
            incoming: VecDeque::new(),
            outgoing: VecDeque::new(),
            spare: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Brings what this side has sent to the other; says how many frames went.
    pub(crate) fn carry(&mut self, to: &mut Port) -> usize {
        let frames = self.outgoing.len();
        for frame in self.outgoing.drain(..) {
            to.incoming.push_back(frame);
            self.spare.extend(to.spare.pop());
        }
        frames
    }

    /// The frame that is received next.
    #[allow(dead_code, reason = "only one of the benches looks")]
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.incoming.front().map(Vec::as_slice)
    }
}

impl Device for Port {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let frame = self.incoming.pop_front()?;
        self.spare.push(mem::replace(&mut self.received, frame));
        let reply = TxToken {
            outgoing: &mut self.outgoing,
            spare: &mut self.spare,
        };
        Some((RxToken(&self.received), reply))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        Some(TxToken {
            outgoing: &mut self.outgoing,
            spare: &mut self.spare,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = self.medium;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

pub(crate) struct RxToken<'a>(&'a [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

pub(crate) struct TxToken<'a> {
    outgoing: &'a mut VecDeque<Vec<u8>>,
    spare: &'a mut Vec<Vec<u8>>,
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.resize(len, 0);
        let result = f(&mut frame);
        self.outgoing.push_back(frame);
        result
    }
}

/// How much to measure, and what.
pub(crate) struct Plan {
    /// Only to see that it runs: asked for by `BENCH_QUICK=1`, or by `cargo test` (`cargo bench` passes `--bench`).
    pub(crate) quick: bool,
    /// `BENCH_ONLY=plain` or `BENCH_ONLY=glasstack` leaves out the other; both by default.
    pub(crate) plain: bool,
    pub(crate) glasstack: bool,
}

impl Plan {
    pub(crate) fn from_environment() -> Self {
        let only = env::var("BENCH_ONLY").ok();
        let wants = |side| only.as_deref().is_none_or(|only| only == side);
        Plan {
            quick: env::var_os("BENCH_QUICK").is_some_and(|value| value != "0")
                || !env::args().any(|argument| argument == "--bench"),
            plain: wants("plain"),
            glasstack: wants("glasstack"),
        }
    }

    /// Numbers of the rounds. The first only warms the caches and opens the windows.
    pub(crate) fn rounds(&self) -> std::ops::Range<usize> {
        0..if self.quick { 2 } else { 16 }
    }
}

/// What the rounds gave. Both sides are measured in turns, so that whatever slows the machine slows both.
#[derive(Default)]
pub(crate) struct Samples {
    plain: Vec<f64>,
    glasstack: Vec<f64>,
}

impl Samples {
    pub(crate) fn record(
        &mut self,
        round: usize,
        plain: Option<impl FnOnce() -> f64>,
        glasstack: Option<impl FnOnce() -> f64>,
    ) {
        let plain = plain.map(|measure| measure());
        let glasstack = glasstack.map(|measure| measure());
        if round > 0 {
            self.plain.extend(plain);
            self.glasstack.extend(glasstack);
        }
    }

    /// The median of plain smoltcp's, and of glasstack's.
    pub(crate) fn medians(self) -> (Option<f64>, Option<f64>) {
        (median(self.plain), median(self.glasstack))
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A cell of the table: the number, or a dash where that side was left out.
pub(crate) fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

pub(crate) fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to?)
}
