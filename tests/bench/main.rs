//! The benchmark of the whole program: `cargo bench --bench bench`.
//!
//! It runs the real binary against a provider on loopback, beside `limit`, the least program that could do the
//! same, and prints what each row of the budgets came to. Only ratios within one run may fail it, never a clock:
//! see `docs/benchmarks.md`.
//!
//! `-- start burst` runs only these parts; `-- --aside PATH` measures another build.

#![expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]
#![expect(clippy::disallowed_methods, reason = "it measures with the real clock, processes and files")]

mod decode;
mod measure;
mod mock;
mod peer;
mod proc;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use measure::{Bench, PARTS};
use mock::Mock;
use peer::Launch;
use report::Report;

/// What is to be measured.
struct Order {
    aside: PathBuf,
    parts: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let order = order()?;
    let scratch = tempfile::tempdir()?;
    let minimal = compile_limit(scratch.path())?;
    let mock = Mock::start()?;
    let address = mock.address;
    let models = format!(
        "{{\"providers\":{{\"bench\":{{\"baseUrl\":\"http://{address}/v1\",\"api\":\"openai-completions\",\
         \"apiKey\":\"bench-key\",\"models\":[{{\"id\":\"mock\"}}]}}}}}}"
    );
    let launch = |program, argument: &str| Launch {
        program,
        arguments: vec![argument.to_owned()],
        scratch: scratch.path(),
        models: models.clone(),
    };
    let bench = Bench {
        mock: &mock,
        aside: launch(&order.aside, "serve"),
        limit: launch(&minimal, &address.to_string()),
    };
    let mut report = Report::default();
    for part in PARTS {
        if !order.parts.is_empty() && !order.parts.iter().any(|name| name == part.name) {
            continue;
        }
        let begin = Instant::now();
        if let Err(error) = (part.run)(&bench, &mut report) {
            report.broken(part.name, &error);
        }
        println!("measured {} in {:.1} s", part.name, begin.elapsed().as_secs_f64());
    }
    println!();
    report.print();
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn order() -> Result<Order> {
    let mut order = Order { aside: env!("CARGO_BIN_EXE_aside").into(), parts: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo says so to every benchmark.
            "--bench" => {}
            "--aside" => {
                let path = arguments.next().context("--aside needs the path of a binary")?;
                order.aside = Path::new(&path).canonicalize().with_context(|| format!("no binary {path}"))?;
            }
            name if PARTS.iter().any(|part| part.name == name) => order.parts.push(argument),
            _ => {
                let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
                bail!("unknown argument {argument}; the parts are {}", names.join(", "));
            }
        }
    }
    Ok(order)
}

fn compile_limit(folder: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/limit.rs");
    let program = folder.join(format!("limit{}", std::env::consts::EXE_SUFFIX));
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(&compiler)
        .args(["-O", "--edition", "2024", "-C", "strip=symbols", "-o"])
        .args([&program, &source])
        .status()
        .with_context(|| format!("cannot start the compiler {}", compiler.display()))?;
    ensure!(status.success(), "limit does not compile");
    Ok(program)
}
