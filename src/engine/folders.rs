//! The further folders of a session: looked at once, when the client names them, and never by anybody else.
//!
//! What lies in one that is there already is nothing new, and a folder within the workspace never becomes a root of
//! its own: names that are guarded are judged from the root, and must not be hidden by it.

use std::path::{Path, PathBuf};

use super::item::{Failure, cut};
use crate::system::System;

/// Further folders of one session.
const MAX_FOLDERS: usize = 32;

/// The folders that a session gets beside `cwd`: each exists, is absolute, and lies in no other. May take as long as
/// the file system does.
pub(super) fn check(system: &System, cwd: &str, given: &[String]) -> Result<Vec<String>, Failure> {
    let wrong = |at: usize, why: String| Failure::invalid(&format!("/additionalDirectories/{at}"), why);
    if given.len() > MAX_FOLDERS {
        let why = format!("{} further folders; {MAX_FOLDERS} are the most", given.len());
        return Err(Failure::invalid("/additionalDirectories", why));
    }
    let files = &system.files;
    let mut real: Vec<PathBuf> = Vec::with_capacity(given.len());
    for (at, folder) in given.iter().enumerate() {
        let shown = cut(folder);
        let path = Path::new(folder);
        if !path.is_absolute() || folder.contains('\0') {
            return Err(wrong(at, format!("{shown:?} is no absolute path")));
        }
        match files.stamp(path) {
            Ok(stamp) if stamp.is_dir => real.push(files.target(path)),
            Ok(_) => return Err(wrong(at, format!("{shown} is no folder"))),
            Err(error) => return Err(wrong(at, format!("{shown} cannot be used: {error}"))),
        }
    }
    let cwd = files.target(Path::new(cwd));
    let is_new = |at: usize| {
        let Some(path) = real.get(at) else { return false };
        let holds = |(other, holder): (usize, &PathBuf)| {
            other != at && path.starts_with(holder) && (path != holder || other < at)
        };
        !path.starts_with(&cwd) && !real.iter().enumerate().any(holds)
    };
    Ok(given.iter().enumerate().filter(|(at, _)| is_new(*at)).map(|(_, folder)| folder.clone()).collect())
}
