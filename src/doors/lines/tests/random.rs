//! Any conversation, in any order and in any pieces, with everything that is done to its items.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Pieces of texts: a text of them is cut between any two.
const PIECES: &[&str] = &[
    "word ",
    "x",
    "é",
    "\n",
    "\n",
    "\r",
    "\r\n",
    "\n\n\n",
    " ",
    "\t",
    "```",
    "```rust",
    "`",
    "`````",
    "``````",
    "~~~",
    "> ",
    "# ",
    "- ",
    "1. ",
    "    ",
    "⏵ ",
    "## ❯ You",
    "❯",
    "\u{1b}[1m",
    "\u{202e}",
    "\0",
    "\u{2028}",
    "👩\u{200d}💻",
    "<!--",
    "-->",
    "<pre>",
    "\u{85}",
    "MANY",
    "LONG",
];

fn piece(index: usize) -> String {
    match PIECES[index % PIECES.len()] {
        "MANY" => "line\n".repeat(173),
        "LONG" => "long line ".repeat(900),
        piece => piece.to_owned(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    User(Vec<usize>),
    Start(u8),
    Grow(usize, Vec<usize>),
    Complete(usize, u8),
    Withdraw(usize),
    Title(usize, usize),
    Notice(u8, Vec<usize>),
    Change(usize),
    Decide(usize, u8),
    Settle(usize, u8),
    End(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let pieces = || vec(any::<usize>(), 0..6);
    prop_oneof![
        1 => pieces().prop_map(Step::User),
        3 => any::<u8>().prop_map(Step::Start),
        12 => (any::<usize>(), pieces()).prop_map(|(at, pieces)| Step::Grow(at, pieces)),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(at, how)| Step::Complete(at, how)),
        1 => any::<usize>().prop_map(Step::Withdraw),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(at, piece)| Step::Title(at, piece)),
        1 => (any::<u8>(), pieces()).prop_map(|(how, pieces)| Step::Notice(how, pieces)),
        1 => any::<usize>().prop_map(Step::Change),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, how)| Step::Decide(at, how)),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, how)| Step::Settle(at, how)),
        1 => any::<u8>().prop_map(Step::End),
        1 => Just(Step::Reopen),
    ]
}

fn words(pieces: &[usize]) -> String {
    pieces.iter().map(|index| piece(*index)).collect()
}

fn status(how: u8) -> ItemStatus {
    [ItemStatus::Completed, ItemStatus::Failed, ItemStatus::Cancelled][usize::from(how) % 3]
}

impl Play {
    fn pick(&self, at: usize, fits: impl Fn(&Item) -> bool) -> Option<ItemId> {
        let fitting: Vec<ItemId> = self.items.iter().filter(|item| fits(item)).map(|item| item.id).collect();
        (!fitting.is_empty()).then(|| fitting[at % fitting.len()])
    }

    fn step(&mut self, step: &Step) {
        let open = |item: &Item| item.status == ItemStatus::InProgress;
        let is_change = |item: &Item| matches!(item.body, ItemBody::FileChange(_));
        match step {
            Step::User(pieces) => {
                let content = Vec::new();
                self.start(ItemBody::User { content }, &words(pieces), ItemStatus::Completed);
            }
            Step::Start(kind) => {
                let body = [text(), thinking(), tool(""), command("make\nx")][usize::from(*kind) % 4].clone();
                self.start(body, "", ItemStatus::InProgress);
            }
            Step::Grow(at, pieces) => {
                if let Some(id) = self.pick(*at, |item| open(item) && !is_change(item)) {
                    self.grow(id, &words(pieces));
                }
            }
            Step::Complete(at, how) => {
                if let Some(id) = self.pick(*at, open) {
                    self.change(id, |item| {
                        if let ItemBody::Command(command) = &mut item.body {
                            command.exit_code = Some(i32::from(*how) % 2);
                        }
                    });
                    self.complete(id, status(*how));
                }
            }
            Step::Withdraw(at) => {
                if let Some(id) = self.pick(*at, |item| open(item) && !is_change(item)) {
                    self.withdraw(id);
                }
            }
            Step::Title(at, piece_index) => {
                let is_tool = |item: &Item| open(item) && matches!(item.body, ItemBody::ToolCall(_));
                if let Some(id) = self.pick(*at, is_tool) {
                    self.update(id, |item| {
                        if let ItemBody::ToolCall(call) = &mut item.body {
                            call.title = format!("$ {}", piece(*piece_index));
                        }
                    });
                }
            }
            Step::Notice(how, pieces) => {
                let severity = [Severity::Info, Severity::Warning, Severity::Error][usize::from(*how) % 3];
                let hint = (how % 2 == 0).then_some("do\nthis");
                self.start(notice(severity, hint), &words(pieces), ItemStatus::Completed);
            }
            Step::Change(at) => {
                let kinds = [ChangeKind::Add, ChangeKind::Modify, ChangeKind::Delete, ChangeKind::Move];
                let odd = format!("+{}", piece(*at).replace('\n', ""));
                let hunks =
                    vec![hunk("h1", &[" a", "-b\r", &odd, "+c", " `````"]), hunk("h2", &["-x", "\\ no end"])];
                let hunks = hunks.into_iter().take(at % 3).collect();
                let body = change(&format!("{FOLDER}/src/a.rs"), kinds[at % 4], hunks);
                self.start(body, "", ItemStatus::InProgress);
            }
            Step::Decide(at, how) => {
                if let Some(id) = self.pick(*at, is_change) {
                    self.update(id, |item| {
                        if let ItemBody::FileChange(FileChangeItem { change, .. }) = &mut item.body {
                            for (index, hunk) in change.hunks.iter_mut().enumerate() {
                                let said =
                                    [HunkDecision::Pending, HunkDecision::Accepted, HunkDecision::Rejected];
                                hunk.decision = said[(usize::from(*how) + index) % 3];
                            }
                        }
                    });
                }
            }
            Step::Settle(at, how) => {
                if let Some(id) = self.pick(*at, |item| open(item) && is_change(item)) {
                    self.complete(id, status(*how));
                }
            }
            Step::End(how) => {
                let endings = [
                    Ending::Done,
                    Ending::Cancelled,
                    Ending::Failed { message: "a\nb".to_owned(), hint: Some("c\nd".to_owned()) },
                ];
                self.end(endings[usize::from(*how) % 3].clone());
            }
            Step::Reopen => {
                let (document, drawing) = self.opened();
                self.document = document;
                self.client = Client::new(drawing);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn kept_by_patches_and_drawn_anew_it_is_the_same(steps in vec(step(), 0..50)) {
        let mut play = Play::new();
        for step in &steps {
            play.step(step);
            play.check();
        }
    }

    #[test]
    fn pieces_do_not_matter(
        pieces in vec(any::<usize>(), 0..40),
        cuts in vec(1_usize..5, 1..40),
        kind in 0_usize..3,
    ) {
        let whole = words(&pieces);
        let body = || [text(), thinking(), tool("$ x")][kind].clone();
        let mut at_once = Play::new();
        at_once.start(body(), &whole, ItemStatus::Completed);
        let mut in_pieces = Play::new();
        let id = in_pieces.start(body(), "", ItemStatus::InProgress);
        let characters: Vec<char> = whole.chars().collect();
        let mut cuts = cuts.iter().cycle();
        let mut rest = &characters[..];
        while !rest.is_empty() {
            // Now and then a long piece: what was merged while the client did not read.
            let size = cuts.next().map_or(1, |cut| if *cut == 4 { 700 } else { *cut }).min(rest.len());
            in_pieces.grow(id, &rest[..size].iter().collect::<String>());
            rest = &rest[size..];
        }
        in_pieces.complete(id, ItemStatus::Completed);
        in_pieces.check();
        prop_assert_eq!(&in_pieces.client, &at_once.client);
    }
}

#[test]
fn a_notice_that_comes_before_the_end_of_the_turn_is_told_stands_behind_it() {
    let mut play = Play::new();
    play.start(ItemBody::User { content: Vec::new() }, "hi", ItemStatus::Completed);
    let turn = Arc::new(EndedTurn {
        turn: TurnId(1),
        ending: Ending::Done,
        usage: Usage::default(),
        cost: None,
        took_ms: 1_000,
        last_item: ItemId(1),
    });
    play.turns.push(Arc::clone(&turn));
    play.start(notice(Severity::Warning, None), "not saved", ItemStatus::Completed);
    play.tell(&EventBody::TurnEnded { turn, end: TurnEnd::EndTurn });
    play.check();
    let text = play.client.lines.join("\n");
    assert!(text.find("⏵ done").unwrap() < text.find("⏵ warning: not saved").unwrap(), "{text}");
}
