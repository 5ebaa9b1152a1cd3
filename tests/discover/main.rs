//! The example that finds services: what it makes of messages, good and bad, and whether avahi answers it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what broke by panicking"
)]

#[path = "../../examples/discover/browser.rs"]
mod browser;
#[path = "../need/mod.rs"]
mod need;
#[path = "../program/mod.rs"]
mod program;

use browser::{Browser, Instance};
use glasstack::trace::dissect::{Dns, RecordData};
use need::Need;
use proptest::{collection, prelude::*, sample};
use std::process::Command;

const TYPES: &str = "_services._dns-sd._udp.local";
const TYPE: &str = "_ipp._tcp.local";
const PRINTER: &str = "Office Printer._ipp._tcp.local";

fn name(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in text.split('.') {
        octets.push(label.len() as u8);
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

fn record(owner: &str, record_type: u16, seconds: u32, data: &[u8]) -> Vec<u8> {
    let mut record = name(owner);
    record.extend(record_type.to_be_bytes());
    record.extend([0x80, 1]); // cache flush, Internet
    record.extend(seconds.to_be_bytes());
    record.extend((data.len() as u16).to_be_bytes());
    record.extend(data);
    record
}

fn pointer(owner: &str, to: &str) -> Vec<u8> {
    record(owner, 12, 120, &name(to))
}

fn place(owner: &str, port: u16, host: &str) -> Vec<u8> {
    let data = [&[0; 4][..], &port.to_be_bytes(), &name(host)].concat();
    record(owner, 33, 120, &data)
}

fn answer(records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, records.len() as u8, 0, 0, 0, 0];
    message.extend(records.concat());
    message
}

/// All that there is to say of a printer.
fn printer() -> Vec<Vec<u8>> {
    vec![
        pointer(TYPES, TYPE),
        pointer(TYPE, PRINTER),
        place(PRINTER, 631, "printer.local"),
        record(PRINTER, 16, 120, b"\x0crp=ipp/print\x06color="),
        record("printer.local", 1, 120, &[10, 0, 0, 9]),
        record(
            "printer.local",
            28,
            120,
            &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        ),
    ]
}

const SHOWN: &str = "= Office Printer  _ipp._tcp.local
   hostname = [printer.local]
   address = [10.0.0.9]
   address = [fd00::9]
   port = [631]
   txt = [\"rp=ipp/print\" \"color=\"]";

fn shown(browser: &Browser) -> Vec<String> {
    browser
        .resolved()
        .map(|service| service.to_string())
        .collect()
}

type Asked = (Vec<(String, u16)>, Vec<(String, String)>);

/// The questions of a query, and what it says is known.
fn asked(browser: &Browser) -> Asked {
    let message = browser.query();
    let dns = Dns::parse_multicast(&message).unwrap();
    assert!(!dns.is_response && dns.opcode == 0);
    let questions = dns.questions();
    let answers = dns.records().map(|record| match record.data {
        RecordData::Name(to) => (record.name.to_string(), to.to_string()),
        _ => panic!("{record:?}"),
    });
    let questions: Vec<_> = questions
        .map(|q| (q.name.to_string(), q.record_type))
        .collect();
    let answers: Vec<_> = answers.collect();
    assert_eq!(questions.len(), usize::from(dns.questions));
    assert_eq!(answers.len() as u32, dns.records);
    (questions, answers)
}

#[test]
fn a_service_is_put_together_from_its_records_in_any_order() {
    let records = printer();
    for turn in 0..records.len() {
        let mut turned = records.clone();
        turned.rotate_left(turn);
        let mut browser = Browser::new(None);
        browser.hear(&answer(&turned));
        assert_eq!(shown(&browser), [SHOWN]);
        turned.reverse();
        let mut browser = Browser::new(Some("_ipp._tcp"));
        browser.hear(&answer(&turned));
        assert_eq!(shown(&browser), [SHOWN]);
    }
}

#[test]
fn what_is_not_known_is_asked_for_and_what_is_known_is_told() {
    let mut browser = Browser::new(None);
    let question = |name: &str, record_type| (name.replace(' ', "\\032"), record_type);
    assert_eq!(asked(&browser), (vec![question(TYPES, 12)], vec![]));
    let mut questions = vec![question(TYPES, 12)];
    let mut answers = Vec::new();
    for (record, more, known) in [
        (0, vec![question(TYPE, 12)], Some((TYPES, TYPE))),
        (
            1,
            vec![question(PRINTER, 33), question(PRINTER, 16)],
            Some((TYPE, PRINTER)),
        ),
    ] {
        browser.hear(&answer(&printer()[record..=record]));
        questions.extend(more);
        let known = known.map(|(name, to)| (name.to_owned(), to.replace(' ', "\\032")));
        answers.extend(known);
        assert_eq!(asked(&browser), (questions.clone(), answers.clone()));
    }
    browser.hear(&answer(&printer()[2..4]));
    questions.truncate(2);
    questions.extend([question("printer.local", 1), question("printer.local", 28)]);
    assert_eq!(asked(&browser).0, questions);
    browser.hear(&answer(&printer()[4..]));
    questions.truncate(2);
    assert_eq!(asked(&browser), (questions, answers));
}

#[test]
fn a_name_in_capitals_is_the_same() {
    let mut browser = Browser::new(Some("_IPP._tcp"));
    let mut records = printer();
    records[4] = record("PRINTER.Local", 1, 120, &[10, 0, 0, 9]);
    browser.hear(&answer(&records));
    assert_eq!(shown(&browser), [SHOWN]);
}

#[test]
fn goodbye_and_new_addresses_count() {
    let mut browser = Browser::new(None);
    browser.hear(&answer(&printer()));
    // The new address takes the place of the others of its family.
    browser.hear(&answer(&[record("printer.local", 1, 120, &[10, 0, 0, 7])]));
    assert_eq!(shown(&browser), [SHOWN.replace("10.0.0.9", "10.0.0.7")]);
    browser.hear(&answer(&[record(TYPE, 12, 0, &name(PRINTER))]));
    assert_eq!((shown(&browser).len(), browser.names().count()), (0, 0));
}

#[test]
fn what_was_not_asked_for_is_not_listed() {
    let mut browser = Browser::new(Some("_http._tcp"));
    browser.hear(&answer(&printer()));
    assert_eq!(browser.names().count(), 0);
    // A question, another operation, a refusal, another class.
    for (at, flip) in [(2, 0x80), (2, 0x08), (3, 0x05)] {
        let mut message = answer(&printer());
        message[at] ^= flip;
        let mut browser = Browser::new(None);
        browser.hear(&message);
        assert_eq!(browser.count(), 0);
    }
    // A pointer to what is no service of the type.
    let mut browser = Browser::new(Some("_ipp._tcp"));
    browser.hear(&answer(&[
        pointer(TYPE, "x._http._tcp.local"),
        pointer(TYPE, TYPE),
    ]));
    assert_eq!(browser.names().count(), 0);
}

/// Whoever is on the link may say as much as they like.
#[test]
fn what_is_remembered_has_bounds() {
    let mut browser = Browser::new(None);
    for number in 0..2_000 {
        let service_type = format!("_{number}._tcp.local");
        browser.hear(&answer(&[
            pointer(TYPES, TYPE),
            pointer(TYPES, &service_type),
            pointer(TYPE, &format!("{number}.{TYPE}")),
            place(&format!("{number}.{TYPE}"), 1, "host.local"),
            record(&format!("{number}.{TYPE}"), 16, 120, b""),
            [
                name("host.local"),
                vec![
                    0,
                    1,
                    0,
                    1,
                    0,
                    0,
                    0,
                    9,
                    0,
                    4,
                    10,
                    0,
                    (number >> 8) as u8,
                    number as u8,
                ],
            ]
            .concat(),
        ]));
    }
    assert_eq!(browser.count(), 64 + 256);
    assert_eq!(browser.resolved().next().unwrap().addresses.len(), 16);
    assert!(browser.query().len() <= 1_200);
    asked(&browser);
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    let mut browser = Browser::new(None);
    let evil = "\x1b[2J\"x._ipp._tcp.local";
    browser.hear(&answer(&[
        pointer(TYPES, TYPE),
        pointer(TYPE, evil),
        place(evil, 1, "\x07\n.local"),
        record(evil, 16, 120, b"\x05a=\x1b[m\x02\xff\\"),
        record("\x07\n.local", 1, 120, &[10, 0, 0, 9]),
    ]));
    let shown = shown(&browser).concat();
    assert!(shown.contains(r#"= \u{1b}[2J\"x  _ipp"#), "{shown}");
    let listed = browser.names().map(|name| Instance(name).to_string());
    for text in listed.chain([shown.replace('\n', " ")]) {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// Records of few names, so that they meet, and octets of any sort.
fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let names = || {
        sample::select(vec![
            TYPES,
            TYPE,
            PRINTER,
            "printer.local",
            "a._ipp._tcp.local",
        ])
    };
    let types = sample::select(vec![1u16, 12, 16, 28, 33, 47]);
    let data = prop_oneof![
        names().prop_map(name),
        names().prop_map(|host| [&[0; 6][..], &name(host)].concat()),
        collection::vec(any::<u8>(), 0..20),
    ];
    let seconds = prop_oneof![Just(0), any::<u32>()];
    (names(), types, seconds, data)
        .prop_map(|(owner, kind, seconds, data)| record(owner, kind, seconds, &data))
}

proptest! {
    #[test]
    fn any_octets_are_survived(messages in collection::vec(collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut browser = Browser::new(None);
        for message in messages {
            browser.hear(&message);
        }
        asked(&browser);
    }

    #[test]
    fn any_records_and_any_damage_are_survived(
        messages in collection::vec(collection::vec(any_record(), 0..12), 0..12),
        damage in collection::vec((any::<sample::Index>(), any::<u8>()), 0..6),
        cut in any::<sample::Index>(),
    ) {
        let mut browser = Browser::new(None);
        browser.hear(&answer(&printer()));
        for records in messages {
            let mut message = answer(&records);
            browser.hear(&message);
            for (at, octet) in &damage {
                let at = at.index(message.len());
                message[at] = *octet;
            }
            browser.hear(&message);
            browser.hear(&message[..cut.index(message.len())]);
            asked(&browser);
            shown(&browser);
            prop_assert!(browser.query().len() <= 1_200);
        }
    }
}

fn discover(options: &[&str]) -> Option<Vec<String>> {
    let discover = program::program("discover");
    let needs = [
        Need::Program("avahi-daemon", "avahi-daemon"),
        Need::Program("unshare", "util-linux"),
        Need::Lab(program::program("tcp_server")),
    ];
    need::all(&needs).then(|| {
        let mut command = Command::new(discover);
        command.args(["--time", "30"]).args(options);
        command.args(["--lab", "--", "sh", &program::peer("avahi.sh")]);
        let output = command.output().expect("the example starts");
        program::assert_success(&output);
        program::lines(&output)
    })
}

#[test]
fn avahi_answers() {
    let Some(lines) = discover(&["--count", "2"]) else {
        return;
    };
    let (mut found, resolved): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| line.starts_with('+'));
    found.sort();
    assert_eq!(
        found,
        [
            "+ Office Printer  _ipp._tcp.local",
            "+ Überblick  _http._tcp.local"
        ]
    );
    let expected = "\
= Office Printer  _ipp._tcp.local
   hostname = [glass-printer.local]
   address = [192.168.69.100]
   address = [fdaa:69::100]
   port = [631]
   txt = [\"rp=ipp/print\" \"note=Second floor\"]
= Überblick  _http._tcp.local
   hostname = [glass-printer.local]
   address = [192.168.69.100]
   address = [fdaa:69::100]
   port = [8080]
   txt = []";
    assert_eq!(resolved, expected.lines().collect::<Vec<_>>());
}

#[test]
fn avahi_is_asked_for_one_type() {
    let Some(lines) = discover(&["--service", "_http._tcp", "--count", "1"]) else {
        return;
    };
    assert_eq!(lines[0], "+ Überblick  _http._tcp.local");
    assert_eq!(lines[1], "= Überblick  _http._tcp.local");
    assert!(lines.contains(&"   port = [8080]".to_owned()), "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("Printer")),
        "{lines:#?}"
    );
}
