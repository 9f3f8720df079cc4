//! What a person puts into a prompt. The shapes are the Agent Client Protocol's content blocks.

kinds! {
    /// One piece of a prompt.
    pub enum ContentBlock {
        /// Plain text or Markdown.
        Text {
            /// The text.
            text: String,
        },
        /// A picture.
        Image {
            /// Base64.
            data: String,
            /// Such as `image/png`.
            mime_type: String,
            /// Where it came from.
            #[serde(default)]
            uri: Option<String>,
        },
        /// A sound. No model of this version takes one.
        Audio {
            /// Base64.
            data: String,
            /// Such as `audio/wav`.
            mime_type: String,
        },
        /// A file or page that the agent may read.
        #[serde(rename = "resource_link")]
        ResourceLink {
            /// Where it is.
            uri: String,
            /// What to call it.
            name: String,
            /// The kind of its content.
            #[serde(default)]
            mime_type: Option<String>,
        },
        /// The content of a file or page, embedded.
        Resource {
            /// The content.
            resource: EmbeddedResource,
        },
    }
}

objects! {
    /// An embedded file or page: `text` or `blob`.
    pub struct EmbeddedResource {
        /// Where it is.
        pub uri: String,
        /// The kind of its content.
        #[serde(default)]
        pub mime_type: Option<String>,
        /// Its text.
        #[serde(default)]
        pub text: Option<String>,
        /// Its bytes in base64.
        #[serde(default)]
        pub blob: Option<String>,
    }
}
