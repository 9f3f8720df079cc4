//! The table of what was measured beside what is allowed, and the few rules that can fail the run.
//!
//! A rule compares two numbers of the same run: a slow or busy machine must never fail it.

/// A line of the table.
struct Row {
    what: String,
    budget: Option<f64>,
    aside: Option<f64>,
    limit: Option<f64>,
}

/// A ratio that may not be greater than its bound.
struct Rule {
    what: String,
    ratio: Option<f64>,
    bound: f64,
}

/// What one run has found.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    rules: Vec<Rule>,
    broken: Vec<String>,
}

impl Report {
    /// A measurement; `None` where it could not be made.
    pub(crate) fn row(&mut self, what: impl Into<String>, aside: Option<f64>, limit: Option<f64>) {
        self.budget(what, None, aside, limit);
    }

    /// A measurement with the most that is allowed. Going over it is shown, and fails nothing.
    pub(crate) fn budget(
        &mut self,
        what: impl Into<String>,
        budget: impl Into<Option<f64>>,
        aside: Option<f64>,
        limit: Option<f64>,
    ) {
        self.rows.push(Row { what: what.into(), budget: budget.into(), aside, limit });
    }

    /// A ratio that fails the run when it is greater than `bound`.
    pub(crate) fn rule(&mut self, what: &str, part: Option<f64>, whole: Option<f64>, bound: f64) {
        let ratio = part.zip(whole).map(|(part, whole)| part / whole);
        self.rules.push(Rule { what: what.to_owned(), ratio, bound });
    }

    /// A part of the run that could not be carried through, which fails it.
    pub(crate) fn broken(&mut self, part: &str, error: &anyhow::Error) {
        self.broken.push(format!("{part}: {error:#}"));
    }

    /// Whether nothing failed.
    pub(crate) fn passed(&self) -> bool {
        self.broken.is_empty() && self.rules.iter().all(Rule::held)
    }

    pub(crate) fn print(&self) {
        let title = ["what", "budget", "aside", "limit", "ratio", ""].map(str::to_owned);
        print_table(std::iter::once(title).chain(self.rows.iter().map(Row::cells)));
        println!();
        let title = ["rule", "at most", "measured", ""].map(str::to_owned);
        print_table(std::iter::once(title).chain(self.rules.iter().map(Rule::cells)));
        println!();
        for broken in &self.broken {
            println!("could not be measured: {broken}");
        }
        println!("{}", if self.passed() { "passed" } else { "FAILED" });
    }
}

impl Row {
    fn cells(&self) -> [String; 6] {
        let ratio = self.aside.zip(self.limit).filter(|(_, limit)| *limit > 0.0);
        let verdict = match self.aside.zip(self.budget) {
            Some((aside, budget)) if aside > budget => "over",
            Some(_) => "ok",
            None => "",
        };
        [
            self.what.clone(),
            self.budget.map_or_else(String::new, |budget| format!("<= {}", number(budget))),
            self.aside.map_or_else(|| "not here".to_owned(), number),
            self.limit.map_or_else(String::new, number),
            ratio.map_or_else(String::new, |(aside, limit)| format!("{}x", number(aside / limit))),
            verdict.to_owned(),
        ]
    }
}

impl Rule {
    fn held(&self) -> bool {
        self.ratio.is_none_or(|ratio| ratio <= self.bound)
    }

    fn cells(&self) -> [String; 4] {
        [
            self.what.clone(),
            format!("{}x", number(self.bound)),
            self.ratio.map_or_else(|| "not here".to_owned(), |ratio| format!("{}x", number(ratio))),
            if self.held() { "ok" } else { "FAILED" }.to_owned(),
        ]
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Prints Markdown, the first row being the title.
fn print_table<const COLUMNS: usize>(rows: impl Iterator<Item = [String; COLUMNS]>) {
    let rows: Vec<[String; COLUMNS]> = rows.collect();
    let mut widths = [3; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for (at, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        if at == 0 {
            println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        }
    }
}

/// The one in the middle; `None` where one is missing or there is none.
pub(crate) fn median(values: &[Option<f64>]) -> Option<f64> {
    let sorted = sorted(values)?;
    sorted.get(sorted.len() / 2).copied()
}

/// The least; `None` where one is missing or there is none.
pub(crate) fn least(values: &[Option<f64>]) -> Option<f64> {
    sorted(values)?.first().copied()
}

/// All but one in a hundred are at most this.
pub(crate) fn ninety_ninth(values: &[Option<f64>]) -> Option<f64> {
    let sorted = sorted(values)?;
    sorted.get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1))).copied()
}

fn sorted(values: &[Option<f64>]) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = values.iter().copied().collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    Some(values)
}
