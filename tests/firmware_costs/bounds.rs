//! What may be paid at most, in one place.

/// Octets of flash over raw smoltcp's.
pub(crate) const FLASH: u64 = 34 * 1024;
/// Octets of static memory over raw smoltcp's.
pub(crate) const RAM: u64 = 1_536;
/// Octets of memory for one more connection.
pub(crate) const CONNECTION: u64 = 4_736;
/// Instructions of an echo, and of an octet in bulk, as a part of raw smoltcp's.
pub(crate) const ECHO: f64 = 1.25;
pub(crate) const OCTET: f64 = 1.25;
/// Octets of stack.
pub(crate) const STACK: usize = 4_096;
