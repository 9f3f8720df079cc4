//! Decisions at the boundary: what is asked for, and what comes of it.

use super::load::Rules;
use super::question::{QuestionText, lasting_rules, question};
use super::*;
use crate::settings::{Permissions, Remembered};

const ROOT: &str = "/w";

fn roots() -> Vec<PathBuf> {
    vec![PathBuf::from(ROOT)]
}

fn place(path: &str) -> Place {
    let name = path.rsplit('/').next().unwrap_or_default();
    let guarded = [".git/", ".vscode/", ".github/workflows/", ".mcp.json", ".envrc", ".bashrc"];
    Place {
        path: path.into(),
        inside: path == ROOT || path.starts_with("/w/"),
        protected: guarded.iter().any(|part| path.contains(part)).then_some("programs run it"),
        secret: (name.starts_with(".env") || name == "id_rsa").then_some("it may hold keys"),
        hard_links: 1,
    }
}

/// As the gate would: `..` is followed, `link` leads to /etc, and `gone` cannot be looked up.
fn locate(text: &str, folder: &Path) -> Option<Place> {
    let mut real: Vec<String> = Vec::new();
    for part in folder.join(text).to_str()?.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                real.pop();
            }
            "link" => real = vec!["etc".to_owned()],
            "gone" => return None,
            _ => real.push(part.to_owned()),
        }
    }
    Some(place(&format!("/{}", real.join("/"))))
}

fn run(line: &str) -> Prepared {
    run_in(line, ROOT, false)
}

fn run_in(line: &str, folder: &str, background: bool) -> Prepared {
    let effect = Effect::Run { line: line.to_owned(), folder: folder.into(), background };
    prepared("shell", effect)
}

fn prepared(tool: &str, effect: Effect) -> Prepared {
    Prepared::new(tool, serde_json::json!({}), Intent { effects: vec![effect] }, &locate)
}

fn read(path: &str) -> Prepared {
    prepared("read", Effect::Read(place(path)))
}

fn edit(path: &str) -> Prepared {
    prepared("edit", Effect::Write(place(path)))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The user's settings with these rules.
fn user(allow: &[&str], ask: &[&str], deny: &[&str]) -> Permissions {
    Permissions { allow: texts(allow), ask: texts(ask), deny: texts(deny), ..Permissions::default() }
}

fn rules(permissions: &Permissions) -> Rules {
    Rules::new(permissions, Some(Path::new("/home/me")), &roots())
}

fn verdict_with(call: &Prepared, mode: PermissionMode, rules: &Rules, grants: &Grants) -> Verdict {
    let roots = roots();
    let config = Path::new("/home/me/.config/aside");
    let around =
        Circumstances { mode, rules, grants, roots: &roots, config: Some(config), is_plain_path: true };
    judge(call, &around)
}

fn decide(call: &Prepared, mode: PermissionMode, rules: &Rules) -> Decision {
    verdict_with(call, mode, rules, &Grants::default()).decision
}

const MODES: [PermissionMode; 4] =
    [PermissionMode::Plan, PermissionMode::Ask, PermissionMode::AcceptEdits, PermissionMode::Full];

/// The rules of the table.
fn table_rules() -> Rules {
    rules(&user(
        &[
            "shell(cargo build *)",
            "shell(cargo test *)",
            "shell(cargo check *)",
            "shell(git status *)",
            "shell(git diff *)",
            "shell(git log *)",
            "shell(make)",
            "shell(npm run test:*)",
            "shell(rg *)",
            "shell(python3 scripts/*)",
            "shell(sed -n *)",
            "shell(xargs *)",
            "shell(sudo *)",
            "shell(bash *)",
            "shell(find *)",
            "shell(env *)",
            "shell(node *)",
            "shell(go test ./...)",
        ],
        &["shell(cargo test --doc *)", "shell(git log -p *)"],
        &[
            "shell(rm *)",
            "shell(curl *)",
            "shell(wget *)",
            "shell(npm publish *)",
            "shell(git push --force *)",
        ],
    ))
}

const TABLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/permissions/shell-lines.txt"));

/// A line of the table as it is meant.
fn meant(text: &str) -> String {
    let mut meant = text.replace('␊', "\n").replace('⇥', "\t");
    while let Some(at) = meant.find("<U+") {
        let end = at + meant[at..].find('>').unwrap();
        let code = u32::from_str_radix(&meant[at + 3..end], 16).unwrap();
        meant.replace_range(at..=end, &char::from_u32(code).unwrap().to_string());
    }
    meant
}

fn table() -> Vec<(String, String)> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(decision, line)| (decision.to_owned(), line.trim_start_matches(' ').to_owned()))
        .map(|(decision, line)| (decision, meant(&line)))
        .collect()
}

#[test]
fn every_line_of_the_table_is_decided_as_expected() {
    let rules = table_rules();
    let table = table();
    assert!(table.len() >= 500, "{}", table.len());
    let mut wrong = Vec::new();
    for (expected, line) in &table {
        let verdict = verdict_with(&run(line), PermissionMode::Ask, &rules, &Grants::default());
        if verdict.decision.to_string() != *expected {
            let why: Vec<String> =
                verdict.reasons.iter().map(|reason| format!("{} {}", reason.decision, reason.rule)).collect();
            wrong.push(format!("{line:?} should {expected}: {why:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn without_rules_only_harmless_commands_run_and_none_of_them_where_names_could_lead_into_the_workspace() {
    let none = Rules::default();
    for (line, expected) in [
        ("ls -l", Decision::Allow),
        ("cat a | head -n 3", Decision::Allow),
        ("git status", Decision::Ask),
        ("cargo test", Decision::Ask),
        ("curl x", Decision::Ask),
    ] {
        assert_eq!(decide(&run(line), PermissionMode::Ask, &none), expected, "{line}");
        let roots = roots();
        let (mode, grants) = (PermissionMode::Ask, Grants::default());
        let around = Circumstances {
            mode,
            rules: &none,
            grants: &grants,
            roots: &roots,
            config: None,
            is_plain_path: false,
        };
        assert_eq!(judge(&run(line), &around).decision, Decision::Ask, "{line}");
    }
    assert!(is_plain_path(Some("/usr/bin:/bin"), &roots()));
    for path in [None, Some("/bin:."), Some("/bin:"), Some("bin"), Some("/w/bin:/bin"), Some("")] {
        assert!(!is_plain_path(path, &roots()), "{path:?}");
    }
}

/// Rules of every kind, for what must hold whatever they are.
fn some_rules() -> Rules {
    rules(&user(
        &["shell(ls *)", "shell(x *)", "shell(cat)", "shell=ls; x a", "edit(out/**)", "read(/etc/x)"],
        &["shell(ls -x *)", "edit(out/asks)"],
        &["shell(rm *)", "shell(x rm *)", "read(secret/**)"],
    ))
}

/// Whether the end of the line and the separator are one operator together, so that nothing is appended to the line:
/// `ls &` and `&` are the `&&` of another one.
fn makes_one(line: &str, separator: &str) -> bool {
    line.chars().last().is_some_and(|last| matches!(last, '&' | '|' | ';') && separator.starts_with(last))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    /// Appending a command to a line never makes it more allowed.
    #[test]
    fn appending_never_makes_a_line_more_allowed(
        line in "([;&|<>()`$'\"\\\\{}#*~= \n]|ls|rm|cat|x|a|-x|out/a|/etc/x|sudo |env |echo |\\$\\(|2>&1|<<E\n){0,14}",
        separator in "(;|&&|\\|\\||\\||&|\n)",
        tail in "([;&|<>()`$'\"\\\\{}#*~= \n]|ls|rm|cat|x|a|-x|out/a|/etc/x|sudo |echo |\\$\\(|\nE\n){0,14}",
    ) {
        if !ShellLine::is_at_rest(&line) || line.contains("<<") || makes_one(&line, &separator) {
            return Ok(());
        }
        let rules = some_rules();
        for mode in MODES {
            let before = decide(&run(&line), mode, &rules);
            let after = decide(&run(&format!("{line}{separator}{tail}")), mode, &rules);
            proptest::prop_assert!(after >= before, "{line:?} {before} {separator:?}{tail:?} {after}");
        }
    }

    /// The same for the lines of the table, whatever is appended.
    #[test]
    fn appending_to_a_line_of_the_table_never_makes_it_more_allowed(
        index in 0..500_usize,
        separator in "( ;|;|&&|\\|\\||\\||&|\n| # |; )",
        tail in "(\\PC|[;&|<>()`$'\"\\\\{}#* \n]|ls|rm|cargo test|git log|\\$\\(){0,12}",
    ) {
        let (_, line) = &table()[index];
        if !ShellLine::is_at_rest(line) || line.contains("<<") || makes_one(line, &separator) {
            return Ok(());
        }
        let rules = table_rules();
        let before = decide(&run(line), PermissionMode::Ask, &rules);
        let after = decide(&run(&format!("{line}{separator}{tail}")), PermissionMode::Ask, &rules);
        proptest::prop_assert!(after >= before, "{line:?} {before} {separator:?}{tail:?} {after}");
    }

    /// What runs unasked says itself what runs: each of its commands would run alone.
    #[test]
    fn every_part_of_an_allowed_line_is_allowed(
        line in "([;&|<>()`$'\"\\\\{}#*~= \n]|ls|rm|cat|x|a|-x|out/a|echo ){0,14}",
    ) {
        let rules = some_rules();
        let call = run(&line);
        if decide(&call, PermissionMode::Ask, &rules) == Decision::Allow && line != "ls; x a" {
            for command in &call.lines[0].line.commands {
                let words: Vec<String> =
                    command.words.iter().filter(|word| !word.expands).map(|word| format!("'{}'", word.text)).collect();
                let alone = words.join(" ").replacen('\'', "", 2);
                proptest::prop_assert!(decide(&run(&alone), PermissionMode::Ask, &rules) == Decision::Allow, "{line:?} {alone}");
            }
        }
    }

    /// The text of a question shows all that it has, and nothing can be hidden in it or pushed out of it.
    #[test]
    fn questions_show_everything(line in "(\\PC|\\p{Cf}|\\p{Cc}|\\p{Zs}|[;&|<>()`$'\"\n \t]|rm -rf x| {30}|\n{9}){0,40}") {
        let call = run(&line);
        let asked = ask(&call);
        for text in [&asked.title, &asked.detail] {
            let mut before = ' ';
            for character in text.chars() {
                let shows = matches!(character, '\n' | '\t')
                    || !crate::tools::shown::is_unseen(character)
                    || (matches!(character, '\u{200d}' | '\u{fe0f}') && !before.is_ascii());
                proptest::prop_assert!(shows, "{character:?} in {text:?}");
                before = character;
            }
        }
        proptest::prop_assert!(!asked.title.contains('\n'));
        let letters = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let shown = crate::tools::shown::show(&line);
        proptest::prop_assert!(letters(&asked.detail).contains(&letters(&shown)), "{line:?} {:?}", asked.detail);
    }
}

fn ask(call: &Prepared) -> QuestionText {
    let verdict = verdict_with(call, PermissionMode::Ask, &Rules::default(), &Grants::default());
    question(call, &verdict, "title", &roots())
}

#[test]
fn protected_and_secret_files_are_asked_about_in_every_mode_whatever_allows_them() {
    let allows =
        ["edit", "write", "read", "edit(**)", "read(**)", "edit(/**)", "shell(echo *)", "shell(cat *)"];
    let all = Permissions { allow_full: Some(true), ..user(&allows, &[], &[]) };
    let rules = rules(&all);
    let protected = [
        "/w/.git/hooks/pre-commit",
        "/w/.git/config",
        "/w/.vscode/settings.json",
        "/w/.github/workflows/ci.yml",
        "/w/.mcp.json",
        "/w/.envrc",
        "/w/a/b/.bashrc",
        "/home/me/.bashrc",
    ];
    for mode in MODES {
        for path in protected {
            let calls = [
                edit(path),
                prepared("write", Effect::Write(place(path))),
                run(&format!("echo x > {path}")),
                run(&format!("echo x >> {path}")),
                run(&format!("cd src && echo x > {path}")),
            ];
            for call in calls {
                let mut grants = Grants::default();
                for answered in [false, true] {
                    let verdict = verdict_with(&call, mode, &rules, &grants);
                    assert!(verdict.decision >= Decision::Ask, "{path} {mode:?} {answered} {verdict:?}");
                    assert!(!verdict.may_last(), "{path} {mode:?}");
                    // Nor does an answer given before help.
                    grants.allow(&call);
                }
            }
        }
        for path in ["/w/.env", "/w/sub/.env.local", "/home/me/.ssh/id_rsa"] {
            let calls = [
                read(path),
                edit(path),
                prepared("grep", Effect::Read(place(path))),
                run(&format!("cat {path}")),
                run(&format!("cat < {path}")),
            ];
            for call in calls {
                let mut grants = Grants::default();
                grants.allow(&call);
                assert!(
                    verdict_with(&call, mode, &rules, &grants).decision >= Decision::Ask,
                    "{path} {mode:?}"
                );
            }
        }
    }
    // Which is no reason to ask about others.
    assert_eq!(decide(&edit("/w/src/a.rs"), PermissionMode::Ask, &rules), Decision::Allow);
}

#[test]
fn modes_do_what_they_say() {
    use Decision::{Allow, Ask, Deny};
    let full = Permissions { allow_full: Some(true), ..Permissions::default() };
    let rules = rules(&full);
    let stop = || prepared("processes", Effect::Stop { what: "a".to_owned() });
    for (call, decisions) in [
        (read("/w/a"), [Allow, Allow, Allow, Allow]),
        (read("/etc/passwd"), [Ask, Ask, Ask, Allow]),
        (edit("/w/a"), [Deny, Ask, Allow, Allow]),
        (edit("/w-evil/a"), [Deny, Ask, Ask, Allow]),
        (edit("/etc/passwd"), [Deny, Ask, Ask, Allow]),
        (run("ls"), [Allow, Allow, Allow, Allow]),
        (run("ls /"), [Ask, Ask, Ask, Allow]),
        (run("ls > out"), [Deny, Ask, Allow, Allow]),
        (run("ls > /etc/x"), [Deny, Ask, Ask, Allow]),
        (run("make"), [Deny, Ask, Ask, Allow]),
        (run("$(x) | y"), [Deny, Ask, Ask, Allow]),
        (run("rm -rf /"), [Deny, Deny, Deny, Deny]),
        (run_in("npm start", ROOT, true), [Deny, Ask, Ask, Allow]),
        (stop(), [Deny, Ask, Ask, Allow]),
        (prepared("demo", Effect::Pretend), [Deny, Ask, Ask, Allow]),
        (
            Prepared::new("ls", serde_json::json!({}), Intent::default(), &locate),
            [Allow, Allow, Allow, Allow],
        ),
        (read("/home/me/.config/aside/auth.json"), [Deny, Deny, Deny, Deny]),
        (edit("/home/me/.config/aside/auth.json.lock"), [Deny, Deny, Deny, Deny]),
    ] {
        let told: Vec<Decision> = MODES.iter().map(|mode| decide(&call, *mode, &rules)).collect();
        assert_eq!(told, decisions, "{:?}", call.intent);
    }
    // Without its switch the full mode is none.
    let none = Rules::default();
    assert_eq!(decide(&edit("/w/a"), PermissionMode::Full, &none), Ask);
    assert_eq!(
        verdict_with(&edit("/w/a"), PermissionMode::Full, &none, &Grants::default()).mode,
        PermissionMode::Ask
    );
}

#[test]
fn a_file_with_other_names_is_asked_about() {
    let linked = Place { hard_links: 3, ..place("/w/a") };
    let call = prepared("edit", Effect::Write(linked));
    let verdict = verdict_with(&call, PermissionMode::AcceptEdits, &Rules::default(), &Grants::default());
    assert_eq!(verdict.decision, Decision::Ask);
    assert!(question(&call, &verdict, "", &roots()).detail.contains("2 more names"));
}

#[test]
fn deny_stands_over_ask_over_allow_whatever_the_order_and_the_layer() {
    let call = || run("x a");
    let with = |allow: &[&str], ask: &[&str], deny: &[&str]| {
        decide(&call(), PermissionMode::Ask, &rules(&user(allow, ask, deny)))
    };
    assert_eq!(with(&["shell(x a)"], &[], &[]), Decision::Allow);
    assert_eq!(with(&["shell(x a)"], &["shell(x *)"], &[]), Decision::Ask);
    assert_eq!(with(&["shell(x a)"], &["shell(x a)"], &["shell"]), Decision::Deny);
    assert_eq!(with(&["shell(x a)"], &[], &["*"]), Decision::Deny);
    let client = Permissions {
        client_ask: texts(&["shell(x *)"]),
        client_deny: texts(&["shell(y *)"]),
        ..user(&["shell"], &[], &[])
    };
    assert_eq!(decide(&run("x a"), PermissionMode::Ask, &rules(&client)), Decision::Ask);
    assert_eq!(decide(&run("y"), PermissionMode::Ask, &rules(&client)), Decision::Deny);
    assert_eq!(decide(&run("z"), PermissionMode::Ask, &rules(&client)), Decision::Allow);
    // What was answered does not weaken a rule that asks or denies.
    let mut grants = Grants::default();
    grants.allow(&call());
    for (asks, denies, expected) in [
        (&[][..], &[][..], Decision::Allow),
        (&["shell(x *)"][..], &[][..], Decision::Ask),
        (&[][..], &["shell(x *)"][..], Decision::Deny),
    ] {
        let rules = rules(&user(&[], asks, denies));
        assert_eq!(verdict_with(&call(), PermissionMode::Ask, &rules, &grants).decision, expected);
    }
    let verdict =
        verdict_with(&call(), PermissionMode::Ask, &rules(&user(&[], &[], &["shell(x *)"])), &grants);
    assert_eq!(
        verdict.refusal(),
        "Denied by the rule `shell(x *)` of the user's settings. Do not try to reach the same in another way."
    );
}

#[track_caller]
fn check_path(pattern: &str, path: &str, allows: bool, denies: bool) {
    let call = || prepared("edit", Effect::Write(place(path)));
    let allow = rules(&user(&[pattern], &[], &[]));
    assert_eq!(
        decide(&call(), PermissionMode::Ask, &allow) == Decision::Allow,
        allows,
        "allow {pattern} {path}"
    );
    let deny = rules(&user(&[], &[], &[pattern]));
    assert_eq!(
        decide(&call(), PermissionMode::Ask, &deny) == Decision::Deny,
        denies,
        "deny {pattern} {path}"
    );
}

#[test]
fn patterns_of_paths_allow_narrowly_and_deny_widely() {
    check_path("edit", "/w/a", true, true);
    check_path("edit", "/x/a", false, true);
    check_path("write", "/w/a", true, true);
    check_path("read", "/w/a", false, false);
    check_path("edit(a)", "/w/a", true, true);
    check_path("edit(a)", "/w/b/a", true, true);
    check_path("edit(a)", "/w/b/a/c", true, true);
    check_path("edit(a)", "/x/a", false, true);
    check_path("edit(a)", "/w/ab", false, false);
    check_path("edit(a)", "/w/A", false, true);
    check_path("edit(*.rs)", "/w/b/c.rs", true, true);
    check_path("edit(*.rs)", "/w/b/c.RS", false, true);
    check_path("edit(src/*.rs)", "/w/src/c.rs", true, true);
    check_path("edit(src/*.rs)", "/w/src/d/c.rs", false, false);
    check_path("edit(src/*.rs)", "/w/b/src/c.rs", false, true);
    check_path("edit(src/**)", "/w/src/d/c.rs", true, true);
    check_path("edit(src/)", "/w/src/d/c.rs", true, true);
    check_path("edit(./src)", "/w/src/d/c.rs", true, true);
    check_path("edit(./src)", "/w/b/src/c", false, false);
    check_path("edit(/src)", "/w/src/c", false, true);
    check_path("edit(/tmp/**)", "/tmp/a/b", true, true);
    check_path("edit(/tmp)", "/tmp/a/b", true, true);
    check_path("edit(/tmp)", "/tmpx", false, false);
    check_path("edit(~/notes)", "/home/me/notes/a", true, true);
    check_path("edit(~/notes)", "/home/you/notes/a", false, false);
    check_path("edit(**)", "/w/a/b", true, true);
    check_path("edit(**)", "/x/a", false, true);
    check_path("edit=/w/a", "/w/a", true, true);
    check_path("edit=/w/a", "/w/a/b", false, false);
    check_path("edit=/w/a*", "/w/ab", false, false);
    check_path("Edit(a)", "/w/a", false, true);
    check_path("edit(Geheim)", "/w/geheim", false, true);
    // The long s and the Kelvin sign are letters in disguise; what does not show is none.
    check_path("edit(secrets)", "/w/\u{17f}ecrets", false, true);
    check_path("edit(keys)", "/w/\u{212a}eys", false, true);
    check_path("edit(keys)", "/w/ke\u{200c}ys", false, true);
}

#[test]
fn a_rule_that_is_not_understood_asks_and_is_told() {
    for bad in
        ["shell(ls && rm)", "shell(", "shell()", "(x)", "she ll(x)", "edit(!a)", "edit(a[)", "shell($x)", ""]
    {
        let allow = rules(&user(&[bad], &[], &[]));
        assert_eq!(allow.warnings.len(), 1, "{bad}");
        assert_eq!(decide(&run("x"), PermissionMode::Ask, &allow), Decision::Ask, "{bad}");
        let deny = rules(&user(&["shell", "edit"], &[], &[bad]));
        assert_eq!(deny.warnings.len(), 1, "{bad}");
        let about = if bad.starts_with("edit") { edit("/w/a") } else { run("x") };
        assert_eq!(decide(&about, PermissionMode::Ask, &deny), Decision::Ask, "{bad}");
    }
    let long = format!("shell({})", "x ".repeat(20_000));
    assert_eq!(rules(&user(&[], &[], &[&long])).warnings.len(), 1);
    let many = vec!["shell(x *)"; 5_000];
    let rules = rules(&user(&["shell"], &[], &many));
    assert_eq!(rules.warnings.len(), 1);
    assert_eq!(decide(&run("y"), PermissionMode::Ask, &rules), Decision::Ask);
}

#[test]
fn an_answer_holds_for_exactly_what_was_shown() {
    let mut grants = Grants::default();
    let shown = run("make all > out/log");
    grants.allow(&shown);
    let none = Rules::default();
    let decide = |call: &Prepared| verdict_with(call, PermissionMode::Ask, &none, &grants).decision;
    assert_eq!(decide(&shown), Decision::Allow);
    for line in [
        "make  all > out/log",
        "make all > out/log ",
        "make all > out/Log",
        "make al > out/log",
        "Make all > out/log",
        "make all > out/log2",
        "make all >> out/log",
        "make all; make all > out/log",
        "make all",
        "A=1 make all > out/log",
        "make a\u{200b}ll > out/log",
        "mak\u{435} all > out/log",
    ] {
        assert_eq!(decide(&run(line)), Decision::Ask, "{line}");
    }
    assert_eq!(decide(&run_in("make all > out/log", "/w/sub", false)), Decision::Ask);
    assert_eq!(decide(&run_in("make all > out/log", ROOT, true)), Decision::Ask);
    // The same line that leads elsewhere by now.
    let moved = |text: &str, folder: &Path| {
        locate(text, folder).map(|place| Place {
            path: format!("/etc{}", place.path.display()).into(),
            inside: false,
            ..place
        })
    };
    let elsewhere = Prepared::new("shell", serde_json::json!({}), shown.intent.clone(), &moved);
    assert_eq!(decide(&elsewhere), Decision::Ask);
    // Nor does it allow another tool the same file.
    assert_eq!(decide(&edit("/w/out/log")), Decision::Ask);
    for (line, understood) in [("make; ls", true), ("make $X", false)] {
        let call = run(line);
        let mut grants = Grants::default();
        grants.allow(&call);
        let verdict = verdict_with(&call, PermissionMode::Ask, &none, &grants);
        assert_eq!(verdict.decision == Decision::Allow, understood, "{line}");
    }
    let call =
        |arguments| Prepared::new("demo", arguments, Intent { effects: vec![Effect::Pretend] }, &locate);
    let mut grants = Grants::default();
    grants.allow(&call(serde_json::json!({"note": "a"})));
    for (note, expected) in [("a", Decision::Allow), ("b", Decision::Ask)] {
        let call = call(serde_json::json!({"note": note}));
        assert_eq!(verdict_with(&call, PermissionMode::Ask, &none, &grants).decision, expected, "{note}");
    }
    let mut grants = Grants::default();
    grants.refuse(&run("make"));
    grants.allow(&run("make"));
    assert_eq!(verdict_with(&run("make"), PermissionMode::Ask, &none, &grants).decision, Decision::Deny);
}

#[test]
fn what_is_remembered_holds_in_its_folder_and_means_what_was_shown() {
    for (call, others) in [
        (
            run("make all && cargo test"),
            vec![
                run("make all"),
                run("make all && cargo test x"),
                run_in("make all && cargo test", "/w/sub", false),
            ],
        ),
        (edit("/x/a"), vec![edit("/x/A"), edit("/x/a/b"), read("/x/a")]),
        (read("/x/a*"), vec![read("/x/ab")]),
    ] {
        let stored = lasting_rules(&call, &roots()).unwrap();
        let at = |folder: &str, deny: bool| {
            let (allow, deny) =
                if deny { (Vec::new(), stored.clone()) } else { (stored.clone(), Vec::new()) };
            let remembered = Remembered { folder: folder.to_owned(), allow, deny };
            rules(&Permissions { remembered: vec![remembered], ..Permissions::default() })
        };
        assert_eq!(decide(&call, PermissionMode::Ask, &at(ROOT, false)), Decision::Allow, "{stored:?}");
        assert_eq!(decide(&call, PermissionMode::Ask, &at("/other", false)), Decision::Ask, "{stored:?}");
        assert_eq!(decide(&call, PermissionMode::Full, &at(ROOT, true)), Decision::Deny, "{stored:?}");
        for other in others {
            assert_eq!(
                decide(&other, PermissionMode::Ask, &at(ROOT, false)),
                Decision::Ask,
                "{stored:?} {other:?}"
            );
        }
    }
    for never in ["make $X", "make > out", "make &", "cd sub && (ls)"] {
        assert_eq!(lasting_rules(&run(never), &roots()), None, "{never}");
    }
    assert_eq!(lasting_rules(&run_in("make", "/w/sub", false), &roots()), None);
    assert_eq!(lasting_rules(&run_in("make", ROOT, true), &roots()), None);
}

#[test]
fn a_question_says_where_and_what_and_offers_no_more_than_it_shows() {
    let asked = ask(&run("make all 2> ../err"));
    assert_eq!(asked.title, "Run: make all 2> ../err");
    assert_eq!(
        asked.detail,
        "Run in /w:\n\nmake all 2> ../err\n\nwrites /err, outside the workspace\n\nAsked because: nothing allows it (Aside itself)"
    );
    let labels: Vec<&str> = asked.options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(
        labels,
        ["Allow this once", "Allow exactly `make all 2> ../err` in /w, until the session ends", "Reject"]
    );
    let labels =
        |call: &Prepared| ask(call).options.into_iter().map(|option| option.label).collect::<Vec<_>>();
    assert_eq!(
        labels(&run("make")),
        [
            "Allow this once",
            "Allow exactly `make` in /w, until the session ends",
            "Always allow exactly `make` in /w, when working in /w",
            "Reject",
            "Never allow exactly `make` in /w, when working in /w",
        ]
    );
    for once in ["make $X", "make\nls", &format!("make {}", "x".repeat(400))] {
        assert_eq!(labels(&run(once)), ["Allow this once", "Reject"], "{once}");
    }
    assert_eq!(labels(&edit("/w/.git/config")), ["Allow this once", "Reject"]);
    let outside = ask(&read("/etc/../etc/passwd"));
    assert_eq!(outside.title, "Read /etc/../etc/passwd");
    assert!(
        outside.detail.starts_with("Read /etc/../etc/passwd, outside the workspace\n"),
        "{}",
        outside.detail
    );
    let sets = ask(&run("LD_PRELOAD=x PATH=. make; rm -rf y"));
    assert!(sets.detail.contains("\nstarts make, rm\nsets LD_PRELOAD, PATH"), "{}", sets.detail);
}

#[test]
fn a_long_command_is_cut_in_its_middle_and_its_programs_are_named() {
    let line = format!("echo {}; evil --now; echo {} the end", "a".repeat(30_000), "b".repeat(30_000));
    let asked = ask(&run(&line));
    assert!(asked.detail.contains("the end") && asked.detail.contains("more characters here"));
    assert!(asked.detail.contains("starts echo, evil"), "{}", &asked.detail[asked.detail.len() - 400..]);
    assert!(asked.detail.len() < 30_000);
    assert!(asked.title.starts_with("Run: echo aaa") && asked.title.ends_with("the end"), "{}", asked.title);
    let pushed = ask(&run(&format!("ls{}; evil", " \n\t".repeat(10_000))));
    assert!(pushed.detail.contains("; evil") && pushed.detail.lines().count() < 20, "{}", pushed.detail);
    assert!(pushed.title.ends_with("; evil"), "{}", pushed.title);
}
