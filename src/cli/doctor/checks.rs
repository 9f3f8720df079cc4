//! What is on this machine: files and their modes, keys by their source, proxies and certificates by their place.
//! It must never ask anybody beyond, nor run a command unless it was told to.

use std::path::Path;

use super::{Area, Finding};
use crate::accounts::{AUTH_FILE, Source};
use crate::catalog::{LocalKind, MODELS_FILE, Provider};
use crate::cli::args::DoctorArgs;
use crate::engine::World;
use crate::models::{demo, reach};
use crate::settings::load::SETTINGS_FILE;
use crate::system::System;

/// Session files beyond which something is said.
const MANY_BYTES: u64 = 2 << 30;

/// What runs.
pub(super) fn program() -> Vec<Finding> {
    let version = env!("CARGO_PKG_VERSION");
    vec![Finding::ok(Area::Program, "aside", format!("{version} on {}", super::platform()))]
}

/// The user's files, and the folder of conversations.
pub(super) fn files(world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &world.system.dirs.config {
        None => findings.push(
            Finding::warning(Area::Files, "configuration", "there is no folder for it")
                .hint("set HOME, or ASIDE_HOME to a folder of Aside's own"),
        ),
        Some(dir) => {
            findings.push(folder(&world.system, "configuration", dir));
            for name in [SETTINGS_FILE, MODELS_FILE, AUTH_FILE] {
                findings.extend(file(&world.system, name, &dir.join(name)));
            }
        }
    }
    for problem in crate::doors::native::diagnostics(world) {
        let place = match (problem.line, problem.column) {
            (0, _) => problem.path.clone(),
            (line, 0) => format!("{}:{line}", problem.path),
            (line, column) => format!("{}:{line}:{column}", problem.path),
        };
        let hint = "correct it; what is right in the file is used meanwhile";
        findings.push(Finding::warning(Area::Files, place, problem.message).hint(hint));
    }
    findings.push(sessions(world));
    findings
}

fn folder(system: &System, subject: &str, dir: &Path) -> Finding {
    let shown = dir.display().to_string();
    match system.files.stamp(dir) {
        Ok(stamp) if !stamp.is_dir => Finding::problem(Area::Files, subject, format!("{shown} is no folder"))
            .hint("move it away, or set ASIDE_HOME"),
        Ok(stamp) if stamp.shared_mode & 0o022 != 0 => {
            Finding::problem(Area::Files, subject, format!("others may change files in {shown}"))
                .hint(format!("chmod go-w {shown}"))
        }
        Ok(_) => Finding::ok(Area::Files, subject, shown),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(Area::Files, subject, format!("{shown} (not there yet)"))
        }
        Err(error) => Finding::problem(Area::Files, subject, format!("{shown} cannot be read: {error}")),
    }
}

fn file(system: &System, name: &str, path: &Path) -> Option<Finding> {
    let shown = path.display().to_string();
    let stamp = match system.files.stamp(path) {
        Ok(stamp) => stamp,
        // None of them needs to be there.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Finding::problem(Area::Files, name, format!("{shown} cannot be read: {error}")));
        }
    };
    // That others may read a secret is among the file's own problems.
    Some(if let Err(error) = system.files.read_start(path, 1) {
        Finding::problem(Area::Files, name, format!("{shown} cannot be read: {error}"))
    } else if stamp.shared_mode & 0o022 != 0 {
        Finding::problem(Area::Files, name, format!("others may change {shown}, which can run commands"))
            .hint(format!("chmod go-w {shown}"))
    } else {
        Finding::ok(Area::Files, name, shown)
    })
}

/// Whether conversations can be kept.
fn sessions(world: &World) -> Finding {
    let subject = "conversations";
    let Some(dir) = world.store.dir() else {
        let why = world.store.why_memory().unwrap_or("there is no folder for them");
        return Finding::warning(Area::Files, subject, format!("they are kept in memory only: {why}"))
            .hint("set HOME, or ASIDE_HOME to a folder of Aside's own");
    };
    let shown = dir.display().to_string();
    let files = &world.system.files;
    let probe = dir.join(format!(".doctor-{}", world.system.random.id()));
    let written = match files.stamp(dir) {
        // A doctor makes no folders: the nearest one that is there says enough.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::ok(Area::Files, subject, format!("{shown} (none yet)"));
        }
        _ => files.create_new(&probe).and_then(|mut file| files.append(&mut file, b"x")),
    };
    // What could not be created needs not to be removed.
    let _ = files.remove(&probe);
    if let Err(error) = written {
        return Finding::problem(Area::Files, subject, format!("{shown} cannot be written: {error}")).hint(
            "free some space or mend the folder's mode; until then conversations are kept in memory only",
        );
    }
    let entries = files.list(dir).unwrap_or_default();
    let kept = entries.iter().filter(|entry| entry.path.extension().is_some_and(|it| it == "jsonl"));
    let (count, bytes) =
        kept.fold((0_usize, 0), |(count, bytes), entry| (count + 1, bytes + entry.stamp.len));
    let message = format!("{count} in {shown}, {}", size(bytes));
    if bytes > MANY_BYTES {
        return Finding::warning(Area::Files, subject, message)
            .hint("delete those that are not needed any more");
    }
    Finding::ok(Area::Files, subject, message)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, (bytes >> 20) % 1_024 * 10 / 1_024),
    }
}

/// Every provider with a key: where it comes from, never what it is.
pub(super) async fn accounts(world: &World, args: &DoctorArgs) -> Vec<Finding> {
    let mut findings = Vec::new();
    for provider in world.catalog.providers() {
        if let Some(finding) = account(world, &provider, args).await {
            findings.push(finding);
        }
    }
    if findings.is_empty() {
        let message = "no provider has a key";
        let hint = "`aside login PROVIDER`, or set a variable of `aside providers`; a model server on this machine and the demo model need none";
        findings.push(Finding::warning(Area::Accounts, "keys", message).hint(hint));
    }
    findings
}

async fn account(world: &World, provider: &Provider, args: &DoctorArgs) -> Option<Finding> {
    let standing = world.accounts.standing(provider);
    let from = match &standing.status.source {
        Source::Missing | Source::NotNeeded => return None,
        Source::Stored => AUTH_FILE.to_owned(),
        Source::Environment(name) => name.to_string(),
        Source::ModelsJson | Source::ModelsJsonCommand => MODELS_FILE.to_owned(),
    };
    let subject = &*provider.id;
    if world.accounts.runs_command(provider) {
        let said = format!("what a command of {from} prints");
        if !args.run {
            return Some(Finding::ok(Area::Accounts, subject, format!("{said}, which was not run")));
        }
        return Some(match world.accounts.resolve(provider, None).await {
            Ok(_) => Finding::ok(Area::Accounts, subject, format!("{said}, which works")),
            Err(error) => Finding::problem(Area::Accounts, subject, error.message).hint(error.hint),
        });
    }
    let message = format!("from {from}");
    Some(match (standing.status.configured, standing.hint) {
        (true, None) => Finding::ok(Area::Accounts, subject, message),
        (true, Some(hint)) => Finding::warning(Area::Accounts, subject, message).hint(hint),
        (false, hint) => {
            let message = format!("{message}, but it cannot be used");
            Finding { hint, ..Finding::problem(Area::Accounts, subject, message) }
        }
    })
}

/// Proxies and certificates that hold.
pub(super) fn network(world: &World) -> Vec<Finding> {
    let network = reach::network(&world.settings, &world.system);
    let mut findings = Vec::new();
    for (source, proxy) in &network.proxies {
        findings.push(match proxy {
            Ok(proxy) => Finding::ok(Area::Proxies, *source, proxy),
            Err(fault) => {
                let finding = Finding::problem(Area::Proxies, *source, &fault.message);
                Finding { hint: fault.hint.clone(), ..finding }
            }
        });
    }
    for (source, hosts) in &network.exceptions {
        findings.push(Finding::ok(Area::Proxies, *source, format!("without a proxy: {hosts}")));
    }
    if network.proxies.is_empty() {
        findings.push(Finding::ok(Area::Proxies, "proxies", "none is set"));
    }
    findings.push(Finding::ok(Area::Proxies, "certificates", "the system's"));
    for certificates in network.certificates {
        let place = format!("{} ({})", certificates.path, certificates.source);
        findings.push(match certificates.count {
            Ok(1) => Finding::ok(Area::Proxies, place, "1 more certificate"),
            Ok(count) => Finding::ok(Area::Proxies, place, format!("{count} more certificates")),
            Err(why) => Finding::warning(Area::Proxies, place, format!("not used: {why}"))
                .hint("name a file or folder of certificates in PEM or DER form by its whole path"),
        });
    }
    findings
}

/// What a prompt that names no model would use, and why.
pub(super) fn model(world: &World) -> Finding {
    let found = match world.find_model(None, None) {
        Ok(found) => found,
        Err(failure) => {
            let hint = failure.hint.unwrap_or_else(|| format!("correct defaultModel in {SETTINGS_FILE}"));
            return Finding::problem(Area::Model, "defaultModel", failure.message).hint(hint);
        }
    };
    let name = format!("{}/{}", found.model.provider, found.model.id);
    let provider = world.catalog.provider(&found.model.provider);
    let is_available = provider.is_none_or(|provider| world.is_available(&provider));
    if world.settings.default_model.is_some() {
        return if is_available {
            Finding::ok(Area::Model, name, format!("defaultModel of {SETTINGS_FILE}"))
        } else {
            let message = format!("defaultModel of {SETTINGS_FILE}, but its provider has no key");
            let hint = format!("`aside login {}`, or set another defaultModel", found.model.provider);
            Finding::problem(Area::Model, name, message).hint(hint)
        };
    }
    if &*found.model.wire == demo::WIRE {
        let hint =
            "`aside login PROVIDER`, set a provider's variable, or start a model server on this machine";
        return Finding::warning(Area::Model, name, "a scripted stand-in, as there is nothing else")
            .hint(hint);
    }
    let why = if LocalKind::of_id(&found.model.provider).is_some() {
        "found on this machine, and no provider has a key"
    } else {
        "the default of the first provider that can be used"
    };
    Finding::ok(Area::Model, name, why)
}
