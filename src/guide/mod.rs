//! The chapters of the documentation that belong to no item.
//!
//! | chapter | what is there |
//! |---|---|
//! | [`calls`] | every socket call, flag and option of Linux, and what becomes of it here |
//! | [`porting`] | what a microcontroller's board gives the stack, what that costs, and what tends to go wrong |

pub mod calls {
    // It links to what is there with all of these.
    #![cfg_attr(
        all(feature = "std", feature = "ipv4", feature = "ipv6", target_os = "linux"),
        doc = include_str!("calls.md")
    )]
    #![cfg_attr(
        not(all(
            feature = "std",
            feature = "ipv4",
            feature = "ipv6",
            target_os = "linux"
        )),
        doc = "Every socket call, flag and option of Linux, and what becomes of it here: in the documentation with the features `std`, `ipv4` and `ipv6`."
    )]

    // What its links are short for.
    #[cfg(all(
        doc,
        feature = "std",
        feature = "ipv4",
        feature = "ipv6",
        target_os = "linux"
    ))]
    #[allow(unused_imports, reason = "links are no use")]
    use crate::{Stack, stack::option::*};
}

pub mod porting {
    // Its programs run with all of these.
    #![cfg_attr(
        all(feature = "std", feature = "ipv4", feature = "ipv6", target_os = "linux"),
        doc = include_str!("porting.md")
    )]
    #![cfg_attr(
        not(all(
            feature = "std",
            feature = "ipv4",
            feature = "ipv6",
            target_os = "linux"
        )),
        doc = "What a port to a board takes: in the documentation with the features `std`, `ipv4` and `ipv6`."
    )]

    // What its links are short for.
    #[cfg(all(
        doc,
        feature = "std",
        feature = "ipv4",
        feature = "ipv6",
        target_os = "linux"
    ))]
    #[allow(unused_imports, reason = "links are no use")]
    use crate::{
        Error::*,
        Stack,
        smoltcp::{phy::Device, time::Instant},
        socket::*,
        stack::Storage,
    };
}
