//! Providers, and signing in to them.

use std::collections::BTreeMap;

use crate::{Diagnostic, Secret};

objects! {
    /// Which providers to list.
    #[derive(Default)]
    pub struct ListProvidersParams {}

    /// Every provider that is known.
    pub struct ListProvidersResult {
        /// In the order in which a default is looked for.
        pub providers: Vec<ProviderInfo>,
        /// Problems found in the user's files.
        pub diagnostics: Vec<Diagnostic>,
    }

    /// A provider.
    pub struct ProviderInfo {
        /// As in `auth.json` and `provider/model`.
        pub id: String,
        /// For people.
        pub name: String,
        /// Whether a prompt could be sent now.
        pub available: bool,
        /// Why not.
        pub reason: Option<String>,
        /// Where its credential comes from.
        pub source: Option<CredentialSource>,
        /// Environment variables that may hold its key.
        pub key_variables: Vec<String>,
        /// Its default model.
        pub default_model: Option<String>,
        /// Ways to sign in.
        pub login_methods: Vec<LoginMethod>,
    }

    /// Signs in. Stays open while the flow runs; the server asks back with `openUrl`, `showDeviceCode` and
    /// `promptUser`. Cancelling the request ends the flow.
    pub struct LoginParams {
        /// A provider's id.
        pub provider: String,
        /// Which way, where there are several.
        #[serde(default)]
        pub method: Option<LoginMethod>,
        /// A label that tells several accounts of one provider apart.
        #[serde(default)]
        pub account: Option<String>,
        /// The key itself, for `apiKey`; asked for where it is missing.
        #[serde(default)]
        pub api_key: Option<Secret>,
        /// The company's own host, such as GitHub Enterprise's; empty for the provider's usual one. Asked for where
        /// it is missing and the client answers `promptUser`.
        #[serde(default)]
        pub domain: Option<String>,
        /// Variables that are stored with the key and hold for this provider alone, such as an account id.
        /// What the provider needs besides its key is asked for where it is missing.
        #[serde(default)]
        pub env: Option<BTreeMap<String, String>>,
    }

    /// Signed in.
    pub struct LoginResult {
        /// The account as it now stands.
        pub account: AccountStatus,
    }

    /// Removes what is stored for a provider. Nothing is revoked at the provider.
    pub struct LogoutParams {
        /// A provider's id.
        pub provider: String,
        /// Which account, where there are several.
        #[serde(default)]
        pub account: Option<String>,
    }

    /// What was removed.
    pub struct LogoutResult {
        /// Whether there was anything.
        pub removed: bool,
        /// The account as it now stands: another source may still make the provider available.
        pub account: AccountStatus,
    }

    /// Whose state to tell.
    #[derive(Default)]
    pub struct AuthStatusParams {
        /// A provider's id; all where it is missing.
        #[serde(default)]
        pub provider: Option<String>,
    }

    /// The state of every account asked for.
    pub struct AuthStatusResult {
        /// One entry an account.
        pub accounts: Vec<AccountStatus>,
        /// Problems found in the user's files.
        pub diagnostics: Vec<Diagnostic>,
    }

    /// The state of one account; never its secret.
    pub struct AccountStatus {
        /// The provider's id.
        pub provider: String,
        /// The label that tells several accounts apart.
        pub account: Option<String>,
        /// Where the credential comes from; null where there is none.
        pub source: Option<CredentialSource>,
        /// The variable that holds it, for `environment`.
        pub variable: Option<String>,
        /// Who is signed in, where the provider says so.
        pub identity: Option<String>,
        /// When it ends, in milliseconds since the Unix epoch.
        pub expires_at_ms: Option<u64>,
        /// What the person should know or do.
        pub hint: Option<String>,
    }

    /// How a login goes on, tied to its request.
    pub struct LoginProgress {
        /// The id of the `login` request, as JSON text.
        pub request_id: String,
        /// The provider's id.
        pub provider: String,
        /// What happens now.
        pub message: String,
    }

    /// Accounts have changed; ask `authStatus`.
    pub struct AccountsChanged {
        /// Ids of the providers concerned.
        pub providers: Vec<String>,
    }
}

open_enum! {
    /// Where a credential comes from.
    CredentialSource {
        /// Given with the request or on the command line.
        Request = "request",
        /// `auth.json`.
        AuthFile = "authFile",
        /// A variable of the environment.
        Environment = "environment",
        /// `models.json`.
        ModelsFile = "modelsFile",
        /// None is needed.
        NotNeeded = "notNeeded",
    }
}

open_enum! {
    /// A way to sign in.
    LoginMethod {
        /// A key, pasted.
        ApiKey = "apiKey",
        /// A page in the browser.
        Browser = "browser",
        /// A code typed on another device.
        DeviceCode = "deviceCode",
    }
}
