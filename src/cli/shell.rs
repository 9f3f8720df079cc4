//! What shells and readers of manuals want: completions and the manual page, both from the tree of commands.

use clap::CommandFactory as _;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::terminal::Page;
use crate::engine::Failure;

/// Writes the completions of a shell.
pub(super) fn completions(args: &CompletionsArgs, page: &mut Page) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "aside", &mut script);
    page.out(script);
}

/// Writes the manual page of the program, or of one command.
pub(super) fn man(args: &ManArgs, page: &mut Page) -> Result<(), Failure> {
    let mut tree = Cli::command();
    tree.build();
    let command = match &args.command {
        None => tree,
        Some(name) => tree.find_subcommand(name).cloned().ok_or_else(|| {
            let message = format!("no command {}", crate::engine::item::cut(name));
            Failure::not_found(message, Some("`aside --help` lists them"))
        })?,
    };
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = clap_mangen::Man::new(command).render(&mut text);
    page.out(text);
    Ok(())
}
