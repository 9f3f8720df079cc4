//! Numbers, times and money as people read them.

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many lines.
pub(super) fn lines(count: usize) -> String {
    let noun = if count == 1 { "line" } else { "lines" };
    format!("{} {noun}", grouped(count as u64))
}

/// How long something took.
pub(super) fn time(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..=9 => format!("{seconds}.{} s", ms % 1_000 / 100),
        10..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// US dollars.
pub(super) fn money(amount: f64) -> String {
    match amount {
        0.0 => "$0".to_owned(),
        _ if amount < 0.000_1 => "<$0.0001".to_owned(),
        _ if amount < 0.1 => format!("${amount:.4}"),
        _ => format!("${amount:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
        for (ms, expected) in [
            (0, "0.0 s"),
            (412, "0.4 s"),
            (9_999, "9.9 s"),
            (61_000, "61 s"),
            (125_000, "2 min 5 s"),
            (7_260_000, "2 h 1 min"),
        ] {
            assert_eq!(time(ms), expected);
        }
        for (amount, expected) in
            [(0.0, "$0"), (0.000_01, "<$0.0001"), (0.001_23, "$0.0012"), (0.5, "$0.50"), (12.345, "$12.35")]
        {
            assert_eq!(money(amount), expected);
        }
        assert_eq!((lines(1), lines(2_000)), ("1 line".to_owned(), "2,000 lines".to_owned()));
    }
}
