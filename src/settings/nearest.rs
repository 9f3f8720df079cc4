//! "Did you mean": the names that are nearest to a mistyped one.

/// Characters of a name that are compared; what is longer is not a slip of the keyboard.
const COMPARED: usize = 64;

/// At most `count` of `names` that could have been meant by `word`, the nearest first.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>, count: usize) -> Vec<&'n str> {
    let word: Vec<char> = folded(word);
    let allowed = (word.len() / 3).max(2);
    let mut scored: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let name_chars = folded(name);
            let distance = if contains(&name_chars, &word) || contains(&word, &name_chars) {
                1
            } else {
                distance(&word, &name_chars)
            };
            (distance <= allowed).then_some((distance, name))
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.truncate(count);
    scored.into_iter().map(|(_, name)| name).collect()
}

fn folded(text: &str) -> Vec<char> {
    text.chars().take(COMPARED).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether `part`, if it is long enough to mean something, is inside `whole`.
fn contains(whole: &[char], part: &[char]) -> bool {
    part.len() >= 3 && part.len() <= whole.len() && whole.windows(part.len()).any(|window| window == part)
}

/// Edits (insert, remove, replace) from one to the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b) {
            let edits = if left == right { diagonal } else { 1 + diagonal.min(before).min(*cell) };
            diagonal = std::mem::replace(cell, edits);
            before = edits;
        }
    }
    // The first cell is not carried along: it is only wanted where `b` is empty.
    if b.is_empty() { a.len() } else { row.last().copied().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let names = ["defaultModel", "extraCaFiles", "proxy", "timeouts"];
        assert_eq!(nearest("defaultmodel", names, 1), ["defaultModel"]);
        assert_eq!(nearest("timeout", names, 1), ["timeouts"]);
        assert_eq!(nearest("porxy", names, 1), ["proxy"]);
        assert!(nearest("colour", names, 3).is_empty());
        assert!(nearest("", names, 3).is_empty());
    }

    #[test]
    fn distances_are_edits() {
        for (a, b, expected) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ab", 0)] {
            assert_eq!(distance(&folded(a), &folded(b)), expected, "{a} {b}");
        }
    }
}
