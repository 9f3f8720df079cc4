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
        /// At the end of a line.
        Append {
            /// Which line.
            line: u32,
            /// What; without a line end.
            text: String,
        },
        /// New lines before a line.
        Insert {
            /// Before which; the number of lines means at the end.
            line: u32,
            /// What.
            lines: Vec<String>,
        },
        /// Other lines in the place of some.
        Replace {
            /// The first.
            from: u32,
            /// Behind the last.
            to: u32,
            /// What.
            lines: Vec<String>,
        },
        /// A mark that is new or has moved.
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
        /// The highlight group, or the item's id.
        pub name: String,
    }
}
