//! The observer of a host: the user's, or none.

use crate::trace::{Event, Observer};

/// Whoever listens to a [`Host`](super::Host): an observer of any type, or nobody.
#[derive(Default)]
pub struct Listener(Option<Box<dyn Observer + Send>>);

impl Listener {
    pub(super) fn new(observer: Option<Box<dyn Observer + Send>>) -> Listener {
        Listener(observer)
    }
}

impl Observer for Listener {
    fn event(&mut self, event: &Event) {
        if let Some(observer) = &mut self.0 {
            observer.event(event);
        }
    }

    fn is_listening(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|observer| observer.is_listening())
    }
}
