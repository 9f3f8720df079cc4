//! Reads what a provider's sign-in servers answer, and says in our words what their errors mean.
//!
//! It must never put a token, a code or a verifier into an error: what they say passes `clean` and `redact`.

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Grant, OAuthError, OAuthErrorKind};
use crate::net::clean::{clean, redact};
use crate::net::{Answer, Category, Fault};

/// The longest that a provider's words may be, in characters.
const MAX_WORDS: usize = 300;

/// What was asked for when the provider refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The code, for tokens.
    Code,
    /// Whether the code was typed.
    Device,
    /// The next token.
    Refresh,
}

/// A token endpoint's answer.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    #[serde(default)]
    pub(super) refresh_token: Option<String>,
    #[serde(default)]
    pub(super) expires_in: Option<f64>,
    #[serde(default)]
    pub(super) id_token: Option<String>,
}

impl Tokens {
    /// What is stored, `margin_ms` before the end; what is missing is kept from `old`.
    pub(super) fn grant(
        self,
        name: &str,
        now_ms: u64,
        margin_ms: u64,
        usual_life_s: Option<u64>,
        old: Option<&Grant>,
    ) -> Result<Grant, OAuthError> {
        let life = self.expires_in.filter(|life| life.is_finite() && *life > 0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a finite number above zero"
        )]
        let life = life.map(|life| life as u64).or(usual_life_s);
        let life = life.ok_or_else(|| strange(name, "it does not say how long the token is good for"))?;
        if !is_token(&self.access_token)
            || self.refresh_token.as_deref().is_some_and(|token| !is_token(token))
        {
            return Err(strange(name, "its token cannot be sent"));
        }
        let refresh = match (self.refresh_token, old) {
            (Some(refresh), _) => refresh.into(),
            (None, Some(old)) => old.refresh.clone(),
            (None, None) => return Err(strange(name, "it has no refresh token")),
        };
        // A year is longer than any of them lasts.
        let life_ms = life.min(366 * 86_400).saturating_mul(1000);
        Ok(Grant {
            access: self.access_token.into(),
            refresh,
            expires_ms: now_ms.saturating_add(life_ms).saturating_sub(margin_ms),
            more: old.map(|old| old.more.clone()).unwrap_or_default(),
        })
    }
}

/// Notes who is signed in, where the provider says so in words that can be shown.
pub(super) fn identify(grant: &mut Grant, who: Option<&str>) {
    let who = who.map(clean).filter(|who| !who.is_empty() && who.len() <= 200);
    if let Some(who) = who {
        grant.more.insert(Grant::IDENTITY.to_owned(), who.into());
    }
}

/// Whether a token can stand in a header.
pub(super) fn is_token(token: &str) -> bool {
    !token.is_empty() && token.len() <= 64 << 10 && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The JSON of an answer.
pub(super) fn json<T: DeserializeOwned>(name: &str, answer: &Answer) -> Result<T, OAuthError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        // What serde says may quote a value, but never says more of it than its kind for these shapes.
        let why = if error.is_data() { "it lacks what is needed" } else { "it is no JSON" };
        strange(name, why)
    })
}

/// An answer that is not understood.
pub(super) fn strange(name: &str, why: &str) -> OAuthError {
    OAuthError::new(
        OAuthErrorKind::Protocol,
        format!("the answer of {name} is not understood: {why}"),
        "try again; if it stays, a newer version of aside may know the provider's new ways",
    )
}

/// The provider was not reached, or failed.
pub(super) fn unreachable(name: &str, fault: Fault) -> OAuthError {
    let kind = match fault.category {
        Category::Protocol | Category::TooLarge => OAuthErrorKind::Protocol,
        _ => OAuthErrorKind::Unreachable,
    };
    let hint = fault.hint.unwrap_or_else(|| "try again".to_owned());
    OAuthError::new(kind, format!("{name} could not be asked: {}", fault.message), hint)
}

/// What an error answer says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The provider's word for programs.
    pub(super) code: Option<String>,
    /// Its words for people.
    pub(super) words: Option<String>,
    /// Seconds of `slow_down`.
    pub(super) interval: Option<u64>,
}

/// Reads an error answer of any of the shapes that providers use.
pub(super) fn said(body: &[u8]) -> Said {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return Said::default() };
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let error = &body["error"];
    let code = text(error)
        .or_else(|| text(&error["code"]))
        .or_else(|| text(&error["type"]))
        .or_else(|| text(&body["code"]));
    let words = ["error_description", "message"]
        .iter()
        .find_map(|name| text(&body[*name]))
        .or_else(|| text(&error["message"]))
        .or_else(|| text(&body["detail"]));
    Said { code, words, interval: whole(&body["interval"]) }
}

/// A whole number that may be written as a string.
pub(super) fn whole(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// What a refusal means. `secrets` are what was sent.
pub(super) fn refused(name: &str, stage: Stage, answer: &Answer, secrets: &[&SecretString]) -> OAuthError {
    let said = said(&answer.body);
    let shown = shown(&said, secrets);
    let status = answer.status;
    let told =
        if shown.is_empty() { format!("status {status}") } else { format!("status {status}, {shown}") };
    let code = said.code.as_deref().unwrap_or_default();
    let kind = match (code, stage) {
        _ if status == 429 || status >= 500 => OAuthErrorKind::Unreachable,
        ("access_denied" | "authorization_denied", _) => OAuthErrorKind::Denied,
        ("unauthorized_client", Stage::Code | Stage::Device) => OAuthErrorKind::Forbidden,
        ("expired_token", _) | ("invalid_grant", Stage::Code) => OAuthErrorKind::Expired,
        (
            "invalid_grant"
            | "refresh_token_reused"
            | "refresh_token_expired"
            | "refresh_token_invalidated"
            | "token_expired"
            | "invalid_refresh_token",
            Stage::Refresh,
        ) => OAuthErrorKind::SignInAgain,
        _ if status == 401 && stage == Stage::Refresh => OAuthErrorKind::SignInAgain,
        _ if is_of_workspace(&shown) || status == 403 => OAuthErrorKind::Forbidden,
        _ => OAuthErrorKind::Protocol,
    };
    let message = match kind {
        OAuthErrorKind::Unreachable => format!("{name} cannot sign anybody in just now ({told})"),
        OAuthErrorKind::Denied => format!("the sign-in was declined at {name} ({told})"),
        OAuthErrorKind::Expired => {
            format!("{name} does not take the code: it is used up or too old ({told})")
        }
        OAuthErrorKind::SignInAgain => format!("{name} does not renew the sign-in any more ({told})"),
        OAuthErrorKind::Forbidden => format!("{name} does not allow this sign-in ({told})"),
        _ if stage == Stage::Refresh => format!("{name} did not renew the sign-in ({told})"),
        _ => format!("{name} did not complete the sign-in ({told})"),
    };
    OAuthError::new(kind, message, hint(kind))
}

/// What an error that came back with the browser means.
pub(super) fn declined(name: &str, error: &str, description: &str) -> OAuthError {
    let said = Said { code: Some(error.to_owned()), words: Some(description.to_owned()), interval: None };
    let shown = shown(&said, &[]);
    let kind = match error {
        _ if is_of_workspace(&shown) => OAuthErrorKind::Forbidden,
        "access_denied" | "authorization_denied" | "user_denied" | "consent_required" => {
            OAuthErrorKind::Denied
        }
        "unauthorized_client" => OAuthErrorKind::Forbidden,
        "server_error" | "temporarily_unavailable" => OAuthErrorKind::Unreachable,
        "expired_token" | "login_timeout" => OAuthErrorKind::Expired,
        _ => OAuthErrorKind::Protocol,
    };
    let message = match kind {
        OAuthErrorKind::Denied => format!("the sign-in was declined at {name} ({shown})"),
        OAuthErrorKind::Forbidden => format!("{name} does not allow this sign-in ({shown})"),
        OAuthErrorKind::Unreachable => format!("{name} cannot sign anybody in just now ({shown})"),
        OAuthErrorKind::Expired => format!("the page of {name} was used too late ({shown})"),
        _ => format!("{name} sent the browser back with an error ({shown})"),
    };
    OAuthError::new(kind, message, hint(kind))
}

/// The usual advice.
pub(super) fn hint(kind: OAuthErrorKind) -> &'static str {
    match kind {
        OAuthErrorKind::Denied => "begin again, and allow it on the provider's page",
        OAuthErrorKind::Expired => "begin again; a code is good once and for some minutes",
        OAuthErrorKind::State => "begin again, and use the page that is opened last",
        OAuthErrorKind::Port => "end the other program, or sign in with a client that can paste the address",
        OAuthErrorKind::Clock => "set this machine's clock and begin again",
        OAuthErrorKind::NoPlan => "take a plan that includes it, or sign in with another account",
        OAuthErrorKind::Forbidden => {
            "ask whoever administers the workspace or organisation to allow it, or sign in with another account"
        }
        OAuthErrorKind::Invalid => "correct it and try again",
        OAuthErrorKind::SignInAgain => "sign in again",
        OAuthErrorKind::Unreachable | OAuthErrorKind::Protocol => "try again later",
        OAuthErrorKind::Cancelled => "begin again",
    }
}

/// Whether the words speak of somebody who administers accounts.
fn is_of_workspace(shown: &str) -> bool {
    let shown = shown.to_lowercase();
    ["workspace", "administrator", "organization", "organisation", "entitlement", "admin "]
        .iter()
        .any(|word| shown.contains(word))
}

/// The provider's code and words as they may be shown.
fn shown(said: &Said, secrets: &[&SecretString]) -> String {
    use secrecy::ExposeSecret as _;
    let plain: Vec<&str> = secrets.iter().map(|secret| secret.expose_secret()).collect();
    let parts = said.code.iter().chain(&said.words).filter(|part| !part.trim().is_empty());
    let mut parts: Vec<String> = parts.map(|part| redact(&clean(part), &plain)).collect();
    parts.dedup();
    parts.join(": ").chars().take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec(), retry_after_ms: None }
    }

    #[test]
    fn errors_of_every_shape_are_read() {
        for (body, code, words) in [
            (
                r#"{"error":"invalid_grant","error_description":"too old"}"#,
                Some("invalid_grant"),
                Some("too old"),
            ),
            (r#"{"error":{"type":"x","message":"m"}}"#, Some("x"), Some("m")),
            (r#"{"error":{"code":"c","type":"x","message":"m"}}"#, Some("c"), Some("m")),
            (r#"{"message":"m"}"#, None, Some("m")),
            (r#"{"detail":"d"}"#, None, Some("d")),
            (r#"{"error":null}"#, None, None),
            ("[]", None, None),
            ("<html>", None, None),
            ("", None, None),
        ] {
            let said = said(body.as_bytes());
            assert_eq!((said.code.as_deref(), said.words.as_deref()), (code, words), "{body}");
        }
        assert_eq!(said(br#"{"error":"slow_down","interval":"9"}"#).interval, Some(9));
    }

    #[test]
    fn refusals_have_a_kind_and_no_secrets() {
        use OAuthErrorKind as Kind;
        let secret = SecretString::from("code-0123456789");
        for (stage, status, body, kind) in [
            (
                Stage::Code,
                400,
                r#"{"error":"invalid_grant","error_description":"bad code-0123456789"}"#,
                Kind::Expired,
            ),
            (Stage::Refresh, 400, r#"{"error":"invalid_grant"}"#, Kind::SignInAgain),
            (Stage::Refresh, 401, r#"{"error":{"code":"refresh_token_reused"}}"#, Kind::SignInAgain),
            (Stage::Refresh, 401, "", Kind::SignInAgain),
            (Stage::Refresh, 400, r#"{"error":"invalid_scope"}"#, Kind::Protocol),
            (Stage::Device, 400, r#"{"error":"access_denied"}"#, Kind::Denied),
            (Stage::Device, 400, r#"{"error":"expired_token"}"#, Kind::Expired),
            (
                Stage::Code,
                403,
                r#"{"error":{"message":"ask your workspace administrator"}}"#,
                Kind::Forbidden,
            ),
            (Stage::Code, 503, "<html>", Kind::Unreachable),
            (Stage::Refresh, 429, "{}", Kind::Unreachable),
            (Stage::Code, 400, "{}", Kind::Protocol),
        ] {
            let error = refused("Lab", stage, &answer(status, body), &[&secret]);
            assert_eq!(error.kind, kind, "{body}");
            assert!(error.message.contains("Lab") && !error.message.contains("0123456789"), "{error:?}");
            assert!(!error.hint.is_empty());
        }
        let long = format!(r#"{{"error":"x","error_description":"{}"}}"#, "w ".repeat(9999));
        assert!(refused("Lab", Stage::Code, &answer(400, &long), &[]).message.len() < 400);
        assert_eq!(declined("Lab", "access_denied", "").kind, Kind::Denied);
        let error = declined("Lab", "access_denied", "missing_codex_entitlement \u{1b}[2J<b>x</b>");
        assert_eq!(error.kind, Kind::Forbidden);
        assert!(!error.message.contains('\u{1b}') && !error.message.contains("<b>"), "{error:?}");
    }

    #[test]
    fn tokens_are_checked_before_they_are_kept() {
        let tokens = |text: &str| serde_json::from_str::<Tokens>(text).unwrap();
        let old = tokens(r#"{"access_token":"a","refresh_token":"r","expires_in":100}"#)
            .grant("Lab", 1_000, 5_000, None, None)
            .unwrap();
        assert_eq!(old.expires_ms, 96_000);
        let next = tokens(r#"{"access_token":"b","expires_in":1e300}"#)
            .grant("Lab", 0, 0, None, Some(&old))
            .unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&next.refresh), "r");
        assert_eq!(next.expires_ms, 366 * 86_400_000);
        for bad in [
            r#"{"access_token":"a","refresh_token":"r"}"#,
            r#"{"access_token":"a","refresh_token":"r","expires_in":-1}"#,
            r#"{"access_token":"a","expires_in":9}"#,
            r#"{"access_token":"","refresh_token":"r","expires_in":9}"#,
            r#"{"access_token":"a\nb","refresh_token":"r","expires_in":9}"#,
            r#"{"access_token":"a","refresh_token":"r r","expires_in":9}"#,
        ] {
            let error = tokens(bad).grant("Lab", 0, 0, None, None).unwrap_err();
            assert_eq!(error.kind, OAuthErrorKind::Protocol, "{bad}");
        }
    }
}
