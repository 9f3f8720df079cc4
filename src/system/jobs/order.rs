//! An order as bytes, on its way to the warden: a length, then parts of a letter, a length and their contents.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::{Grouping, Limits, Order};

/// More than any system takes for a command and its variables, in bytes.
const MOST: usize = 64 << 20;

const PROGRAM: u8 = b'p';
const ARGUMENT: u8 = b'a';
const DIR: u8 = b'd';
const NAME: u8 = b'n';
const VALUE: u8 = b'v';
const PROCESSES: u8 = b'c';
const MEMORY: u8 = b'm';
const FILES: u8 = b'f';
const GROUPING: u8 = b'g';
const MARK: u8 = b'k';

impl Order {
    /// Writes it in one piece.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut parts = Vec::new();
        let mut part = |letter: u8, contents: &[u8]| {
            parts.push(letter);
            // What is longer than that is refused below.
            parts.extend_from_slice(&u32::try_from(contents.len()).unwrap_or(u32::MAX).to_le_bytes());
            parts.extend_from_slice(contents);
        };
        part(PROGRAM, self.program.as_os_str().as_encoded_bytes());
        for argument in &self.arguments {
            part(ARGUMENT, argument.as_encoded_bytes());
        }
        part(DIR, self.dir.as_os_str().as_encoded_bytes());
        for (name, value) in &self.env {
            part(NAME, name.as_bytes());
            part(VALUE, value.as_bytes());
        }
        part(PROCESSES, &u64::from(self.limits.processes).to_le_bytes());
        if let Some(memory) = self.limits.memory {
            part(MEMORY, &memory.to_le_bytes());
        }
        if let Some(files) = self.limits.files {
            part(FILES, &files.to_le_bytes());
        }
        part(GROUPING, &[u8::from(self.limits.grouping == Grouping::WherePossible)]);
        part(MARK, self.mark.as_bytes());
        let length = u32::try_from(parts.len()).ok().filter(|_| parts.len() <= MOST);
        let length = length.ok_or_else(|| io::Error::other("the command and its variables are too long"))?;
        let mut whole = length.to_le_bytes().to_vec();
        whole.append(&mut parts);
        to.write_all(&whole)
    }

    /// Reads one that was written by [`Order::write`].
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MOST {
            return Err(broken());
        }
        let mut parts = Vec::new();
        from.take(length as u64).read_to_end(&mut parts)?;
        if parts.len() != length {
            return Err(broken());
        }
        let mut order = Self {
            program: PathBuf::new(),
            arguments: Vec::new(),
            dir: PathBuf::new(),
            env: Vec::new(),
            limits: Limits { processes: 0, memory: None, files: None, grouping: Grouping::Never },
            mark: String::new(),
        };
        let mut rest = parts.as_slice();
        while let Some((letter, contents, after)) = part(rest) {
            let number = || contents.try_into().map(u64::from_le_bytes).map_err(|_| broken());
            match letter {
                PROGRAM => order.program = os(contents)?.into(),
                ARGUMENT => order.arguments.push(os(contents)?),
                DIR => order.dir = os(contents)?.into(),
                NAME => order.env.push((text(contents)?, String::new())),
                VALUE => order.env.last_mut().ok_or_else(broken)?.1 = text(contents)?,
                PROCESSES => order.limits.processes = u32::try_from(number()?).map_err(|_| broken())?,
                MEMORY => order.limits.memory = Some(number()?),
                FILES => order.limits.files = Some(number()?),
                GROUPING if contents == [1] => order.limits.grouping = Grouping::WherePossible,
                GROUPING => {}
                MARK => order.mark = text(contents)?,
                _ => return Err(broken()),
            }
            rest = after;
        }
        if rest.is_empty() { Ok(order) } else { Err(broken()) }
    }
}

fn broken() -> io::Error {
    io::Error::other("the order is not one that Aside wrote")
}

/// The first part: its letter, its contents, and what follows.
fn part(parts: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (letter, rest) = parts.split_first()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (contents, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((*letter, contents, rest))
}

fn text(contents: &[u8]) -> io::Result<String> {
    String::from_utf8(contents.to_vec()).map_err(|_| broken())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every system takes all bytes")]
fn os(contents: &[u8]) -> io::Result<OsString> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(contents.to_vec()))
}

#[cfg(not(unix))]
fn os(contents: &[u8]) -> io::Result<OsString> {
    // Only Unicode is written there: paths that are not are refused before.
    text(contents).map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "echo \u{e9}; exit".into(), "".into()],
            dir: "/".into(),
            env: vec![("A".into(), "1=2\n".into()), ("B".into(), String::new())],
            limits: Limits {
                processes: 7,
                memory: Some(1 << 40),
                files: None,
                grouping: Grouping::WherePossible,
            },
            mark: "mark".into(),
        }
    }

    #[test]
    fn an_order_arrives_as_it_was_sent() {
        let mut bytes = Vec::new();
        order().write(&mut bytes).unwrap();
        assert_eq!(Order::read(&mut bytes.as_slice()).unwrap(), order());
    }

    #[test]
    fn half_an_order_is_none() {
        let mut bytes = Vec::new();
        order().write(&mut bytes).unwrap();
        for cut in 0..bytes.len() {
            assert!(Order::read(&mut &bytes[..cut]).is_err(), "{cut}");
        }
        let mut long = bytes.clone();
        long[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Order::read(&mut long.as_slice()).is_err());
        for at in 4..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            // Whatever it means now, it does not bring the reader down.
            let _ = Order::read(&mut other.as_slice());
        }
    }
}
