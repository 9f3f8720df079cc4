//! `aside prompt`: one turn of one session, from the words that were typed to the exit status.
//!
//! A client of the engine as a door is: it sends a prompt, shows what comes, puts questions to the person, and
//! at the end has everything saved. It keeps nothing of the session itself.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Status;
use super::args::PromptArgs;
use super::ask::Asker;
use super::progress::Progress;
use super::terminal::{Complaint, Kind, Page, Terminal, Writer, clean};
use super::view::{self, Json, Pipe, Screen, View};
use crate::engine::store::load;
use crate::engine::{
    Answer, Client, Engine, Failure, Handle, Op, Output, OutputBody, Prompt, PromptOutcome, Reply, SessionId,
    Ticket, TurnEnd, World,
};
use crate::models::Content;
use crate::system::System;
use crate::system::os::{self, Event, Signals};

/// Messages between the session and the screen.
const OUTPUTS: usize = 128;
/// Bytes that are made while the last ones are still being written.
const PAGE: usize = 64 << 10;
/// A cancelled turn answers within this time.
const CANCEL: Duration = Duration::from_secs(2);
/// A session is saved within this time after its turn, or after a cancelled one.
const SAVE: Duration = Duration::from_secs(10);
const SAVE_CANCELLED: Duration = Duration::from_secs(1);
/// Tokens that are on their way are waited for this long.
const RENEWAL: Duration = Duration::from_secs(5);
/// What stands for standard input.
const STDIN: &str = "-";

/// Runs the command.
pub(super) async fn run(system: System, args: PromptArgs, terminal: Terminal) -> Status {
    let mut page = Page::default();
    let can_ask = terminal.can_ask();
    let world = Arc::new(World::new(
        system,
        Client { request_permission: can_ask, prompt_user: can_ask, ..Client::default() },
    ));
    super::complain_of_files(&world, terminal, &mut page);
    let Ok(mut signals) = Signals::watch_without_parent() else { return Status::Failed };
    // The prompt may be typed or come from a slow program: Ctrl-C ends that too.
    let asked = tokio::select! {
        biased;
        event = signals.next() => return Status::of(event),
        asked = prepare(&world, &args) => asked,
    };
    let (session, content) = match asked {
        Ok(asked) => asked,
        Err(failure) => {
            let status = Status::of_request(&failure);
            page.err(terminal.complaint(Complaint::Error, &failure.message, failure.hint.as_deref()));
            // Standard error may be gone; there is nobody else to tell.
            let _ = page.write();
            return status;
        }
    };
    let Ok(writer) = Writer::start() else { return Status::Failed };
    let (outputs_in, outputs) = mpsc::channel(OUTPUTS);
    let (replies_in, replies) = mpsc::unbounded_channel();
    let (abandoned, lost) = mpsc::unbounded_channel();
    let (engine, handle) = Engine::new(Arc::clone(&world), outputs_in, replies_in);
    let mut tasks = JoinSet::new();
    tasks.spawn(engine.run());
    let cancel = CancellationToken::new();
    handle.send(Op::Prompt {
        // The only request there is; `--json` answers it under this number.
        ticket: Ticket::new(1, "1".into(), abandoned),
        session,
        cwd: world.system.working_dir.display().to_string(),
        system: args.system,
        prompt: Box::new(Prompt {
            content,
            model: args.model,
            provider: args.provider,
            account: args.account,
            thinking: args.thinking,
            api_key: args.api_key,
            ..Prompt::default()
        }),
        cancel: cancel.clone(),
    });
    let view = if args.json {
        View::Json(Json::default())
    } else if terminal.output == Kind::Screen {
        View::Screen(Box::new(Screen::new(terminal)))
    } else {
        View::Pipe(Pipe::default())
    };
    let run = Run {
        terminal,
        handle,
        signals,
        cancel,
        outputs,
        replies,
        lost,
        writer,
        page,
        view,
        asker: Asker::new(terminal),
        progress: Progress::new(terminal),
        ended: None,
        gives_up: None,
        session: None,
        kind: if terminal.output == Kind::Screen && terminal.errors == Kind::Screen && !args.json {
            Told::InFooter
        } else {
            Told::No
        },
    };
    let status = run.finish().await;
    // Tokens that are on their way from a provider would be lost with the process.
    let _ = tokio::time::timeout(RENEWAL, world.accounts.settled()).await;
    status
}

/// The session and the prompt's content, from what was typed.
async fn prepare(world: &Arc<World>, args: &PromptArgs) -> Result<(Option<String>, Vec<Content>), Failure> {
    let session = match &args.session {
        Some(session) => Some(session.clone()),
        None if args.newest => Some(newest(world)?),
        None => None,
    };
    let limit = world.settings.limits.max_message_bytes;
    let inputs = args.text.iter().filter(|word| *word == STDIN).count();
    let input = match inputs {
        0 => None,
        1 => {
            let reading = tokio::task::spawn_blocking(move || read_input(limit));
            Some(reading.await.unwrap_or_else(|_| Err(Failure::internal("reading standard input failed")))?)
        }
        _ => return Err(Failure::invalid("/text", "- stands for standard input, which can be read once")),
    };
    let mut parts = args.text.split(|word| word == STDIN).map(|words| words.join(" "));
    let before = parts.next();
    let text: Vec<String> =
        before.into_iter().chain(input).chain(parts).filter(|part| !part.trim().is_empty()).collect();
    if text.is_empty() {
        return Err(Failure::invalid("/text", "the prompt is empty"));
    }
    Ok((session, vec![Content::Text(text.join("\n\n").into())]))
}

/// The newest session of this folder.
fn newest(world: &World) -> Result<String, Failure> {
    let folder = world.system.working_dir.display().to_string();
    let (sessions, _) = load::list(&world.store, Some(&folder), None, 1)?;
    sessions.first().map(|newest| newest.session.to_string()).ok_or_else(|| {
        Failure::not_found(
            format!("no session was held in {folder}"),
            Some("`aside sessions --all` lists those of other folders; go on with one by --session ID"),
        )
    })
}

/// Standard input to its end.
fn read_input(limit: usize) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::invalid("/text", format!("standard input cannot be read: {error}"));
    let mut bytes = Vec::new();
    os::stdin().map_err(failed)?.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(Failure::invalid("/text", format!("standard input holds more than {limit} bytes")));
    }
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// A prompt under way.
struct Run {
    terminal: Terminal,
    handle: Handle,
    signals: Signals,
    cancel: CancellationToken,
    outputs: mpsc::Receiver<Output>,
    replies: mpsc::UnboundedReceiver<Reply>,
    lost: mpsc::UnboundedReceiver<u64>,
    writer: Writer,
    page: Page,
    view: View,
    asker: Asker,
    progress: Progress,
    /// How it ended, once it has.
    ended: Option<Status>,
    /// When a cancelled turn is no longer waited for.
    gives_up: Option<Instant>,
    session: Option<SessionId>,
    kind: Told,
}

/// Whether the end is told on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// In a line of its own below the answer.
    InFooter,
    No,
}

impl Run {
    async fn finish(mut self) -> Status {
        let status = self.turn().await;
        self.save(status).await
    }

    /// Serves the turn until it is answered and everything is written.
    async fn turn(&mut self) -> Status {
        let mut interrupted = None;
        loop {
            self.writer.offer(&mut self.page);
            if let Some(status) = self.ended
                && !self.writer.is_busy()
            {
                return interrupted.unwrap_or(status);
            }
            let running = self.ended.is_none();
            let draws = running && self.progress.is_shown() && !self.asker.is_asking();
            tokio::select! {
                biased;
                event = self.signals.next() => match (event, interrupted) {
                    (Event::ClientGone, _) => return Status::Done,
                    (event, None) => {
                        interrupted = Some(Status::of(event));
                        self.cancel.cancel();
                        self.gives_up = Some(Instant::now() + CANCEL);
                    }
                    (_, Some(status)) => return status,
                },
                () = deadline(self.gives_up) => return interrupted.unwrap_or(Status::Failed),
                written = self.writer.written() => if written.is_err() {
                    // Nobody reads any more: nobody needs to be told.
                    return Status::Done;
                },
                Some(output) = self.outputs.recv(), if self.page.len() < PAGE && running => self.output(output),
                Some((ticket, answer)) = self.replies.recv(), if running => {
                    ticket.redeem();
                    self.answered(&answer);
                }
                Some(_) = self.lost.recv(), if running => {
                    self.answered(&Err(Failure::internal("the prompt was lost")));
                }
                line = self.asker.line(), if running => {
                    self.asker.take(line, &mut self.page);
                    self.send_answers();
                }
                () = self.progress.tick(), if draws => {
                    if !self.writer.is_busy() && self.page.is_empty() && !self.view.is_within_line() {
                        self.progress.draw(&mut self.page);
                    }
                }
            }
        }
    }

    fn output(&mut self, output: Output) {
        if self.session.is_none() {
            self.session = Some(output.session.clone());
        }
        match &output.body {
            OutputBody::Event(event) => {
                if let Some(doing) = view::doing(event) {
                    self.progress.doing(doing);
                }
                let mut shown = Page::default();
                self.view.output(&output, self.terminal, &mut shown);
                if !shown.is_empty() {
                    self.asker.end_line(&mut self.page);
                    self.progress.make_room(shown.len(), &mut self.page);
                    self.page.append(shown);
                }
            }
            OutputBody::Question(question) => {
                self.progress.clear(&mut self.page);
                self.view.pause(&mut self.page);
                self.asker.ask(Arc::clone(question), &mut self.page);
                self.send_answers();
            }
            // The command line has no buffers, and says so.
            OutputBody::EditorRequest { .. } => {}
            OutputBody::QuestionClosed(question) => {
                self.asker.close(*question, &mut self.page);
                self.send_answers();
            }
            OutputBody::Answer { .. } => {
                if let OutputBody::Answer { ticket, answer } = output.body {
                    ticket.redeem();
                    self.answered(&answer);
                }
            }
        }
    }
    fn send_answers(&mut self) {
        for (question, answer) in self.asker.answers() {
            if let Some(session) = self.session.clone() {
                self.handle.send(Op::Answer { session, question, answer });
            }
        }
    }

    /// The prompt has its answer: says what is to be said of it.
    fn answered(&mut self, answer: &Result<Answer, Failure>) {
        self.progress.clear(&mut self.page);
        self.view.end(answer, self.terminal, &mut self.page);
        let status = match answer {
            Ok(Answer::Prompt(outcome)) => self.outcome(outcome),
            // Nothing else answers a prompt.
            Ok(_) => Status::Failed,
            Err(failure) => {
                self.complain(Complaint::Error, &failure.message, failure.hint.as_deref());
                Status::of_request(failure)
            }
        };
        self.ended = Some(status);
    }

    fn outcome(&mut self, outcome: &PromptOutcome) -> Status {
        for warning in &outcome.warnings {
            self.complain(Complaint::Warning, warning, None);
        }
        let status = match &outcome.end {
            TurnEnd::EndTurn => Status::Done,
            TurnEnd::MaxTokens => {
                self.complain(
                    Complaint::Warning,
                    "the answer was cut off where the model's output may end",
                    None,
                );
                Status::Done
            }
            TurnEnd::Refusal => {
                self.complain(Complaint::Warning, "the model, or its provider, refused to answer", None);
                Status::Done
            }
            TurnEnd::Cancelled => {
                let session = &outcome.session;
                self.page.err(format!("aside: cancelled; what had come is kept in session {session}\n"));
                Status::Signal(2)
            }
            TurnEnd::Interrupted => Status::Failed,
            TurnEnd::Failed(failure) => {
                self.complain(Complaint::Error, &failure.message, failure.hint.as_deref());
                Status::of_turn(failure)
            }
        };
        if self.kind == Told::InFooter && status == Status::Done {
            let footer = footer(outcome, self.progress.elapsed());
            let footer = self.terminal.styled("2", &clean(&footer));
            self.page.err(format!("\n{footer}\n"));
        }
        status
    }

    fn complain(&mut self, severity: Complaint, message: &str, hint: Option<&str>) {
        let text = self.terminal.complaint(severity, message, hint);
        self.page.err(text);
    }

    /// Has the session saved. A second signal ends the waiting.
    async fn save(mut self, status: Status) -> Status {
        let (done, saved) = oneshot::channel();
        self.handle.send(Op::Shutdown { done });
        let limit = if matches!(status, Status::Signal(_)) { SAVE_CANCELLED } else { SAVE };
        let limit = Instant::now() + limit;
        tokio::pin!(saved);
        let mut watches = true;
        loop {
            tokio::select! {
                biased;
                // Either all is saved, or the engine is gone.
                _ = &mut saved => return status,
                event = self.signals.next(), if watches => match event {
                    // The one who read the answer needs not to wait for its being saved.
                    Event::ClientGone => watches = false,
                    Event::Signal(_) => return Status::of(event),
                },
                () = deadline(Some(limit)) => return status,
                // A session ends when what it had to say is taken.
                Some(_) = self.outputs.recv() => {}
            }
        }
    }
}

async fn deadline(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What the answer came from and what it took.
fn footer(outcome: &PromptOutcome, elapsed: Duration) -> String {
    let mut parts = Vec::new();
    parts.extend(outcome.model.clone());
    let usage = &outcome.usage;
    let input = usage.input + usage.cache_read + usage.cache_write;
    if input + usage.output > 0 {
        parts.push(format!("{input} tokens in, {} out", usage.output));
    }
    if let Some(cost) = outcome.cost.filter(|cost| *cost > 0.0) {
        parts.push(if cost < 0.01 { format!("${cost:.5}") } else { format!("${cost:.2}") });
    }
    parts.push(format!("{}.{} s", elapsed.as_secs(), elapsed.subsec_millis() / 100));
    parts.push(format!("session {}", outcome.session));
    let footer = parts.join(" · ");
    match outcome.cost_note {
        Some(note) => format!("{footer}\n{note}"),
        None => footer,
    }
}
