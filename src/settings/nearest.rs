//! "Did you mean": the names that are nearest to a mistyped one.

/// Characters of a name that are compared; what is longer is not a slip of the keyboard.
const COMPARED: usize = 64;

/// At most `count` of `names` that could have been meant by `word`, the nearest first; each once.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>, count: usize) -> Vec<&'n str> {
    let word: Vec<char> = folded(word);
    let allowed = slips(word.len());
    let mut scored: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let name_chars = folded(name);
            let slips = bounded(&word, &name_chars, allowed).filter(|slips| *slips <= allowed);
            // Named in part: after a slip or two, and the more is missing the later.
            let is_part = || contains(&name_chars, &word) || contains(&word, &name_chars);
            let part = || is_part().then(|| 2 + name_chars.len().abs_diff(word.len()));
            Some((slips.or_else(part)?, name))
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    // Beside what is very near, the less near is noise.
    let enough = scored.first().map_or(0, |(best, _)| best + best / 2);
    scored.retain(|(score, _)| *score <= enough);
    scored.truncate(count);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// Edits (insert, remove, replace, swap neighbours) from one to the other, without regard to case.
pub fn distance(a: &str, b: &str) -> usize {
    edits(&folded(a), &folded(b))
}

/// Slips that a word of so many letters may have; in a short one they make another word.
fn slips(len: usize) -> usize {
    match len {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => len / 4,
    }
}

fn folded(text: &str) -> Vec<char> {
    text.chars().take(COMPARED).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether `part`, if it is long enough to mean something, is inside `whole`.
fn contains(whole: &[char], part: &[char]) -> bool {
    part.len() >= 4
        && part.len() <= whole.len()
        && whole.len() <= 3 * part.len()
        && whole.windows(part.len()).any(|window| window == part)
}

/// [`edits`], where there can be so few of them.
fn bounded(a: &[char], b: &[char], allowed: usize) -> Option<usize> {
    (a.len().abs_diff(b.len()) <= allowed).then(|| edits(a, b))
}

fn edits(a: &[char], b: &[char]) -> usize {
    if b.is_empty() {
        return a.len();
    }
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (j, right) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&row, j) + usize::from(left != right))
                .min(cell(&row, j + 1) + 1)
                .min(cell(&next, j) + 1);
            let swapped = i.checked_sub(1).and_then(|i| a.get(i)) == Some(right)
                && j.checked_sub(1).and_then(|j| b.get(j)) == Some(left);
            if swapped && i > 0 && j > 0 {
                best = best.min(cell(&above, j - 1) + 1);
            }
            next.push(best);
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
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
        // Two letters are no slip of two other letters.
        assert!(nearest("o5", ["o3", "r1"], 3).is_empty());
    }

    #[test]
    fn distances_are_edits() {
        for (a, b, expected) in
            [("", "abc", 3), ("abc", "", 3), ("kitten", "Sitting", 3), ("ab", "ab", 0), ("porxy", "proxy", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
