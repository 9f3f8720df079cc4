//! How a conversation's events are drawn: as items, or as patches of a Markdown document.

open_enum! {
    /// How events are sent.
    Layout {
        /// Items and their deltas.
        Items = "items",
        /// Patches of a document of lines.
        Lines = "lines",
    }
}

open_enum! {
    /// What a mark is for.
    MarkKind {
        /// Lines that can be folded.
        Fold = "fold",
        /// A highlight group.
        Highlight = "highlight",
        /// The extent of an item.
        Item = "item",
    }
}

kinds! {
    /// One change of the document. Lines are 0-based and counted before the change.
    pub enum LayoutPatch {
        /// At the end of a line. Marks with that line in them grow by the new lines; marks behind it move.
        Append {
            /// Which line.
            line: u32,
            /// What; without a line end.
            text: String,
            /// New lines directly behind it; absent where there are none.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            lines: Vec<String>,
        },
        /// New lines before a line. Marks that begin there or later move; marks that begin before it and end behind
        /// it grow.
        Insert {
            /// Before which; the number of lines means at the end.
            line: u32,
            /// What.
            lines: Vec<String>,
        },
        /// Other lines in the place of some. Marks that have no other line are gone; marks that have lines before
        /// or behind as well grow or shrink; marks behind move.
        Replace {
            /// The first.
            from: u32,
            /// Behind the last.
            to: u32,
            /// What.
            lines: Vec<String>,
        },
        /// A mark that is new, or is now like this.
        Mark {
            /// The mark.
            mark: LayoutMark,
        },
        /// A mark that is gone.
        Unmark {
            /// Its id.
            id: String,
        },
    }
}

objects! {
    /// A named extent of the document.
    pub struct LayoutMark {
        /// Stable.
        pub id: String,
        /// What it is for.
        pub kind: MarkKind,
        /// The first line.
        pub from: u32,
        /// Behind the last line.
        pub to: u32,
        /// The highlight group, what kind of part is folded, or the item's id (`<item>#<hunk>` for a part of a
        /// change).
        pub name: String,
    }

    /// A whole drawn document.
    pub struct LayoutDocument {
        /// Its lines, without line ends.
        pub lines: Vec<String>,
        /// Its marks.
        pub marks: Vec<LayoutMark>,
        /// The `seq` of the newest event that is in it.
        pub revision: u64,
    }
}
