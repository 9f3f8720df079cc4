//! What a call would change, for the person who is asked: the very difference that is then made, or a part of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::change::FileChange;
use super::diff::Diff;

/// A change that has not been made, on its way to the person.
pub type PreviewFuture = Pin<Box<dyn Future<Output = Option<Preview>> + Send>>;

/// A change that has not been made.
#[derive(Clone)]
pub struct Preview {
    pub change: FileChange,
    pub diff: Arc<Diff>,
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preview").field("change", &self.change).finish_non_exhaustive()
    }
}

/// A change that the person was shown and has allowed.
#[derive(Debug)]
pub struct Allowed {
    pub preview: Arc<Preview>,
    /// Ids of hunks that are left out.
    pub left_out: Vec<String>,
    /// Why, in the person's words.
    pub reason: Option<String>,
}
