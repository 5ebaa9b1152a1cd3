//! TAP and TUN interfaces as devices: frames go both ways, and nothing that happens to the interface is a panic.
//!
//! A program of its own rather than tests in a harness: the lab must be entered before any thread starts.

mod need;

use glasstack::device::{Tap, Tun};
use glasstack::host::lab::{self, Lab};
use glasstack::smoltcp::phy::{Device, Medium, RxToken, TxToken};
use glasstack::smoltcp::time::Instant;
use glasstack::smoltcp::wire::{
    ArpHardware, ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame,
    EthernetProtocol, EthernetRepr,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::ErrorKind;
use std::os::fd::AsFd;

fn main() {
    let Some(mut lab) = need::given(Lab::enter()) else {
        return;
    };
    let mut tap = lab.tap().expect("the first call has it");
    assert_eq!(
        lab.tap().map_err(|e| e.kind()).err(),
        Some(ErrorKind::NotFound)
    );

    let capabilities = tap.capabilities();
    assert_eq!(capabilities.medium, Medium::Ethernet);
    assert_eq!(capabilities.max_transmission_unit, 1514);

    linux_answers_arp(&mut tap);
    opening_says_what_is_wrong();
    a_tun_carries_packets_without_a_link_header();

    // The programs of an ordinary user have no capability in the lab.
    if nix::unistd::geteuid().is_root() {
        a_frame_for_an_interface_that_is_down_is_counted(&lab, &mut tap);
        a_deleted_interface_is_gone(&lab, &mut tap);
    } else {
        eprintln!("SKIPPED: only root's programs can change tap0 in the lab");
    }

    drop(tap);
    let error = Tap::open(lab::TAP).expect_err("it lived as long as its device");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    println!("tap: all passed");
}

/// Sends "who has 192.168.69.100?" and waits for the answer.
fn linux_answers_arp(tap: &mut Tap) {
    let dropped = tap.dropped();
    send_arp_request(tap);
    assert_eq!(tap.dropped(), dropped);
    let is_answer = |frame: &[u8]| {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        let packet = ArpPacket::new_checked(frame.payload()).ok()?;
        Some(
            packet.operation() == ArpOperation::Reply
                && packet.source_protocol_addr() == lab::LINUX_V4.octets(),
        )
    };
    loop {
        while let Some((frame, _)) = tap.receive(Instant::ZERO) {
            if frame.consume(is_answer) == Some(true) {
                return;
            }
        }
        let mut waiting = [PollFd::new(tap.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut waiting, PollTimeout::from(10_000u16)).expect("poll(2)");
        assert_eq!(ready, 1, "no answer");
    }
}

fn send_arp_request(tap: &mut Tap) {
    let source = EthernetAddress(lab::STACK_MAC);
    let ethernet = EthernetRepr {
        src_addr: source,
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Arp,
    };
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: source,
        source_protocol_addr: lab::STACK_V4,
        target_hardware_addr: EthernetAddress::BROADCAST,
        target_protocol_addr: lab::LINUX_V4,
    };
    let token = tap.transmit(Instant::ZERO).expect("always a token");
    token.consume(ethernet.buffer_len() + arp.buffer_len(), |buffer| {
        let mut frame = EthernetFrame::new_unchecked(buffer);
        ethernet.emit(&mut frame);
        let mut packet = ArpPacket::new_unchecked(frame.payload_mut());
        arp.emit(&mut packet);
        assert_eq!(packet.hardware_type(), ArpHardware::Ethernet);
    });
}

fn opening_says_what_is_wrong() {
    let error = Tap::open(lab::TAP).expect_err("it is open already");
    assert!(error.to_string().contains("another program"), "{error}");
    let error = Tap::create(lab::TAP).expect_err("it exists already");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    let error = Tun::open(lab::TAP).expect_err("it is a TAP");
    assert!(error.to_string().contains("not a tun"), "{error}");
    let error = Tap::open("lo").expect_err("it is no TAP");
    assert!(error.to_string().contains("not a tap"), "{error}");
    for name in ["", "tap%d", "a-name-of-16-byt", "nul\0"] {
        let error = Tap::open(name).expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

fn a_tun_carries_packets_without_a_link_header() {
    let tun = Tun::create("tun0").expect("the lab has no tun0");
    assert_eq!(tun.name(), "tun0");
    let capabilities = tun.capabilities();
    assert_eq!(capabilities.medium, Medium::Ip);
    assert_eq!(capabilities.max_transmission_unit, 1500);
}

fn ip_link(lab: &Lab, arguments: &[&str]) {
    let command = [&["ip", "link"], arguments].concat();
    let status = lab.run(&command).expect("ip(8)");
    assert!(status.success(), "{command:?}");
}

fn a_frame_for_an_interface_that_is_down_is_counted(lab: &Lab, tap: &mut Tap) {
    ip_link(lab, &["set", lab::TAP, "down"]);
    while tap.receive(Instant::ZERO).is_some() {}
    send_arp_request(tap);
    assert_eq!(tap.dropped(), 1);
    // Only down: it goes on as soon as it is up again.
    assert!(!tap.is_gone());
    ip_link(lab, &["set", lab::TAP, "up"]);
    linux_answers_arp(tap);
}

fn a_deleted_interface_is_gone(lab: &Lab, tap: &mut Tap) {
    assert!(!tap.is_gone());
    ip_link(lab, &["delete", lab::TAP]);
    while tap.receive(Instant::ZERO).is_some() {}
    assert!(tap.is_gone());
    let dropped = tap.dropped();
    send_arp_request(tap);
    assert_eq!(tap.dropped(), dropped + 1);
    assert!(tap.receive(Instant::ZERO).is_none());
    // Longer than any frame: the buffer follows, the frame is dropped.
    let token = tap.transmit(Instant::ZERO).expect("always a token");
    token.consume(100_000, |buffer| assert_eq!(buffer.len(), 100_000));
    assert_eq!(tap.dropped(), dropped + 2);
}
