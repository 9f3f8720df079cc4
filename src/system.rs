//! The only way to the environment, the file system, the clock, randomness and processes.
//!
//! Everything else is handed a [`System`] and asks it, so that tests replace the parts that they want to
//! steer and nothing else reads the process around it. This room knows nothing of models, sessions or JSON-RPC.

pub mod beneath;
pub mod browser;
pub mod clock;
pub mod env;
pub mod files;
pub mod jobs;
pub mod log;
pub mod os;
pub mod process;
pub mod random;
pub mod scratch;

use std::path::PathBuf;
use std::sync::Arc;

pub use clock::Clock;
pub use env::{Dirs, Env};
pub use files::{Files, RealFiles};
pub use random::Random;

/// The outside world as one value that is passed down. Cloning is cheap.
#[derive(Clone)]
pub struct System {
    /// The merged environment: the process's own, and over it what the client sent in `initialize`.
    pub env: Env,
    /// The wall clock.
    pub clock: Clock,
    /// Unpredictable bytes.
    pub random: Random,
    /// The file system.
    pub files: Arc<dyn Files>,
    /// The folders of Aside.
    pub dirs: Dirs,
    /// The folder that the process was started in.
    pub working_dir: PathBuf,
}

impl System {
    /// The real one, read from the process once, at start.
    pub fn real() -> Self {
        let env = Env::of_process();
        let dirs = Dirs::from_env(&env);
        Self {
            dirs,
            env,
            clock: Clock::Real,
            random: Random::Real,
            files: Arc::new(RealFiles),
            working_dir: env::working_dir(),
        }
    }

    /// The same world with `variables` laid over the environment, as a client's `initialize` asks for.
    #[must_use]
    pub fn with_environment(&self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { env: self.env.merged(variables), ..self.clone() }
    }
}
