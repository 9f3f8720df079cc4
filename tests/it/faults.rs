//! A disk that fails on command, and a server in this process that lives on it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use aside::doors::native::lifecycle::{Streams, Watch, serve};
use aside::system::files::{Entry, Stamp};
use aside::system::{Clock, Dirs, Env, Files, Random, RealFiles, System};
use tokio::sync::watch;

use super::process::{Aside, Home, Lines};
use super::provider::Provider;

/// How the disk is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Disk {
    Works,
    /// No session file can be created.
    NoCreate,
    /// Half of what is appended is written, and no more.
    Full,
    /// Appending waits until the disk works again.
    Hangs,
}

struct Faults {
    disk: Mutex<Disk>,
    changed: Condvar,
    refused: watch::Sender<usize>,
}

/// A home on such a disk.
pub(crate) struct Faulty {
    home: Home,
    faults: Arc<Faults>,
    refused: watch::Receiver<usize>,
}

impl Faulty {
    /// With a model that says one thing.
    pub(crate) fn new() -> Self {
        Self::of(Home::with_script(&[serde_json::json!({ "text": "an answer" })]))
    }

    /// With the scripted provider as the default model.
    pub(crate) fn with_provider(provider: &Provider) -> Self {
        Self::of(Home::with_provider(provider))
    }

    fn of(home: Home) -> Self {
        let (sender, refused) = watch::channel(0);
        let faults =
            Arc::new(Faults { disk: Mutex::new(Disk::Works), changed: Condvar::new(), refused: sender });
        Self { home, faults, refused }
    }

    /// From now on the disk is like that.
    pub(crate) fn set(&self, disk: Disk) {
        *self.faults.disk.lock().unwrap() = disk;
        self.faults.changed.notify_all();
    }

    /// Resolves when something could not be written.
    pub(crate) async fn refused_one(&self) {
        self.refused.clone().wait_for(|count| *count > 0).await.unwrap();
    }

    /// A server in this process.
    pub(crate) fn serve(&self) -> Aside {
        let env: Env = self.home.env().iter().cloned().collect();
        let system = System {
            dirs: Dirs::from_env(&env),
            env,
            clock: Clock::Real,
            random: Random::Real,
            files: Arc::clone(&self.faults) as Arc<dyn Files>,
            working_dir: self.home.path().to_path_buf(),
        };
        let (input, stdin) = io::pipe().unwrap();
        let (stdout, output) = io::pipe().unwrap();
        let (ended, status) = watch::channel(None);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let served = runtime.block_on(serve(system, Streams { input, output }, Watch::Streams));
            ended.send_replace(Some(i32::from(served.is_err())));
        });
        Aside::in_process(Box::new(stdin), Lines::of(stdout), status)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        // Whoever hangs can end now.
        self.set(Disk::Works);
    }
}

impl Faults {
    fn disk(&self) -> Disk {
        *self.disk.lock().unwrap()
    }

    fn refuse(&self) {
        self.refused.send_modify(|count| *count += 1);
    }
}

impl Files for Faults {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealFiles.read(path)
    }

    fn read_end(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        RealFiles.read_end(path, limit)
    }

    fn read_start(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        RealFiles.read_start(path, limit)
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        RealFiles.stamp(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        RealFiles.list(dir)
    }

    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        RealFiles.replace(path, contents)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealFiles.create_dir(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<File> {
        if self.disk() == Disk::NoCreate {
            self.refuse();
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealFiles.create_new(path)
    }

    fn open_append(&self, path: &Path) -> io::Result<File> {
        RealFiles.open_append(path)
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        match self.disk() {
            Disk::Works | Disk::NoCreate => {}
            Disk::Full => {
                self.refuse();
                RealFiles.append(file, &bytes[..bytes.len() / 2])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            Disk::Hangs => {
                self.refuse();
                let disk = self.disk.lock().unwrap();
                drop(self.changed.wait_while(disk, |disk| *disk == Disk::Hangs).unwrap());
            }
        }
        RealFiles.append(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        RealFiles.sync(file)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove(path)
    }

    fn target(&self, path: &Path) -> PathBuf {
        RealFiles.target(path)
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        RealFiles.open_lock(path)
    }

    fn leftovers(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFiles.leftovers(path)
    }
}
