//! Runs in which the time stands still.

use std::time::Duration;

use super::*;
use crate::socket::{TcpStream, sleep};
use crate::stack::Capacity;

/// What a run that never rests says of who goes on.
fn livelock(simulation: &mut Simulation) -> Vec<String> {
    match simulation.settle() {
        Err(stopped) if stopped.reason() == Reason::Livelock => stopped.waiting().to_vec(),
        result => vec![format!("no livelock: {result:?}")],
    }
}

#[test]
fn a_task_that_never_rests_is_named() -> Result<()> {
    let mut simulation = Simulation::new(1);
    let alice = simulation.host("alice")?;
    let busy = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    });
    let _ = simulation.spawn(alice, "busy", |_| busy)?;
    let waiting = livelock(&mut simulation);
    assert_eq!(waiting, ["alice: busy waits for its turn"]);
    Ok(())
}

#[test]
fn more_tasks_than_wakers_wake_each_other_for_ever() -> Result<()> {
    let mut simulation = Simulation::new(1);
    let capacity = Capacity {
        wakers: 3,
        ..Capacity::default()
    };
    let alice = simulation.host_with("alice", capacity)?;
    for _ in 0..4 {
        let program = |network| sleep(network, Duration::from_secs(1));
        let _ = simulation.spawn(alice, "one of many", program)?;
    }
    let waiting = livelock(&mut simulation);
    assert_eq!(waiting.len(), 4);
    assert!(waiting.contains(&"alice: one of many waits for its turn".to_owned()));
    Ok(())
}

#[test]
fn a_frame_in_a_circle_of_switches_stops_the_run() -> Result<()> {
    for count in 1..=3 {
        let mut simulation = Simulation::new(1);
        let alice = simulation.host("alice")?;
        let switches: Vec<_> = (0..count).map(|_| simulation.switch()).collect();
        for number in 0..count {
            let next = switches[(number + 1) % count];
            simulation.link(Link::ethernet(1514), switches[number], next)?;
        }
        simulation.link(Link::ethernet(1514), (alice, &["10.0.0.1/24"]), switches[0])?;
        let connect = |network| TcpStream::connect(network, ([10, 0, 0, 2], 9999).into());
        let _ = simulation.spawn(alice, "client", connect)?;
        let waiting = livelock(&mut simulation);
        assert!(waiting[0].starts_with("alice: client waits for the end of its handshake"));
    }
    Ok(())
}

#[test]
fn actions_that_plan_each_other_for_now_stop_the_run() {
    fn again(simulation: &mut Simulation) {
        simulation.at(Duration::ZERO, again);
    }
    let mut simulation = Simulation::new(1);
    simulation.at(Duration::ZERO, again);
    assert!(livelock(&mut simulation).is_empty());
}

#[test]
fn what_was_done_is_not_kept() -> Result<()> {
    let mut simulation = Simulation::new(1);
    let alice = simulation.host("alice")?;
    for second in 0..100 {
        simulation.at(Duration::from_secs(second), move |simulation| {
            let _ = simulation.restart(alice);
        });
    }
    simulation.settle().map_err(|_| Error::TimedOut)?;
    assert!(simulation.actions.is_empty() && simulation.planned.is_empty());
    // Its loopback's driver.
    assert_eq!(simulation.executor.tasks().count(), 1);
    Ok(())
}

#[test]
fn tasks_that_are_gone_have_no_turn() -> Result<()> {
    let mut simulation = Simulation::new(1);
    let alice = simulation.host("alice")?;
    for _ in 0..10 {
        simulation.restart(alice)?;
    }
    let turns = std::iter::from_fn(|| simulation.executor.turn().then_some(()));
    assert_eq!(turns.count(), 1);
    Ok(())
}
