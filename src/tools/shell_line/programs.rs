//! What is known of programs that start other programs, or read what to do from their arguments.
//!
//! A wrapper is looked through, so that a rule about `rm` also sees `sudo rm`. What is not known here is taken
//! as a program that does what its name says. It must never make a command look more harmless than it is.

use super::{Command, Why, Word};

/// How often one wrapper may stand within another.
const MAX_LEVELS: usize = 8;

/// Builtins after which a line does not mean what it says.
const CHANGES_SHELL: &[&str] = &[
    ".",
    "alias",
    "bind",
    "builtin",
    "caller",
    "compgen",
    "complete",
    "declare",
    "dirs",
    "enable",
    "eval",
    "exec",
    "export",
    "fc",
    "getopts",
    "hash",
    "let",
    "local",
    "mapfile",
    "popd",
    "pushd",
    "read",
    "readarray",
    "readonly",
    "set",
    "shift",
    "shopt",
    "source",
    "trap",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
];

const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "csh",
    "dash",
    "elvish",
    "fish",
    "ksh",
    "mksh",
    "nu",
    "oksh",
    "osh",
    "posh",
    "pwsh",
    "rbash",
    "sh",
    "tcsh",
    "xonsh",
    "yash",
    "zsh",
    "powershell",
    "cmd",
];

/// Interpreters, and the options by which they take a script from the line.
const INTERPRETERS: &[(&str, &[&str])] = &[
    ("bun", &["-e", "-p", "--eval", "--print", "exec", "x"]),
    ("deno", &["eval", "repl"]),
    ("emacs", &["-f", "-l", "--eval", "--execute", "--funcall", "--load"]),
    ("erl", &["-eval", "-run", "-s"]),
    ("ghc", &["-e"]),
    ("groovy", &["-e"]),
    ("julia", &["-e", "-E", "--eval", "--print"]),
    ("lua", &["-e", "-"]),
    ("luajit", &["-e", "-"]),
    (
        "node",
        &[
            "-e",
            "-p",
            "-r",
            "-",
            "--eval",
            "--print",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
        ],
    ),
    ("nodejs", &["-e", "-p", "-r", "-", "--eval", "--print", "--require", "--import", "--loader"]),
    ("nvim", &["-c", "-S", "-s", "-u", "-l", "-es", "--cmd"]),
    ("osascript", &["-e", "-"]),
    ("perl", &["-e", "-E", "-M", "-m", "-i", "-"]),
    ("php", &["-r", "-B", "-R", "-E", "-d", "--run"]),
    ("psql", &["-c", "-f", "--command", "--file"]),
    ("pypy", &["-c", "-"]),
    ("python", &["-c", "-"]),
    ("R", &["-e"]),
    ("raku", &["-e"]),
    ("ruby", &["-e", "-r", "-x", "-"]),
    ("Rscript", &["-e"]),
    ("sqlite", &["-cmd", "-init"]),
    ("tclsh", &["-"]),
    ("vi", &["-c", "-S", "-s", "-u", "-es", "--cmd"]),
    ("vim", &["-c", "-S", "-s", "-u", "-es", "--cmd"]),
    ("ex", &["-c", "-S", "-s", "-u", "--cmd"]),
    ("view", &["-c", "-S", "-s", "-u", "--cmd"]),
];

/// Options that make a well-known program run others, write files, or take another configuration. A long one
/// may be shortened.
const OPTIONS: &[(&str, &[&str])] = &[
    ("cargo", &["--config", "-Z"]),
    ("curl", &["-o", "-O", "-K", "--output", "--remote-name", "--config", "--output-dir", "--create-dirs"]),
    ("date", &["-s", "--set"]),
    ("diff", &["--output"]),
    ("fd", &["-x", "-X", "--exec", "--exec-batch"]),
    ("fdfind", &["-x", "-X", "--exec", "--exec-batch"]),
    ("file", &["-C", "--compile"]),
    ("find", &["-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprint0", "-fprintf", "-fls"]),
    ("go", &["-exec", "-toolexec", "-overlay", "-modfile"]),
    ("hostname", &["-F", "--file", "-b", "--boot"]),
    ("less", &["-o", "-O", "-k", "--log-file", "--LOG-FILE", "--lesskey-file"]),
    ("make", &["--eval", "-E"]),
    ("man", &["-P", "-H", "--pager", "--html"]),
    ("rg", &["--pre", "--hostname-bin", "--pre-glob"]),
    ("rsync", &["-e", "--rsh", "--rsync-path"]),
    ("scp", &["-S", "-o", "-F"]),
    ("sort", &["-o", "--output", "--compress-program"]),
    ("ssh", &["-o", "-F"]),
    (
        "tar",
        &[
            "-I",
            "-F",
            "--use-compress-program",
            "--to-command",
            "--checkpoint-action",
            "--info-script",
            "--new-volume-script",
            "--rsh-command",
            "--rmt-command",
        ],
    ),
    ("tree", &["-o", "-R"]),
    ("wget", &["-e", "--execute", "--use-askpass", "--config"]),
    ("zip", &["-TT", "--unzip-command"]),
];

/// The same for programs whose options come after a word that says what to do, and before it.
const GIT_GLOBAL: &[&str] =
    &["-c", "--config-env", "--exec-path", "-C", "--git-dir", "--work-tree", "--namespace", "--super-prefix"];
const GIT: &[&str] = &[
    "-O",
    "-x",
    "--output",
    "--ext-diff",
    "--textconv",
    "--open-files-in-pager",
    "--exec",
    "--upload-pack",
    "--receive-pack",
    "--config",
    "--template",
    "--strategy",
    "--show-signature",
    "--gpg-sign",
    "--edit-description",
    "--paginate",
    "--tool",
    "--extcmd",
    "--to-cmd",
    "--cc-cmd",
    "--sendmail-cmd",
    "--filter",
];

/// What was found out of a command.
pub(super) struct Inspected {
    /// Why it does more than it says.
    pub(super) why: Vec<Why>,
    /// Shell scripts among its arguments.
    pub(super) script: Vec<String>,
}

/// A wrapper that was looked through.
enum Inner {
    /// The command begins at this word, and the wrapper does nothing else.
    Transparent(usize),
    /// The command begins at this word, and the wrapper changes what it does.
    Opaque(usize, Why),
    /// The wrapper is not understood.
    Unknown(Why),
    /// No wrapper, or nothing in it.
    None,
}

/// The name of a program without its folder and its ending.
pub(crate) fn base_name(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let split = name.len().checked_sub(4).and_then(|at| name.split_at_checked(at));
    match split {
        Some((stem, ending)) if ending.eq_ignore_ascii_case(".exe") && !stem.is_empty() => stem,
        _ => name,
    }
}

/// Fills `levels` and `transparent` of `command`.
pub(super) fn inspect(command: &mut Command) -> Inspected {
    let mut inspected = Inspected { why: Vec::new(), script: Vec::new() };
    let length = command.words.len();
    let mut start = 0;
    let mut is_transparent = true;
    command.transparent = 0;
    loop {
        command.levels.push(start..length);
        let Some((name, rest)) = command.words.get(start..).and_then(<[Word]>::split_first) else { break };
        let plain = base_name(&name.text).to_owned();
        if CHANGES_SHELL.contains(&plain.as_str()) {
            inspected.why.push(Why::ChangesShell);
        }
        if start > 0 && (name.expands || name.quoted) {
            inspected.why.push(Why::HiddenName);
        }
        if let Some(why) = own_script(&plain, rest, &mut inspected.script) {
            inspected.why.push(why);
        }
        if has_risky_option(&plain, rest) {
            inspected.why.push(Why::Option);
        }
        let inner = inner(&plain, rest);
        let (at, why) = match inner {
            Inner::None => break,
            Inner::Unknown(why) => {
                inspected.why.push(why);
                break;
            }
            Inner::Transparent(at) => (at, None),
            Inner::Opaque(at, why) => (at, Some(why)),
        };
        is_transparent &= why.is_none();
        inspected.why.extend(why);
        if start + 1 + at >= length {
            break;
        }
        if command.levels.len() >= MAX_LEVELS {
            inspected.why.push(Why::TooDeep);
            break;
        }
        start += 1 + at;
        if is_transparent {
            command.transparent += 1;
        }
    }
    inspected
}

/// Skips options and their values. `valued` are those whose value is a word of its own; where an option is none
/// of `known`, that is told. Returns the first word that is no option.
fn skip(words: &[Word], valued: &[&str], known: impl Fn(&str) -> bool) -> (usize, bool) {
    let mut at = 0;
    let mut clean = true;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            return (at + 1, clean);
        }
        if !text.starts_with('-') || text == "-" {
            break;
        }
        clean &= !word.expands;
        if valued.contains(&text) {
            at += 1;
        } else {
            clean &= known(text);
        }
        at += 1;
    }
    (at, clean)
}

fn inner(name: &str, rest: &[Word]) -> Inner {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match name {
        "timeout" | "gtimeout" => {
            let long = |text: &str| {
                ["--foreground", "--preserve-status", "--verbose", "-f", "-p", "-v"].contains(&text)
                    || text.starts_with("--signal=")
                    || text.starts_with("--kill-after=")
            };
            let (at, clean) = skip(rest, &["-s", "-k", "--signal", "--kill-after"], long);
            let is_duration = rest.get(at).is_some_and(|word| {
                let text = word.text.trim_end_matches(['s', 'm', 'h', 'd']);
                !word.expands
                    && !text.is_empty()
                    && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            });
            transparent_if(clean && is_duration, at + 1)
        }
        "nice" => {
            let short = |text: &str| {
                text.strip_prefix('-').is_some_and(|n| number(n.trim_start_matches('-')))
                    || text.strip_prefix("-n").is_some_and(|n| number(n.trim_start_matches('-')))
                    || text.starts_with("--adjustment=")
            };
            let (at, clean) = skip(rest, &["-n", "--adjustment"], short);
            transparent_if(clean, at)
        }
        "ionice" => {
            let (at, clean) = skip(rest, &["-c", "-n"], |text| text == "-t");
            transparent_if(clean, at)
        }
        "nohup" => transparent_if(true, skip(rest, &[], |_| false).0),
        "time" | "gtime" => {
            let (at, clean) =
                skip(rest, &["-f", "-o", "--format", "--output"], |text| text == "-p" || text == "-v");
            let writes = rest
                .iter()
                .take(at)
                .any(|word| word.text.starts_with("-o") || word.text.starts_with("--output"));
            transparent_if(clean && !writes, at)
        }
        "stdbuf" => {
            let buffer = |text: &str| {
                ["-i", "-o", "-e", "--input=", "--output=", "--error="].iter().any(|option| {
                    text.strip_prefix(option)
                        .is_some_and(|mode| !mode.is_empty() && (mode == "L" || number(mode)))
                })
            };
            let (at, clean) = skip(rest, &["-i", "-o", "-e"], buffer);
            transparent_if(clean, at)
        }
        "command" => match rest.first().map(|word| word.text.as_str()) {
            None | Some("-v" | "-V") => Inner::None,
            Some(option) if option.starts_with('-') => {
                Inner::Opaque(skip(rest, &[], |_| true).0, Why::ChangesShell)
            }
            Some(_) => Inner::Transparent(0),
        },
        "env" => {
            let valued = ["-u", "--unset", "-C", "--chdir", "-S", "--split-string", "--argv0", "-a"];
            let (at, clean) = skip(rest, &valued, |_| false);
            let set =
                rest.get(at..).unwrap_or_default().iter().take_while(|word| word.text.contains('=')).count();
            if at == 0 && clean && set == 0 {
                return Inner::Transparent(0);
            }
            Inner::Opaque(at + set, Why::Assignment)
        }
        "exec" | "builtin" => Inner::Opaque(skip(rest, &["-a"], |_| true).0, Why::ChangesShell),
        "sudo" | "doas" | "pkexec" | "gosu" | "su-exec" | "setpriv" | "chroot" | "runuser" | "su"
        | "unshare" | "nsenter" | "fakeroot" | "systemd-run" | "run0" => {
            let valued = [
                "-u",
                "-g",
                "-h",
                "-p",
                "-C",
                "-r",
                "-t",
                "-T",
                "-U",
                "-D",
                "-R",
                "--user",
                "--group",
                "--chdir",
                "--host",
                "--prompt",
                "--role",
                "--type",
                "--chroot",
                "--close-from",
            ];
            let (at, _) = skip(rest, &valued, |_| true);
            let named = usize::from(["gosu", "su-exec", "chroot", "runuser", "su"].contains(&name));
            let set = rest
                .get(at..)
                .unwrap_or_default()
                .iter()
                .take_while(|word| word.text.contains('=') && !word.text.starts_with('/'))
                .count();
            Inner::Opaque(at + if set > 0 { set } else { named }, Why::OtherUser)
        }
        "xargs" | "gxargs" => {
            let valued = [
                "-a",
                "-d",
                "-E",
                "-I",
                "-L",
                "-n",
                "-P",
                "-s",
                "--arg-file",
                "--delimiter",
                "--max-args",
                "--max-procs",
                "--max-lines",
                "--max-chars",
                "--replace",
                "-J",
                "-R",
                "-S",
            ];
            Inner::Opaque(skip(rest, &valued, |_| true).0, Why::RunsProgram)
        }
        "parallel"
        | "watch"
        | "setsid"
        | "flock"
        | "strace"
        | "ltrace"
        | "script"
        | "entr"
        | "chrt"
        | "taskset"
        | "numactl"
        | "caffeinate"
        | "unbuffer"
        | "rlwrap"
        | "daemonize"
        | "dbus-run-session"
        | "xvfb-run"
        | "busybox"
        | "toybox"
        | "proxychains"
        | "torsocks"
        | "torify"
        | "catchsegv"
        | "valgrind"
        | "gdb"
        | "lldb"
        | "firejail"
        | "bwrap"
        | "hyperfine"
        | "faketime"
        | "direnv"
        | "dotenv"
        | "with-contenv"
        | "start-stop-daemon"
        | "ld.so"
        | "ld-linux-x86-64.so.2"
        | "ld-linux.so.2"
        | "ld-linux-aarch64.so.1" => {
            let (mut at, _) = skip(rest, &["-n", "-o", "-p", "-e", "-c", "-j", "-I", "-E", "-u"], |_| true);
            // A lock, a mask or the like stands before the command.
            if matches!(name, "flock" | "chrt" | "taskset" | "faketime") {
                at += 1;
            }
            Inner::Opaque(at, Why::RunsProgram)
        }
        "find" | "gfind" => {
            let runs = |word: &Word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir");
            rest.iter().position(runs).map_or(Inner::None, |at| Inner::Opaque(at + 1, Why::RunsProgram))
        }
        "ssh" | "slogin" | "mosh" | "docker" | "podman" | "kubectl" | "nerdctl" | "lxc" => {
            // They run commands elsewhere; a rule says so by the whole line.
            Inner::None
        }
        "at" | "batch" | "crontab" => Inner::Unknown(Why::Script),
        _ => Inner::None,
    }
}

fn transparent_if(understood: bool, at: usize) -> Inner {
    if understood { Inner::Transparent(at) } else { Inner::Opaque(at, Why::Option) }
}

/// Whether the program takes what it does from its arguments. Shell scripts among them are added to `scripts`.
fn own_script(name: &str, rest: &[Word], scripts: &mut Vec<String>) -> Option<Why> {
    let lower = name.to_ascii_lowercase();
    if SHELLS.contains(&lower.as_str()) {
        let mut operand = None;
        let mut takes_script = false;
        let mut strange = false;
        for word in rest {
            let text = word.text.as_str();
            let is_option =
                (text.starts_with(['-', '+']) && text.len() > 1) || text == "-o" || text.starts_with('/');
            if takes_script && !text.starts_with(['-', '+']) {
                scripts.push(text.to_owned());
                return Some(Why::Script);
            }
            if !is_option || (text.starts_with('/') && !matches!(lower.as_str(), "cmd")) {
                operand = Some(text);
                break;
            }
            let flags = text.trim_start_matches(['-', '+']);
            takes_script |= !text.starts_with("--") && flags.contains('c')
                || flags.eq_ignore_ascii_case("command")
                || flags.eq_ignore_ascii_case("encodedcommand")
                || text.starts_with('/');
            strange |= !flags.chars().all(|flag| matches!(flag, 'e' | 'u' | 'x'));
        }
        return (takes_script || strange || operand.is_none_or(|operand| operand == "-"))
            .then_some(Why::Script);
    }
    // `su -c`, `script -c` and the like hand their script to a shell.
    if matches!(
        lower.as_str(),
        "su" | "runuser" | "script" | "flock" | "watch" | "parallel" | "xargs" | "ssh" | "entr"
    ) {
        let after = rest.iter().position(|word| matches!(word.text.as_str(), "-c" | "--command"));
        if let Some(script) = after.and_then(|at| rest.get(at + 1)) {
            scripts.push(script.text.clone());
            return Some(Why::Script);
        }
    }
    if matches!(lower.as_str(), "eval" | "trap") {
        let words: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
        scripts.push(words.join(" "));
        return Some(Why::Script);
    }
    if matches!(lower.as_str(), "env") {
        let split = rest.iter().position(|word| word.text == "-S" || word.text == "--split-string");
        if let Some(script) = split.and_then(|at| rest.get(at + 1)) {
            scripts.push(script.text.clone());
        }
    }
    let stem = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let interpreter = INTERPRETERS.iter().find(|(of, _)| of.eq_ignore_ascii_case(stem));
    if let Some((_, options)) = interpreter {
        // Without anything they read what to do from their input.
        let alone = rest.iter().all(|word| {
            word.text.starts_with('-')
                && !word.text.starts_with("--v")
                && word.text != "-V"
                && word.text != "-v"
        });
        return (alone || rest.iter().any(|word| is_option(&word.text, options))).then_some(Why::Script);
    }
    match lower.as_str() {
        "awk" | "gawk" | "mawk" | "nawk" => {
            let acts = ["system", "|", ">", "getline", "@", "close"];
            rest.iter().any(|word| acts.iter().any(|act| word.text.contains(act))).then_some(Why::Script)
        }
        "sed" | "gsed" => {
            let harmless = |word: &Word| {
                matches!(
                    word.text.as_str(),
                    "-n" | "-E"
                        | "-r"
                        | "-e"
                        | "-u"
                        | "-s"
                        | "-z"
                        | "--quiet"
                        | "--silent"
                        | "--regexp-extended"
                )
            };
            let first = rest.iter().position(|word| !harmless(word));
            let fine = first.is_some_and(|first| {
                rest.get(first).is_some_and(|script| is_plain_sed(&script.text))
                    && rest
                        .get(first + 1..)
                        .unwrap_or_default()
                        .iter()
                        .all(|word| !word.text.starts_with('-'))
            });
            (!fine).then_some(Why::Script)
        }
        "ed" | "red" | "bc" | "dc" | "gnuplot" | "m4" => Some(Why::Script),
        _ => None,
    }
}

/// Whether a script of sed only prints, deletes or replaces: `w`, `e`, `r` and their like are not known here.
fn is_plain_sed(script: &str) -> bool {
    let address = |c: char| c.is_ascii_digit() || matches!(c, ',' | '$' | ' ' | '!' | '+' | '~');
    script.split(';').all(|part| {
        let command = part.trim_start_matches(address);
        if matches!(command, "p" | "d" | "q" | "=" | "") {
            return true;
        }
        let Some(rest) = command.strip_prefix('s') else { return false };
        let Some(delimiter) = rest.chars().next().filter(char::is_ascii_punctuation) else { return false };
        let pieces: Vec<&str> = rest.split(delimiter).collect();
        // Nothing is escaped, so that no reading of it can differ.
        !rest.contains(['\\', '\n'])
            && pieces.len() == 4
            && pieces.last().is_some_and(|flags| {
                flags.chars().all(|flag| matches!(flag, 'g' | 'p' | 'I' | 'i' | '0'..='9'))
            })
    })
}

fn has_risky_option(name: &str, rest: &[Word]) -> bool {
    if name == "git" {
        let global = rest.iter().take_while(|word| word.text.starts_with('-')).count();
        let (before, after) = rest.split_at(global);
        let aims = before.iter().any(|word| is_option(&word.text, GIT_GLOBAL));
        return aims || after.iter().any(|word| is_option(&word.text, GIT));
    }
    let options = OPTIONS.iter().find(|(of, _)| *of == name || name.strip_prefix('g') == Some(*of));
    options.is_some_and(|(_, options)| rest.iter().any(|word| is_option(&word.text, options)))
}

/// Whether `word` is one of `options`: spelt out, shortened, with its value glued on, or among other letters.
fn is_option(word: &str, options: &[&str]) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    options.iter().any(|option| {
        if let Some(long) = option.strip_prefix("--") {
            return name.strip_prefix("--").is_some_and(|given| given.len() > 1 && long.starts_with(given));
        }
        match option.strip_prefix('-') {
            // A word such as `eval`, or `-` itself.
            None | Some("") => word == *option,
            Some(letter) if letter.len() == 1 => {
                word.starts_with('-') && !word.starts_with("--") && word.contains(letter)
            }
            Some(_) => name == *option,
        }
    })
}
