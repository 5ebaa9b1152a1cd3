//! In place of `raw` without the feature: there are no raw sockets.

use super::datagram::{Content, Envelope};
use super::flow::Flow;
use super::frame::Packet;
use super::ingress::Incoming;
use super::ip::IpAddr;
use super::option::Options;
use super::sequence::Secret;
use super::{Protocol, Stack};
use crate::trace::Observer;
use crate::{Error, Result};

/// No socket has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawProtocol {}

impl RawProtocol {
    pub(super) fn of(_: Protocol) -> Result<RawProtocol> {
        Err(Error::NotSupported)
    }

    pub(super) fn number(self) -> Protocol {
        match self {}
    }

    pub(super) fn content(self, _: IpAddr, _: &Options) -> Content {
        match self {}
    }
}

/// Nobody sends such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raw {}

impl Raw {
    pub(super) fn protocol(self) -> Protocol {
        match self {}
    }

    pub(super) fn has_header(self) -> bool {
        match self {}
    }
}

/// How many are open.
pub(super) struct RawSockets;

impl RawSockets {
    pub(super) const NONE: RawSockets = RawSockets;

    pub(super) fn are_open(&self) -> bool {
        false
    }
}

impl<O: Observer> Stack<'_, O> {
    pub(super) fn open_raw_socket(&mut self, _: u16, protocol: RawProtocol) {
        match protocol {}
    }

    pub(super) fn close_raw_socket(&mut self, protocol: RawProtocol) {
        match protocol {}
    }

    #[cfg(feature = "path-mtu")]
    pub(super) fn has_raw_socket(&self, _: Protocol) -> bool {
        false
    }

    pub(super) fn copy_to_raw_sockets(&mut self, _: &Incoming<'_>, _: &Packet<'_>) -> bool {
        false
    }

    pub(super) fn copy_own(&mut self, _: &Envelope, raw: Raw, _: &[&[u8]]) {
        match raw {}
    }

    pub(super) fn raw_error(&mut self, _: u8, _: Protocol, _: &Flow, _: Error) {}
}

impl Envelope {
    pub(super) fn takes(&self, _: &[&[u8]]) -> bool {
        true
    }

    pub(super) fn complete(&self, _: &mut [u8], _: &mut Secret) {}
}
