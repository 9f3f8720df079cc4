//! `aside login` and `aside logout`: a key from the terminal or from standard input, or what a provider's own
//! sign-in gives, into `auth.json`.
//!
//! A key is never an argument: those can be seen in the list of processes. Next: `login/flow.rs`.

mod flow;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::Arc;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::Status;
use super::args::{LoginArgs, LogoutArgs, Method};
use super::person::{Answered, ask};
use super::terminal::{Complaint, Kind, Page, Terminal, clean};
use crate::accounts::oauth::{self, Wanted, Way};
use crate::accounts::{AUTH_FILE, Accounts, Asked, Field, Source, entry_id};
use crate::catalog::Provider;
use crate::engine::item::cut;
use crate::engine::{Client, Failure, World};
use crate::settings::nearest::nearest;
use crate::system::System;
use crate::system::browser::{self, Place};
use crate::system::os::{self, Event, Signals};
use crate::tools::{FieldKind, Form, FormField};
use flow::Paste;

/// Bytes of standard input that a key may have.
const MAX_KEY: u64 = 64 << 10;
/// How often a provider is asked for.
const TRIES: usize = 3;

/// What was signed in to; for a provider's own sign-in also what is to be known of what was granted.
type Granted = (Arc<Provider>, Option<Option<String>>);

/// Why nothing was done.
pub(super) enum Stopped {
    Failed(Failure),
    Ended(Event),
    /// The person closed the question.
    Closed,
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Signs in.
pub(super) async fn login(system: System, args: LoginArgs, terminal: Terminal) -> Status {
    let mut page = Page::default();
    let world = World::new(system, Client::default());
    let Ok(mut signals) = Signals::watch_without_parent() else { return Status::Failed };
    let done = sign_in(&world, args, terminal, &mut signals).await;
    let done = done.map(|(provider, concern)| {
        let standing = world.accounts.standing(&provider);
        let what = if concern.is_some() { "what was granted" } else { "the key" };
        page.out(format!("signed in to {}; {what} is kept in {}\n", clean(&provider.name), file(&world)));
        if let Some(concern) = concern.flatten() {
            page.err(terminal.complaint(Complaint::Warning, &concern, None));
        }
        if let Some(hint) = standing.hint {
            page.err(terminal.complaint(Complaint::Warning, &hint, None));
        }
        if standing.status.configured {
            page.out(format!("try it: aside prompt --provider {} \"hello\"\n", provider.id));
        }
    });
    finished(done, terminal, page)
}

/// Signs out.
pub(super) async fn logout(system: System, args: LogoutArgs, terminal: Terminal) -> Status {
    let mut page = Page::default();
    let world = World::new(system, Client::default());
    let Ok(mut signals) = Signals::watch_without_parent() else { return Status::Failed };
    let done = sign_out(&world, &args, &mut signals).await;
    let done = done.map(|removed| {
        let entry = entry_id(&args.provider, args.account.as_deref().filter(|label| !label.is_empty()));
        let id = clean(&entry);
        let words = if removed { "was removed from" } else { "is nothing in" };
        page.out(format!("what was stored for {id} {words} {}\n", file(&world)));
        let left = world.catalog.provider(&args.provider).and_then(|provider| left(&world, &provider));
        if let Some(left) = left {
            let id = clean(&args.provider);
            page.out(format!("{id} is still available: {left}\n"));
        }
    });
    finished(done, terminal, page)
}

/// Writes the page, below it why nothing was done.
pub(super) fn finished(done: Result<(), Stopped>, terminal: Terminal, mut page: Page) -> Status {
    let status = match done {
        Ok(()) => Status::Done,
        Err(Stopped::Ended(event)) => Status::of(event),
        Err(Stopped::Closed) => {
            page.err("aside: nothing was changed\n");
            Status::Failed
        }
        Err(Stopped::Failed(failure)) => {
            page.err(terminal.complaint(Complaint::Error, &failure.message, failure.hint.as_deref()));
            Status::of_request(&failure)
        }
    };
    match page.write() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Status::Failed,
        _ => status,
    }
}

fn file(world: &World) -> String {
    let dir = world.system.dirs.config.as_ref();
    dir.map_or(AUTH_FILE.to_owned(), |dir| clean(&dir.join(AUTH_FILE).display().to_string()).into_owned())
}

/// What still makes a provider available.
fn left(world: &World, provider: &Provider) -> Option<String> {
    match world.accounts.status(provider).source {
        Source::Missing => None,
        Source::Stored => Some("another account of it is stored".to_owned()),
        Source::NotNeeded => Some("it needs no key".to_owned()),
        Source::Environment(name) => Some(format!("{name} is set in the environment")),
        Source::ModelsJson | Source::ModelsJsonCommand => Some("models.json has an apiKey".to_owned()),
    }
}

async fn sign_out(world: &World, args: &LogoutArgs, signals: &mut Signals) -> Result<bool, Stopped> {
    let id = &args.provider;
    let cancel = CancellationToken::new();
    // An entry whose provider is gone can still be removed.
    let removed = if world.catalog.provider(id).is_none() && world.accounts.stored_ids().contains(id) {
        until(world.accounts.remove(id, &cancel), &cancel, signals).await?
    } else {
        let provider = provider(world, id)?;
        let accounts = match &args.account {
            Some(label) => world.accounts.choosing(id, label),
            None => (*world.accounts).clone(),
        };
        until(accounts.remove_account(&provider, &cancel), &cancel, signals).await?
    };
    Ok(removed.map_err(Failure::of_account)?)
}

/// Waits for a change. Ctrl-C ends it as long as it has not begun to write.
async fn until<T>(
    change: impl Future<Output = T>,
    cancel: &CancellationToken,
    signals: &mut Signals,
) -> Result<T, Stopped> {
    tokio::pin!(change);
    tokio::select! {
        biased;
        done = &mut change => Ok(done),
        event = signals.next() => {
            cancel.cancel();
            change.await;
            Err(Stopped::Ended(event))
        }
    }
}

async fn sign_in(
    world: &World,
    args: LoginArgs,
    terminal: Terminal,
    signals: &mut Signals,
) -> Result<Granted, Stopped> {
    let provider = match &args.provider {
        Some(id) => provider(world, id)?,
        None if terminal.can_ask() => chosen(world, terminal, signals).await?,
        None => {
            let hint = "name one: `aside providers` lists them";
            return Err(Failure::not_found("no provider was named", Some(hint)).into());
        }
    };
    let accounts = match args.account.as_deref() {
        None => (*world.accounts).clone(),
        Some(label) => {
            Accounts::fit_label(&provider.id, label).map_err(Failure::of_choice)?;
            world.accounts.choosing(&provider.id, label)
        }
    };
    let piped = (args.key_stdin || args.input.is_some()) && terminal.input != Kind::Screen;
    if let Some(way) = way(world, &provider, &args, piped, terminal, signals).await? {
        let concern = by_flow(&accounts, &provider, way, &args, piped, terminal, signals).await?;
        return Ok((provider, Some(concern)));
    }
    let mut env = BTreeMap::new();
    for (name, value) in &args.env {
        env.insert(Accounts::variable_of(&provider, name, value), value.trim().to_owned());
    }
    let mut fields = world.accounts.fields(&provider);
    fields.retain(|field| !env.contains_key(&field.name));
    let mut key = SecretString::default();
    if piped {
        fields.clear();
        key = tokio::select! {
            biased;
            event = signals.next() => return Err(Stopped::Ended(event)),
            key = read_input() => key?,
        };
    } else if !terminal.can_ask() {
        let message = "there is no terminal to ask for the key at";
        let hint = format!("pipe it in: `aside login {} --key-stdin`", provider.id);
        return Err(Failure { hint: Some(hint), ..Failure::invalid("/apiKey", message) }.into());
    }
    if !fields.is_empty() {
        let stored = world.accounts.status(&provider).source == Source::Stored;
        let replaced = if stored { ", in place of the key that is stored" } else { "" };
        let form = Form {
            message: format!("Sign in to {}{replaced}", provider.name),
            fields: fields.iter().map(form_field).collect(),
        };
        let mut values = match ask(terminal, signals, form).await {
            Answered::Values(values) => values,
            Answered::Closed => return Err(Stopped::Closed),
            Answered::Ended(event) => return Err(Stopped::Ended(event)),
        };
        for field in &fields {
            let value = values.remove(&field.name).unwrap_or_default().trim().to_owned();
            if field.name == Field::KEY {
                key = value.into();
            } else {
                env.insert(Accounts::variable_of(&provider, &field.name, &value), value);
            }
        }
    }
    let cancel = CancellationToken::new();
    let storing = accounts.store_key(&provider, &key, &env, &cancel);
    until(storing, &cancel, signals).await?.map_err(Failure::of_account)?;
    Ok((provider, None))
}

/// The way of the provider's own sign-in to take; `None` for a key.
async fn way(
    world: &World,
    provider: &Arc<Provider>,
    args: &LoginArgs,
    piped: bool,
    terminal: Terminal,
    signals: &mut Signals,
) -> Result<Option<Way>, Stopped> {
    let ways = oauth::flow(&provider.id).map_or(&[][..], oauth::Flow::ways);
    let mut methods: Vec<Method> = ways
        .iter()
        .map(|way| match way {
            Way::Browser => Method::Browser,
            Way::DeviceCode => Method::DeviceCode,
        })
        .collect();
    methods.extend(Accounts::takes_key(provider).then_some(Method::ApiKey));
    let chosen = match (args.method, methods.as_slice()) {
        (_, []) => return Err(Failure::invalid("/provider", format!("{} needs no key", provider.id)).into()),
        (None, methods) if piped && !methods.contains(&Method::ApiKey) => {
            let message = format!("{} takes no key", provider.id);
            let hint = "with --method browser, the address that the browser ended at is read";
            return Err(
                Failure { hint: Some(hint.to_owned()), ..Failure::invalid("/apiKey", message) }.into()
            );
        }
        (Some(method), methods) if methods.contains(&method) => method,
        (Some(_), methods) => {
            let known: Vec<&str> = methods.iter().map(|method| word(*method)).collect();
            let message = format!("{} is signed in to by {}", provider.id, known.join(" or "));
            return Err(Failure::invalid("/method", message).into());
        }
        (None, [only]) => *only,
        (None, methods) if piped && methods.contains(&Method::ApiKey) => Method::ApiKey,
        (None, methods) if terminal.can_ask() => picked(provider, methods, terminal, signals).await?,
        // A code can be typed anywhere; a browser comes back to the person's own machine only.
        (None, methods) => {
            let is_near = browser::place(&world.system) == Place::Local;
            let far = (!is_near && methods.contains(&Method::DeviceCode)).then_some(Method::DeviceCode);
            far.or(methods.first().copied()).unwrap_or(Method::ApiKey)
        }
    };
    Ok(match chosen {
        Method::Browser => Some(Way::Browser),
        Method::DeviceCode => Some(Way::DeviceCode),
        Method::ApiKey => None,
    })
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Browser => "browser",
        Method::DeviceCode => "device-code",
        Method::ApiKey => "api-key",
    }
}

/// Has the person choose one of several ways.
async fn picked(
    provider: &Provider,
    methods: &[Method],
    terminal: Terminal,
    signals: &mut Signals,
) -> Result<Method, Stopped> {
    let label = |method: &Method| match method {
        Method::Browser => "a page in the browser".to_owned(),
        Method::DeviceCode => "a code that is typed on any device".to_owned(),
        Method::ApiKey => "an API key".to_owned(),
    };
    let form = Form {
        message: format!("Sign in to {} with", provider.name),
        fields: vec![FormField {
            name: "method".to_owned(),
            label: "number".to_owned(),
            kind: FieldKind::Choice,
            choices: methods.iter().map(label).collect(),
            required: true,
        }],
    };
    match ask(terminal, signals, form).await {
        Answered::Values(values) => {
            let chosen = values.get("method");
            methods.iter().find(|method| Some(&label(method)) == chosen).copied().ok_or(Stopped::Closed)
        }
        Answered::Closed => Err(Stopped::Closed),
        Answered::Ended(event) => Err(Stopped::Ended(event)),
    }
}

/// Leads through a provider's own sign-in and stores what came of it: what the person should know of it.
async fn by_flow(
    accounts: &Accounts,
    provider: &Arc<Provider>,
    way: Way,
    args: &LoginArgs,
    piped: bool,
    terminal: Terminal,
    signals: &mut Signals,
) -> Result<Option<String>, Stopped> {
    let Some(flow) = oauth::flow(&provider.id) else { return Ok(None) };
    if args.domain.as_deref().is_some_and(|domain| !domain.is_empty()) && !flow.has_domains() {
        return Err(Failure::invalid("/domain", format!("{} has no domains", provider.id)).into());
    }
    if let Some(note) = flow.note() {
        let mut page = Page::default();
        page.err(format!("{note}\n"));
        // A screen that is gone is told by a signal.
        let _ = page.write();
    }
    let wanted = Wanted { way, domain: args.domain.clone() };
    let paste = if piped {
        Paste::Input
    } else if terminal.can_ask() {
        Paste::Terminal
    } else {
        Paste::Nowhere
    };
    let exchange = accounts.exchange();
    let grant = Box::pin(flow::lead(flow, (&wanted, &exchange), (terminal, paste), signals)).await?;
    // What was granted is spent at the provider: it is kept, whatever is pressed.
    let stored = accounts.store_grant(provider, &grant, &CancellationToken::new()).await;
    stored.map_err(Failure::of_account)?;
    Ok(flow.concern(&grant))
}

fn form_field(field: &Field) -> FormField {
    FormField {
        name: field.name.clone(),
        label: field.label.clone(),
        kind: match field.asked {
            Asked::Secret => FieldKind::Secret,
            Asked::Text => FieldKind::Text,
        },
        choices: Vec::new(),
        required: true,
    }
}

/// The provider that was named.
fn provider(world: &World, id: &str) -> Result<Arc<Provider>, Failure> {
    if let Some(provider) = world.catalog.provider(id) {
        return Ok(provider);
    }
    let known = world.catalog.providers();
    let near = nearest(id, known.iter().map(|provider| &*provider.id), 3);
    let hint = match &*near {
        [] => "`aside providers` lists those that are known".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err(Failure { hint: Some(hint), ..Failure::not_found(format!("no provider {}", cut(id)), None) })
}

/// Has the person choose one of a list.
async fn chosen(world: &World, terminal: Terminal, signals: &mut Signals) -> Result<Arc<Provider>, Stopped> {
    let mut providers = world.catalog.providers();
    providers.retain(|provider| Accounts::takes_key(provider) || oauth::flow(&provider.id).is_some());
    // Subscriptions stand first.
    providers.sort_by_key(|provider| oauth::flow(&provider.id).is_none());
    let mut page = Page::default();
    let width = providers.iter().map(|provider| provider.id.chars().count()).max().unwrap_or(0);
    for (index, provider) in providers.iter().enumerate() {
        let stored = world.accounts.status(provider).source == Source::Stored;
        let mut line = String::new();
        // Writing to memory does not fail.
        let _ = write!(line, "{:>4}  {:<width$}  {}", index + 1, clean(&provider.id), clean(&provider.name));
        page.err(format!("{line}{}\n", if stored { "  (signed in)" } else { "" }));
    }
    // A screen that is gone is told by a signal.
    let _ = page.write();
    for _ in 0..TRIES {
        let form = Form {
            message: "Which provider?".to_owned(),
            fields: vec![FormField {
                name: "provider".to_owned(),
                label: "number or id".to_owned(),
                kind: FieldKind::Text,
                choices: Vec::new(),
                required: true,
            }],
        };
        let values = match ask(terminal, signals, form).await {
            Answered::Values(values) => values,
            Answered::Closed => return Err(Stopped::Closed),
            Answered::Ended(event) => return Err(Stopped::Ended(event)),
        };
        let named = values.get("provider").map(|name| name.trim()).unwrap_or_default();
        let numbered = named.parse::<usize>().ok().and_then(|number| providers.get(number.checked_sub(1)?));
        if let Some(found) = numbered.or_else(|| providers.iter().find(|provider| &*provider.id == named)) {
            return Ok(Arc::clone(found));
        }
        let mut page = Page::default();
        page.err(format!("there is no {}\n", clean(&cut(named))));
        let _ = page.write();
    }
    Err(Stopped::Closed)
}

/// Standard input to its end.
async fn read_input() -> Result<SecretString, Failure> {
    let failed = |error: std::io::Error| {
        Failure::invalid("/apiKey", format!("standard input cannot be read: {error}"))
    };
    let read = move || {
        let mut bytes = Vec::new();
        os::stdin().map_err(failed)?.take(MAX_KEY + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_KEY {
            return Err(Failure::invalid("/apiKey", "standard input holds more than a key"));
        }
        match String::from_utf8(bytes) {
            Ok(key) => Ok(key.into()),
            Err(_) => Err(Failure::invalid("/apiKey", "standard input holds no text")),
        }
    };
    // Only a panic ends it otherwise.
    let reading = tokio::task::spawn_blocking(read).await;
    reading.unwrap_or_else(|_| Err(Failure::internal("reading standard input failed")))
}
