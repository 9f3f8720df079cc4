//! The waits of an answer, on a paused clock.

use super::*;
use crate::settings::Settings;

fn clock() -> WaitClock {
    let timeouts = Settings::default().timeouts;
    WaitClock {
        timeouts,
        started: None,
        last_byte: None,
        last_event: None,
        stopped: None,
        trailer: TRAILER,
        sleep: None,
    }
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_without_pause_do_not_escape_the_waits() {
    let mut clock = clock();
    clock.byte();
    assert_eq!(clock.overdue(), None);
    pass(301).await;
    clock.byte();
    assert_eq!(clock.overdue(), Some(Wait::FirstEvent));
    clock.event();
    assert_eq!(clock.overdue(), None);
    pass(181).await;
    clock.byte();
    assert_eq!(clock.overdue(), Some(Wait::Event));
    clock.restart();
    assert_eq!(clock.overdue(), None);
    clock.stop();
    pass(6).await;
    clock.byte();
    assert_eq!(clock.overdue(), Some(Wait::Trailer));
}

#[tokio::test(start_paused = true)]
async fn the_nearest_wait_rings() {
    let mut clock = clock();
    let ring =
        |clock: &mut WaitClock| clock.poll(&mut Context::from_waker(futures_util::task::noop_waker_ref()));
    assert_eq!(ring(&mut clock), Poll::Pending);
    pass(299).await;
    assert_eq!(ring(&mut clock), Poll::Pending);
    clock.byte();
    clock.event();
    // The timer was set for the first event and must now ring sooner.
    pass(59).await;
    assert_eq!(ring(&mut clock), Poll::Pending);
    pass(2).await;
    assert_eq!(ring(&mut clock), Poll::Ready(Wait::Idle));
    for _ in 0..2 {
        clock.byte();
        pass(50).await;
    }
    assert_eq!(ring(&mut clock), Poll::Pending);
    clock.byte();
    pass(20).await;
    assert_eq!(ring(&mut clock), Poll::Ready(Wait::Event));
}
