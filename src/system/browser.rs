//! Opens a page in the person's browser, where this machine is the person's own and has one.
//!
//! A page is an argument of a program, never part of a line of shell, and nothing but http and https is opened. The
//! program is not waited for beyond a moment: a browser may well be what it becomes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::System;

/// A program that fails, fails within this time.
const MOMENT: Duration = Duration::from_secs(3);

/// Files that only containers have.
const CONTAINER_FILES: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
const CONTAINER_VARIABLES: [&str; 4] =
    ["container", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES"];
const SSH_VARIABLES: [&str; 3] = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];

/// Where this process runs, seen from the person's browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the machine that the browser is on.
    Local,
    /// A container, another machine, or a machine without a screen: a browser does not come back here by itself.
    Elsewhere,
}

/// Where this process runs.
pub fn place(system: &System) -> Place {
    let is_set = |name: &str| system.env.get(name).is_some_and(|value| !value.is_empty());
    let far = SSH_VARIABLES.iter().chain(&CONTAINER_VARIABLES).any(|name| is_set(name));
    let contained = || CONTAINER_FILES.iter().any(|file| system.files.stamp(Path::new(file)).is_ok());
    let screen = !cfg!(all(unix, not(target_os = "macos")))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(|name| is_set(name));
    if far || !screen || contained() { Place::Elsewhere } else { Place::Local }
}

/// Opens `url`. Whether a browser took it, as far as can be told. What `BROWSER` names is used everywhere: who set
/// it knows where it leads.
pub async fn open(system: &System, url: &str) -> bool {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return false;
    }
    // A program with arguments of its own would have to be cut as a shell cuts it.
    let named = system.env.get("BROWSER").unwrap_or_default().split(':');
    let named = named.filter(|program| !program.is_empty() && !program.contains([' ', '%']));
    for program in named {
        if started(system, program, &[url]).await {
            return true;
        }
    }
    if place(system) != Place::Local {
        return false;
    }
    for (program, before) in programs(system) {
        let arguments: Vec<&str> = before.iter().copied().chain([url]).collect();
        if started(system, program, &arguments).await {
            return true;
        }
    }
    false
}

/// A program, and its arguments before the page.
type Program = (&'static str, &'static [&'static str]);

/// What opens pages on this kind of machine.
fn programs(system: &System) -> &'static [Program] {
    if cfg!(target_os = "macos") {
        &[("open", &[])]
    } else if cfg!(windows) {
        &[("rundll32.exe", &["url.dll,FileProtocolHandler"])]
    } else if system.env.get("WSL_DISTRO_NAME").is_some() {
        &[("wslview", &[]), ("rundll32.exe", &["url.dll,FileProtocolHandler"]), ("xdg-open", &[])]
    } else {
        &[("xdg-open", &[])]
    }
}

async fn started(system: &System, program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(system.env.iter())
        .current_dir(&system.working_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // What ends this process from a terminal is not meant for the browser.
    #[cfg(unix)]
    command.process_group(0);
    let Ok(mut child) = command.spawn() else { return false };
    match tokio::time::timeout(MOMENT, child.wait()).await {
        Ok(Ok(status)) => status.success(),
        Ok(Err(_)) => false,
        // It goes on: it is the browser.
        Err(_) => true,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;
    use crate::system::Env;

    fn system(variables: &[(&str, &str)]) -> System {
        let mut system = System::real();
        system.env = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Env>();
        system
    }

    #[test]
    fn a_browser_is_only_near_where_a_screen_is() {
        assert_eq!(
            place(&system(&[])),
            if cfg!(target_os = "macos") { Place::Local } else { Place::Elsewhere }
        );
        for far in ["SSH_CONNECTION", "SSH_TTY", "container", "KUBERNETES_SERVICE_HOST", "CODESPACES"] {
            assert_eq!(place(&system(&[("DISPLAY", ":0"), (far, "1")])), Place::Elsewhere, "{far}");
        }
    }

    #[tokio::test]
    async fn only_pages_are_opened_and_by_an_argument() {
        let folder = tempfile::tempdir().unwrap();
        let (program, seen) = (folder.path().join("browser"), folder.path().join("seen"));
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(0o700).open(&program).unwrap();
        writeln!(file, "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" > '{}'", seen.display()).unwrap();
        drop(file);
        let system = system(&[("BROWSER", &format!("/nowhere/at/all:{}", program.display()))]);
        for bad in ["file:///etc/passwd", "javascript:alert(1)", "-h", "ftp://x", ""] {
            assert!(!open(&system, bad).await, "{bad}");
        }
        assert!(system.files.read(&seen).is_err());
        let url = "https://example.com/?a=1&b=$(id);c|d 'e'";
        assert!(open(&system, url).await);
        assert_eq!(String::from_utf8(system.files.read(&seen).unwrap()).unwrap(), format!("1\n{url}\n"));
        let failing = super::tests::system(&[("BROWSER", "/bin/false"), ("SSH_TTY", "/dev/pts/1")]);
        assert!(!open(&failing, url).await);
    }
}
