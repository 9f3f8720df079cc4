//! What is measured: the parts of a run, each for `aside` and for `limit` in turn, so that both meet the same noise.
//!
//! Processor time is the least of several runs, because noise only ever adds to it; all else is the median.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::decode::decode;
use crate::mock::{Mock, Plan};
use crate::peer::{Launch, Peer};
use crate::proc::{memory, settled_cpu};
use crate::report::{Report, least, median, ninety_ninth};

const MIB: f64 = 1024.0 * 1024.0;
const KIB: f64 = 1024.0;

/// How often answers of each size are measured: at least, and at most where the ratio to `limit` is too great.
const BURSTS: (usize, usize) = (7, 30);
/// What a delta may cost, as a multiple of what it costs `limit`.
const TIMES_LIMIT: f64 = 3.0;

/// Samples of both programs, in the unit that is printed.
type Samples = [Vec<Option<f64>>; 2];

/// A way to one number from many.
type Pick = fn(&[Option<f64>]) -> Option<f64>;

/// Both programs, and what they talk to.
pub(crate) struct Bench<'a> {
    pub(crate) mock: &'a Mock,
    pub(crate) aside: Launch<'a>,
    pub(crate) limit: Launch<'a>,
}

/// A part of the run.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Bench<'_>, &mut Report) -> Result<()>,
}

/// All parts, in the order in which they are run.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "start", run: start },
    Part { name: "memory", run: resident },
    Part { name: "burst", run: burst },
    Part { name: "bytes", run: bytes },
    Part { name: "latency", run: latency },
    Part { name: "paced", run: paced },
    Part { name: "cancel", run: cancel },
    Part { name: "concurrent", run: concurrent },
    Part { name: "size", run: size },
    Part { name: "decode", run: decode },
];

impl Bench<'_> {
    fn both(&self) -> [&Launch<'_>; 2] {
        [&self.aside, &self.limit]
    }

    /// Both programs, each with one prompt behind it, so that what is made at first use is there.
    fn warm(&self) -> Result<[Peer; 2]> {
        let mut aside = self.aside.start()?;
        let mut limit = self.limit.start()?;
        for peer in [&mut aside, &mut limit] {
            self.mock.play(Plan::burst(20));
            peer.turn(20)?;
        }
        Ok([aside, limit])
    }
}

fn add(
    report: &mut Report,
    what: impl Into<String>,
    budget: impl Into<Option<f64>>,
    pick: Pick,
    samples: &Samples,
) {
    report.budget(what, budget, pick(&samples[0]), pick(&samples[1]));
}

fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

/// Counts here are far below what a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

/// From `exec` to the answer to `initialize`.
fn start(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut cpu = Samples::default();
    let mut wall = Samples::default();
    for round in 0..22 {
        for (side, launch) in bench.both().into_iter().enumerate() {
            let peer = launch.start()?;
            // The first two fill the caches.
            if round >= 2 {
                cpu[side].push(settled_cpu(peer.pid()).map(|seconds| seconds * 1e3));
                wall[side].push(Some(milliseconds(peer.started, peer.answered)));
            }
        }
    }
    add(report, "start to `initialize` answered: CPU, ms, least of 20", 5.0, least, &cpu);
    add(report, "the same, median", None, median, &cpu);
    add(report, "the same, by the clock, median", None, median, &wall);
    Ok(())
}

/// Memory at rest, and after turns.
fn resident(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let stages = [
        ("idle", 0, 8.0, 1.5),
        ("after 2,000 deltas", 2_000, 14.0, 4.0),
        ("after 20,000", 20_000, 14.0, 4.0),
    ];
    let mut all: [Samples; 3] = Default::default();
    let mut anonymous: [Samples; 3] = Default::default();
    for _ in 0..5 {
        for (side, launch) in bench.both().into_iter().enumerate() {
            let mut peer = launch.start()?;
            for (stage, (_, deltas, ..)) in stages.into_iter().enumerate() {
                if deltas > 0 {
                    bench.mock.play(Plan::burst(deltas));
                    peer.turn(deltas)?;
                }
                settled_cpu(peer.pid());
                let memory = memory(peer.pid());
                all[stage][side].push(memory.map(|memory| memory.resident / MIB));
                anonymous[stage][side].push(memory.map(|memory| memory.anonymous / MIB));
            }
        }
    }
    for (stage, (name, _, budget, budget_anonymous)) in stages.into_iter().enumerate() {
        add(report, format!("resident memory {name}, MiB"), budget, median, &all[stage]);
        add(report, "of it anonymous", budget_anonymous, median, &anonymous[stage]);
    }
    // Below the idle budget the ratio would punish a small start.
    let idle = median(&all[0][0]).map(|idle| idle.max(8.0));
    report.rule("memory after 2,000 deltas, to idle (8 MiB at least)", median(&all[1][0]), idle, 1.75);
    report.rule("memory after 20,000 deltas, to idle (8 MiB at least)", median(&all[2][0]), idle, 2.0);
    Ok(())
}

/// One answer as fast as it goes: processor time, bytes and speed for each delta.
fn burst(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut peers = bench.warm()?;
    let sizes = [(2_000, "2,000"), (10_000, "10,000"), (20_000, "20,000")];
    let mut cpu: [Samples; 3] = Default::default();
    let mut bytes: [Samples; 3] = Default::default();
    let mut lines: [Samples; 3] = Default::default();
    let mut speed: [Samples; 3] = Default::default();
    for round in 1..=BURSTS.1 {
        for (size, (deltas, _)) in sizes.into_iter().enumerate() {
            for (side, peer) in peers.iter_mut().enumerate() {
                let before = settled_cpu(peer.pid());
                bench.mock.play(Plan::burst(deltas));
                let turn = peer.turn(deltas)?;
                let spent = settled_cpu(peer.pid()).zip(before).map(|(after, before)| after - before);
                let count = float(deltas);
                cpu[size][side].push(spent.map(|seconds| seconds * 1e6 / count));
                bytes[size][side].push(Some(float(turn.bytes) / count));
                lines[size][side].push(Some(float(turn.lines)));
                let seconds = turn.answered.saturating_duration_since(turn.sent).as_secs_f64();
                speed[size][side].push(Some(count / seconds / 1e3));
            }
        }
        // Noise only ever adds to processor time: a ratio that is too great may be its doing.
        let [aside, limit] = [least(&cpu[2][0]), least(&cpu[2][1])];
        let held = aside.zip(limit).is_none_or(|(aside, limit)| aside <= limit * TIMES_LIMIT);
        if held && round >= BURSTS.0 {
            break;
        }
    }
    for (size, (deltas, name)) in sizes.into_iter().enumerate() {
        let budget = (deltas == 20_000).then_some(5.0);
        add(report, format!("CPU a delta at {name}, us, least"), budget, least, &cpu[size]);
    }
    add(report, "the same at 20,000, median", None, median, &cpu[2]);
    for (size, (_, name)) in sizes.into_iter().enumerate() {
        add(report, format!("bytes a delta at {name}, merged as it came"), 160.0, median, &bytes[size]);
    }
    for (size, (_, name)) in sizes.into_iter().enumerate() {
        add(report, format!("lines with deltas at {name}"), None, median, &lines[size]);
    }
    for (size, (_, name)) in sizes.into_iter().enumerate() {
        add(report, format!("deltas a second at {name}, thousands"), None, median, &speed[size]);
    }
    report.rule("CPU a delta at 20,000, to limit's", least(&cpu[2][0]), least(&cpu[2][1]), TIMES_LIMIT);
    report.rule("CPU a delta at 20,000, to that at 2,000", least(&cpu[2][0]), least(&cpu[0][0]), 2.0);
    Ok(())
}

/// Answers that are long but not too fast for the pipe: nothing is merged, so each delta costs its whole line.
fn bytes(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut peers = bench.warm()?;
    let sizes = [(2_000, "2,000"), (20_000, "20,000")];
    let mut bytes: [Samples; 2] = Default::default();
    let mut lines: [Samples; 2] = Default::default();
    let mut cpu: [Samples; 2] = Default::default();
    for (size, (deltas, _)) in sizes.into_iter().enumerate() {
        for (side, peer) in peers.iter_mut().enumerate() {
            let before = settled_cpu(peer.pid());
            bench.mock.play(Plan::paced(deltas, Duration::from_micros(100)));
            let turn = peer.turn(deltas)?;
            let spent = settled_cpu(peer.pid()).zip(before).map(|(after, before)| after - before);
            cpu[size][side].push(spent.map(|seconds| seconds * 1e6 / float(deltas)));
            bytes[size][side].push(Some(float(turn.bytes) / float(deltas)));
            lines[size][side].push(Some(float(turn.lines)));
        }
    }
    for (size, (_, name)) in sizes.into_iter().enumerate() {
        add(report, format!("bytes a delta at {name}, 10,000/s"), 160.0, median, &bytes[size]);
    }
    add(report, "lines with deltas at 20,000, 10,000/s", None, median, &lines[1]);
    add(report, "CPU a delta at 20,000, 10,000/s, us", None, median, &cpu[1]);
    report.rule(
        "bytes a delta at 20,000, to those at 2,000",
        median(&bytes[1][0]),
        median(&bytes[0][0]),
        1.1,
    );
    Ok(())
}

/// One small prompt after another, on a connection that may be kept.
fn latency(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut peers = bench.warm()?;
    let mut request = Samples::default();
    let mut first = Samples::default();
    let mut cpu = Samples::default();
    let rounds = 40;
    for (side, peer) in peers.iter_mut().enumerate() {
        cpu[side].push(settled_cpu(peer.pid()));
    }
    for _ in 0..rounds {
        for (side, peer) in peers.iter_mut().enumerate() {
            let plan = bench.mock.play(Plan::burst(20));
            let turn = peer.turn(20)?;
            let seen = plan.seen();
            let asked = seen.asked.first().context("no request came")?;
            let written = seen.written.first().context("nothing was answered")?;
            request[side].push(Some(milliseconds(turn.sent, *asked)));
            first[side].push(turn.deltas.first().map(|delta| milliseconds(*written, *delta)));
        }
    }
    for (side, peer) in peers.iter_mut().enumerate() {
        let spent = settled_cpu(peer.pid()).zip(cpu[side][0]).map(|(after, before)| after - before);
        cpu[side] = vec![spent.map(|seconds| seconds * 1e3 / f64::from(rounds))];
    }
    add(report, "prompt to the provider's request, ms, median of 40", None, median, &request);
    add(report, "the same, least", None, least, &request);
    add(report, "provider's first delta to ours, ms, median of 40", None, median, &first);
    add(report, "CPU of a prompt with 20 deltas, ms, mean of 40", None, median, &cpu);
    Ok(())
}

/// A model that thinks: a delta each 10 ms.
fn paced(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut peers = bench.warm()?;
    let mut late = Samples::default();
    let mut cpu = Samples::default();
    let deltas = 200;
    for _ in 0..2 {
        for (side, peer) in peers.iter_mut().enumerate() {
            let before = settled_cpu(peer.pid());
            let plan = bench.mock.play(Plan::paced(deltas, Duration::from_millis(10)));
            let turn = peer.turn(deltas)?;
            let spent = settled_cpu(peer.pid()).zip(before).map(|(after, before)| after - before);
            cpu[side].push(spent.map(|seconds| seconds * 1e6 / float(deltas)));
            let seen = plan.seen();
            let both = seen.written.iter().zip(&turn.deltas);
            late[side].extend(both.map(|(written, came)| Some(milliseconds(*written, *came))));
        }
    }
    add(report, "delay of a delta at 100/s, ms, median of 400", None, median, &late);
    add(report, "the same, 99 of 100", None, ninety_ninth, &late);
    add(report, "CPU a delta at 100/s, us, least of 2", None, least, &cpu);
    Ok(())
}

/// From a cancel to the provider's connection being closed, and to the prompt's answer.
fn cancel(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let mut peer = bench.aside.start()?;
    let mut closed = Vec::new();
    let mut answered = Vec::new();
    for _ in 0..20 {
        let plan = bench.mock.play(Plan::hanging(10));
        let pending = peer.prompts(1)?;
        let session = peer.first_delta()?;
        let sent = Instant::now();
        peer.request("cancel", &format!("{{\"sessionId\":\"{session}\"}}"))?;
        let turn = peer.end(pending, "cancelled")?;
        answered.push(Some(milliseconds(sent, turn.answered)));
        plan.wait("the provider's connection closed", |seen| !seen.closed.is_empty())?;
        closed.push(plan.seen().closed.first().map(|at| milliseconds(sent, *at)));
    }
    report.row("cancel to the provider's connection closed, ms, median of 20", median(&closed), None);
    report.row("cancel to the prompt's answer, ms", median(&answered), None);
    Ok(())
}

/// Prompts at once in one process. All stand open half way, which is when the memory is read.
fn concurrent(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let deltas = 100;
    let mut memory_of = [[None; 2]; 4];
    let mut cpu_of = [[None; 2]; 4];
    let counts = [(1, "1"), (10, "10"), (100, "100"), (1_000, "1,000")];
    for (size, (count, name)) in counts.into_iter().enumerate() {
        let mut wall = Samples::default();
        let mut growth = Samples::default();
        let mut total = Samples::default();
        let mut cpu = Samples::default();
        for _ in 0..2 {
            for (side, launch) in bench.both().into_iter().enumerate() {
                let mut peer = launch.start_with_few_files()?;
                bench.mock.play(Plan::burst(20));
                peer.turn(20)?;
                let before = settled_cpu(peer.pid());
                let base = memory(peer.pid());
                let plan = bench.mock.play(Plan::gated(deltas));
                let pending = peer.prompts(count)?;
                let sent = pending.sent;
                plan.gather(count)?;
                let gathered = Instant::now();
                settled_cpu(peer.pid());
                let open = memory(peer.pid());
                let opened = Instant::now();
                plan.open();
                let turn = peer.rest(pending, count * deltas)?;
                let spent = settled_cpu(peer.pid()).zip(before).map(|(after, before)| after - before);
                let halves = milliseconds(sent, gathered) + milliseconds(opened, turn.answered);
                wall[side].push(Some(halves));
                let grown = open.zip(base).map(|(open, base)| open.resident - base.resident);
                growth[side].push(grown.map(|bytes| bytes / KIB / float(count)));
                total[side].push(open.map(|open| open.resident / MIB));
                cpu[side].push(spent.map(|seconds| seconds * 1e3 / float(count)));
            }
        }
        add(report, format!("prompts at once, 100 deltas each: {name}; ms by the clock"), None, least, &wall);
        add(report, "CPU a prompt, ms, least of 2", None, least, &cpu);
        add(report, "resident memory while all are open, MiB", None, least, &total);
        add(report, "of it for each stream, KiB", None, least, &growth);
        for side in 0..2 {
            memory_of[size][side] = least(&growth[side]);
            cpu_of[size][side] = least(&cpu[side]);
        }
    }
    // The least that could be told from the noise of the allocator.
    let hundred = memory_of[2][0].map(|kibibytes: f64| kibibytes.max(16.0));
    report.rule("memory a stream at 1,000, to that at 100 (16 KiB at least)", memory_of[3][0], hundred, 1.5);
    report.rule("CPU a prompt at 1,000, to that at 100", cpu_of[3][0], cpu_of[2][0], 3.0);
    Ok(())
}

/// The binary's size as it was built for this run, and as shipped where that was built too.
fn size(bench: &Bench<'_>, report: &mut Report) -> Result<()> {
    let megabytes = |path: &Path| -> Result<f64> {
        let bytes = usize::try_from(fs::metadata(path)?.len())?;
        Ok(float(bytes) / 1e6)
    };
    let built = bench.aside.program;
    let limit = megabytes(bench.limit.program)?;
    report.budget("binary as built, MB", 25.0, Some(megabytes(built)?), Some(limit));
    let name = built.file_name().unwrap_or_default();
    let shipped = built.ancestors().nth(2).map(|target| target.join("dist").join(name));
    if let Some(shipped) = shipped.filter(|path| path.exists()) {
        report.budget("binary as shipped (`dist`), MB", 20.0, Some(megabytes(&shipped)?), None);
    }
    Ok(())
}
