//! Files as text and back: encoding, byte order mark and line ends survive a change of the words.
//!
//! Nothing here touches a file. Text that cannot be written in its file's encoding is refused, never changed.

/// How the characters of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    /// With a byte order mark.
    Utf8Bom,
    /// With a byte order mark, as the next.
    Utf16Le,
    Utf16Be,
    /// What is no UTF-8 and no binary: each byte is the character of its number.
    Latin1,
}

/// How lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    Lf,
    CrLf,
}

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// With the line ends of the file, without the byte order mark.
    pub raw: String,
    pub encoding: Encoding,
    /// What most lines end with.
    pub line_end: LineEnd,
}

/// Why bytes are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotText {
    /// A picture of this media type.
    Image(&'static str),
    Binary,
}

/// Bytes of a Latin-1 file that may be control characters: one in so many.
const CONTROLS: usize = 50;

impl Encoding {
    /// For the model.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf8Bom => "UTF-8 with a byte order mark",
            Self::Utf16Le => "UTF-16, little endian",
            Self::Utf16Be => "UTF-16, big endian",
            Self::Latin1 => "Latin-1",
        }
    }
}

impl LineEnd {
    /// What most lines of `text` end with.
    pub fn of(text: &str) -> Self {
        let both = memchr::memmem::find_iter(text.as_bytes(), b"\r\n").count();
        let all = memchr::memchr_iter(b'\n', text.as_bytes()).count();
        if both * 2 > all { Self::CrLf } else { Self::Lf }
    }

    /// `text`, whose lines end in a line feed, with these ends.
    pub fn applied(self, text: &str) -> String {
        match self {
            Self::Lf => text.to_owned(),
            Self::CrLf => text.replace('\n', "\r\n"),
        }
    }
}

impl Text {
    /// The text of a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotText> {
        if let Some(kind) = image(bytes) {
            return Err(NotText::Image(kind));
        }
        let (encoding, raw) = if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
            let text = std::str::from_utf8(rest).map_err(|_| NotText::Binary)?;
            (Encoding::Utf8Bom, text.to_owned())
        } else if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
            (Encoding::Utf16Le, wide(rest, u16::from_le_bytes)?)
        } else if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
            (Encoding::Utf16Be, wide(rest, u16::from_be_bytes)?)
        } else if let Ok(text) = std::str::from_utf8(bytes) {
            (Encoding::Utf8, text.to_owned())
        } else {
            (Encoding::Latin1, latin(bytes)?)
        };
        if memchr::memchr(0, raw.as_bytes()).is_some() {
            return Err(NotText::Binary);
        }
        let line_end = LineEnd::of(&raw);
        Ok(Self { raw, encoding, line_end })
    }

    /// The file of other words in the same encoding. Fails with a character that it does not have.
    pub fn encode(&self, raw: &str) -> Result<Vec<u8>, char> {
        encode(self.encoding, raw)
    }

    /// As the model sees it: every line ends in a line feed.
    pub fn plain(&self) -> String {
        plain(&self.raw)
    }

    /// `content`, which is to be the whole file now, with the line ends and the end of this text.
    pub fn dressed(&self, content: &str) -> String {
        let mut content = plain(content);
        let (was, is) = (self.raw.ends_with('\n'), content.ends_with('\n'));
        if was && !is && !content.is_empty() {
            content.push('\n');
        } else if !was && is && !self.raw.is_empty() {
            content.truncate(content.trim_end_matches('\n').len());
        }
        self.line_end.applied(&content)
    }
}

/// `text` in this encoding. Fails with a character that it does not have.
pub fn encode(encoding: Encoding, text: &str) -> Result<Vec<u8>, char> {
    Ok(match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf8Bom => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        Encoding::Utf16Le => {
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        }
        Encoding::Utf16Be => {
            [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()
        }
        Encoding::Latin1 => text.chars().map(|c| u8::try_from(c).map_err(|_| c)).collect::<Result<_, _>>()?,
    })
}

/// `text` with every line ending in a line feed alone.
pub fn plain(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n") } else { text.to_owned() }
}

/// The media type of a picture that models can see.
pub fn image(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if starts(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Some("image/gif")
    } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    // Half a character, or half a pair, would be lost when the text is written again.
    if !rest.is_empty() {
        return Err(NotText::Binary);
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| NotText::Binary)
}

fn latin(bytes: &[u8]) -> Result<String, NotText> {
    let is_control = |byte: &&u8| **byte < 0x20 && !matches!(**byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if bytes.iter().filter(is_control).count() * CONTROLS > bytes.len() {
        return Err(NotText::Binary);
    }
    Ok(bytes.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_is_kept_to_the_byte() {
        let utf16 = |bytes: &[u8]| [b"\xff\xfe".as_slice(), bytes].concat();
        for (bytes, encoding, raw) in [
            (b"a\nb".to_vec(), Encoding::Utf8, "a\nb"),
            (b"".to_vec(), Encoding::Utf8, ""),
            ("\u{feff}é\r\n".as_bytes().to_vec(), Encoding::Utf8Bom, "é\r\n"),
            (utf16(b"a\0\r\0\n\0"), Encoding::Utf16Le, "a\r\n"),
            (utf16(b"\x3d\xd8\x00\xde"), Encoding::Utf16Le, "😀"),
            (b"\xfe\xff\0a\x20\xac".to_vec(), Encoding::Utf16Be, "a€"),
            (b"caf\xe9\n\x93x\x94".to_vec(), Encoding::Latin1, "café\n\u{93}x\u{94}"),
        ] {
            let text = Text::decode(&bytes).unwrap();
            assert_eq!((text.encoding, text.raw.as_str()), (encoding, raw));
            assert_eq!(text.encode(&text.raw).unwrap(), bytes, "{raw:?}");
        }
        let latin = Text::decode(b"caf\xe9").unwrap();
        assert_eq!(latin.encode("ü").unwrap(), b"\xfc");
        assert_eq!(latin.encode("x€"), Err('€'));
    }

    #[test]
    fn what_would_not_survive_is_no_text() {
        for bytes in [
            b"a\0b".as_slice(),
            b"\xff\xfea",
            b"\xff\xfe\x00\xd8a\0",
            b"\xff\xfe\0\0a\0\0\0",
            b"\xef\xbb\xbf\xff",
            b"\x7fELF\x02\x01\x01\0",
            b"\xfe\x01\x02\x03\x04",
        ] {
            assert_eq!(Text::decode(bytes), Err(NotText::Binary), "{bytes:?}");
        }
        for (bytes, kind) in [
            (b"\x89PNG\r\n\x1a\nrest".as_slice(), "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\x01\x02\x03\x04WEBPVP8", "image/webp"),
        ] {
            assert_eq!(Text::decode(bytes), Err(NotText::Image(kind)));
        }
    }

    #[test]
    fn a_file_written_anew_keeps_its_line_ends_and_its_end() {
        for (before, content, after) in [
            ("a\r\nb\r\n", "x\ny", "x\r\ny\r\n"),
            ("a\r\nb\r\n", "x\r\ny\r\n", "x\r\ny\r\n"),
            ("a\nb", "x\ny\n", "x\ny"),
            ("a\nb\n", "x\r\ny", "x\ny\n"),
            ("a\nb\r\nc\n", "x\n", "x\n"),
            ("a\n", "", ""),
            ("", "x\n", "x\n"),
            ("", "x", "x"),
        ] {
            let text = Text::decode(before.as_bytes()).unwrap();
            assert_eq!(text.dressed(content), after, "{before:?} {content:?}");
        }
        assert_eq!(Text::decode(b"a\r\nb\n").unwrap().plain(), "a\nb\n");
        assert_eq!(plain("a\rb"), "a\rb");
    }
}
