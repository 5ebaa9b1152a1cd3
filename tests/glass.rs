//! What an observer hears.
mod net;

use glasstack::{
    smoltcp::time::Duration as Time,
    stack::{Domain, Shutdown},
};
use net::{Net, Verdict};

#[test]
fn dump() {
    let mut net = Net::new();
    let listener = net.server.listen(Domain::Inet, 9999, 4);
    let client = net.client.connect("10.0.0.2:9999");
    net.run();
    let (accepted, _) = net.server.stack.accept(listener).unwrap();
    let mut lost = false;
    net.filter(move |frame| match frame.segment() {
        Some(segment) if !segment.payload.is_empty() && !lost => {
            lost = true;
            Verdict::Drop
        }
        _ => Verdict::Pass,
    });
    net.client.stack.send(client, b"Michael").unwrap();
    net.run_for(Time::from_secs(3));
    net.server.recv(accepted).unwrap();
    net.client.stack.shutdown(client, Shutdown::Write).unwrap();
    net.run_for(Time::from_secs(1));
    net.server.stack.close(accepted).unwrap();
    net.run_for(Time::from_secs(15));
    for (name, host) in [("client", &mut net.client), ("server", &mut net.server)] {
        println!("== {name}");
        for line in &host.stack.observer().1 {
            println!("{line}");
        }
    }
}
