//! What can be asked of the board over its serial line.

use core::{net::IpAddr, time::Duration};

use glasstack::{
    Error, Result,
    socket::{Network, sleep, timeout},
    stack::{InterfaceId, InterfaceRoute},
};

use crate::{
    address,
    counter::{Counter, Counters},
    fault,
    glass::{self, Glass},
    http,
    kept::Kept,
    terminal::Terminal,
};

const HELP: &str = "\
help                     these lines
address A/N [GATEWAY]    address A with a prefix of N bits, as 10.0.2.16/24, in place of DHCP's
dhcp                     addresses by DHCP and from routers again, in place of what `address` gave
routes                   where packets go
get http://HOST[:PORT]/PATH
sockets                  as ss(8) lists them
counters                 frames, drops and wake-ups since power-on
events                   the last frames, calls and states, as a ladder
ladder on|off            frames, calls and states when they happen
sleep SECONDS            nothing, for so long; then, what woke the processor meanwhile
restart                  starts again, and tells the last events of before
fault panic|memory|hang  starts again after a panic, a memory fault, or 4 s without a sleep";

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Does what is typed, for ever.
pub async fn run<'t, N: Network<Observer = Glass<'t>> + Clone>(
    network: N,
    link: InterfaceId,
    terminal: &Terminal,
    kept: &Kept,
) {
    loop {
        let line = terminal.line().await;
        let mut words = line.split_ascii_whitespace();
        let Some(command) = words.next() else {
            continue;
        };
        let words = [words.next(), words.next()];
        match obey(&network, link, terminal, kept, command, words).await {
            Ok(()) => terminal.say(format_args!("ok")),
            Err(error) => terminal.say(format_args!("error: {error}")),
        }
    }
}

async fn obey<'t, N: Network<Observer = Glass<'t>> + Clone>(
    network: &N,
    link: InterfaceId,
    terminal: &Terminal,
    kept: &Kept,
    command: &str,
    words: [Option<&str>; 2],
) -> Result<()> {
    let say = |line: core::fmt::Arguments<'_>| terminal.say(line);
    match (command, words) {
        ("help", _) => say(format_args!("{HELP}")),
        ("address", [Some(address), gateway]) => {
            let gateway = gateway.map(str::parse).transpose();
            let gateway = gateway.map_err(|_| Error::InvalidArgument)?;
            let address = with_prefix(address).ok_or(Error::InvalidArgument)?;
            address::give(network, link, address, gateway)?;
        }
        ("dhcp", _) => address::find(network, link, say).await?,
        ("routes", _) => network.call(|stack| {
            for InterfaceRoute { route, origin, .. } in stack.routes(link) {
                let (to, length) = (route.destination, route.prefix_len);
                match route.gateway {
                    Some(gateway) => say(format_args!("{to}/{length} by {gateway}: {origin:?}")),
                    None => say(format_args!("{to}/{length} on the link: {origin:?}")),
                }
            }
            Ok(())
        })?,
        ("get", [Some(url), _]) => {
            let mut out = terminal;
            let get = http::get(network.clone(), url, say, |octets: &[u8]| {
                // The UART takes everything.
                let _ = octets
                    .utf8_chunks()
                    .try_for_each(|it| core::fmt::Write::write_str(&mut out, it.valid()));
            });
            timeout(network, PATIENCE, get).await??;
        }
        ("sockets", _) => network.call(|stack| {
            say(format_args!("{}", stack.sockets()));
            Ok(())
        })?,
        ("counters", _) => {
            let (usage, now) = network.call(|stack| Ok((stack.usage(), stack.now())))?;
            say(format_args!(
                "{:10} s since the start",
                now.total_micros() / 1_000_000
            ));
            say(format_args!(
                "{:10} connections, {} sockets",
                usage.connections, usage.sockets
            ));
            say(format_args!("{}", Counters(kept)));
        }
        ("events", _) => {
            // The UART takes everything.
            let _ = glass::draw(kept, terminal);
        }
        ("ladder", [Some(word @ ("on" | "off")), _]) => network.call(|stack| {
            stack.observer().show(word == "on");
            Ok(())
        })?,
        ("sleep", [Some(seconds), _]) => {
            let seconds = seconds.parse().map_err(|_| Error::InvalidArgument)?;
            let causes = [
                Counter::Wakeups,
                Counter::ByTimer,
                Counter::ByEthernet,
                Counter::ByUart,
            ];
            let before = causes.map(|it| kept.count_of(it));
            sleep(network, Duration::from_secs(seconds)).await?;
            let [all, timer, ethernet, uart] =
                core::array::from_fn(|it| kept.count_of(causes[it]).wrapping_sub(before[it]));
            say(format_args!(
                "{all} wake-ups in {seconds} s: {timer} by the timer, {ethernet} by Ethernet, {uart} by the UART"
            ));
        }
        ("restart", _) => fault::end(format_args!("restart")),
        ("fault", [Some(kind @ ("panic" | "memory" | "hang")), _]) => fault::cause(kind),
        _ => {
            say(format_args!(
                "no such command, or not so: `help` lists them"
            ));
            return Err(Error::InvalidArgument);
        }
    }
    Ok(())
}

/// `192.168.69.1/24`.
fn with_prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix_len) = text.split_once('/')?;
    Some((address.parse().ok()?, prefix_len.parse().ok()?))
}
