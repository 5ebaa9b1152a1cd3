//! The walk of each connection through the states of TCP (RFC 9293, section 3.3.2), as an observer hears it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use glasstack::trace::{Event, Happening, Observer, State};

/// The states that each end, named by its own address and the other's, has been in.
type Table = HashMap<(SocketAddr, SocketAddr), Vec<State>>;

/// Collects the walks of all hosts that it observes.
#[derive(Clone, Default)]
pub(crate) struct Walks(Arc<(Mutex<Table>, Condvar)>);

impl Observer for Walks {
    fn event(&mut self, event: &Event) {
        if let (Some(flow), Happening::State { from, to, .. }) = (event.flow, event.happening) {
            let (table, changed) = &*self.0;
            let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
            table
                .entry((flow.local, flow.remote))
                .or_insert_with(|| vec![from])
                .push(to);
            changed.notify_all();
        }
    }
}

impl Walks {
    /// The walk of one end, once it is over. TIME-WAIT is over for a reader: it only waits for old segments to die.
    pub(crate) fn walk(&self, local: SocketAddr, remote: SocketAddr) -> String {
        let walks = |table: &Table| table.get(&(local, remote)).cloned().unwrap_or_default();
        let (table, changed) = &*self.0;
        let table = table.lock().unwrap_or_else(PoisonError::into_inner);
        let (table, _) = changed
            .wait_timeout_while(table, Duration::from_secs(5), |table| {
                !matches!(
                    walks(table).as_slice(),
                    [_, .., State::TimeWait | State::Closed]
                )
            })
            .unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = walks(&table).iter().map(State::to_string).collect();
        names.join(" → ")
    }
}
