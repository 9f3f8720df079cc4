//! The progress line on standard error: that something goes on, what, since when. Drawn only for a person, and
//! only while nothing else is printed.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::terminal::{Colours, Kind, Page, Terminal, clean};

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(120);
/// How long nothing else may have been printed before it is drawn.
const QUIET: Duration = Duration::from_millis(400);
const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The line.
pub(super) struct Progress {
    terminal: Terminal,
    began: Instant,
    /// When something else was printed last.
    printed: Option<Instant>,
    doing: String,
    /// Bytes of answer that went into a pipe, where no other sign of them is seen.
    piped: usize,
    drawn: bool,
    frame: usize,
    timer: tokio::time::Interval,
}

impl Progress {
    /// Begins to count the time.
    pub(super) fn new(terminal: Terminal) -> Self {
        let mut timer = tokio::time::interval(EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer.reset();
        Self {
            terminal,
            began: Instant::now(),
            printed: None,
            doing: "waiting for the model".to_owned(),
            piped: 0,
            drawn: false,
            frame: 0,
            timer,
        }
    }

    /// Whether anybody would see it.
    pub(super) fn is_shown(&self) -> bool {
        self.terminal.errors == Kind::Screen && self.terminal.colours != Colours::Dumb
    }

    /// Resolves when it is time to draw it anew. Cancel-safe.
    pub(super) async fn tick(&mut self) {
        self.timer.tick().await;
    }

    /// What is going on now.
    pub(super) fn doing(&mut self, doing: String) {
        self.doing = doing;
    }

    /// So many bytes of answer are about to be printed: the line makes room, if they come to the same screen.
    pub(super) fn make_room(&mut self, bytes: usize, page: &mut Page) {
        if self.terminal.output == Kind::Pipe {
            self.piped += bytes;
            return;
        }
        self.clear(page);
        self.printed = Some(Instant::now());
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self, page: &mut Page) {
        if std::mem::take(&mut self.drawn) {
            page.err("\r\x1b[K");
        }
    }

    /// Draws the line, unless something was printed just now.
    pub(super) fn draw(&mut self, page: &mut Page) {
        if self.printed.is_some_and(|printed| printed.elapsed() < QUIET) {
            return;
        }
        self.frame = (self.frame + 1) % FRAMES.len();
        let frame = FRAMES.get(self.frame).copied().unwrap_or_default();
        let mut text = format!("{} · {} s", clean(&self.doing), self.began.elapsed().as_secs());
        if self.piped > 0 {
            // Writing to memory does not fail.
            let _ = write!(text, " · {} bytes", self.piped);
        }
        page.err(format!("\r\x1b[K{frame} {}", self.terminal.styled("2", &text)));
        self.drawn = true;
    }

    /// Since the prompt was sent.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
