//! `aside login` in a terminal and over pipes.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use super::browser::{V4, alone, is_open, visit};
use super::flows::Lab;
use crate::cli::Home;
use crate::cli::screen::Screen;
use crate::identity::Identity;
use crate::provider::speech;

fn variables(lab: &Lab) -> Vec<(&'static str, String)> {
    lab.variables().to_vec()
}

pub(super) fn screen(lab: &Lab, home: &Home, arguments: &[&str]) -> Screen {
    let variables = variables(lab);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Screen::run(home, arguments, &variables)
}

/// The first word of what was printed that begins so.
pub(super) fn word(printed: &str, beginning: &str) -> String {
    let word = printed.split_whitespace().find(|word| word.starts_with(beginning));
    word.unwrap_or_else(|| panic!("no {beginning} in {printed}")).to_owned()
}

#[test]
fn a_person_chooses_and_pastes() {
    let (lab, _ports) = (Lab::new(), alone());
    let home = Home::new();
    let mut terminal = screen(&lab, &home, &["login", "anthropic"]);
    terminal.until("a page in the browser");
    terminal.types("1\n");
    terminal.until("billed per token");
    terminal.until("open it in any browser");
    terminal.until("Address or code");
    let url = word(terminal.seen(), "https://claude.ai/oauth");
    let back = lab.identity.allow(&url);
    terminal.types("https://example.com/\n");
    terminal.until("There is no code in what was pasted");
    terminal.types(&format!("{back}\n"));
    let (printed, status) = terminal.ended();
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.contains("signed in to Anthropic"), "{printed}");
    // What is pasted is not shown.
    for secret in lab.identity.secrets() {
        assert!(!printed.contains(&secret), "{printed}");
    }
    lab.internet.provider().reply(speech::text("anthropic-messages", "hello", " there"));
    let run = home.printed_with(&["prompt", "--provider", "anthropic", "hi"], &variables(&lab));
    assert_eq!(run.trim_end(), "hello there");
}

#[test]
fn the_browser_comes_back_while_the_person_is_asked() {
    let (lab, _ports) = (Lab::new(), alone());
    let home = Home::new();
    let mut terminal = screen(&lab, &home, &["login", "openai-codex", "--method", "browser"]);
    terminal.until("Address or code");
    visit(&lab.identity.allow(&word(terminal.seen(), "https://auth.openai.com/")));
    let (printed, status) = terminal.ended();
    assert_eq!(status, Some(0), "{printed}");
    let mut terminal = screen(&lab, &home, &["login", "github-copilot"]);
    terminal.until("Domain of GitHub Enterprise");
    terminal.types("\n");
    terminal.until("https://github.com/login/device");
    lab.identity.type_code(&word(terminal.seen(), "WDJB-"));
    let (printed, status) = terminal.ended();
    assert!(status == Some(0) && printed.contains("signed in to GitHub Copilot"), "{printed}");
}

#[test]
fn an_interrupt_closes_the_port() {
    let (lab, _ports) = (Lab::new(), alone());
    let home = Home::new();
    let mut terminal = screen(&lab, &home, &["login", "anthropic", "--method", "browser"]);
    terminal.until("Address or code");
    assert!(is_open(V4, 53692));
    crate::process::kill(terminal.child.id(), rustix::process::Signal::INT);
    let (printed, status) = terminal.ended();
    assert_eq!(status, Some(130), "{printed}");
    assert!(!is_open(V4, 53692));
    assert!(!home.path().join("auth.json").exists());
}

/// Runs a command over pipes; `act` is told the lines of standard error until it has done what there is to do.
fn piped(
    lab: &Lab,
    home: &Home,
    arguments: &[&str],
    mut act: impl FnMut(&str) -> Option<String>,
) -> (String, i32) {
    let mut command = home.command(arguments);
    command.envs(variables(lab)).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take();
    let mut printed = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(text) = act(&line)
            && let Some(mut input) = input.take()
        {
            input.write_all(text.as_bytes()).unwrap();
        }
        printed.push_str(&line);
        printed.push('\n');
    }
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    (printed, child.wait().unwrap().code().unwrap())
}

#[test]
fn a_script_signs_in_over_pipes() {
    let (lab, _ports) = (Lab::new(), alone());
    let home = Home::new();
    // Far from the person's browser a code is what is taken.
    let (printed, status) = piped(&lab, &home, &["login", "openai-codex"], |line| {
        if let Some(code) = line.trim().strip_prefix("WDJB-") {
            lab.identity.type_code(&format!("WDJB-{code}"));
        }
        None
    });
    assert!(status == 0 && printed.contains("signed in to ChatGPT"), "{printed}");
    let arguments = ["login", "anthropic", "--method", "browser"];
    let (printed, status) = piped(&lab, &home, &arguments, |line| {
        if line.trim().starts_with("https://claude.ai/") {
            visit(&lab.identity.allow(line.trim()));
        }
        None
    });
    assert!(status == 0 && printed.contains("signed in to Anthropic"), "{printed}");
    let arguments = ["login", "anthropic", "--method", "browser", "-"];
    let (printed, status) = piped(&lab, &home, &arguments, |line| {
        line.trim().starts_with("https://claude.ai/").then(|| lab.identity.allow(line.trim()))
    });
    assert!(status == 0 && printed.contains("signed in to Anthropic"), "{printed}");
    let arguments = ["login", "anthropic", "--method", "browser"];
    let (printed, status) = piped(&lab, &home, &arguments, |line| {
        if line.trim().starts_with("https://claude.ai/") {
            visit(&Identity::decline(line.trim(), "access_denied", "no"));
        }
        None
    });
    assert_ne!(status, 0);
    assert!(printed.contains("error: the sign-in was declined at Anthropic"), "{printed}");
    let (printed, status) = piped(&lab, &home, &["login", "xai", "--domain", "x.example"], |_| None);
    assert!(status != 0 && printed.contains("has no domains"), "{printed}");
    lab.no_violations(&[]);
}
