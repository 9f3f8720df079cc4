//! Files that say what programs do, and files that hold secrets: known by their names alone, whether they
//! exist or not, in any folder.
//!
//! Writing the former is never approved without a person; the latter are not read, searched or attached unless
//! they are named and a person agrees. A name too many costs a question, a name too few a machine.

use std::path::Path;

use super::names::{is_name, parts};

/// Folded names, one after the other in a path, and what they mean. A single one means everything below it.
const PROTECTED: &[(&[&str], &str)] = &[
    (&[".git"], "git's own files can run programs"),
    (&[".gitmodules"], "git's own files can run programs"),
    (&[".gitconfig"], "git's own files can run programs"),
    (&[".config", "git"], "git's own files can run programs"),
    (&[".hg"], "the version control's own files can run programs"),
    (&[".svn"], "the version control's own files can run programs"),
    (&[".jj"], "the version control's own files can run programs"),
    (&[".husky"], "hooks run programs"),
    (&[".githooks"], "hooks run programs"),
    (&[".pre-commit-config.yaml"], "hooks run programs"),
    (&["lefthook.yml"], "hooks run programs"),
    (&[".vscode"], EDITOR),
    (&[".vs"], EDITOR),
    (&[".idea"], EDITOR),
    (&[".fleet"], EDITOR),
    (&[".zed"], EDITOR),
    (&[".helix"], EDITOR),
    (&[".config", "helix"], EDITOR),
    (&[".config", "zed"], EDITOR),
    (&[".config", "nvim"], EDITOR),
    (&[".config", "code"], EDITOR),
    (&[".vim"], EDITOR),
    (&[".vimrc"], EDITOR),
    (&[".gvimrc"], EDITOR),
    (&[".nvim.lua"], EDITOR),
    (&[".nvimrc"], EDITOR),
    (&[".exrc"], EDITOR),
    (&[".lvimrc"], EDITOR),
    (&[".emacs"], EDITOR),
    (&[".emacs.d"], EDITOR),
    (&[".dir-locals.el"], EDITOR),
    (&[".devcontainer"], EDITOR),
    (&[".devcontainer.json"], EDITOR),
    (&[".envrc"], "the shell runs it when the folder is entered"),
    (&[".direnv"], "the shell runs it when the folder is entered"),
    (&[".mise.toml"], "the shell reads it when the folder is entered"),
    (&["mise.toml"], "the shell reads it when the folder is entered"),
    (&[".config", "mise"], "the shell reads it when the folder is entered"),
    (&[".mcp.json"], AGENT),
    (&["mcp.json"], AGENT),
    (&[".cursor"], AGENT),
    (&[".cursorrules"], AGENT),
    (&[".claude"], AGENT),
    (&[".claude.json"], AGENT),
    (&[".codex"], AGENT),
    (&[".opencode"], AGENT),
    (&["opencode.json"], AGENT),
    (&["opencode.jsonc"], AGENT),
    (&[".config", "opencode"], AGENT),
    (&[".gemini"], AGENT),
    (&[".pi"], AGENT),
    (&[".windsurf"], AGENT),
    (&[".continue"], AGENT),
    (&[".cline"], AGENT),
    (&[".clinerules"], AGENT),
    (&[".roo"], AGENT),
    (&[".kiro"], AGENT),
    (&[".amazonq"], AGENT),
    (&[".goose"], AGENT),
    (&[".aider.conf.yml"], AGENT),
    (&[".aside"], "it says what Aside may do"),
    (&[".config", "aside"], "it says what Aside may do"),
    (&[".github", "workflows"], CI),
    (&[".github", "actions"], CI),
    (&[".gitea", "workflows"], CI),
    (&[".forgejo", "workflows"], CI),
    (&[".gitlab-ci.yml"], CI),
    (&[".gitlab", "ci"], CI),
    (&[".circleci"], CI),
    (&[".buildkite"], CI),
    (&[".woodpecker"], CI),
    (&[".woodpecker.yml"], CI),
    (&[".woodpecker.yaml"], CI),
    (&[".travis.yml"], CI),
    (&[".drone.yml"], CI),
    (&[".cirrus.yml"], CI),
    (&[".appveyor.yml"], CI),
    (&["appveyor.yml"], CI),
    (&["azure-pipelines.yml"], CI),
    (&[".azure-pipelines"], CI),
    (&["bitbucket-pipelines.yml"], CI),
    (&["jenkinsfile"], CI),
    (&[".ci"], CI),
    (&[".bashrc"], SHELL),
    (&[".bash_profile"], SHELL),
    (&[".bash_login"], SHELL),
    (&[".bash_logout"], SHELL),
    (&[".bash_aliases"], SHELL),
    (&[".profile"], SHELL),
    (&[".zshrc"], SHELL),
    (&[".zshenv"], SHELL),
    (&[".zprofile"], SHELL),
    (&[".zlogin"], SHELL),
    (&[".zlogout"], SHELL),
    (&[".kshrc"], SHELL),
    (&[".cshrc"], SHELL),
    (&[".tcshrc"], SHELL),
    (&[".login"], SHELL),
    (&[".logout"], SHELL),
    (&[".inputrc"], SHELL),
    (&[".xprofile"], SHELL),
    (&[".xsessionrc"], SHELL),
    (&[".xinitrc"], SHELL),
    (&[".pam_environment"], SHELL),
    (&[".config", "fish"], SHELL),
    (&[".config", "nushell"], SHELL),
    (&[".config", "powershell"], SHELL),
    (&[".config", "environment.d"], SHELL),
    (&[".config", "autostart"], "it is run at login"),
    (&[".config", "systemd"], "it is run at login"),
    (&["library", "launchagents"], "it is run at login"),
    (&["library", "launchdaemons"], "it is run at login"),
    (&["start menu", "programs", "startup"], "it is run at login"),
    (&["microsoft.powershell_profile.ps1"], SHELL),
    (&["profile.ps1"], SHELL),
    (&[".tmux.conf"], SHELL),
    (&[".gdbinit"], "the debugger runs it"),
    (&[".lldbinit"], "the debugger runs it"),
    (&[".ssh"], "it says who may log in"),
];

const EDITOR: &str = "editors run what it says";
const AGENT: &str = "it says what agents run and may do";
const CI: &str = "continuous integration runs it";
const SHELL: &str = "shells run it";

/// The same for files that hold secrets.
const SECRET: &[&[&str]] = &[
    &[".envrc"],
    &[".netrc"],
    &["_netrc"],
    &[".pgpass"],
    &[".my.cnf"],
    &[".npmrc"],
    &[".yarnrc.yml"],
    &[".pypirc"],
    &[".git-credentials"],
    &[".config", "git", "credentials"],
    &[".htpasswd"],
    &[".vault-token"],
    &[".boto"],
    &[".s3cfg"],
    &[".terraformrc"],
    &[".terraform.d", "credentials.tfrc.json"],
    &["terraform.tfstate"],
    &["terraform.tfstate.backup"],
    &[".docker", "config.json"],
    &[".dockercfg"],
    &[".kube"],
    &["kubeconfig"],
    &[".aws"],
    &[".azure"],
    &[".oci"],
    &[".config", "gcloud"],
    &["application_default_credentials.json"],
    &[".config", "gh"],
    &[".config", "hub"],
    &[".config", "glab-cli"],
    &[".config", "github-copilot"],
    &[".gnupg"],
    &[".password-store"],
    &[".cargo", "credentials"],
    &[".cargo", "credentials.toml"],
    &[".gem", "credentials"],
    &[".m2", "settings.xml"],
    &[".m2", "settings-security.xml"],
    &[".gradle", "gradle.properties"],
    &["credentials.json"],
    &["client_secret.json"],
    &["auth.json"],
    &[".claude", ".credentials.json"],
    &[".gemini", "oauth_creds.json"],
    &[".mozilla"],
    &[".config", "google-chrome"],
    &[".config", "chromium"],
    &[".config", "bravesoftware"],
    &[".local", "share", "keyrings"],
    &["library", "keychains"],
    &["application support", "google", "chrome"],
    &["application support", "firefox"],
    &["google", "chrome", "user data"],
    &["id_rsa"],
    &["id_dsa"],
    &["id_ecdsa"],
    &["id_ecdsa_sk"],
    &["id_ed25519"],
    &["id_ed25519_sk"],
    &["secring.gpg"],
    &["etc", "shadow"],
    &["etc", "gshadow"],
    &["master.key"],
    &[".bash_history"],
    &[".zsh_history"],
    &[".psql_history"],
    &[".mysql_history"],
];

/// Endings of files that hold keys.
const KEY_FILES: &[&str] = &[
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".ppk",
    ".kdbx",
    ".p8",
    ".asc.key",
    ".tfvars",
    ".agekey",
];

/// Files called `.env.` and one of these are for everybody to read.
const PUBLIC_ENV: &[&str] = &["example", "sample", "template", "dist", "defaults", "schema"];

/// Why a file of this path is never changed without a person.
pub fn protected(path: &Path) -> Option<&'static str> {
    let parts = parts(path);
    let named = PROTECTED.iter().find(|(names, _)| holds(&parts, names)).map(|(_, why)| *why);
    named.or_else(|| {
        let last = parts.last()?;
        let is_editor = [".code-workspace", ".sublime-project"].iter().any(|end| last.ends_with(end));
        is_editor.then_some(EDITOR).or_else(|| last.starts_with(".woodpecker").then_some(CI))
    })
}

/// The protected names, each the parts of a path.
pub fn protected_names() -> impl Iterator<Item = &'static [&'static str]> {
    PROTECTED.iter().map(|(names, _)| *names)
}

/// Why a file of this path is not read unasked.
pub fn secret(path: &Path) -> Option<&'static str> {
    const WHY: &str = "files of this name hold secrets";
    let parts = parts(path);
    let last = parts.last()?;
    if SECRET.iter().any(|names| holds(&parts, names)) || KEY_FILES.iter().any(|end| last.ends_with(end)) {
        return Some(WHY);
    }
    // `.env`, `.env.local`, `prod.env`, but not the example beside them.
    let env = last.strip_prefix(".env").is_some_and(|rest| {
        let kind = rest.strip_prefix(['.', '-', '_']).unwrap_or(rest);
        let public = PUBLIC_ENV.iter().any(|public| kind.split('.').any(|part| part == *public));
        rest.is_empty() || (rest != kind && !public)
    });
    let ends = |end: &str| last.ends_with(end);
    if env || is_name(last, ".env") || (ends(".env") && last.len() > 4) {
        return Some(WHY);
    }
    let is_public = ends(".pub")
        || ["known_hosts", "config", "authorized_keys", "allowed_signers"].contains(&last.as_str());
    if parts.iter().any(|part| is_name(part, ".ssh")) && !is_public {
        return Some("keys lie in this folder");
    }
    let is_service_account = last.starts_with("service-account") || last.starts_with("service_account");
    if is_service_account && ends(".json") {
        return Some(WHY);
    }
    // What a process was started with, ours among them.
    let in_proc = parts.first().is_some_and(|first| first == "proc");
    let tells = ["environ", "mem", "auxv", "cmdline"].contains(&last.as_str());
    (in_proc && tells).then_some("it shows what a program was told in confidence")
}

/// Whether the path is neither protected nor secret.
pub fn is_plain(path: &Path) -> bool {
    protected(path).is_none() && secret(path).is_none()
}

fn holds(parts: &[String], names: &[&str]) -> bool {
    parts.windows(names.len()).any(|window| window.iter().zip(names).all(|(part, name)| is_name(part, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protected_name_is_protected_in_every_disguise() {
        let mut checked = 0;
        for (names, _) in PROTECTED {
            let path = names.join("/");
            let upper = path.to_uppercase();
            let dotted = names.iter().map(|name| format!("{name}. ")).collect::<Vec<_>>().join("/");
            let hidden = names.iter().map(|name| format!("\u{200d}{name}")).collect::<Vec<_>>().join("/");
            for form in [&path, &upper, &dotted, &hidden] {
                for whole in
                    [form.clone(), format!("a/b/{form}"), format!("{form}/x/y"), format!("/r/{form}/x")]
                {
                    assert!(protected(Path::new(&whole)).is_some(), "{whole}");
                    checked += 1;
                }
            }
        }
        assert!(checked > 1500, "{checked}");
        for other in
            ["src/main.rs", ".github/CODEOWNERS", ".gitignore", "git/hooks", "docs/vscode.md", ".config/x"]
        {
            assert_eq!(protected(Path::new(other)), None, "{other}");
        }
        assert!(protected(Path::new("x.code-workspace")).is_some());
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            ".env",
            ".ENV",
            ".env.local",
            ".env.production",
            "sub/.env",
            "prod.env",
            ".env.example.local2/../.env",
            "id_rsa",
            "/home/u/.ssh/work",
            "a/server.PEM",
            "key.p12",
            ".netrc",
            "/home/u/.kube/config",
            "/home/u/.aws/credentials",
            "auth.json",
            "service-account-1.json",
            "/proc/self/environ",
            "/proc/1/mem",
            ".npmrc",
            "/etc/shadow",
            "ENV~1",
            ".docker/config.json",
            ".env.prod.",
            "x.key",
        ] {
            assert!(secret(Path::new(name)).is_some(), "{name}");
        }
        for name in [
            ".env.example",
            ".env.sample",
            "src/env.rs",
            "environment.md",
            "id_rsa.pub",
            "/home/u/.ssh/id.pub",
            "/home/u/.ssh/config",
            "keys.rs",
            "authority.json",
            "/proc/cpuinfo",
            "environ",
            ".environment",
        ] {
            assert_eq!(secret(Path::new(name)), None, "{name}");
        }
    }
}
