//! What an option has set in a connection.

use core::ops::Deref;

/// A value that an option sets or needs, or none. Without feature `options` it is never set, and takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::stack) struct Setting<T> {
    #[cfg(feature = "options")]
    value: Option<T>,
    #[cfg(not(feature = "options"))]
    nothing: core::marker::PhantomData<T>,
}

#[cfg(feature = "options")]
impl<T> Setting<T> {
    pub(in crate::stack) const NONE: Setting<T> = Setting { value: None };

    pub(in crate::stack) fn set(&mut self, value: Option<T>) {
        self.value = value;
    }
}

#[cfg(feature = "options")]
impl<T> Deref for Setting<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.value
    }
}

#[cfg(not(feature = "options"))]
impl<T> Setting<T> {
    pub(in crate::stack) const NONE: Setting<T> = Setting {
        nothing: core::marker::PhantomData,
    };

    pub(in crate::stack) fn set(&mut self, _: Option<T>) {}
}

#[cfg(not(feature = "options"))]
impl<T> Deref for Setting<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        const { &None }
    }
}
