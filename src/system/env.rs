//! The environment as a value, and the folders that follow from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable that moves every file of Aside into one folder.
pub const ASIDE_HOME: &str = "ASIDE_HOME";

/// A set of environment variables. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Env(Arc<BTreeMap<String, String>>);

impl Env {
    /// The process's own variables; names or values that are not Unicode are left out.
    #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`. A blank value counts as unset, as the providers' own tools treat it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// These variables with `over` laid on top.
    #[must_use]
    pub fn merged(&self, over: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = (*self.0).clone();
        all.extend(over);
        Self(Arc::new(all))
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(Arc::new(pairs.into_iter().collect()))
    }
}

impl std::fmt::Debug for Env {
    /// Names only: values may be keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Where Aside keeps its files. `None` where the platform tells no folder (an empty environment).
#[derive(Clone, Debug, Default)]
pub struct Dirs {
    /// `auth.json`, `models.json`, `settings.json`.
    pub config: Option<PathBuf>,
    /// `sessions/`.
    pub data: Option<PathBuf>,
    /// What can be fetched again.
    pub cache: Option<PathBuf>,
    /// The user's home, for `~` in settings.
    pub home: Option<PathBuf>,
    /// Where whoever manages the machine puts `settings.json`.
    pub managed: Option<PathBuf>,
}

/// The folder that only an administrator can write to.
const MANAGED: &str = if cfg!(windows) {
    r"C:\ProgramData\Aside"
} else if cfg!(target_os = "macos") {
    "/Library/Application Support/Aside"
} else {
    "/etc/aside"
};

impl Dirs {
    /// `ASIDE_HOME` when it is set, else the platform's folders for `aside`.
    pub fn from_env(env: &Env) -> Self {
        let managed = Some(PathBuf::from(MANAGED));
        if let Some(home) = env.get(ASIDE_HOME) {
            return Self { managed, ..Self::below(Path::new(home)) };
        }
        // A process without HOME has no place of its own, whatever the password file says: a script in an
        // empty environment must not leave files behind.
        let homeless = cfg!(unix) && env.get("HOME").is_none();
        if homeless {
            return Self { managed, ..Self::default() };
        }
        Self {
            config: dirs::config_dir().map(|dir| dir.join("aside")),
            data: dirs::data_dir().map(|dir| dir.join("aside")),
            cache: dirs::cache_dir().map(|dir| dir.join("aside")),
            home: dirs::home_dir(),
            managed,
        }
    }

    /// Everything below one folder.
    pub fn below(home: &Path) -> Self {
        let own = Some(home.to_path_buf());
        Self { config: own.clone(), data: own.clone(), cache: own, home: dirs::home_dir(), managed: None }
    }
}

/// The process's working folder, or `.` where it was deleted.
#[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
pub fn working_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}
