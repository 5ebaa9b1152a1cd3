//! Without feature `options`: every socket has the default of each option, for ever.

#[allow(dead_code, reason = "what is never set, hardly anybody asks for")]
mod options;
mod setting;
#[allow(dead_code, unreachable_pub, reason = "the same")]
mod value;

use core::ops::Deref;

pub(super) use options::on_clock;
pub(super) use setting::Setting;
pub(super) use value::CongestionControl;

/// A socket's options, which are the same for all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options;

impl Options {
    pub(super) const DEFAULT: Options = Options;
}

impl Deref for Options {
    type Target = options::Options;

    fn deref(&self) -> &options::Options {
        const { &options::Options::DEFAULT }
    }
}
