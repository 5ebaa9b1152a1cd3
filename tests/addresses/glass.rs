//! What the glass shows of addresses and links: in lines, in the ladder, and beside the frames of a capture.

use std::sync::{Arc, Mutex};

use glasstack::stack::AddressChange;
use glasstack::trace::ladder::{Ends, Ladder, Options, Side};
use glasstack::trace::pcapng::{self, Pcapng};

use super::net::*;

#[test]
fn an_address_is_a_line_with_its_origin_and_cause() {
    let mut net = Net::ready();
    net.advertise(0, &advertisement(1_800, &[prefix(1, 20, 10)]));
    net.run_for(3 * SECOND);
    let address = net.formed_of(1).address;
    let (host, link) = (net.host, net.link(net.host));
    net.run_for(30 * SECOND);
    net.with(host, |stack| {
        stack.add_address(link, ip("fd00::1"), 64)?;
        stack.remove_address(link, ip("fd00::1"))?;
        stack.set_link(link, false)
    })
    .unwrap();
    let lines = net.recording.events().to_string();
    let told: Vec<_> = lines
        .lines()
        .filter(|line| line.contains(" 0 if1 address ") || line.contains(" 0 if1 link "))
        .filter_map(|line| line.split_once(" if1 "))
        .map(|(_, what)| what.to_owned())
        .filter(|what| !what.contains("fe80::"))
        .collect();
    assert_eq!(
        told,
        [
            format!("address {address}/64 autoconfigured tentative by segment"),
            format!("address {address}/64 autoconfigured preferred by timer"),
            format!("address {address}/64 autoconfigured deprecated by timer"),
            format!("address {address}/64 autoconfigured removed by timer"),
            // What was given, and could be used at once, is no news.
            "address fd00::1/64 static removed by call".to_owned(),
            "link down".to_owned(),
        ]
    );
}

#[test]
fn the_ladder_has_it_beside_the_advertisement_that_brought_it() {
    let mut net = Net::new(&["slaac"], &[]);
    let ends = Ends::beside(Side::Left, (net.host.station(), "host"), "link");
    let options = Options {
        width: 120,
        ..Options::default()
    };
    let ladder = Arc::new(Mutex::new(Ladder::<_>::new(String::new(), ends, options)));
    net.simulation.observe(ladder.clone());
    net.run_for(3 * SECOND);
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.run_for(3 * SECOND);
    let (host, link) = (net.host, net.link(net.host));
    net.with(host, |stack| stack.set_link(link, false)).unwrap();
    let address = net.formed_of(1).address;
    ladder.lock().unwrap().finish().unwrap();
    let mut drawn = String::new();
    {
        let mut ladder = ladder.lock().unwrap();
        let empty = Ladder::new(String::new(), ends, options);
        drawn.push_str(&std::mem::replace(&mut *ladder, empty).into_inner());
    }
    let mut rest = &drawn[..];
    for next in [
        "router advertisement",
        &format!("{address} tentative"),
        &format!("{address} preferred"),
        "link down",
    ] {
        let at = rest.find(next);
        rest = &rest[at.unwrap_or_else(|| panic!("no {next:?} in its place:\n{drawn}"))..];
    }
}

#[test]
fn a_capture_says_beside_an_advertisement_what_came_of_it() {
    let taken = {
        let mut net = Net::ready();
        net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
        net.run_for(3 * SECOND);
        net.formed_of(1).address
    };
    let mut net = Net::new(&["slaac"], &[&format!("{taken}/64")]);
    let file = Pcapng::new(Vec::new(), pcapng::Options::default());
    let file = Arc::new(Mutex::new(file));
    net.simulation.observe(file.clone());
    net.run_for(3 * SECOND);
    net.advertise(0, &advertisement(1_800, &[prefix(1, 600, 300)]));
    net.run_for(3 * SECOND);
    let mut file = file.lock().unwrap();
    file.finish().unwrap();
    let octets = file.get_ref();
    let has = |text: &str| {
        octets
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(has(&format!("{taken} is tentative")));
    // Another host's answer takes it away, and the next one is tried.
    assert!(has(&format!("{taken} is duplicate")));
    assert!(net.changes().contains(&(taken, AddressChange::Duplicate)));
}
