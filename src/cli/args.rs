//! What can be typed: sub-commands, options and their help. It decides nothing.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{ArgGroup, Args, Parser, Subcommand};
use secrecy::SecretString;

use crate::catalog::ThinkingLevel;

/// The command line.
#[derive(Parser)]
#[command(
    name = "aside",
    version,
    about = "An AI agent that sits beside your editor.",
    long_about = "An AI agent that sits beside your editor: one process that speaks JSON-RPC over stdin and\n\
                  stdout with editors and scripts, and the same agent on the command line.",
    after_help = EXAMPLES,
    subcommand_required = true,
    disable_help_subcommand = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Use no colours
    #[arg(long, global = true, help = "Use no colours, as NO_COLOR in the environment does")]
    pub(super) no_color: bool,
}

const EXAMPLES: &str = "\
Examples:
  aside prompt \"Explain what you are\"        ask, and watch the answer come
  git diff | aside prompt \"Review this:\" -   read standard input where - stands
  aside login                                sign in to a provider
  aside models --available                   what can be asked now
  aside serve                                JSON-RPC on standard input and output

Without a sub-command, aside serves on a pipe and prints this help on a terminal.
`aside prompt --help` and the others say more.";

/// The sub-commands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Send a prompt and print the answer as it comes
    Prompt(Box<PromptArgs>),
    /// List the models, what they cost, and whether they can be used
    Models(ModelsArgs),
    /// List the conversations of this folder
    Sessions(SessionsArgs),
    /// List the providers, and where their keys come from
    Providers(ProvidersArgs),
    /// Sign in to a provider with a key
    Login(LoginArgs),
    /// Forget the key of a provider
    Logout(LogoutArgs),
    /// Copy keys and models of another agent on this machine
    Import(ImportArgs),
    /// Look at files, keys, proxies, certificates, providers and servers, and say what is wrong
    Doctor(DoctorArgs),
    /// Speak the native protocol on standard input and output
    Serve(ServeArgs),
    /// Print what makes a shell complete commands and options
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// `aside prompt`.
#[derive(Args)]
#[command(
    group = ArgGroup::new("target").args(["provider", "model"]).multiple(true),
    group = ArgGroup::new("earlier").args(["session", "newest"]),
    after_help = PROMPT_EXAMPLES,
    next_line_help = true
)]
pub(super) struct PromptArgs {
    /// The words of the prompt; - stands for what standard input holds, which is read only then
    #[arg(required = true, value_name = "TEXT")]
    pub(super) text: Vec<String>,
    /// The model: an id, provider/id, or a part of one, with :LEVEL for thinking
    #[arg(short, long)]
    pub(super) model: Option<String>,
    /// The provider; alone, its default model
    #[arg(short, long, value_name = "ID")]
    pub(super) provider: Option<String>,
    /// How much to think
    #[arg(short, long, value_name = "LEVEL", value_parser = levels())]
    pub(super) thinking: Option<ThinkingLevel>,
    /// The account of the provider, by its label, where there are several
    #[arg(long, value_name = "LABEL")]
    pub(super) account: Option<String>,
    /// A key for this prompt only; it shows in the list of processes, unlike those in auth.json
    #[arg(long, value_name = "KEY", requires = "target", value_parser = secret)]
    pub(super) api_key: Option<SecretString>,
    /// Go on with this conversation (see `aside sessions`)
    #[arg(short, long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Go on with the newest conversation of this folder
    #[arg(short = 'c', long = "continue", id = "newest")]
    pub(super) newest: bool,
    /// The system prompt of a new conversation
    #[arg(long, value_name = "TEXT", conflicts_with = "earlier")]
    pub(super) system: Option<String>,
    /// Print the events as lines of JSON-RPC as `aside serve` sends them, at last the answer
    #[arg(long)]
    pub(super) json: bool,
}

const PROMPT_EXAMPLES: &str = "\
Examples:
  aside prompt \"Explain what you are\"
  aside prompt --continue \"And in one sentence?\"
  aside prompt -m groq/openai/gpt-oss-120b:high \"Prove that there are infinitely many primes\"
  aside prompt \"What went wrong here?\" - < build.log
  aside prompt --json \"hi\" | jq -r 'select(.method == \"event\").params.type'

On a terminal the answer is styled while it streams; into a pipe goes its text alone, as the model wrote it.
Ctrl-C ends the answer and keeps what had come.

Exit status: 0 done, 1 the turn failed, 2 wrong usage, 3 not signed in, 130 cancelled.";

/// `aside models`.
#[derive(Args)]
#[command(after_help = MODELS_EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct ModelsArgs {
    /// Only models whose name contains each of these words; one with * ? or [ describes the whole name
    #[arg(value_name = "WORD")]
    pub(super) pattern: Vec<String>,
    /// Only this provider's
    #[arg(short, long, value_name = "ID")]
    pub(super) provider: Option<String>,
    /// Only those that can be used now
    #[arg(short, long)]
    pub(super) available: bool,
    /// Also those that their providers have dropped
    #[arg(long, conflicts_with = "available")]
    pub(super) all: bool,
    /// First fetch fresh facts from models.dev, and say what they changed
    #[arg(long)]
    pub(super) refresh: bool,
    /// Print JSON, as the method listModels answers
    #[arg(long)]
    pub(super) json: bool,
}

const MODELS_EXAMPLES: &str = "\
Examples:
  aside models qwen coder
  aside models --provider groq
  aside models 'anthropic/claude-*-5'
  aside models --available --json | jq -r '.models[].id'
  aside models --refresh

Prices are in US dollars for a million tokens of input and output; - is free or not known. Output is the longest
answer. The model marked * is the default. On a narrow terminal the less important columns are left out.";

/// `aside sessions`.
#[derive(Args)]
#[command(after_help = SESSIONS_EXAMPLES)]
pub(super) struct SessionsArgs {
    /// Those of all folders
    #[arg(short, long)]
    pub(super) all: bool,
    /// Print JSON, as the method listSessions answers
    #[arg(long)]
    pub(super) json: bool,
}

const SESSIONS_EXAMPLES: &str = "\
Examples:
  aside sessions
  aside sessions --all
  aside prompt --session ID \"Where were we?\"";

/// `aside providers`.
#[derive(Args)]
#[command(after_help = PROVIDERS_EXAMPLES)]
pub(super) struct ProvidersArgs {
    /// Print JSON, as the method listProviders answers
    #[arg(long)]
    pub(super) json: bool,
}

const PROVIDERS_EXAMPLES: &str = "\
Examples:
  aside providers
  aside providers --json | jq -r '.providers[] | select(.available).id'";

/// `aside login`.
#[derive(Args)]
#[command(after_help = LOGIN_EXAMPLES)]
pub(super) struct LoginArgs {
    /// The provider; chosen from a list where it is left out
    pub(super) provider: Option<String>,
    /// Read the key from standard input, as --key-stdin does; with --method browser, the address that the browser ended at
    #[arg(value_name = "-", value_parser = ["-"])]
    pub(super) input: Option<String>,
    /// Read the key from standard input; without it, it is asked for at the terminal and not shown
    #[arg(long)]
    pub(super) key_stdin: bool,
    /// How: with a page in the browser, with a code typed on any device, or with a key
    #[arg(long, value_name = "HOW", value_enum)]
    pub(super) method: Option<Method>,
    /// The account, by a label of your choice, where there are to be several
    #[arg(long, value_name = "LABEL")]
    pub(super) account: Option<String>,
    /// The company's own host, such as GitHub Enterprise's; empty for the provider's usual one
    #[arg(long, value_name = "HOST")]
    pub(super) domain: Option<String>,
    /// Store a variable for this provider alone, such as an account id; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) env: Vec<(String, String)>,
}

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Method {
    Browser,
    DeviceCode,
    ApiKey,
}

const LOGIN_EXAMPLES: &str = "\
Examples:
  aside login groq
  aside login anthropic
  aside login openai-codex --method device-code
  aside login github-copilot --domain company.ghe.com
  pass show groq | aside login groq --key-stdin
  aside login cloudflare-workers-ai --env CLOUDFLARE_ACCOUNT_ID=0123abcd

The key is kept in auth.json, for you alone. It is no argument, because those show in the list of processes.
A command that prints the key, or the name of a variable, is written into auth.json by hand.";

/// `aside logout`.
#[derive(Args)]
#[command(after_help = LOGOUT_EXAMPLES)]
pub(super) struct LogoutArgs {
    /// The provider
    pub(super) provider: String,
    /// The account, by its label, where there are several
    #[arg(long, value_name = "LABEL")]
    pub(super) account: Option<String>,
}

const LOGOUT_EXAMPLES: &str = "\
Examples:
  aside logout groq
  aside logout anthropic --account work

Nothing is revoked at the provider: a key that others may have seen is replaced there.";

/// `aside import`.
#[derive(Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct ImportArgs {
    /// Whose
    #[arg(value_name = "AGENT")]
    pub(super) from: Origin,
    /// Its folder, where it is not the usual one
    #[arg(long, value_name = "FOLDER")]
    pub(super) dir: Option<std::path::PathBuf>,
    /// Import the sign-ins under this label, beside others of the same provider
    #[arg(long, value_name = "LABEL")]
    pub(super) account: Option<String>,
    /// Only list what would be imported
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Import without asking, and replace entries of the same name
    #[arg(short, long, conflicts_with = "dry_run")]
    pub(super) yes: bool,
}

/// An agent whose files are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Origin {
    /// pi, in ~/.pi/agent or where its own variable says
    Pi,
    /// Codex, in ~/.codex or where its own variable says
    Codex,
    /// Claude Code, in ~/.claude or where its own variable says
    Claude,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  aside import pi --dry-run
  aside import pi
  aside import codex
  aside import claude --account work

What would happen is listed first, then you are asked. The other agent's files are only read.
The tokens of a sign-in with a subscription are good for one program: after an import, sign in again in the other one,
or have `aside login` get a sign-in of its own.";

/// `aside doctor`.
#[derive(Args)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Ask nobody beyond this process
    #[arg(long)]
    pub(super) offline: bool,
    /// Also run the commands that keys come from
    #[arg(long)]
    pub(super) run: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

const DOCTOR_EXAMPLES: &str = "\
Examples:
  aside doctor
  aside doctor --offline
  aside doctor --json | jq -r '.findings[] | select(.level != \"ok\").message'

Nothing is changed, and no key is shown or sent.

Exit status: 0 nothing is wrong, 1 there are problems.";

/// `aside serve`.
#[derive(Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(super) struct ServeArgs {}

const SERVE_EXAMPLES: &str = "\
Examples:
  echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompt\",\"params\":{\"text\":\"hi\"}}' | aside serve

Messages are lines, or have Content-Length headers; the answers come in kind. A script's pipe may simply end:
what was asked is answered first. The protocol is described in docs/protocol.md.";

/// `aside completions`.
#[derive(Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  aside completions bash > ~/.local/share/bash-completion/completions/aside
  aside completions zsh > ~/.zfunc/_aside       with fpath+=~/.zfunc before compinit in .zshrc
  aside completions fish > ~/.config/fish/completions/aside.fish
  aside completions powershell >> $PROFILE
  aside completions elvish >> ~/.config/elvish/rc.elv";

/// `aside man`.
#[derive(Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(super) struct ManArgs {
    /// Of this command, instead of all
    #[arg(value_name = "COMMAND")]
    pub(super) command: Option<String>,
}

const MAN_EXAMPLES: &str = "\
Examples:
  aside man | man -l -
  aside man prompt | man -l -
  aside man > ~/.local/share/man/man1/aside.1";

fn levels() -> impl clap::builder::TypedValueParser<Value = ThinkingLevel> {
    // Each name that is accepted is a level's own.
    PossibleValuesParser::new(ThinkingLevel::ALL.map(ThinkingLevel::name))
        .map(|name| name.parse().unwrap_or(ThinkingLevel::Off))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is no NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "the parser's own shape")]
fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(line: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("aside").chain(line.iter().copied()))
    }

    #[test]
    fn the_tree_is_sound_and_every_command_has_examples() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
        assert!(Cli::command().render_help().to_string().contains("Examples:"));
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            &["prompt"][..],
            &["prompt", "x", "--session", "a", "--continue"],
            &["prompt", "x", "--continue", "--system", "s"],
            &["prompt", "x", "--api-key", "k"],
            &["prompt", "x", "--thinking", "much"],
            &["nonsense"],
            &["serve", "extra"],
        ] {
            let Err(error) = parsed(line) else { panic!("{line:?} was taken") };
            assert_eq!(error.exit_code(), 2, "{line:?}");
            assert!(!error.to_string().contains("'k'"), "{line:?} shows the key");
        }
    }

    #[test]
    fn words_and_options_may_be_mixed() {
        let Ok(Cli { command: Command::Prompt(args), .. }) =
            parsed(&["prompt", "one", "-t", "high", "two", "-", "--provider", "groq", "--api-key", "k"])
        else {
            panic!("it is a prompt");
        };
        assert_eq!(args.text, ["one", "two", "-"]);
        assert_eq!(args.thinking, Some(ThinkingLevel::High));
        assert!(!args.newest);
    }
}
