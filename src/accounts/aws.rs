//! AWS's keys, which calls of Amazon Bedrock are signed with: where they come from, and what is said of the ways
//! that this version does not know. It must never put keys of two identities together.

use secrecy::SecretString;

use super::resolve::{error_of, failed};
use super::value::{self, ValueError, Variables};
use super::{AccountError, AccountErrorKind, Credential, Source};
use crate::catalog::Provider;

/// One identity's keys. `Debug` shows none of them.
#[derive(Clone, Debug)]
pub struct AwsKeys {
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
    /// Of keys that expire.
    pub session_token: Option<SecretString>,
}

/// What there is to sign with.
#[derive(Debug)]
pub(super) enum Found {
    /// Keys that stand under this variable.
    Keys(AwsKeys),
    /// Calls go out without any credential.
    NotNeeded,
    /// Nothing.
    Nothing,
    /// This variable points to credentials that cannot be had yet.
    Elsewhere { name: &'static str, is_stored: bool },
    /// This variable is set and this one, which belongs to it, is not.
    Half(&'static str, &'static str),
    /// This variable's value cannot be sent.
    Bad(&'static str, ValueError),
}

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
const BEARER: &str = "AWS_BEARER_TOKEN_BEDROCK";
const SKIP: &str = "AWS_BEDROCK_SKIP_AUTH";
const PROFILE: &str = "AWS_PROFILE";

/// What points to credentials that AWS's own tools would find.
const ELSEWHERE: [&str; 4] = [
    PROFILE,
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// What can be done where credentials are elsewhere.
const WAYS: &str = "set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
    AWS_SESSION_TOKEN, in the environment or in `env` of the provider's entry in auth.json; \
    `aws configure export-credentials --format env` prints the keys of a profile";

/// Whether calls are to go out without a credential.
pub(super) fn is_skipped(provider: &Provider, variables: Variables<'_>) -> bool {
    provider.takes_aws_keys && matches!(variables.get(SKIP), Some("1" | "true"))
}

/// Whether the provider's entry says itself whose keys are meant, so that nothing of the environment counts.
pub(super) fn is_stored(provider: &Provider, variables: Variables<'_>) -> bool {
    let own = |name| variables.own.get(name).is_some_and(|value| !value.trim().is_empty());
    provider.takes_aws_keys && !own(BEARER) && [ID, SECRET, PROFILE].into_iter().any(own)
}

/// What there is for `provider`, beside keys that are not AWS's.
pub(super) fn find(provider: &Provider, variables: Variables<'_>) -> Found {
    if !provider.takes_aws_keys {
        return Found::Nothing;
    }
    if is_skipped(provider, variables) {
        return Found::NotNeeded;
    }
    let own =
        |name: &str| variables.own.get(name).map(String::as_str).filter(|value| !value.trim().is_empty());
    // The environment's keys are for Amazon, not for whoever a user's own provider is.
    let is_amazon = provider.bearer_variables.iter().any(|name| &**name == BEARER);
    let around = |name: &str| variables.system.env.get(name).filter(|_| is_amazon);
    // The three belong together: a token of the environment says nothing of keys that are stored.
    match [own(ID), own(SECRET), own(TOKEN)] {
        [None, None, None] => {}
        keys => return together(keys),
    }
    if own(PROFILE).is_some() {
        // Whoever stores a profile does not mean the keys that happen to be set.
        return Found::Elsewhere { name: PROFILE, is_stored: true };
    }
    match [around(ID), around(SECRET), around(TOKEN)] {
        [None, None, _] => {}
        keys => return together(keys),
    }
    for name in ELSEWHERE {
        let is_stored = own(name).is_some();
        if is_stored || around(name).is_some() {
            return Found::Elsewhere { name, is_stored };
        }
    }
    Found::Nothing
}

fn together([id, secret, token]: [Option<&str>; 3]) -> Found {
    let (id, secret) = match (id, secret) {
        (Some(id), Some(secret)) => (id, secret),
        (Some(_), None) => return Found::Half(ID, SECRET),
        (None, Some(_)) => return Found::Half(SECRET, ID),
        (None, None) => return Found::Half(TOKEN, ID),
    };
    let read = |name, value| value::sendable(value).map_err(|error| Found::Bad(name, error));
    let keys = || -> Result<AwsKeys, Found> {
        Ok(AwsKeys {
            access_key_id: read(ID, id)?,
            secret_access_key: read(SECRET, secret)?,
            session_token: token.map(|token| read(TOKEN, token)).transpose()?,
        })
    };
    match keys() {
        Ok(keys) => Found::Keys(keys),
        Err(found) => found,
    }
}

/// Where keys that were found stand; `None` where there are none.
pub(super) fn source(provider: &Provider, variables: Variables<'_>) -> Option<Source> {
    let found = matches!(find(provider, variables), Found::Keys(_));
    let stored = is_stored(provider, variables);
    found.then(|| if stored { Source::Stored } else { Source::Environment(ID.into()) })
}

/// What AWS's variables say of a call of `provider`; `None` where they say nothing of it.
pub(super) fn credential(
    provider: &Provider,
    variables: Variables<'_>,
) -> Option<Result<Credential, AccountError>> {
    let id = &provider.id;
    let (kind, message) = match find(provider, variables) {
        Found::Nothing => return None,
        Found::NotNeeded => return Some(Ok(Credential::None)),
        Found::Keys(keys) => return Some(Ok(Credential::Aws(Box::new(keys)))),
        // The environment speaks of AWS in general, and there is another key for this provider.
        Found::Elsewhere { is_stored: false, .. } if provider.api_key.is_some() => return None,
        Found::Elsewhere { name, .. } => (
            AccountErrorKind::Unsupported,
            format!(
                "{name} names credentials for {id} that would have to be fetched, and AWS's credential \
                 chain is not part of this version"
            ),
        ),
        Found::Half(set, missing) => (
            AccountErrorKind::VariableUnset,
            format!("{missing} is not set, which belongs to {set}, so that calls of {id} cannot be signed"),
        ),
        Found::Bad(name, error) => return Some(Err(failed(provider, name, error, None))),
    };
    Some(Err(error_of(kind, provider, message, WAYS.to_owned())))
}

impl AwsKeys {
    /// All that must not be shown.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        [Some(&self.access_key_id), Some(&self.secret_access_key), self.session_token.as_ref()]
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::system::{Env, System};

    fn amazon() -> Provider {
        Provider {
            id: "amazon-bedrock".into(),
            key_variables: vec![BEARER.into()],
            bearer_variables: vec![BEARER.into()],
            takes_aws_keys: true,
            ..super::super::tests::groq(None)
        }
    }

    fn told(provider: &Provider, own: &[(&str, &str)], around: &[(&str, &str)]) -> String {
        let own: BTreeMap<String, String> =
            own.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut system = System::real();
        system.env = around.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Env>();
        match find(provider, Variables { own: &own, system: &system }) {
            Found::Keys(keys) => {
                keys.secrets().map(SecretString::expose_secret).collect::<Vec<_>>().join(" ")
            }
            Found::NotNeeded => "not needed".to_owned(),
            Found::Nothing => "nothing".to_owned(),
            Found::Elsewhere { name, is_stored } => format!("elsewhere {name} {is_stored}"),
            Found::Half(set, missing) => format!("{set} without {missing}"),
            Found::Bad(name, _) => format!("bad {name}"),
        }
    }

    const KEYS: [(&str, &str); 3] = [(ID, "id"), (SECRET, "secret"), (TOKEN, "token")];

    #[test]
    fn keys_of_one_identity_stay_together() {
        let amazon = amazon();
        assert_eq!(told(&amazon, &[], &KEYS), "id secret token");
        assert_eq!(told(&amazon, &[(ID, "i"), (SECRET, "s")], &KEYS), "i s");
        assert_eq!(told(&amazon, &[(SECRET, "s")], &KEYS), "AWS_SECRET_ACCESS_KEY without AWS_ACCESS_KEY_ID");
        assert_eq!(told(&amazon, &[], &KEYS[..1]), "AWS_ACCESS_KEY_ID without AWS_SECRET_ACCESS_KEY");
        assert_eq!(told(&amazon, &[(TOKEN, "t")], &KEYS), "AWS_SESSION_TOKEN without AWS_ACCESS_KEY_ID");
        assert_eq!(told(&amazon, &[], &[(TOKEN, "t")]), "nothing");
        assert_eq!(told(&amazon, &[(ID, " ")], &KEYS), "id secret token");
        assert_eq!(told(&amazon, &[], &[(ID, "i"), (SECRET, "a\nb")]), "bad AWS_SECRET_ACCESS_KEY");
    }

    #[test]
    fn what_is_elsewhere_is_told() {
        let amazon = amazon();
        let profile = [(PROFILE, "work")];
        assert_eq!(told(&amazon, &profile, &KEYS), "elsewhere AWS_PROFILE true");
        assert_eq!(told(&amazon, &[], &[KEYS[0], KEYS[1], profile[0]]), "id secret");
        assert_eq!(told(&amazon, &[], &profile), "elsewhere AWS_PROFILE false");
        assert_eq!(told(&amazon, &[(SKIP, "1")], &profile), "not needed");
        assert_eq!(told(&amazon, &[(SKIP, "0")], &[]), "nothing");
    }

    #[test]
    fn the_keys_of_the_environment_are_for_amazon() {
        let own = Provider { bearer_variables: vec![], ..amazon() };
        assert_eq!(told(&own, &[], &KEYS), "nothing");
        assert_eq!(told(&own, &KEYS, &[]), "id secret token");
        assert_eq!(told(&super::super::tests::groq(None), &KEYS, &KEYS), "nothing");
    }

    #[test]
    fn what_is_stored_stands_above_the_environment() {
        let told = |own: &[(&str, &str)], around: &[(&str, &str)]| {
            let own = serde_json::json!({ "amazon-bedrock": {
                "type": "api_key",
                "env": own.iter().map(|(name, value)| ((*name).into(), (*value).into()))
                    .collect::<serde_json::Map<String, serde_json::Value>>(),
            }});
            let world = super::super::tests::World::new(around, &own.to_string());
            let key = world.key(&amazon(), None).map_err(|error| error.kind.name());
            (world.accounts.status(&amazon()).source, key)
        };
        let token = (BEARER, "ambient");
        let ok = |key: &str| Ok(key.to_owned());
        assert_eq!(told(&KEYS, &[token]), (Source::Stored, ok("AWS secret")));
        assert_eq!(told(&[(BEARER, "mine")], &KEYS).1, ok("Bearer mine"));
        assert_eq!(
            told(&[], &[KEYS[0], KEYS[1], token]),
            (Source::Environment(BEARER.into()), ok("Bearer ambient"))
        );
        assert_eq!(told(&[], &KEYS), (Source::Environment(ID.into()), ok("AWS secret")));
        assert_eq!(told(&[(PROFILE, "work")], &[token]), (Source::Missing, Err("signInUnsupported")));
        assert_eq!(told(&KEYS[..1], &[token]), (Source::Missing, Err("keyVariableUnset")));
        assert_eq!(told(&[(SKIP, "1")], &[token]), (Source::NotNeeded, ok("-")));
    }
}
