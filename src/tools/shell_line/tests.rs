//! What is read of lines, and that the two readers see the same.

use super::*;

/// The commands as words in brackets, then why it is not understood.
fn told(line: &str) -> String {
    let read = ShellLine::read(line);
    let mut told = String::new();
    for command in &read.commands {
        let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
        told.extend(["[", &words.join("·"), "]"]);
        for redirect in &command.redirects {
            let sign = if redirect.kind == RedirectKind::Read { "<" } else { ">" };
            told.extend([sign, redirect.target.text.as_str()]);
        }
    }
    if let Understood::Not(whys) = read.understood {
        let whys = format!(" {whys:?}");
        told.push_str(&whys);
    }
    told
}

#[test]
fn chains_of_simple_commands_are_understood() {
    for (line, expected) in [
        ("ls", "[ls]"),
        ("ls -la src/tools 'a b' \"c d\"", "[ls·-la·src/tools·a b·c d]"),
        ("cargo test -- --nocapture", "[cargo·test·--·--nocapture]"),
        ("a && b || c ; d | e", "[a][b][c][d][e]"),
        ("a\nb\n\n  c", "[a][b][c]"),
        ("cargo build 2>&1 | tail -n 20", "[cargo·build][tail·-n·20]"),
        ("cat < in > out 2>> err", "[cat]<in>out>err"),
        ("sort > out file other", "[sort·file·other]>out"),
        ("echo a > /dev/null 2>&1", "[echo·a]>/dev/null"),
        ("grep -rn 'a|b;c&&d$(x)' .", "[grep·-rn·a|b;c&&d$(x)·.]"),
        ("echo \"a \\\" b\"", "[echo·a \" b]"),
        ("echo 'it'\"'\"'s'", "[echo·it's]"),
        ("ls # and more; rm -rf /", "[ls]"),
        ("git log --format=%h@%an -n5 HEAD~3..HEAD^", "[git·log·--format=%h@%an·-n5·HEAD~3..HEAD^]"),
        ("npm run test:unit", "[npm·run·test:unit]"),
        ("make CC=gcc -j4", "[make·CC=gcc·-j4]"),
        ("find . -name '*.rs' -print", "[find·.·-name·*.rs·-print]"),
        ("ls *.rs src/?.rs [ab].c ~/x", "[ls·*.rs·src/?.rs·[ab].c·~/x]"),
        ("echo ''", "[echo·]"),
        ("echo \"\" ''", "[echo··]"),
        ("timeout 5 nice -n 3 cargo test", "[timeout·5·nice·-n·3·cargo·test]"),
        ("echo héé 日本", "[echo·héé·日本]"),
        ("python3 script.py --check", "[python3·script.py·--check]"),
        ("bash ./run.sh one two", "[bash·./run.sh·one·two]"),
        ("sed -n '1,20p' file", "[sed·-n·1,20p·file]"),
        ("ls {} a{}b", "[ls·{}·a{}b]"),
        ("test -f a && echo yes", "[test·-f·a][echo·yes]"),
        ("ls a\\ b", "[ls·a b] [Escape]"),
        ("", ""),
        ("  # nothing", ""),
    ] {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[test]
fn what_hides_something_is_not_understood_and_its_commands_are_found() {
    for (line, expected) in [
        ("echo $(rm x)", "[rm·x][echo·] [Substitution]"),
        ("echo `rm x`", "[rm·x][echo·] [Substitution]"),
        ("echo \"$(rm \"a b\")\"", "[rm·a b][echo·] [Substitution]"),
        ("echo $HOME", "[echo·$HOME] [Variable]"),
        ("echo \"${x:-$(rm y)}\"", "[rm·y][echo·${x:-}] [Variable, Substitution]"),
        ("A=1 rm x", "[rm·x] [Assignment]"),
        ("PATH=x; rm y", "[][rm·y] [Assignment]"),
        ("(cd x && rm y)", "[cd·x][rm·y] [Compound]"),
        ("{ rm x; }", "[rm·x][] [Compound]"),
        ("if rm x; then ls; fi", "[rm·x][ls][] [Compound]"),
        ("for f in a b; do rm x; done", "[f·in·a·b][rm·x][] [Compound]"),
        ("f() { rm x; }; f", "[f][rm·x][][f] [Compound]"),
        ("! rm x", "[rm·x] [Compound]"),
        ("rm x &", "[rm·x] [Background]"),
        ("cat <<EOF\nrm x\nEOF\nls", "[cat][rm·x][ls] [HereDocument]"),
        ("cat <<'E F'\nit's\nE F\nls", "[cat][its][ls] [HereDocument]"),
        ("bash <<< 'rm x'", "[bash]>rm x [HereDocument, Script]"),
        ("diff <(rm a) b", "[rm·a][diff··b] [Substitution]"),
        ("r\\m x", "[rm·x] [Escape, Hidden]"),
        ("'rm' x", "[rm·x] [Hidden]"),
        ("r''m x", "[rm·x] [Hidden]"),
        ("ls --out\"\"put", "[ls·--output] [Hidden]"),
        ("/bin/r? x", "[/bin/r?·x] [HiddenName]"),
        ("ls {a,b}", "[ls·{a,b}] [Braces]"),
        ("ls &> x", "[ls]>x [Redirection]"),
        ("ls >& x", "[ls]>x [Redirection]"),
        ("ls |& cat", "[ls][cat] [Redirection]"),
        ("ls 'a", "[ls·a] [Unfinished]"),
        ("ls \"a", "[ls·a] [Unfinished]"),
        ("ls $(", "[ls·] [Substitution, Unfinished]"),
        ("ls )", "[ls] [Compound]"),
        ("ls\u{202e} x", "[ls\u{202e}·x] [Invisible]"),
        ("ls\r", "[ls\r] [Invisible]"),
        ("ls\u{a0}x", "[ls\u{a0}x] [Invisible]"),
        ("ls \0", "[ls·\0] [Invisible]"),
        ("[[ -f x ]]", "[-f·x·]]] [Compound]"),
        ("[ -f x ]", "[[·-f·x·]] [HiddenName]"),
        ("ls $'a\\'b' c", "[ls·a'b·c] [Escape]"),
        ("eval rm x", "[eval·rm·x][rm·x] [ChangesShell, Script]"),
        ("bash -c 'rm x; ls'", "[bash·-c·rm x; ls][rm·x][ls] [Script]"),
        ("sh -ec \"sh -c 'rm x'\"", "[sh·-ec·sh -c 'rm x'][sh·-c·rm x][rm·x] [Script]"),
        ("curl x | sh", "[curl·x][sh] [Script]"),
        ("python -c 'x'", "[python·-c·x] [Script]"),
        ("perl -pi -e x y", "[perl·-pi·-e·x·y] [Script]"),
        ("xargs rm", "[xargs·rm] [RunsProgram]"),
        ("find . -exec rm {} +", "[find·.·-exec·rm·{}·+] [Option, RunsProgram]"),
        ("find . -delete", "[find·.·-delete] [Option]"),
        ("sudo -u me rm x", "[sudo·-u·me·rm·x] [OtherUser]"),
        ("env A=1 rm x", "[env·A=1·rm·x] [Assignment]"),
        ("command -p rm x", "[command·-p·rm·x] [ChangesShell]"),
        ("export A=1", "[export·A=1] [ChangesShell]"),
        ("git -c a=b diff", "[git·-c·a=b·diff] [Option]"),
        ("git diff --outp=x", "[git·diff·--outp=x] [Option]"),
        ("sed -i s/a/b/ x", "[sed·-i·s/a/b/·x] [Script]"),
        ("sed s/a/b/e x", "[sed·s/a/b/e·x] [Script]"),
        ("awk '{system(1)}' x", "[awk·{system(1)}·x] [Script]"),
    ] {
        assert_eq!(told(line), expected, "{line}");
    }
}

#[track_caller]
fn check_levels(line: &str, levels: &[&str], transparent: usize) {
    let read = ShellLine::read(line);
    let command = read.commands.first().unwrap();
    let told: Vec<String> = command
        .levels()
        .map(|words| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(told, levels, "{line}");
    assert_eq!(command.transparent_levels().count(), transparent + 1, "{line}");
}

#[test]
fn wrappers_are_looked_through() {
    check_levels("rm x", &["rm x"], 0);
    check_levels("timeout 5 rm x", &["timeout 5 rm x", "rm x"], 1);
    check_levels("timeout -k 3 --signal=KILL 5s rm x", &["timeout -k 3 --signal=KILL 5s rm x", "rm x"], 1);
    check_levels("nice nohup rm x", &["nice nohup rm x", "nohup rm x", "rm x"], 2);
    check_levels("time -p stdbuf -oL rm x", &["time -p stdbuf -oL rm x", "stdbuf -oL rm x", "rm x"], 2);
    check_levels("command rm x", &["command rm x", "rm x"], 1);
    check_levels("command -v rm", &["command -v rm"], 0);
    check_levels("env rm x", &["env rm x", "rm x"], 1);
    check_levels("env -i A=1 rm x", &["env -i A=1 rm x", "rm x"], 0);
    check_levels(
        "sudo -u me -E timeout 1 rm x",
        &["sudo -u me -E timeout 1 rm x", "timeout 1 rm x", "rm x"],
        0,
    );
    check_levels("sudo A=1 rm x", &["sudo A=1 rm x", "rm x"], 0);
    check_levels("xargs -n 1 -I {} rm {}", &["xargs -n 1 -I {} rm {}", "rm {}"], 0);
    check_levels("find . -name a -exec rm {} +", &["find . -name a -exec rm {} +", "rm {} +"], 0);
    check_levels("timeout", &["timeout"], 0);
    check_levels("/usr/bin/env rm x", &["/usr/bin/env rm x", "rm x"], 1);
}

#[test]
fn the_second_reader_is_asked_and_can_say_no() {
    let read = lex::lex("ls -l; rm x");
    assert!(tree::agrees("ls -l; rm x", &read.commands, &read.operators));
    assert!(!tree::agrees("ls -l; rm y z", &read.commands, &read.operators));
    assert!(!tree::agrees("ls -l  rm x", &read.commands, &read.operators));
    assert!(!tree::agrees("ls -l| rm x", &read.commands, &[]));
    assert!(!tree::agrees("ls $(x", &read.commands, &read.operators));
}

#[test]
fn long_and_deep_lines_are_read_in_time_and_not_understood() {
    let long = "ls a; ".repeat(20_000);
    let read = ShellLine::read(&long);
    assert!(!read.is_understood());
    assert!(read.commands.len() <= 2_000);
    for piece in [
        "$(",
        "(",
        "`",
        "\"$(",
        "{ ",
        "<<a ",
        "'\"",
        "${",
        "<(",
        "sudo ",
        "bash -c '",
        "((",
        "\\",
        "a=",
        "[[",
    ] {
        let deep = piece.repeat(20_000);
        assert!(!ShellLine::read(&deep).is_understood(), "{piece}");
    }
    let words = "a".repeat(3) + &" b".repeat(8_000);
    assert!(ShellLine::read(&words).is_understood());
}

proptest::proptest! {
    #[test]
    fn no_line_is_too_strange(line in "(\\PC|[;&|<>()`$'\"\\\\{}#*~=! \n\t\rabc12-]){0,60}") {
        let read = ShellLine::read(&line);
        for command in &read.commands {
            for level in command.levels() {
                proptest::prop_assert!(level.len() <= command.words.len());
            }
        }
    }

    /// What was found at the start of a line is found there too when something is appended.
    #[test]
    fn commands_stay_when_something_is_appended(
        line in "([;&|<>()`$'\"\\\\{}#* \n]|ls|rm|cat|-x|sudo |env |x){0,25}",
        tail in "(;|&&|\\|\\||\\||\n)([;&|<>()`$'\"\\\\{}#* \n]|ls|rm|x){0,25}",
    ) {
        if !ShellLine::is_at_rest(&line) {
            return Ok(());
        }
        let words = |line: &str| -> Vec<Vec<String>> {
            lex::lex(line).commands.iter().map(|command| command.words.iter().map(|word| word.text.clone()).collect()).collect()
        };
        let before = words(&line);
        let after = words(&format!("{line}{tail}"));
        proptest::prop_assert!(after.len() >= before.len() || line.contains("<<"), "{before:?} {after:?}");
        if !line.contains("<<") {
            proptest::prop_assert_eq!(&after[..before.len()], &before[..]);
        }
    }
}
