//! A peripheral's registers as a test has them: behind them is a model of the peripheral, in place of memory.

use std::{cell::RefCell, rc::Rc};

/// A peripheral that a driver is tried with.
pub(crate) trait Model {
    fn read(&mut self, offset: usize) -> u32;
    fn write(&mut self, offset: usize, value: u32);
}

/// Registers, by their offset.
pub(crate) struct Registers(Option<Rc<RefCell<dyn Model>>>);

impl Registers {
    pub(crate) const unsafe fn at(_: usize) -> Registers {
        Registers(None)
    }

    pub(crate) fn of(model: Rc<RefCell<dyn Model>>) -> Registers {
        Registers(Some(model))
    }

    fn model(&self) -> &RefCell<dyn Model> {
        self.0.as_deref().expect("a model")
    }

    pub(crate) fn read(&self, offset: usize) -> u32 {
        self.model().borrow_mut().read(offset)
    }

    pub(crate) fn write(&self, offset: usize, value: u32) {
        self.model().borrow_mut().write(offset, value);
    }
}
