//! Commands that run away, one of each kind: what they cost the server, and that nothing is left of them.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Agent, GONE, text, tool_calls};

/// What the server's resident memory may grow by, in KiB.
const GROWTH: u64 = 20 << 10;
/// What the file of one output may have, in bytes.
const SPILL: u64 = 64 << 20;
/// What a model may be told of one output, in bytes.
const TOLD: usize = 66 << 10;

/// How a call of it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By itself, or because a bound was met.
    Itself,
    /// The turn is cancelled once "ready" was said.
    Cancelled,
}
use End::{Cancelled, Itself};

/// A kind of runaway: its name, its line, how it ends, and what must be told of it.
type Kind = (&'static str, &'static str, End, &'static str);

const RUNAWAYS: &[Kind] = &[
    ("500 MB", "yes 01234567890123456789012345678901234567 | head -c 500000000", Itself, "left out here"),
    ("endless", "yes TAG", Itself, "killed: it printed more than 1024.0 MiB"),
    ("endless on the other stream", "yes TAG >&2", Itself, "killed: it printed more than 1024.0 MiB"),
    ("endless, cancelled", "echo ready; yes TAG", Cancelled, ""),
    (
        "fills the disk by its output",
        "while :; do head -c 20000000 /dev/zero | tr '\\0' 'a'; done",
        Itself,
        "killed: it",
    ),
    ("binary", "head -c 20000000 /dev/urandom", Itself, "of output that is no text, not shown"),
    ("huge line", "head -c 100000000 /dev/zero | tr '\\0' 'x'", Itself, "0 lines, 95.3 MiB left out"),
    (
        "progress bar",
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); printf '\\r%d of 20000' $i; done; echo",
        Itself,
        "20000 of 20000",
    ),
    (
        "terminal sequences",
        "printf '\\033]52;c;AAAA\\007\\033[2J\\033[31mred\\033[0m\\302\\2331mblue\\a\\n'",
        Itself,
        "redblue",
    ),
    ("no text", "printf 'a\\377\\000b\\n'", Itself, "a\u{fffd}b"),
    ("background child", "sleep TAG & echo started", Itself, "sleep ("),
    (
        "child that holds the pipe and speaks late",
        "(sleep 0.3; echo late; sleep TAG) & echo done",
        Itself,
        "done",
    ),
    (
        "left its session",
        "setsid sleep TAG & echo started",
        Itself,
        "still running in the background as process 1",
    ),
    (
        "forked twice",
        "(setsid sh -c 'sleep TAG & sleep TAG' &); sleep 0.2; echo started",
        Itself,
        "still running in the background",
    ),
    (
        "without environment or streams",
        "env -i nohup setsid sleep TAG >/dev/null 2>&1 </dev/null & sleep 0.2; echo ok",
        Itself,
        "still running",
    ),
    ("ignores signals", "trap '' TERM HUP INT QUIT; echo ready; while :; do sleep 0.1; done", Cancelled, ""),
    (
        "more children when it is ended",
        "trap 'setsid sleep TAG & sleep TAG' TERM; echo ready; while :; do sleep 0.1; done",
        Cancelled,
        "",
    ),
    ("stopped", "echo ready; kill -STOP $$", Cancelled, ""),
    (
        "fork bomb",
        "b() { [ $1 -gt 0 ] && { b $(($1 - 1)) & b $(($1 - 1)) & }; sleep TAG; }; b 8",
        Itself,
        "killed: it started too many processes",
    ),
    (
        "fork bomb of sessions",
        "i=0; while [ $i -lt 800 ]; do setsid sleep TAG & i=$((i+1)); done; wait",
        Itself,
        "killed: it started too many processes",
    ),
    (
        "many small processes",
        "i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done; echo counted",
        Itself,
        "counted",
    ),
    ("reads input", "cat; read x; echo \"got:$x:\"", Itself, "got::"),
    ("closes its streams", "echo ready; exec >&- 2>&- <&-; sleep TAG", Cancelled, ""),
    (
        "deep folders",
        "p=$(printf 'd/%.0s' $(seq 1000)); for i in 1 2 3; do mkdir -p $p && cd $p || exit 9; done; echo deep",
        Itself,
        "deep",
    ),
    ("memory", "x=x; while :; do x=$x$x; done", Itself, "["),
    ("takes too long", "echo ready; sleep TAG", Itself, "killed: it ran longer than 2 s"),
    ("kills its group", "sleep TAG & kill -9 0", Itself, "ended by signal 9 (KILL)"),
    (
        "kills what watches over it",
        "setsid sleep TAG & sleep 0.1; kill -9 $PPID; sleep TAG",
        Itself,
        "killed, together with what watched over it",
    ),
    (
        "stops what watches over it",
        "echo ready; setsid sleep TAG & kill -STOP $PPID; sleep TAG",
        Cancelled,
        "",
    ),
];

/// What a run has cost.
struct Cost {
    memory_kib: u64,
    disk: u64,
    end: Duration,
    updates: usize,
    sent: usize,
}

async fn run((name, line, end, told): Kind) -> Cost {
    let timeout = if name == "takes too long" { 2 } else { 100 };
    let call = ("shell", json!({ "command": line, "timeoutSeconds": timeout }));
    let settings = json!({ "tools": { "shell": { "maxProcesses": 200, "maxMemoryBytes": 512 << 20 } } });
    let mut agent = Agent::new(&[call], settings, &[], json!({})).await;
    let before = agent.aside.resident_kib();
    let (mut updates, mut sent) = (0, 0);
    if end == Cancelled {
        agent.until_said("ready").await;
        let at = Instant::now();
        let session = agent.session.clone();
        agent.aside.notify("cancel", json!({ "sessionId": session }));
        let lines = agent.go_on(|_| false).await;
        assert!(at.elapsed() < GONE, "{name}: the turn went on for {:?}", at.elapsed());
        assert_eq!(lines.last().unwrap()["params"]["stopReason"], "cancelled", "{name}");
    } else {
        let lines = agent.prompt(|_| false).await;
        let calls = tool_calls(&lines);
        let shown = text(&calls[0]);
        let result = agent.told().pop().unwrap_or_else(|| shown.to_owned());
        let start: String = shown.chars().take(300).collect();
        assert!(
            shown.contains(told) || result.contains(told),
            "{name}: {start} ... {}",
            &shown[shown.floor_char_boundary(shown.len().saturating_sub(300))..]
        );
        assert!(result.len() <= TOLD, "{name}: {} bytes for the model", result.len());
        let strange = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!shown.contains(strange), "{name}");
        let wire: usize = lines.iter().map(|line| line.to_string().len()).sum();
        assert!(wire < 4 << 20, "{name}: {wire} bytes to the client");
        updates = lines.iter().filter(|line| line["params"]["type"] == "delta").count();
        sent = wire;
    }
    let (memory_kib, disk) = (agent.aside.peak_kib().saturating_sub(before), agent.on_disk());
    assert!(memory_kib < GROWTH, "{name}: {memory_kib} KiB more");
    assert!(disk <= SPILL, "{name}: {disk} bytes on disk");
    let at = Instant::now();
    let session = agent.session.clone();
    agent.aside.call("closeSession", json!({ "sessionId": session })).await;
    agent.settled().await;
    let end = at.elapsed();
    // A file of 64 MiB is a moment on its way out after the session is.
    while agent.on_disk() > 0 {
        assert!(at.elapsed() < GONE, "{name}: {} bytes are left on the disk", agent.on_disk());
        tokio::task::yield_now().await;
    }
    // It still serves.
    agent.aside.call("listSessions", json!({})).await;
    Cost { memory_kib, disk, end, updates, sent }
}

/// What one has cost, in a line.
async fn told(kind: Kind) -> String {
    let at = Instant::now();
    let Cost { memory_kib, disk, end, updates, sent } = run(kind).await;
    let (disk, sent, took) = (disk >> 20, sent >> 10, at.elapsed());
    format!(
        "{}: {memory_kib} KiB more memory, {disk} MiB on disk, {updates} updates, {sent} KiB to the client, gone \
         {end:?} after the session's end, {took:?} in all\n",
        kind.0
    )
}

#[tokio::test]
async fn runaways_are_bounded_and_leave_nothing() {
    let figures = super::side_by_side(RUNAWAYS.iter().map(|kind| told(*kind))).await;
    println!("{}", figures.concat());
}

#[test]
fn no_kind_is_missing() {
    assert!(RUNAWAYS.len() >= 25);
    let names: std::collections::BTreeSet<&str> = RUNAWAYS.iter().map(|kind| kind.0).collect();
    assert_eq!(names.len(), RUNAWAYS.len());
}
