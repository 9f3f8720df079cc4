//! What a provider needs to be signed in to: its key, and for some an account id or an address besides.

use super::Accounts;
use crate::catalog::Provider;

/// Azure has an address for each customer: named whole, or by the name of the resource.
const AZURE: &str = "azure-openai-responses";
const AZURE_URL: &str = "AZURE_OPENAI_BASE_URL";
const AZURE_RESOURCE: &str = "AZURE_OPENAI_RESOURCE_NAME";

/// Providers that take no key: a sign-in of their own is the only way, or nothing is signed in to.
const NO_KEY: [&str; 3] = ["openai-codex", "github-copilot", "demo"];

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Not to be shown while it is typed.
    Secret,
    /// A line.
    Text,
}

/// One thing that a provider needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `key`, or the variable that it is kept as.
    pub name: String,
    /// For people.
    pub label: String,
    pub asked: Asked,
}

impl Field {
    /// The key itself.
    pub const KEY: &'static str = "key";
}

impl Accounts {
    /// Whether a key can be stored for `provider`.
    pub fn takes_key(provider: &Provider) -> bool {
        !NO_KEY.contains(&&*provider.id)
    }

    /// What is still needed to sign in to `provider` by key, the key first.
    pub fn fields(&self, provider: &Provider) -> Vec<Field> {
        let key = Field {
            name: Field::KEY.to_owned(),
            label: format!("API key of {}", provider.name),
            asked: Asked::Secret,
        };
        let missing = |name: &str| self.variable(provider, name).is_none();
        let variables = provider.url_variables.iter().filter(|name| missing(name));
        let mut fields: Vec<Field> = std::iter::once(key)
            .chain(variables.map(|name| Field {
                name: name.to_string(),
                label: words(name),
                asked: Asked::Text,
            }))
            .collect();
        if &*provider.id == AZURE && missing(AZURE_URL) && missing(AZURE_RESOURCE) {
            fields.push(Field {
                name: AZURE_URL.to_owned(),
                label: "Address of the resource (https://...), or its name".to_owned(),
                asked: Asked::Text,
            });
        }
        fields
    }

    /// The variable that `value`, given for the field `name`, is kept as.
    pub fn variable_of(provider: &Provider, name: &str, value: &str) -> String {
        let is_address = value.contains("://");
        if &*provider.id == AZURE && name == AZURE_URL && !is_address { AZURE_RESOURCE } else { name }
            .to_owned()
    }
}

/// `CLOUDFLARE_ACCOUNT_ID` as `Cloudflare account id (CLOUDFLARE_ACCOUNT_ID)`.
fn words(name: &str) -> String {
    let mut words = name.to_lowercase().replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{words} ({name})")
}
