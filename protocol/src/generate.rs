//! The published descriptions of the contract: JSON Schema, OpenRPC, TypeScript, LuaCATS and the reference page.
//!
//! All follow from `METHODS` and the types, and come out the same on every machine. Nothing here touches a
//! file: a test compares the texts with the checked-in ones, or writes them when asked to. Read `contract.rs`
//! for what is taken from the types; every other file renders it one way.

mod contract;
mod luacats;
mod openrpc;
mod page;
mod reference;
mod schema;
mod typescript;

use contract::Contract;

/// The command that writes the files anew, for messages and for the files' first lines.
pub const COMMAND: &str = "UPDATE_GENERATED=1 cargo test --test it generated";

/// Every generated file: its path relative to the repository's root, and its text.
pub fn files() -> Vec<(&'static str, String)> {
    let contract = Contract::read();
    vec![
        ("protocol/generated/aside.schema.json", schema::render(&contract)),
        ("protocol/generated/openrpc.json", openrpc::render(&contract)),
        ("editors/vscode/src/protocol.ts", typescript::render(&contract)),
        ("editors/neovim/lua/aside/protocol.lua", luacats::render(&contract)),
        ("docs/protocol.md", reference::render(&contract)),
    ]
}
