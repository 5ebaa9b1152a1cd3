//! Until when something is so: what servers and routers give is good for a time.

use smoltcp::time::Instant;

#[cfg(feature = "_learned")]
use super::moment::Moment;

/// A time, or never. Where nothing is learned from others, neither by DHCP nor over IPv6, it is never, and takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Until {
    #[cfg(feature = "_learned")]
    at: Moment,
}

impl Until {
    pub(super) const NEVER: Until = Until {
        #[cfg(feature = "_learned")]
        at: Moment::NONE,
    };

    #[cfg(feature = "_learned")]
    pub(super) fn at(self) -> Option<Instant> {
        self.at.get()
    }

    #[cfg(not(feature = "_learned"))]
    pub(super) fn at(self) -> Option<Instant> {
        None
    }
}

impl From<Option<Instant>> for Until {
    #[cfg(feature = "_learned")]
    fn from(at: Option<Instant>) -> Until {
        Until { at: at.into() }
    }

    #[cfg(not(feature = "_learned"))]
    fn from(_: Option<Instant>) -> Until {
        Until::NEVER
    }
}

/// Until when an address is preferred and until when it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetimes {
    pub(super) preferred_until: Until,
    pub(super) valid_until: Until,
}

impl Lifetimes {
    pub(super) const FOREVER: Lifetimes = Lifetimes {
        preferred_until: Until::NEVER,
        valid_until: Until::NEVER,
    };
}
