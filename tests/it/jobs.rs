//! Commands of tools under their warden, without a server around them: what they leave is found and killed, also
//! when the warden itself is attacked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::process::{PATIENCE, Watched};
use aside::system::jobs::{Flow, Grouping, Job, Limits, Order, Sink, Status, Stop};

/// What a cancelled command with everything that it started may take to end.
const GONE: Duration = Duration::from_secs(3);

/// What a command said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The text once it holds a whole line.
    async fn line(&self) -> String {
        for _ in 0..1000 {
            if let Some((line, _)) = self.text().split_once('\n') {
                return line.to_owned();
            }
            tokio::time::timeout(Duration::from_millis(20), std::future::pending::<()>()).await.unwrap_err();
        }
        panic!("no line came: {}", self.text());
    }
}

impl Sink for Said {
    fn output(&mut self, bytes: &[u8]) -> Flow {
        let mut said = self.0.lock().unwrap();
        said.extend_from_slice(bytes);
        if said.len() > 4 << 20 { Flow::Kill } else { Flow::GoOn }
    }
}

/// One command, known by a number that stands in the command lines of its processes.
struct Command {
    tag: String,
    order: Order,
}

impl Command {
    /// A line of shell, in which `TAG` stands for a number that no other test has.
    fn new(line: &str) -> Self {
        let tag = format!("9000.{:010}", rand());
        let order = Order {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), line.replace("TAG", &tag).into()],
            dir: std::env::temp_dir(),
            env: vec![("PATH".into(), "/usr/bin:/bin:/usr/sbin:/sbin".into())],
            limits: Limits { processes: 200, memory: None, files: Some(100), grouping: Grouping::Never },
            mark: format!("mark{tag}"),
        };
        Self { tag, order }
    }

    fn grouped(mut self, grouping: Grouping) -> Self {
        self.order.limits.grouping = grouping;
        self
    }

    fn start(&self) -> (Job, Said) {
        let said = Said::default();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_aside"));
        let job = Job::start(program, self.order.clone(), Box::new(said.clone())).unwrap();
        (job, said)
    }

    /// Its processes that run, by their command lines and their mark.
    fn survivors(&self) -> Vec<String> {
        processes_with(&[&self.tag])
    }
}

fn rand() -> u64 {
    aside::system::Random::Real.next_u64() % 10_000_000_000
}

/// The command lines of all processes in whose command line or environment one of `words` stands.
pub(crate) fn processes_with(words: &[&str]) -> Vec<String> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name == own || name.parse::<u32>().is_err() || !super::process::is_running(name.parse().unwrap()) {
            continue;
        }
        let read = |file: &str| {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let (line, environment) = (read("cmdline"), read("environ"));
        if words.iter().any(|word| line.contains(word) || environment.contains(word)) {
            found.push(format!("{name}: {line}"));
        }
    }
    found
}

#[track_caller]
fn number(text: &str) -> u32 {
    text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

async fn within<T>(time: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, future).await.expect("it takes too long")
}

#[tokio::test]
async fn a_command_is_alone_with_its_limits() {
    let line = "cat; ulimit -c; ulimit -Sn; cat /proc/self/oom_score_adj; echo $ASIDE_TOOL; ls /proc/self/fd | wc -l; \
                test $(ps -o sid= $$) = $$ && echo leads; echo no >&2; exit 3";
    let command = Command::new(line);
    let (job, said) = command.start();
    assert_eq!(within(PATIENCE, job.ended()).await, Status::Code(3));
    within(PATIENCE, job.gone()).await;
    let text = said.text();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    // Three streams, and the folder that is being listed.
    assert_eq!(lines, ["0", "100", "500", &command.order.mark, "4", "leads", "no"]);
    assert!(job.processes().is_empty());
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let mut command = Command::new("true");
    command.order.program = "/nowhere/at/all".into();
    let (job, _) = command.start();
    let status = within(PATIENCE, job.ended()).await;
    assert!(matches!(&status, Status::Failed(why) if why.contains("No such file")), "{status:?}");
    within(PATIENCE, job.gone()).await;
    let mut command = Command::new("true");
    command.order.dir = "/nowhere".into();
    let (job, _) = command.start();
    assert!(matches!(within(PATIENCE, job.ended()).await, Status::Failed(_)));
    // A program that is not Aside's is no warden.
    let job = Job::start("/bin/true".into(), command.order.clone(), Box::new(Said::default())).unwrap();
    assert!(matches!(within(PATIENCE, job.ended()).await, Status::Lost | Status::Failed(_)));
}

#[tokio::test]
async fn what_a_command_leaves_is_known_and_killed() {
    let leavers = [
        "sleep TAG & echo $!",
        "setsid sleep TAG & echo $!",
        "(setsid sh -c 'sleep TAG & sleep TAG' &) ; echo 1",
        "env -i setsid sleep TAG & echo $!",
        "setsid sh -c 'trap \"\" TERM HUP INT; sleep TAG; sleep TAG; sleep TAG' & echo $!",
        "setsid sh -c 'kill -STOP $$; sleep TAG' sh TAG & echo $!",
        "setsid sh -c 'exec >/dev/null 2>&1 </dev/null; cd /; (setsid sleep TAG &)'; echo 1",
    ];
    for grouping in [Grouping::Never, Grouping::WherePossible] {
        for line in leavers {
            let command = Command::new(line).grouped(grouping);
            let (job, said) = command.start();
            // Not held up by what holds the output open.
            assert_eq!(within(PATIENCE, job.ended()).await, Status::Code(0), "{line}");
            assert!(!said.text().is_empty(), "{line}");
            let mut standing = job.standing();
            assert!(!standing.gone, "{line}: nothing was left");
            // One that is just becoming another program has no command line for a moment.
            within(PATIENCE, async {
                while job.processes().is_empty() || command.survivors().is_empty() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let at = Instant::now();
            job.stop(Stop::Gently);
            within(GONE, job.gone()).await;
            standing = job.standing();
            assert!(standing.gone && !standing.escaped, "{line}: {standing:?}");
            assert_eq!(command.survivors(), [""; 0], "{line} after {:?}", at.elapsed());
        }
    }
}

/// The command's process. What it says may be read before the word of its warden that it runs.
async fn process_of(job: &Job) -> u32 {
    loop {
        if let Some(process) = job.standing().process {
            return process;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_command_that_is_told_to_end_may_clean_up() {
    let line = "trap 'echo cleaned; exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let (job, said) = Command::new(line).start();
    assert_eq!(said.line().await, "ready");
    job.stop(Stop::Gently);
    assert_eq!(within(GONE, job.ended()).await, Status::Code(7));
    within(GONE, job.gone()).await;
    // The shell may also say how its child ended.
    assert!(said.text().ends_with("cleaned\n"), "{}", said.text());
    // One that ignores it is killed, and one that is stopped is woken to hear it.
    for line in ["trap '' TERM; echo ready; while :; do sleep 0.01; done", "echo ready; kill -STOP $$"] {
        let command = Command::new(line);
        let (job, said) = command.start();
        assert_eq!(said.line().await, "ready");
        job.stop(Stop::Gently);
        let status = within(GONE, job.ended()).await;
        assert!(matches!(status, Status::Signal(9 | 15)), "{status:?}");
        within(GONE, job.gone()).await;
    }
    // A handle that is dropped stops its command too.
    let command = Command::new("echo ready; sleep TAG");
    let (job, said) = command.start();
    said.line().await;
    let pid = Watched::new(process_of(&job).await);
    drop(job);
    assert!(pid.ends(GONE).await);
}

#[tokio::test]
async fn a_command_that_attacks_its_warden_is_killed_all_the_same() {
    for line in [
        "setsid sleep TAG & sleep TAG & echo $PPID; kill -9 $PPID; sleep TAG",
        "(setsid setsid sh -c 'sleep TAG; sleep TAG' &); echo $PPID; kill -9 $PPID; exec sleep TAG",
    ] {
        let command = Command::new(line);
        let (job, said) = command.start();
        assert!(number(&said.line().await) > 1);
        within(GONE, job.gone()).await;
        assert_eq!(within(GONE, job.ended()).await, Status::Lost, "{line}");
        assert!(!job.standing().escaped);
        assert_eq!(command.survivors(), [""; 0], "{line}");
    }
    let command = Command::new("echo $PPID; kill -STOP $PPID; exec sleep TAG");
    let (job, said) = command.start();
    assert!(number(&said.line().await) > 1);
    job.stop(Stop::Gently);
    within(GONE, job.gone()).await;
    assert_eq!(command.survivors(), [""; 0]);
}

#[tokio::test]
async fn a_fork_bomb_meets_its_limit() {
    // Bounded by itself too, should the limit fail: a test must not bring the machine down.
    let bombs = [
        "b() { [ $1 -gt 0 ] && { b $(($1 - 1)) & b $(($1 - 1)) & }; sleep TAG; }; b 8",
        "i=0; while [ $i -lt 800 ]; do setsid sleep TAG & i=$((i+1)); done; wait",
    ];
    for grouping in [Grouping::Never, Grouping::WherePossible] {
        for line in bombs {
            let command = Command::new(line).grouped(grouping);
            let (job, _) = command.start();
            let at = Instant::now();
            within(PATIENCE, job.gone()).await;
            let standing = job.standing();
            assert!(standing.overcrowded && standing.gone, "{line}: {standing:?}");
            assert_eq!(command.survivors(), [""; 0], "{line}");
            println!("a bomb under {grouping:?} was gone after {:?}", at.elapsed());
        }
    }
}

#[tokio::test]
async fn memory_is_limited_for_anybody() {
    let line = "x=x; while :; do x=$x$x; done";
    let mut command = Command::new(line);
    command.order.limits.memory = Some(64 << 20);
    let (job, _) = command.start();
    let status = within(PATIENCE, job.ended()).await;
    assert!(!matches!(status, Status::Code(0) | Status::Lost), "{status:?}");
}

#[tokio::test]
async fn a_flood_is_killed_when_its_reader_has_enough() {
    let command = Command::new("yes TAG");
    let (job, said) = command.start();
    let status = within(PATIENCE, job.ended()).await;
    assert_eq!(status, Status::Signal(9));
    assert!(said.text().len() < 8 << 20);
    within(GONE, job.gone()).await;
}
