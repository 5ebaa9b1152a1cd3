//! How long packets and segments may be.

use super::sealed;
use super::{Options, SettableOption, SocketOption};
use crate::stack::{Fd, Stack};
use crate::trace::Observer;
use crate::{Error, Result};

/// `IP_MTU`, `IPV6_MTU`: the largest packet that the path to the peer is known to take. [`Error::NotConnected`] without a
/// peer. (Feature `path-mtu`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathMtu;

impl SocketOption for PathMtu {}

impl sealed::Get for PathMtu {
    type Value = u16;

    fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<u16> {
        stack.path_mtu_of(fd)
    }
}

/// Linux's `TCP_MIN_MSS` and `MAX_TCP_WINDOW`.
const SEGMENT_SIZES: core::ops::RangeInclusive<u16> = 88..=32_767;

/// The segment size that every host takes (RFC 9293 §3.7.1).
const DEFAULT_SEGMENT_SIZE: u16 = 536;

/// `TCP_MAXSEG`: octets of a segment's payload. Set before `connect` or `listen`, it is the most that this end says it takes,
/// and sends. Of a connection, what it sends now: the peer's wish, the path's MTU ([`PathMtu`](super::PathMtu)), or what was
/// set. Valid from 88 to 32,767. (Feature `path-mtu`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaximumSegmentSize;

impl SocketOption for MaximumSegmentSize {}

impl sealed::Get for MaximumSegmentSize {
    type Value = u16;

    fn get<O: Observer>(&self, stack: &mut Stack<'_, O>, fd: Fd) -> Result<u16> {
        let set = stack.options_of(fd)?.maximum_segment_size;
        let of_connection = stack
            .connection_of(fd)
            .map(|connection| connection.segment_size());
        Ok(of_connection.or(set).unwrap_or(DEFAULT_SEGMENT_SIZE))
    }
}

impl SettableOption for MaximumSegmentSize {}

impl sealed::Set for MaximumSegmentSize {
    #[allow(private_interfaces)]
    fn set(&self, options: &mut Options, value: u16) -> Result<()> {
        if !SEGMENT_SIZES.contains(&value) {
            return Err(Error::InvalidArgument);
        }
        options.maximum_segment_size = Some(value);
        Ok(())
    }
}
