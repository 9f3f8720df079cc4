//! How long a provider asks to wait, from the headers of its answer.

use reqwest::header::HeaderMap;

/// Longer waits are cut to this, in milliseconds.
const LONGEST_MS: u64 = 24 * 3_600_000;

/// Milliseconds, from `retry-after-ms` or `retry-after` (seconds or an HTTP date).
pub(crate) fn from_headers(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let exact = text("retry-after-ms").and_then(|text| millis(text, 1.0));
    let wait = exact.or_else(|| {
        let text = text("retry-after")?;
        millis(text, 1000.0).or_else(|| Some(http_date_ms(text)?.saturating_sub(now_ms)))
    })?;
    Some(wait.min(LONGEST_MS))
}

fn millis(text: &str, unit_ms: f64) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let millis = (number * unit_ms).ceil().min(1e15);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1e15, without a fraction"
    )]
    Some(millis as u64)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send, as milliseconds since the epoch.
pub(crate) fn http_date_ms(text: &str) -> Option<u64> {
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = u64::try_from(months.iter().position(|name| *name == month)?).ok()? + 1;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut time = parts.next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days from civil, with the year beginning in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    let since_epoch = days.checked_sub(719_468)?;
    Some((((since_epoch * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(name: &'static str, value: &str, now_ms: u64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        from_headers(&headers, now_ms)
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_understood() {
        assert_eq!(wait("retry-after", "2", 0), Some(2000));
        assert_eq!(wait("retry-after", "0.25", 0), Some(250));
        assert_eq!(wait("retry-after-ms", "1500", 0), Some(1500));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", 784_111_770_000), Some(7000));
        assert_eq!(wait("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", 884_111_770_000), Some(0));
        assert_eq!(wait("retry-after", "Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_799_000), Some(1000));
        assert_eq!(wait("retry-after", "1e300", 0), Some(LONGEST_MS));
        for bad in ["-1", "NaN", "soon", "", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994"] {
            assert_eq!(wait("retry-after", bad, 0), None, "{bad}");
        }
    }
}
