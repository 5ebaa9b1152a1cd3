//! A place in the caller's memory.

/// A place for what is put together later. Empty it is zeros (`repr` keeps the compiler from a cleverer layout), so that a
/// `static` of empty places takes no flash; and it has no `Drop`, or a stack could not borrow memory that has its lifetime.
#[repr(u8)]
pub(super) enum Place<T> {
    Empty = 0,
    Full(T),
}

impl<T> Place<T> {
    /// Puts a value into it, in place of what is there; gives all that it holds then.
    pub(super) fn fill(&mut self, value: T) -> &mut [T] {
        *self = Place::Full(value);
        match self {
            Place::Empty => &mut [],
            Place::Full(value) => core::slice::from_mut(value),
        }
    }
}
