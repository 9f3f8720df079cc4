//! `aside models --refresh`: fetches fresh facts and says on standard error what they changed, before the list.

use std::fmt::Write as _;

use super::list::age;
use super::progress::Progress;
use super::terminal::{Page, Terminal, clean};
use crate::catalog::{Catalog, FACTS_URL};
use crate::engine::{Failure, Refreshed, World};

/// Models that are named of each kind of change.
const NAMED: usize = 5;

/// Refreshes, and shows that it goes on.
pub(super) async fn refresh(world: &World, terminal: Terminal, page: &mut Page) -> Result<(), Failure> {
    let mut progress = Progress::new(terminal);
    progress.doing(format!("asking {FACTS_URL}"));
    let refreshing = world.refresh_models();
    tokio::pin!(refreshing);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut refreshing => break done,
            () = progress.tick(), if progress.is_shown() => {
                progress.draw(page);
                // Standard error may be gone; the list is what was asked for.
                let _ = page.write();
                *page = Page::default();
            }
        }
    };
    progress.clear(page);
    page.err(told(&done?, world.system.clock.now_ms()));
    Ok(())
}

/// What came of it, in a few lines.
fn told(refreshed: &Refreshed, now_ms: u64) -> String {
    let mut text = String::from("aside: ");
    let changes = &refreshed.changes;
    let of = age(now_ms.saturating_sub(refreshed.origin.facts_at_ms));
    if !refreshed.is_new {
        text.push_str("nothing new since the last refresh");
    } else if changes.is_empty() {
        text.push_str("nothing is different");
    } else {
        let counts = [
            (changes.added.len(), "new"),
            (changes.changed.len(), "changed"),
            (changes.removed.len(), "gone"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        text.push_str(&counts.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", "));
    }
    // Writing to memory does not fail.
    let _ = writeln!(text, " (facts of models.dev, {of} old)");
    if refreshed.origin.facts_at_ms <= Catalog::built_in_at_ms() {
        text.push_str("aside: they are older than those that are built in, and only add models\n");
    }
    for (what, names) in [("new", &changes.added), ("changed", &changes.changed), ("gone", &changes.removed)]
    {
        if !names.is_empty() {
            let shown = names.iter().take(NAMED).map(|name| clean(name).into_owned()).collect::<Vec<_>>();
            let more = names.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let _ = writeln!(text, "  {what}: {}{more}", shown.join(", "));
        }
    }
    text
}
