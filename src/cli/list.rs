//! `models`, `sessions` and `providers`: tables for people, JSON for programs. No network, nothing changed.

use std::fmt::Write as _;

use aside_protocol as wire;

use super::args::{ModelsArgs, ProvidersArgs, SessionsArgs};
use super::terminal::{Kind, Page, Terminal, clean, one_line};
use crate::doors::native::{self, convert};
use crate::engine::store::load;
use crate::engine::{Failure, World};

/// Sessions in one page of the store's list.
const PAGE: usize = 500;
/// Characters of a title.
const TITLE: usize = 60;
/// Characters of any other cell.
const CELL: usize = 80;

/// Writes the table of models.
pub(super) fn models(
    world: &World,
    args: &ModelsArgs,
    terminal: Terminal,
    page: &mut Page,
) -> Result<(), Failure> {
    let mut result = native::models(world, args.provider.as_deref(), args.available)?;
    let words: Vec<String> =
        args.pattern.iter().flat_map(|it| it.split_whitespace()).map(str::to_lowercase).collect();
    result.models.retain(|model| {
        let name = format!("{}/{} {}", model.provider, model.id, model.name).to_lowercase();
        words.iter().all(|word| name.contains(word))
    });
    if args.json {
        json(page, &result);
        return Ok(());
    }
    if result.models.is_empty() {
        let message = match (&*words, args.available) {
            ([], true) => "no model can be used now".to_owned(),
            ([], false) => "no models".to_owned(),
            (_, _) => format!("no model matches {}", crate::engine::item::cut(&args.pattern.join(" "))),
        };
        return Err(Failure::not_found(message, Some("`aside models` lists all of them")));
    }
    let mut table = Table::new(["model", "context", "output", "$ in", "$ out", "thinking", "available"]);
    table.right = &[1, 2, 3, 4];
    for model in &result.models {
        let name = format!("{}/{}", model.provider, model.id);
        let mark = if result.default_model.as_deref() == Some(&name) { " *" } else { "" };
        let free = model.cost.input == 0.0 && model.cost.output == 0.0;
        let price = |price: f64| if free { "-".to_owned() } else { format!("{price:.2}") };
        table.row(
            Shade::of(model.available),
            [
                format!("{name}{mark}"),
                tokens(model.context_window),
                tokens(model.max_output),
                price(model.cost.input),
                price(model.cost.output),
                thinking(&model.thinking_levels),
                model.reason.clone().unwrap_or_else(|| "yes".to_owned()),
            ],
        );
    }
    table.write(terminal, page);
    Ok(())
}

/// Writes the table of providers.
pub(super) fn providers(world: &World, args: &ProvidersArgs, terminal: Terminal, page: &mut Page) {
    let result = native::providers(world);
    if args.json {
        json(page, &result);
        return;
    }
    // Without a name there is none that is not known.
    let accounts = native::auth_status(world, None).map(|status| status.accounts).unwrap_or_default();
    let mut table = Table::new(["provider", "name", "signed in from", "variable", "note"]);
    for provider in result.providers {
        let account = accounts.iter().find(|account| account.provider == provider.id);
        let source = match &provider.source {
            Some(wire::CredentialSource::NotNeeded) => "not needed",
            Some(wire::CredentialSource::AuthFile) => "auth.json",
            Some(wire::CredentialSource::Environment) => "environment",
            Some(wire::CredentialSource::ModelsFile) => "models.json",
            Some(other) => other.as_str(),
            None => "-",
        };
        let used = account.and_then(|account| account.variable.clone());
        let usual = || Some(world.catalog.provider(&provider.id)?.usual_variable()?.to_string());
        let variable = used.or_else(usual).unwrap_or_default();
        // How one signs in is said once, below.
        let reason = provider.reason.filter(|reason| !reason.starts_with("no key"));
        let hint = account.and_then(|account| account.hint.clone()).filter(|_| provider.source.is_some());
        let note = reason.or(hint).unwrap_or_default();
        table.row(
            Shade::of(provider.available),
            [provider.id, provider.name, source.to_owned(), variable, note],
        );
    }
    table.write(terminal, page);
    if terminal.output == Kind::Screen {
        page.err("\n`aside login PROVIDER` signs in, `aside logout PROVIDER` out\n");
    }
}

/// Writes the table of sessions, the newest first.
pub(super) fn sessions(
    world: &World,
    args: &SessionsArgs,
    terminal: Terminal,
    page: &mut Page,
) -> Result<(), Failure> {
    let folder = world.system.working_dir.display().to_string();
    let only = (!args.all).then_some(&*folder);
    let mut sessions = Vec::new();
    let mut cursor = None;
    loop {
        let (some, next) = load::list(&world.store, only, cursor.as_deref(), PAGE)?;
        sessions.extend(some);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    if args.json {
        let sessions = sessions.iter().map(convert::summary).collect();
        json(page, &wire::ListSessionsResult { sessions, next_cursor: None });
        return Ok(());
    }
    if sessions.is_empty() {
        let hint = if args.all { "" } else { " in this folder; `aside sessions --all` lists those of all" };
        page.err(format!("aside: no sessions{hint}\n"));
        return Ok(());
    }
    let now = world.system.clock.now_ms();
    let mut table =
        Table::new(if args.all { &["id", "age", "title", "folder"][..] } else { &["id", "age", "title"] });
    table.right = &[1];
    for session in sessions {
        let mut row = vec![
            session.session.to_string(),
            age(now.saturating_sub(session.updated_at_ms)),
            one_line(session.title.as_deref().unwrap_or("(no words)"), TITLE),
        ];
        if args.all {
            row.push(session.cwd.unwrap_or_default());
        }
        table.row(Shade::Normal, row);
    }
    table.write(terminal, page);
    Ok(())
}

fn json(page: &mut Page, value: &impl serde::Serialize) {
    let mut line = Vec::new();
    crate::doors::peer::writer::append(&mut line, value);
    line.push(b'\n');
    page.out(line);
}

/// `131072` as `131k`.
fn tokens(count: u64) -> String {
    match count {
        0 => "-".to_owned(),
        1..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ if count % 1_000_000 < 100_000 => format!("{}M", count / 1_000_000),
        _ => format!("{}.{}M", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

/// The levels, the first and the last where there are many.
fn thinking(levels: &[String]) -> String {
    let some: Vec<&str> = levels.iter().map(String::as_str).filter(|level| *level != "off").collect();
    match (&*some, levels.len() > some.len()) {
        ([], _) => "-".to_owned(),
        (some, true) => format!("off,{}", some.join(",")),
        (some, false) => some.join(","),
    }
}

/// A time span in its largest unit.
pub(super) fn age(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Columns of text.
pub(super) struct Table {
    head: Vec<String>,
    /// Columns of numbers.
    right: &'static [usize],
    rows: Vec<(Shade, Vec<String>)>,
}

/// How a row looks on a screen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shade {
    Normal,
    Dim,
}

impl Shade {
    pub(super) fn of(available: bool) -> Self {
        if available { Self::Normal } else { Self::Dim }
    }
}

impl Table {
    pub(super) fn new<'h>(head: impl IntoIterator<Item = impl AsRef<str> + 'h>) -> Self {
        let head = head.into_iter().map(|cell| cell.as_ref().to_owned()).collect();
        Self { head, right: &[], rows: Vec::new() }
    }

    pub(super) fn row(&mut self, shade: Shade, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| clean(&one_line(&cell, CELL)).into_owned()).collect();
        self.rows.push((shade, cells));
    }

    pub(super) fn write(&self, terminal: Terminal, page: &mut Page) {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|(_, row)| row.get(column)).chain(self.head.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut line = String::new();
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                // Writing to memory does not fail.
                let _ = if self.right.contains(&column) {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
            }
            line.trim_end().to_owned()
        };
        let paint = |code: &str, text: String| {
            if terminal.paints() { format!("\x1b[{code}m{text}\x1b[0m\n") } else { text + "\n" }
        };
        page.out(paint("1", line(&self.head)));
        for (shade, row) in &self.rows {
            let text = line(row);
            page.out(if *shade == Shade::Dim { paint("2", text) } else { text + "\n" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0, 512, 8_192, 131_072, 1_000_000, 1_048_576, 1_500_000].map(tokens),
            ["-", "512", "8k", "131k", "1M", "1M", "1.5M"]
        );
        assert_eq!(
            [0, 59_999, 60_000, 7_200_000, 200_000_000].map(age),
            ["0 s", "59 s", "1 min", "2 h", "2 d"]
        );
        assert_eq!(thinking(&[]), "-");
        assert_eq!(thinking(&["off".into(), "low".into(), "high".into()]), "off,low,high");
    }
}
