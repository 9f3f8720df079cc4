//! The pages in the browser, with the person in front of them.

use super::grants::{challenge_of, client_id};
use super::*;

/// Whose page, where it is, and what it is asked with beside the secrets of the login.
type Page = (Client, &'static str, &'static [(&'static str, &'static str)]);

const PAGES: &[Page] = &[
    (
        Client::Anthropic,
        "https://claude.ai/oauth/authorize",
        &[
            ("code", "true"),
            ("response_type", "code"),
            (
                "scope",
                "org:create_api_key user:profile user:inference user:sessions:claude_code user:mcp_servers \
                 user:file_upload",
            ),
        ],
    ),
    (
        Client::Codex,
        "https://auth.openai.com/oauth/authorize",
        &[
            ("response_type", "code"),
            ("scope", "openid profile email offline_access"),
            ("id_token_add_organizations", "true"),
            ("codex_cli_simplified_flow", "true"),
            ("originator", "aside"),
        ],
    ),
];

const REDIRECTS: &[(Client, &str)] = &[
    (Client::Anthropic, "http://localhost:53692/callback"),
    (Client::Codex, "http://localhost:1455/auth/callback"),
    (Client::Codex, "http://localhost:1457/auth/callback"),
];

impl Identity {
    /// The person opens `url` and allows it: the address that the browser is sent to.
    pub(crate) fn allow(&self, url: &str) -> String {
        let (client, fields) = visited(url);
        let mut state = self.state();
        let code = state.fresh("code-");
        let challenge = fields["code_challenge"].clone();
        let (redirect, own) = match client {
            Client::OpenRouter => (fields["callback_url"].clone(), String::new()),
            _ => (fields["redirect_uri"].clone(), fields["state"].clone()),
        };
        let mut back = Url::parse(&redirect).unwrap();
        back.query_pairs_mut().append_pair("code", &code);
        if client != Client::OpenRouter {
            back.query_pairs_mut().append_pair("state", &own);
        }
        state.codes.insert(code, Code { client, challenge, redirect, state: own, used: None });
        back.into()
    }

    /// The person opens `url`, and it ends with an error: the address that the browser is sent to.
    pub(crate) fn decline(url: &str, error: &str, description: &str) -> String {
        let (_, fields) = visited(url);
        let mut back = Url::parse(&fields["redirect_uri"]).unwrap();
        back.query_pairs_mut()
            .append_pair("error", error)
            .append_pair("error_description", description)
            .append_pair("state", &fields["state"]);
        back.into()
    }
}

/// Holds the address of a page to the protocol.
fn visited(url: &str) -> (Client, HashMap<String, String>) {
    let parsed = Url::parse(url).unwrap();
    let fields = query(&parsed).unwrap();
    let beginning = url.split('?').next().unwrap();
    let is_43 = |name: &str| {
        let value = &fields[name];
        value.len() == 43 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    assert_eq!(fields["code_challenge_method"], "S256");
    assert!(is_43("code_challenge") && !fields.contains_key("code_verifier"), "{url}");
    if beginning == "https://openrouter.ai/auth" {
        return (Client::OpenRouter, fields);
    }
    let page = PAGES.iter().find(|(_, page, _)| *page == beginning);
    let (client, _, expected) = page.unwrap_or_else(|| panic!("no page {beginning}"));
    let own = ["client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state"];
    assert_eq!(fields.len(), expected.len() + own.len(), "{url}");
    for (name, value) in *expected {
        assert_eq!(fields[*name], *value, "{name}");
    }
    assert_eq!(fields["client_id"], client_id(*client));
    assert!(REDIRECTS.contains(&(*client, &*fields["redirect_uri"])), "{url}");
    // The state is random in its own right: what a browser carries must not give the verifier away.
    assert!(is_43("state") && challenge_of(&fields["state"]) != fields["code_challenge"], "{url}");
    (*client, fields)
}
