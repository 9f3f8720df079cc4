//! Text that must not be shown, such as a key.

/// A text on the wire like any other, which no `Debug` shows.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use crate::{LoginParams, PromptParams};

    #[test]
    fn a_key_is_not_shown() {
        let login: LoginParams = serde_json::from_str(r#"{"provider":"p","apiKey":"sk-1"}"#).unwrap();
        let prompt: PromptParams = serde_json::from_str(r#"{"text":"t","apiKey":"sk-1"}"#).unwrap();
        assert!(!format!("{login:?}{prompt:?}").contains("sk-1"));
        assert!(serde_json::to_string(&login).unwrap().contains(r#""apiKey":"sk-1""#));
    }
}
