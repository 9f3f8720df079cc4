//! The second reader: tree-sitter's grammar of bash. It only says whether it sees the same words and operators.
//!
//! It is asked only about lines in which the first reader found nothing strange, so that the parser, which is
//! written in C, never meets anything else. It must never be touched before a shell line is to be judged.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, Parser};

use super::Command;

/// How often the parser may ask whether to go on, beside once for each byte: it asks every hundred steps.
const PATIENCE: usize = 200;

/// Nodes that may be in the tree of a chain of simple commands.
const STRUCTURE: &[&str] =
    &["program", "list", "pipeline", "redirected_statement", "file_redirect", "command", "command_name"];

/// Nodes that are words.
const WORDS: &[&str] = &["word", "string", "raw_string", "concatenation", "number"];

/// Tokens between them.
const TOKENS: &[&str] = &["\n", ";", "&&", "||", "|", "<", ">", ">>", ">|", "<&", ">&", "<&-", ">&-"];

/// Whether the grammar sees these commands and operators in `text`, and nothing else.
pub(super) fn agrees(text: &str, commands: &[Command], operators: &[Range<usize>]) -> bool {
    if commands.is_empty() {
        return true;
    }
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_bash::LANGUAGE.into()).is_err() {
        return false;
    }
    let mut patience = PATIENCE + text.len();
    let mut go_on = |_: &tree_sitter::ParseState| {
        patience = patience.saturating_sub(1);
        if patience == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let bytes = text.as_bytes();
    let tree = parser.parse_with_options(
        &mut |at, _| bytes.get(at..).unwrap_or_default(),
        None,
        Some(ParseOptions::new().progress_callback(&mut go_on)),
    );
    let Some(tree) = tree else { return false };
    let root = tree.root_node();
    if root.has_error() {
        return false;
    }
    let Some(mut seen) = Seen::of(root) else { return false };
    seen.words.sort_by_key(|(span, _)| span.start);
    seen.operators.sort_by_key(|span| span.start);
    seen.operators == operators && same_words(&seen.words, commands)
}

/// What the tree has in it.
#[derive(Default)]
struct Seen {
    /// Where words stand, and in which command: none for those of a redirection.
    words: Vec<(Range<usize>, Option<usize>)>,
    operators: Vec<Range<usize>>,
}

impl Seen {
    /// `None` where there is something that a chain of simple commands does not have.
    fn of(root: Node<'_>) -> Option<Self> {
        let mut seen = Self::default();
        let mut waiting = vec![(root, None)];
        while let Some((node, within)) = waiting.pop() {
            let kind = node.kind();
            let span = node.byte_range();
            if node.is_error() || node.is_missing() {
                return None;
            }
            if WORDS.contains(&kind) && node.is_named() {
                seen.words.push((span, within));
                continue;
            }
            if !node.is_named() {
                if !TOKENS.contains(&kind) {
                    return None;
                }
                if kind != "\n" {
                    seen.operators.push(span);
                }
                continue;
            }
            if matches!(kind, "comment" | "file_descriptor") {
                continue;
            }
            if !STRUCTURE.contains(&kind) {
                return None;
            }
            let within = match kind {
                "command" => Some(node.id()),
                "file_redirect" => None,
                _ => within,
            };
            let mut cursor = node.walk();
            waiting.extend(node.children(&mut cursor).map(|child| (child, within)));
        }
        Some(seen)
    }
}

/// Whether the words are the same, and stand in the same commands.
fn same_words(seen: &[(Range<usize>, Option<usize>)], commands: &[Command]) -> bool {
    let mut ours: Vec<(Range<usize>, usize)> = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let targets = command.redirects.iter().map(|redirect| &redirect.target);
        let words = command.words.iter().chain(targets).chain(&command.copies);
        ours.extend(words.map(|word| (word.span.clone(), index)));
    }
    ours.sort_by_key(|(span, _)| span.start);
    if ours.len() != seen.len() {
        return false;
    }
    let mut homes: Vec<Option<usize>> = vec![None; commands.len()];
    ours.iter().zip(seen).all(|((our_span, index), (span, home))| {
        let Some(known) = homes.get_mut(*index) else { return false };
        // What stands behind a redirection belongs to the command, which the grammar does not say.
        if let Some(home) = home
            && *known.get_or_insert(*home) != *home
        {
            return false;
        }
        our_span == span
    }) && are_different(&homes)
}

fn are_different(homes: &[Option<usize>]) -> bool {
    let mut known: Vec<usize> = homes.iter().flatten().copied().collect();
    let count = known.len();
    known.sort_unstable();
    known.dedup();
    known.len() == count
}
