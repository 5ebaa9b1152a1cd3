//! The chapters of the documentation that belong to no item.
//!
//! | chapter | what is there |
//! |---|---|
//! | [`calls`] | every socket call, flag and option of Linux, and what becomes of it here |
//! | [`porting`] | what a microcontroller's board gives the stack, what that costs, and what tends to go wrong |

/// A chapter: its name, its text, and what that links to. The text is where its programs can run; elsewhere a line says so.
macro_rules! chapter {
    ($name:ident, $text:literal, $subject:literal, use $links:tt) => {
        #[cfg(all(feature = "std", feature = "ipv4", feature = "ipv6", target_os = "linux"))]
        pub mod $name {
            #![doc = include_str!($text)]

            #[cfg(doc)]
            #[allow(unused_imports, reason = "links are no use")]
            use crate::$links;
        }

        #[cfg(not(all(feature = "std", feature = "ipv4", feature = "ipv6", target_os = "linux")))]
        #[doc = concat!($subject, ": in the documentation with the features `std`, `ipv4` and `ipv6`.")]
        pub mod $name {}
    };
}

chapter!(
    calls,
    "calls.md",
    "Every socket call, flag and option of Linux, and what becomes of it here",
    use { Stack, stack::option::* }
);
chapter!(
    porting,
    "porting.md",
    "What a port to a board takes",
    use { Error::*, Stack, smoltcp::{phy::Device, time::Instant}, socket::*, stack::Storage }
);
