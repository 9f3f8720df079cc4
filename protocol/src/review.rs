//! The person's word on changes that were made, hunk by hunk.

use crate::Item;

open_enum! {
    /// What is to become of a hunk.
    ReviewDecision {
        /// It stays, or is made again.
        Accept = "accept",
        /// It is taken back.
        Reject = "reject",
    }
}

objects! {
    /// Keeps or takes back hunks of a file change that was made. The same decision twice changes nothing.
    pub struct ReviewChangeParams {
        /// The conversation.
        pub session_id: String,
        /// The `fileChange` item.
        pub item_id: String,
        /// What is said to single hunks.
        #[serde(default)]
        pub hunks: Vec<HunkReview>,
        /// What is said to all that are not named; without it they stay as they are.
        #[serde(default)]
        pub decision: Option<ReviewDecision>,
    }

    /// What is said to one hunk.
    pub struct HunkReview {
        /// The hunk's id.
        pub id: String,
        /// What is to become of it.
        pub decision: ReviewDecision,
    }

    /// What became of it, once that is on the disk.
    pub struct ReviewChangeResult {
        /// The change with its hunks as they are now.
        pub item: Item,
        /// Hunks that could not be taken back, or made again, and are as they were.
        pub refused: Vec<RefusedHunk>,
    }

    /// A hunk that stays as it was.
    pub struct RefusedHunk {
        /// The hunk's id.
        pub id: String,
        /// Why, for the person.
        pub reason: String,
    }
}
