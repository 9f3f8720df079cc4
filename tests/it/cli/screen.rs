//! The command line on a terminal: a real pseudo-terminal, whose screen a person would read.
#![cfg(unix)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Child;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Home, code};

/// A program on a pseudo-terminal.
pub(crate) struct Screen {
    terminal: File,
    pub(crate) child: Child,
    seen: String,
}

impl Screen {
    pub(crate) fn run(home: &Home, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let side = || {
            let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
            rustix::fs::open(&*name, flags, rustix::fs::Mode::empty()).unwrap()
        };
        let mut command = home.command(arguments);
        let child =
            command.envs(env.iter().copied()).stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        // The command holds our copies of its side, without whose end the terminal would never end.
        drop(command);
        Self { terminal: terminal.into(), child, seen: String::new() }
    }

    /// Reads until `wanted` was printed.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: &str) {
        while !self.seen.contains(wanted) {
            assert!(self.more(), "{wanted:?} never came:\n{}", self.seen);
        }
    }

    fn more(&mut self) -> bool {
        // A program that says nothing for so long hangs.
        let limit = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
        let mut ready = [rustix::event::PollFd::new(&self.terminal, rustix::event::PollFlags::IN)];
        assert!(rustix::event::poll(&mut ready, Some(&limit)).unwrap() > 0, "it hangs:\n{}", self.seen);
        let mut bytes = [0; 4096];
        // The end of a pseudo-terminal is an error on Linux.
        let read = self.terminal.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read > 0
    }

    /// Everything that was printed so far.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Everything that was printed, line feeds as the program wrote them, and the exit status.
    pub(crate) fn ended(mut self) -> (String, Option<i32>) {
        while self.more() {}
        let status = code(self.child.wait().unwrap());
        (self.seen.replace("\r\n", "\n"), status)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; a program that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text as it stands at last: without styles, and without lines that were taken away.
fn read(printed: &str) -> String {
    let mut text = String::new();
    let mut rest = printed;
    while let Some((before, code)) = rest.split_once('\x1b') {
        text.push_str(before);
        let end = code.find(|it: char| it.is_ascii_alphabetic()).expect("an escape sequence ends");
        match &code[..=end] {
            "[K" => {
                let line = text.rfind('\n').map_or(0, |at| at + 1);
                text.truncate(line);
            }
            style => {
                assert!(style.starts_with('[') && style.ends_with('m'), "the terminal was told {style:?}");
            }
        }
        rest = &code[end + 1..];
    }
    text.push_str(rest);
    text
}

const ANSWER: &str = "{\"thinking\":\"hm\"}\n{\"text\":\"# Hea\"}\n{\"text\":\"d\\n\\nsome *sla\"}\n{\"text\":\"nted* `code`\\n\"}\n\
                      {\"text\":\"- one\\n\\u001b]0;owned\\u0007\\n\"}\n{\"text\":\"```rust\\nfn x()\\n```\\n\"}";

#[test]
fn a_terminal_gets_styled_text_that_cannot_harm_it() {
    let home = Home::playing(ANSWER);
    let (printed, status) = Screen::run(&home, &["prompt", "x"], &[]).ended();
    assert_eq!(status, Some(0), "{printed}");
    for wanted in [
        "\x1b[2mhm\x1b[0m\n\n",
        "\x1b[0;1;4;35mHead\x1b[0m\n",
        "\x1b[0;3mslanted\x1b[0m",
        "\x1b[0;36mcode\x1b[0m",
        "\x1b[0;36mfn x()\x1b[0m\n",
    ] {
        assert!(printed.contains(wanted), "{wanted:?} is not in {printed:?}");
    }
    let text = read(&printed);
    let (answer, footer) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(answer, "hm\n\nHead\n\nsome slanted code\n• one\n␛]0;owned␇\n```rust\nfn x()\n```\n");
    assert!(footer.starts_with("demo/demo · ") && footer.contains("session "), "{footer}");
}

#[test]
fn without_colours_a_terminal_gets_the_text_as_it_stands() {
    let home = Home::playing(ANSWER);
    for (arguments, env) in [
        (&["prompt", "--no-color", "x"][..], &[][..]),
        (&["prompt", "x"], &[("NO_COLOR", "1")]),
        (&["prompt", "x"], &[("TERM", "dumb")]),
    ] {
        let (printed, status) = Screen::run(&home, arguments, env).ended();
        assert_eq!(status, Some(0), "{printed}");
        // A progress line may have been drawn and taken away; it has no colours either.
        let text = printed.replace("\r\x1b[K", "");
        assert!(!text.contains('\x1b'), "{printed:?}");
        assert!(text.contains("# Head\n\nsome *slanted* `code`\n- one\n␛]0;owned␇\n```rust\n"), "{text}");
    }
}

#[test]
fn a_progress_line_is_drawn_and_taken_away() {
    let home = Home::playing("{\"waitMs\":700}\n{\"text\":\"late\"}");
    let mut screen = Screen::run(&home, &["prompt", "x"], &[]);
    screen.until("waiting for the model · 0 s");
    let (printed, status) = screen.ended();
    assert_eq!(status, Some(0));
    assert!(read(&printed).starts_with("late\n"), "{:?}", read(&printed));
}

const CALL: &str = "{\"toolCall\":{\"name\":\"demo\",\"arguments\":{\"note\":\"tidy \\u001b[2J up\"}}}\n\
                    {\"turn\":true}\n{\"text\":\"done\"}";

#[test]
fn permission_is_asked_for() {
    for (typed, wanted) in [
        ("y\n", "✓ Pretend: tidy ␛[2J up  Pretended: "),
        ("maybe\na\n", "✓ Pretend: "),
        ("n not today\n", "✗ Pretend: tidy ␛[2J up  The person rejected this: not today"),
    ] {
        let home = Home::playing(CALL);
        let mut screen = Screen::run(&home, &["prompt", "x"], &[]);
        screen.until("Reject\r\n> ");
        screen.types(typed);
        let (printed, status) = screen.ended();
        assert_eq!(status, Some(0), "{printed}");
        let text = read(&printed);
        assert!(text.contains("? Pretend: tidy "), "{text}");
        assert!(text.contains(wanted), "{wanted:?} is not in {text}");
        assert!(text.contains("\ndone\n"), "{text}");
    }
}

#[test]
fn a_form_is_filled_in() {
    let home = Home::playing(
        "{\"toolCall\":{\"name\":\"demo\",\"arguments\":{\"question\":\"Which one?\"}}}\n{\"turn\":true}\n{\"text\":\"done\"}",
    );
    let mut screen = Screen::run(&home, &["prompt", "x"], &[]);
    screen.until(" Which one?");
    screen.until("> ");
    // Nothing is no answer; it is asked again.
    screen.types("\nthe second\n");
    let (printed, status) = screen.ended();
    assert_eq!(status, Some(0), "{printed}");
    assert!(read(&printed).contains("The person answered: the second"), "{printed}");
}

#[test]
fn an_interrupted_question_leaves_its_line() {
    let home = Home::playing(CALL);
    let mut screen = Screen::run(&home, &["prompt", "x"], &[]);
    screen.until("Reject\r\n> ");
    let pid = rustix::process::Pid::from_child(&screen.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (printed, status) = screen.ended();
    assert_eq!(status, Some(130), "{printed}");
    assert!(read(&printed).contains("> \n"), "{printed}");
    assert!(read(&printed).contains("\naside: cancelled; what had come is kept in session "), "{printed}");
}

#[test]
fn alone_on_a_terminal_it_tells_how_to_use_it() {
    let (printed, status) = Screen::run(&Home::new(), &[], &[]).ended();
    assert_eq!(status, Some(0));
    assert!(printed.contains("Examples:") && printed.contains("aside prompt"), "{printed}");
}
