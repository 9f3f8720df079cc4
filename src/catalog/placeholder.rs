//! Places in a base URL that a variable fills, such as `{CLOUDFLARE_ACCOUNT_ID}`.
//!
//! What fills one may never lead a key to another host or path than the URL says, whoever set the variable.

/// Characters of one value.
const MAX_VALUE: usize = 200;

/// Why a URL could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// This variable is not set.
    Unset(String),
    /// The value of this variable does not fit, and why. The value is not told: it may be misplaced.
    Unfit(String, &'static str),
}

/// The names in `url`, each once, in their order.
pub fn names(url: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (_, name) in Places(url) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// `url` with every place filled in. A URL without any comes back as it is.
pub fn filled(url: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, Unfilled> {
    let mut filled = String::with_capacity(url.len());
    let mut rest = url;
    for (before, name) in Places(url) {
        filled.push_str(before);
        let value = value(name).ok_or_else(|| Unfilled::Unset(name.to_owned()))?;
        let value = value.trim();
        fault(&filled, value).map_or(Ok(()), |why| Err(Unfilled::Unfit(name.to_owned(), why)))?;
        filled.push_str(value);
        rest = rest.get(before.len() + name.len() + 2..).unwrap_or_default();
    }
    filled.push_str(rest);
    Ok(filled)
}

/// What is wrong with `value` behind `before`.
fn fault(before: &str, value: &str) -> Option<&'static str> {
    let Some((_, address)) = before.split_once("://") else {
        return Some("it would say where the call goes, which only the URL itself may");
    };
    let in_host = !address.contains(['/', '?', '#']);
    let fits =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || (!in_host && b"._~".contains(&byte));
    if value.is_empty() || value.len() > MAX_VALUE {
        Some("it is empty or too long")
    } else if in_host && !value.bytes().all(fits) {
        Some("it has other characters than letters, digits and -")
    } else if !value.bytes().all(fits) || value.bytes().all(|byte| byte == b'.') {
        Some("it has other characters than letters, digits, -, _, ~ and dots between them")
    } else {
        None
    }
}

/// What stands before each place, and its name.
struct Places<'u>(&'u str);

impl<'u> Iterator for Places<'u> {
    type Item = (&'u str, &'u str);

    fn next(&mut self) -> Option<Self::Item> {
        let mut from = 0;
        loop {
            let open = from + self.0.get(from..)?.find('{')?;
            let inside = self.0.get(open + 1..)?;
            let len = inside
                .bytes()
                .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
                .count();
            let (name, after) = inside.split_at(len);
            let starts_well = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
            if let Some(rest) = after.strip_prefix('}').filter(|_| starts_well) {
                let before = self.0.get(..open)?;
                self.0 = rest;
                return Some((before, name));
            }
            from = open + 1 + len;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<String> {
        let value = match name {
            "ID" => " abc-1 ",
            "DOTTED" => "v1.2_x",
            "HOST" => "evil.example/x",
            "UP" => "..",
            "AT" => "a@evil.example",
            "QUERY" => "a?b=c#d",
            "PERCENT" => "a%2f",
            "BLANK" => " ",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[track_caller]
    fn check(url: &str, expected: Result<&str, &str>) {
        let filled = filled(url, value);
        match (&filled, expected) {
            (Ok(url), Ok(expected)) => assert_eq!(url, expected),
            (Err(Unfilled::Unset(name) | Unfilled::Unfit(name, _)), Err(expected)) => {
                assert_eq!(name, expected);
            }
            _ => panic!("{url}: {filled:?}"),
        }
    }

    #[test]
    fn places_are_filled_in() {
        check("https://a.example/v1/{ID}/{DOTTED}/x", Ok("https://a.example/v1/abc-1/v1.2_x/x"));
        check("https://{ID}-api.example/v1", Ok("https://abc-1-api.example/v1"));
        check("https://a.example/{location}/{}/{ID", Ok("https://a.example/{location}/{}/{ID"));
        check("https://a.example/{{ID}}", Ok("https://a.example/{abc-1}"));
        check("https://a.example/{GONE}", Err("GONE"));
        assert_eq!(names("https://{A}.example/{B}/{A}/{9}/{c}/{D_1}"), ["A", "B", "D_1"]);
    }

    #[test]
    fn no_value_changes_where_a_call_goes() {
        for name in ["HOST", "UP", "AT", "QUERY", "PERCENT", "BLANK"] {
            check(&format!("https://a.example/{{{name}}}/x"), Err(name));
            check(&format!("https://{{{name}}}.example/x"), Err(name));
        }
        check("https://{DOTTED}.example/x", Err("DOTTED"));
        check("{ID}", Err("ID"));
    }

    proptest::proptest! {
        #[test]
        fn the_host_and_the_number_of_segments_stay(value in "\\PC{0,12}", template in "https://h[.]example(/[a-z]{1,3}|/\\{X\\}){0,4}") {
            if let Ok(url) = filled(&template, |_| Some(value.clone())) {
                let parsed = url::Url::parse(&url).unwrap();
                let plain = url::Url::parse(&template.replace("{X}", "x")).unwrap();
                proptest::prop_assert_eq!(parsed.host_str(), plain.host_str());
                proptest::prop_assert_eq!(parsed.path_segments().unwrap().count(), plain.path_segments().unwrap().count());
                proptest::prop_assert_eq!((parsed.query(), parsed.fragment(), parsed.username()), (None, None, ""));
            }
        }
    }
}
