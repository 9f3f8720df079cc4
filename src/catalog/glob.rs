//! Globs over names of models: `*`, `?` and `[...]`, without regard to case. A star also spans slashes, so that
//! `openrouter/*` is all of OpenRouter. It must never take more than linear time per star.

/// Whether `text` has a character that makes it a glob.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A pattern made ready for many names.
pub struct Glob(Vec<char>);

impl Glob {
    /// Any text is a pattern.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.chars().map(|c| c.to_ascii_lowercase()).collect())
    }

    /// Whether it describes the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        matches(&self.0, text)
    }
}

fn matches(pattern: &[char], text: &str) -> bool {
    let text: Vec<char> = text.chars().map(|c| c.to_ascii_lowercase()).collect();
    let (mut at, mut from) = (0, 0);
    // Where to go on when what follows the last star does not fit: only that star has to be tried again.
    let mut retry = None;
    loop {
        let here = text.get(at);
        match pattern.get(from) {
            Some('*') => {
                from += 1;
                retry = Some((from, at));
                continue;
            }
            None if here.is_none() => return true,
            Some(_) | None => {
                if let (Some(rest), Some(c)) = (pattern.get(from..).filter(|rest| !rest.is_empty()), here)
                    && let Some(used) = one(rest, *c)
                {
                    (from, at) = (from + used, at + 1);
                    continue;
                }
            }
        }
        match retry {
            Some((after_star, start)) if start < text.len() => {
                retry = Some((after_star, start + 1));
                (from, at) = (after_star, start + 1);
            }
            _ => return false,
        }
    }
}

/// How many characters at the start of `pattern` stand for `c`; `None` where they stand for another one.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => match class(pattern) {
            Some((members, used)) => is_member(members, c).then_some(used),
            // A bracket without its partner is itself.
            None => (c == '[').then_some(1),
        },
        literal => (*literal == c).then_some(1),
    }
}

/// The inside of the class that begins here, and its length with the brackets.
fn class(pattern: &[char]) -> Option<(&[char], usize)> {
    // A bracket that comes first is a member.
    let first = if matches!(pattern.get(1), Some('!' | '^')) { 2 } else { 1 };
    let close = pattern.iter().skip(first + 1).position(|c| *c == ']')? + first + 1;
    Some((pattern.get(1..close)?, close + 1))
}

fn is_member(members: &[char], c: char) -> bool {
    let (negated, members) = match members.split_first() {
        Some(('!' | '^', rest)) => (true, rest),
        _ => (false, members),
    };
    let mut rest = members;
    let mut found = false;
    while let Some((first, more)) = rest.split_first() {
        if let ['-', last, tail @ ..] = more {
            found |= (*first..=*last).contains(&c);
            rest = tail;
        } else {
            found |= *first == c;
            rest = more;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_describe_whole_names() {
        for (pattern, text) in [
            ("*", ""),
            ("anthropic/*", "Anthropic/claude-opus-5"),
            ("openrouter/*", "openrouter/qwen/qwen3-coder:exacto"),
            ("*sonnet*", "anthropic/claude-sonnet-5"),
            ("gpt-?.5", "gpt-5.5"),
            ("gpt-[4-5].[!0]", "GPT-5.5"),
            ("a[]x]b", "a]b"),
            ("a[b", "a[b"),
            ("[a-]", "-"),
            ("*a*b*c", "xxaxbxbxc"),
        ] {
            assert!(Glob::new(pattern).matches(text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("?", ""),
            ("claude", "claude-opus"),
            ("*[", "a"),
            ("gpt-[!5]", "gpt-5"),
            ("a*b", "ab1"),
        ] {
            assert!(!Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_cost_little() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!Glob::new(&pattern).matches(&"a".repeat(400)));
    }
}
