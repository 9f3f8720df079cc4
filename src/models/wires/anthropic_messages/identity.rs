//! What Anthropic's API demands of requests with a subscription's token: it serves them to Claude Code only.
//!
//! All of it is here, and only such requests get it. It must never go beyond what the API refuses requests
//! without: that the use is a third party's is not hidden in anything else.

/// The first block of the system prompt, which must be exactly this.
pub(super) const SYSTEM: &str = "You are Claude Code, Anthropic's official CLI for Claude.";

/// An old version is refused, and so is anything behind the number.
pub(super) const HEADERS: &[(&str, &str)] = &[("user-agent", "claude-cli/2.1.280"), ("x-app", "cli")];

/// Betas of every such request.
pub(super) const BETAS: &[&str] = &["claude-code-20250219", "oauth-2025-04-20"];

/// Tools whose names have their own casing there.
const TOOLS: &[&str] = &[
    "Read",
    "Write",
    "Edit",
    "Bash",
    "Grep",
    "Glob",
    "AskUserQuestion",
    "EnterPlanMode",
    "ExitPlanMode",
    "KillShell",
    "NotebookEdit",
    "Skill",
    "Task",
    "TaskOutput",
    "TodoWrite",
    "WebFetch",
    "WebSearch",
];

/// The name under which a tool of ours is sent.
pub(super) fn sent(name: &str) -> &str {
    TOOLS.iter().find(|known| known.eq_ignore_ascii_case(name)).map_or(name, |known| known)
}

/// Our name of a tool that was called by the name it was sent under; `ours` are all that were sent.
pub(super) fn ours<'a>(name: &'a str, ours: &'a [String]) -> &'a str {
    if ours.iter().any(|own| own == name) {
        return name;
    }
    ours.iter().find(|own| own.eq_ignore_ascii_case(name)).map_or(name, String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_their_casing_only() {
        let tools = ["read", "todowrite", "find", "myTool"].map(str::to_owned);
        for (name, there) in
            [("read", "Read"), ("todowrite", "TodoWrite"), ("find", "find"), ("myTool", "myTool")]
        {
            assert_eq!(sent(name), there);
            assert_eq!(ours(there, &tools), name);
        }
        assert_eq!(ours("Unknown", &tools), "Unknown");
        assert_eq!(ours("Read", &["Read".to_owned(), "read".to_owned()]), "Read");
    }
}
