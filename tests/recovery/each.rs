//! Each segment of the dialogue is lost once.

use std::time::Duration;

use glasstack::trace::Timer;

use crate::dialogue::{Closer, Scene, since_start};
use crate::rules::{self, Repeats};

/// What became of a dialogue without one of its segments.
struct Run {
    repeats: Repeats,
    /// When that segment was sent, from its loss on.
    times: Vec<Duration>,
}

/// The dialogue without its `n`th segment of a kind; `None` where there is no such segment.
fn without(closer: Closer, kind: &str, from: &str, n: usize) -> Option<Run> {
    let mut scene = Scene::new(Some(&format!("{kind} {n} from {from}")));
    scene.dialogue(closer);
    scene.settle();
    let lost = scene.lost();
    assert!(lost.len() <= 1, "{kind} {n} from {from}");
    let lost = lost.first()?;
    let repeats = rules::check(&scene.recording.events());
    let times = scene.times(lost);
    Some(Run { repeats, times })
}

/// The kinds of segments; how many there are of each where the client closes first, and where the server does; and how many of
/// them come again by fast retransmit: those behind which three more are under way.
const SEGMENTS: [(&str, &str, [usize; 2], usize); 8] = [
    ("SYN", "client", [1, 1], 0),
    ("SYN-ACK", "server", [1, 1], 0),
    ("data", "client", [5, 6], 0),
    ("data", "server", [46, 45], 31),
    ("ACK", "client", [24, 23], 0),
    ("ACK", "server", [5, 5], 0),
    ("FIN", "client", [1, 1], 0),
    ("FIN", "server", [1, 1], 0),
];

fn each_comes_again(closer: Closer) {
    for (kind, from, [by_client, by_server], count_fast) in SEGMENTS {
        let count = match closer {
            Closer::Client => by_client,
            Closer::Server => by_server,
        };
        let (mut of_its_kind, mut fast) = (0, 0);
        while let Some(Run { repeats, times }) = without(closer, kind, from, of_its_kind + 1) {
            of_its_kind += 1;
            fast += repeats.fast;
            let what = format!("{kind} {of_its_kind} from {from}: {repeats:?} {times:?}");
            if kind == "ACK" {
                // The next one makes up for it; where there is none in time, the segment that it was for.
                assert!(repeats.fast == 0 && repeats.after_timeout < 2, "{what}");
                continue;
            }
            assert_eq!(times.len(), 2, "{what}");
            // What was acknowledged meanwhile is at most what was under way before it: a round trip, and the 10 ms for
            // which the last acknowledgment of a flight is held back.
            let late = Duration::from_millis(1_053);
            let by_timeout = Duration::from_secs(1)..late;
            let alone = from == "client" || kind != "data";
            if alone {
                assert_eq!(times[1], by_timeout.start, "{what}");
            } else if repeats.fast == 0 {
                assert!(by_timeout.contains(&times[1]), "{what}");
            } else {
                assert_eq!((repeats.fast, repeats.after_timeout), (1, 0), "{what}");
                assert!(times[1] < Duration::from_millis(100), "{what}");
            }
        }
        assert_eq!(
            (of_its_kind, fast),
            (count, count_fast),
            "{kind} from {from}"
        );
    }
}

#[test]
fn whichever_segment_is_lost_comes_again_at_its_time_where_the_client_closes_first() {
    each_comes_again(Closer::Client);
}

#[test]
fn whichever_segment_is_lost_comes_again_at_its_time_where_the_server_closes_first() {
    each_comes_again(Closer::Server);
}

#[test]
fn an_acknowledgment_that_is_held_back_in_time_wait_does_not_end_it() {
    let mut scene = Scene::new(None);
    scene.dialogue(Closer::Client);
    scene.settle();
    // The server's FIN comes with data.
    let events = scene.recording.events();
    let client = events.at(scene.client.station());
    let (over, _) = client.timer(Timer::TimeWait).last().unwrap();
    assert_eq!(client.fired(Timer::TimeWait), 1);
    assert_eq!(since_start(over), scene.simulation.elapsed());
}

#[test]
fn where_nothing_is_lost_nothing_comes_again() {
    for closer in [Closer::Client, Closer::Server] {
        let mut scene = Scene::new(None);
        scene.dialogue(closer);
        scene.settle();
        assert_eq!(rules::check(&scene.recording.events()), Repeats::default());
    }
}
