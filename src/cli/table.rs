//! Tables of text. On a screen that is too narrow, columns are left out and cells cut, so that a row stays a line;
//! a pipe gets everything.

use super::terminal::{Kind, Page, Terminal, clean, one_line};
use crate::system::os;

/// Characters of a cell.
const CELL: usize = 120;
/// Characters that a cell keeps, however narrow the screen is.
const LEAST: usize = 12;
/// Characters of the last column that stand above other columns.
const EXPLAINED: usize = 24;
/// Between two columns.
const GAP: &str = "  ";
const CUT: char = '…';

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) side: Side,
    /// When it is left out where the room is scarce: the highest first, zero never.
    pub(super) spare: u8,
}

/// Where a cell's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// How a row looks on a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shade {
    Normal,
    Dim,
}

impl Shade {
    pub(super) fn of(available: bool) -> Self {
        if available { Self::Normal } else { Self::Dim }
    }
}

/// Columns of text.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<(Shade, Vec<String>)>,
}

impl Column {
    pub(super) const fn left(head: &'static str, spare: u8) -> Self {
        Self { head, side: Side::Left, spare }
    }

    pub(super) const fn right(head: &'static str, spare: u8) -> Self {
        Self { head, side: Side::Right, spare }
    }
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, shade: Shade, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| clean(&one_line(&cell, CELL)).into_owned()).collect();
        self.rows.push((shade, cells));
    }

    pub(super) fn write(&self, terminal: Terminal, page: &mut Page) {
        let width = if terminal.output == Kind::Screen { os::columns() } else { None };
        let paint = |code: &str, text: &str| {
            if terminal.paints() { format!("\x1b[{code}m{text}\x1b[0m\n") } else { format!("{text}\n") }
        };
        let mut lines = self.lines(width.map(usize::from)).into_iter();
        page.out(paint("1", &lines.next().unwrap_or_default()));
        for ((shade, _), line) in self.rows.iter().zip(lines) {
            page.out(match shade {
                Shade::Dim => paint("2", &line),
                Shade::Normal => line + "\n",
            });
        }
    }

    /// The head and the rows, in as many columns of the screen as there are.
    fn lines(&self, room: Option<usize>) -> Vec<String> {
        let heads: Vec<String> = self.columns.iter().map(|column| column.head.to_owned()).collect();
        let rows: Vec<&Vec<String>> =
            std::iter::once(&heads).chain(self.rows.iter().map(|(_, row)| row)).collect();
        let widest = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut kept: Vec<(usize, Column, usize)> =
            self.columns.iter().enumerate().map(|(at, column)| (at, *column, widest(at))).collect();
        if let Some(room) = room {
            fit(&mut kept, room);
        }
        let line = |row: &&Vec<String>| {
            let mut line = String::new();
            for (at, column, width) in &kept {
                let cell = cut(row.get(*at).map_or("", String::as_str), *width);
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                if !line.is_empty() {
                    line.push_str(GAP);
                }
                match column.side {
                    Side::Left => line.extend([&*cell, &padding]),
                    Side::Right => line.extend([&*padding, &cell]),
                }
            }
            line.truncate(line.trim_end().len());
            line
        };
        rows.iter().map(line).collect()
    }
}

/// Cuts what is said at length, leaves columns out, and then makes the widest ones narrower, until they fit as far
/// as they can.
fn fit(kept: &mut Vec<(usize, Column, usize)>, room: usize) {
    let taken = |kept: &[(usize, Column, usize)]| {
        let gaps = GAP.len() * kept.len().saturating_sub(1);
        kept.iter().map(|(_, _, width)| width).sum::<usize>() + gaps
    };
    // The last column explains: its beginning is worth less than the others, its end less still.
    let explained = kept.last().map_or(0, |(_, _, width)| *width);
    if taken(kept) > room
        && let Some((_, _, width)) = kept.last_mut()
    {
        *width = explained.min(EXPLAINED);
    }
    while taken(kept) > room {
        let spare = kept.iter().map(|(_, column, _)| column.spare).max().unwrap_or(0);
        if spare == 0 {
            break;
        }
        kept.retain(|(_, column, _)| column.spare != spare);
    }
    let left = room.saturating_sub(taken(kept));
    if let Some((_, _, width)) = kept.last_mut() {
        *width = explained.min(*width + left);
    }
    while taken(kept) > room {
        let over = taken(kept) - room;
        let second = {
            let mut widths: Vec<usize> = kept.iter().map(|(_, _, width)| *width).collect();
            widths.sort_unstable_by(|a, b| b.cmp(a));
            widths.get(1).copied().unwrap_or(0)
        };
        let Some((_, _, widest)) = kept.iter_mut().max_by_key(|(_, _, width)| *width) else { break };
        if *widest <= LEAST {
            break;
        }
        let least = widest.saturating_sub(over).max(second.min(*widest - 1)).max(LEAST);
        *widest = least;
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain([CUT]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table =
            Table::new([Column::left("model", 0), Column::right("output", 2), Column::left("available", 0)]);
        table.row(Shade::Normal, ["a/small".into(), "8k".into(), "yes".into()]);
        table.row(Shade::Dim, ["a/much-longer-name".into(), "131k".into(), "no key: set A_KEY".into()]);
        table
    }

    #[test]
    fn a_pipe_gets_everything() {
        assert_eq!(
            table().lines(None),
            [
                "model               output  available",
                "a/small                 8k  yes",
                "a/much-longer-name    131k  no key: set A_KEY",
            ]
        );
    }

    #[test]
    fn a_narrow_screen_gets_what_matters() {
        assert_eq!(table().lines(Some(45)), table().lines(None));
        assert_eq!(
            table().lines(Some(40)),
            [
                "model               available",
                "a/small             yes",
                "a/much-longer-name  no key: set A_KEY"
            ]
        );
        assert_eq!(
            table().lines(Some(30)),
            ["model           available", "a/small         yes", "a/much-longer…  no key: set A…"]
        );
        // Narrower than that nothing would be left to read.
        assert_eq!(table().lines(Some(3))[2], "a/much-long…  no key: set…");
    }

    #[test]
    fn a_long_explanation_is_cut_before_a_column_goes() {
        let mut table =
            Table::new([Column::left("model", 0), Column::right("$ in", 1), Column::left("why", 0)]);
        table.row(
            Shade::Normal,
            ["m".into(), "1.00".into(), "one two three four five six seven eight".into()],
        );
        assert_eq!(table.lines(Some(45))[1], "m      1.00  one two three four five six sev…");
        assert_eq!(table.lines(Some(30))[1], "m      one two three four fiv…");
    }

    #[test]
    fn every_width_fits_or_is_the_least() {
        for room in 1..60 {
            let widest = table().lines(Some(room)).iter().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= room.max(2 * LEAST + GAP.len()), "{room}: {widest}");
        }
    }
}
