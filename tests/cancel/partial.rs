//! `write_all` and `read_exact` have done a part of their work where they wait: dropped there, it is done, and no more of it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use glasstack::socket::sleep;

use super::dialogue::text;
use super::scene::{Scene, read_to_end};

/// Drops a future where it waits for the `last`th time; whether it came to that.
async fn up_to(last: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut waits = 0;
    poll_fn(|context| {
        if future.as_mut().poll(context).is_ready() {
            return Poll::Ready(false);
        }
        waits += 1;
        match waits > last {
            true => Poll::Ready(true),
            false => Poll::Pending,
        }
    })
    .await
}

#[test]
fn what_write_all_had_queued_arrives_and_the_next_write_follows_it() {
    let text = text(6_000);
    let mut before = 0;
    for last in 0.. {
        let mut scene = Scene::new();
        let (client, server) = scene.connected();
        let data = text.clone();
        let writer = async move {
            let was_dropped = up_to(last, client.write_all(&data)).await;
            client.write_all(b"end").await.unwrap();
            was_dropped
        };
        let reader = async move { read_to_end(&server).await };
        let writing = scene.start("writer", writer);
        let received = scene.wait(reader);
        let was_dropped = writing.take().unwrap();
        let (queued, end) = received.split_at(received.len() - 3);
        assert_eq!(end, b"end");
        assert_eq!(queued, &text[..queued.len()]);
        assert!(
            queued.len() > before,
            "each point has queued more than the one before"
        );
        before = queued.len();
        scene.end();
        if !was_dropped {
            assert_eq!(queued.len(), text.len());
            assert!(last > 3, "{last} points");
            return;
        }
    }
}

#[test]
fn what_read_exact_had_read_is_in_the_buffer_and_the_next_read_has_the_rest() {
    const PART: usize = 100;
    // Not in the text: what was not written to shows.
    const UNTOUCHED: u8 = 0xff;
    let text = text(4 * PART);
    assert!(!text.contains(&UNTOUCHED));
    for last in 0.. {
        let mut scene = Scene::new();
        let (client, server) = scene.connected();
        let (near, data) = (scene.near.clone(), text.clone());
        let writer = async move {
            for part in data.chunks(PART) {
                client.write_all(part).await.unwrap();
                sleep(&near, Duration::from_secs(1)).await.unwrap();
            }
        };
        let reader = async move {
            let mut buffer = [UNTOUCHED; 3 * PART];
            let was_dropped = up_to(last, server.read_exact(&mut buffer)).await;
            (was_dropped, buffer, read_to_end(&server).await)
        };
        scene.start("writer", writer);
        let (was_dropped, buffer, rest) = scene.wait(reader);
        let (read, untouched) = buffer.split_at(text.len() - rest.len());
        assert_eq!([read, &rest].concat(), text);
        assert!(untouched.iter().all(|octet| *octet == UNTOUCHED));
        // Nothing had arrived at the first point.
        assert_eq!(read.len(), PART * last.min(3));
        scene.end();
        if !was_dropped {
            assert_eq!(last, 3);
            return;
        }
    }
}
