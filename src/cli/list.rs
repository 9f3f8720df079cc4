//! `models`, `sessions` and `providers`: tables for people, JSON for programs. No network, nothing changed.

use aside_protocol as wire;

use super::args::{ModelsArgs, ProvidersArgs, SessionsArgs};
use super::table::{Column, Shade, Table};
use super::terminal::{Kind, Page, Terminal, one_line};
use crate::catalog::ThinkingLevel;
use crate::catalog::glob::{Glob, is_glob};
use crate::doors::native::{self, convert};
use crate::engine::store::load;
use crate::engine::{Failure, World};

/// Sessions in one page of the store's list.
const PAGE: usize = 500;
/// Characters of a title.
const TITLE: usize = 60;

/// Writes the table of models.
pub(super) fn models(
    world: &World,
    args: &ModelsArgs,
    terminal: Terminal,
    page: &mut Page,
) -> Result<(), Failure> {
    let params = wire::ListModelsParams {
        provider: args.provider.clone(),
        available: Some(args.available),
        retired: Some(args.all),
        patterns: None,
    };
    let mut result = native::models(world, &params)?;
    let words: Vec<String> =
        args.pattern.iter().flat_map(|it| it.split_whitespace()).map(str::to_lowercase).collect();
    let globs: Vec<Glob> = words.iter().map(|word| Glob::new(word)).collect();
    result.models.retain(|model| {
        let name = format!("{}/{}", model.provider, model.id);
        let all = format!("{name} {}", model.name).to_lowercase();
        words.iter().zip(&globs).all(|(word, glob)| {
            all.contains(word) || (is_glob(word) && (glob.matches(&name) || glob.matches(&model.id)))
        })
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
    let mut table = Table::new([
        Column::left("model", 0),
        Column::right("context", 3),
        Column::right("output", 5),
        Column::right("$ in", 1),
        Column::right("$ out", 1),
        Column::left("thinking", 4),
        Column::left("images", 6),
        Column::left("available", 0),
    ]);
    for model in &result.models {
        let name = format!("{}/{}", model.provider, model.id);
        let mark = match (result.default_model.as_deref() == Some(&name), model.retired) {
            (true, _) => " *",
            (false, true) => " (retired)",
            (false, false) => "",
        };
        let free = model.cost.input == 0.0 && model.cost.output == 0.0;
        let price = |price: f64| if free { "-".to_owned() } else { format!("{price:.2}") };
        let images = if model.input.iter().any(|kind| kind == "image") { "yes" } else { "-" };
        table.row(
            Shade::of(model.available),
            [
                format!("{name}{mark}"),
                tokens(model.context_window),
                tokens(model.max_output),
                price(model.cost.input),
                price(model.cost.output),
                thinking(&model.thinking_levels),
                images.to_owned(),
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
    let mut table = Table::new([
        Column::left("provider", 0),
        Column::left("name", 2),
        Column::left("signed in from", 0),
        Column::left("variable", 1),
        Column::left("note", 0),
    ]);
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
    let columns =
        [Column::left("id", 0), Column::right("age", 1), Column::left("title", 0), Column::left("folder", 0)];
    let mut table = Table::new(columns.into_iter().take(if args.all { 4 } else { 3 }));
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

/// The levels; three or more in a row are told by the first and the last.
fn thinking(levels: &[String]) -> String {
    let place = |name: &String| ThinkingLevel::ALL.into_iter().position(|level| level.name() == name);
    let places: Vec<usize> = levels.iter().filter_map(place).collect();
    if matches!(&*places, [] | [0]) {
        return "-".to_owned();
    }
    let name = |place: usize| ThinkingLevel::ALL.get(place).map_or("", |level| level.name());
    let runs = places.chunk_by(|one, next| one + 1 == *next).map(|run| match run {
        [first, _, .., last] => format!("{}..{}", name(*first), name(*last)),
        few => few.iter().map(|place| name(*place)).collect::<Vec<_>>().join(","),
    });
    runs.collect::<Vec<_>>().join(",")
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
        let levels = |names: &[&str]| thinking(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(levels(&["off"]), "-");
        assert_eq!(levels(&["off", "low", "high"]), "off,low,high");
        assert_eq!(levels(&["off", "minimal", "low", "medium", "high", "xhigh", "max"]), "off..max");
        assert_eq!(levels(&["off", "low", "medium", "high", "max"]), "off,low..high,max");
    }
}
