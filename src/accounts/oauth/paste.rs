//! What a person pastes in place of the browser coming back: the address that the browser ended at, the code with
//! its state, or the code alone.
//!
//! It may be anything at all; whatever holds a state must hold ours.

use secrecy::SecretString;
use url::form_urlencoded;

use super::callback::Back;
use super::pkce::Pkce;

/// The longest text that is looked at, and the longest code, in bytes.
const MAX: usize = 16 << 10;
pub(super) const MAX_CODE: usize = 4 << 10;

/// Why a text is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Its state is that of another login.
    State,
    /// It is the page on which the login begins.
    Beginning,
    /// There is no code in it.
    NoCode,
}

impl Unfit {
    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::State => "what was pasted belongs to another login: its state does not match this one",
            Self::Beginning => {
                "what was pasted is the page on which the login begins; paste the address that it ends at"
            }
            Self::NoCode => "there is no code in what was pasted",
        }
    }
}

/// Understands `text`.
pub(super) fn read(text: &str, pkce: &Pkce) -> Result<Back, Unfit> {
    let text = text.trim().trim_matches(['"', '\'', '<', '>']).trim();
    if text.is_empty() || text.len() > MAX {
        return Err(Unfit::NoCode);
    }
    if text.contains("://") || text.starts_with("localhost") || text.starts_with("127.0.0.1") {
        let query = text.split_once('?').map_or("", |(_, query)| query);
        return fields(query.split('#').next().unwrap_or_default(), pkce);
    }
    if let Some((code, state)) = text.split_once('#') {
        return if pkce.is_state(state.trim()) { back(code.trim()) } else { Err(Unfit::State) };
    }
    if text.contains("code=") || text.contains("error=") {
        return fields(text.trim_start_matches('?'), pkce);
    }
    back(text)
}

fn fields(query: &str, pkce: &Pkce) -> Result<Back, Unfit> {
    let (mut code, mut error, mut description) = (None, None, String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "code_challenge" | "client_id" => return Err(Unfit::Beginning),
            "state" if !pkce.is_state(&value) => return Err(Unfit::State),
            "code" => code = Some(value),
            "error" => error = Some(value.into_owned()),
            "error_description" => description = value.into_owned(),
            _ => {}
        }
    }
    match (error, code) {
        (Some(error), _) => Ok(Back::Refused { error, description }),
        (None, Some(code)) => back(&code),
        (None, None) => Err(Unfit::NoCode),
    }
}

fn back(code: &str) -> Result<Back, Unfit> {
    if is_code(code) { Ok(Back::Code(SecretString::from(code))) } else { Err(Unfit::NoCode) }
}

/// Whether a code is one as providers make them: visible ASCII.
pub(super) fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= MAX_CODE && code.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::system::Random;

    fn told(text: &str, pkce: &Pkce) -> Result<String, Unfit> {
        Ok(match read(&text.replace("STATE", pkce.state()), pkce)? {
            Back::Code(code) => code.expose_secret().to_owned(),
            Back::Refused { error, description } => format!("refused: {error}: {description}"),
        })
    }

    #[test]
    fn what_people_paste_is_understood() {
        let pkce = Pkce::new(&Random::Real).unwrap();
        for (text, expected) in [
            ("http://localhost:53692/callback?code=abc&state=STATE", Ok("abc")),
            ("  \"http://localhost:53692/callback?state=STATE&code=a%2Fb\"\n", Ok("a/b")),
            ("<http://localhost:1455/auth/callback?code=abc>", Ok("abc")),
            ("localhost:1455/auth/callback?code=abc&state=STATE#", Ok("abc")),
            ("abc#STATE", Ok("abc")),
            ("code=abc&state=STATE", Ok("abc")),
            ("?code=abc", Ok("abc")),
            ("abc-DEF_123", Ok("abc-DEF_123")),
            (
                "http://localhost/callback?error=access_denied&error_description=no",
                Ok("refused: access_denied: no"),
            ),
            ("http://localhost/callback?code=abc&state=other", Err(Unfit::State)),
            ("abc#other", Err(Unfit::State)),
            ("abc#", Err(Unfit::State)),
            ("code=abc&state=", Err(Unfit::State)),
            ("https://claude.ai/oauth/authorize?code=true&client_id=x&state=STATE", Err(Unfit::Beginning)),
            ("http://localhost:53692/callback", Err(Unfit::NoCode)),
            ("http://localhost:53692/callback?state=STATE", Err(Unfit::NoCode)),
            ("#STATE", Err(Unfit::NoCode)),
            ("two words", Err(Unfit::NoCode)),
            ("", Err(Unfit::NoCode)),
            ("caf\u{e9}", Err(Unfit::NoCode)),
        ] {
            assert_eq!(told(text, &pkce), expected.map(str::to_owned), "{text}");
        }
        assert_eq!(told(&"x".repeat(MAX + 1), &pkce), Err(Unfit::NoCode));
        assert_eq!(told(&"x".repeat(MAX_CODE + 1), &pkce), Err(Unfit::NoCode));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_pasted_breaks_it(text in ".*") {
            let pkce = Pkce::new(&Random::Real).unwrap();
            let _ = read(&text, &pkce);
        }

        #[test]
        fn a_strange_state_is_never_taken(code in "[a-z]{1,9}", state in "[A-Za-z0-9_-]{0,60}") {
            let pkce = Pkce::new(&Random::Real).unwrap();
            for text in [format!("{code}#{state}"), format!("http://localhost/x?code={code}&state={state}")] {
                proptest::prop_assert!(matches!(read(&text, &pkce), Err(Unfit::State)));
            }
        }
    }
}
