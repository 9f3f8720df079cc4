//! Tokens: for a code, for a refresh token, and whether they are live.

use super::*;

/// What token endpoints want to be sent.
struct Shape {
    client_id: &'static str,
    /// Fields of a code's redemption beside the grant's type, the client and the code.
    code: &'static [&'static str],
}

const ANTHROPIC: Shape = Shape {
    client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
    code: &["state", "redirect_uri", "code_verifier"],
};
const CODEX: Shape =
    Shape { client_id: "app_EMoamEEZ73f0CkXaXp7hrann", code: &["redirect_uri", "code_verifier"] };

pub(super) fn client_id(client: Client) -> &'static str {
    match client {
        Client::Anthropic => ANTHROPIC.client_id,
        Client::Codex => CODEX.client_id,
        Client::GitHub | Client::Copilot => "Iv1.b507a08c87ecfe98",
        Client::Xai => "b1a00492-073a-47ea-816f-4c329264a828",
        Client::Kimi => "17e5f671-d194-4dfb-9706-5516cb48c098",
        Client::MetaIdentity | Client::Meta => "1031625952748946",
        Client::OpenRouter => "",
    }
}

impl State {
    pub(super) fn anthropic_token(&mut self, request: &Request) -> Reply {
        let Some(fields) = members(request) else { return self.violation("anthropic: no JSON of strings") };
        self.token(Client::Anthropic, &ANTHROPIC, &fields)
    }

    pub(super) fn codex_token(&mut self, request: &Request) -> Reply {
        let Some(fields) = fields(request) else { return self.violation("codex: no form") };
        self.token(Client::Codex, &CODEX, &fields)
    }

    fn token(&mut self, client: Client, shape: &Shape, fields: &HashMap<String, String>) -> Reply {
        for name in ["code", "code_verifier", "refresh_token"] {
            if let Some(secret) = fields.get(name) {
                self.note_secret(&secret.clone());
            }
        }
        if let Some((status, body)) = (!self.rules.failures.is_empty()).then(|| self.rules.failures.remove(0))
        {
            return Reply::json(status, &body);
        }
        if fields.get("client_id").map(String::as_str) != Some(shape.client_id) {
            return self.violation(format!("{client:?}: wrong client_id"));
        }
        let (expected, refreshes): (&[&str], bool) = match fields.get("grant_type").map(String::as_str) {
            Some("authorization_code") => (shape.code, false),
            Some("refresh_token") => (&[], true),
            other => return self.violation(format!("{client:?}: grant_type {other:?}")),
        };
        let own = if refreshes { "refresh_token" } else { "code" };
        let mut known: Vec<&str> =
            ["grant_type", "client_id", own].into_iter().chain(expected.iter().copied()).collect();
        known.sort_unstable();
        let mut sent: Vec<&str> = fields.keys().map(String::as_str).collect();
        sent.sort_unstable();
        if sent != known {
            return self.violation(format!("{client:?}: sent {sent:?} in place of {known:?}"));
        }
        if refreshes { self.refresh(client, &fields["refresh_token"]) } else { self.redeem(client, fields) }
    }

    fn redeem(&mut self, client: Client, fields: &HashMap<String, String>) -> Reply {
        let verifier = &fields["code_verifier"];
        let Some(code) = self.codes.get(&fields["code"]).filter(|code| code.client == client) else {
            return error(400, "invalid_grant", "no such code");
        };
        if let Some(family) = code.used {
            self.families[family].revoke();
            return self.violation(format!("{client:?}: a code was used twice"));
        }
        let challenge = challenge_of(verifier);
        if challenge != code.challenge {
            return self.violation(format!("{client:?}: the verifier is not that of the challenge"));
        }
        if fields["redirect_uri"] != code.redirect {
            return self.violation(format!("{client:?}: another redirect_uri"));
        }
        if fields.get("state").is_some_and(|state| *state != code.state) {
            return self.violation(format!("{client:?}: another state"));
        }
        let family = self.family(client);
        if let Some(code) = self.codes.get_mut(&fields["code"]) {
            code.used = Some(family);
        }
        self.tokens(family)
    }

    pub(super) fn refresh(&mut self, client: Client, refresh: &str) -> Reply {
        let found = self.families.iter().position(|family| {
            family.client == client
                && (family.refresh == refresh || family.spent.iter().any(|spent| spent == refresh))
        });
        let Some(found) = found else { return error(400, "invalid_grant", "no such refresh token") };
        let family = &mut self.families[found];
        if family.refresh != refresh {
            family.revoke();
            self.replays += 1;
            return match client {
                Client::Codex => Reply::json(
                    401,
                    &json!({ "error": { "code": "refresh_token_reused", "message": "it was used before" } })
                        .to_string(),
                ),
                _ => error(400, "invalid_grant", "the refresh token was used before"),
            };
        }
        if family.revoked {
            return error(400, "invalid_grant", "the sign-in was revoked");
        }
        self.refreshes += 1;
        let next = self.fresh(prefix(client).1);
        let family = &mut self.families[found];
        let spent = std::mem::replace(&mut family.refresh, next);
        family.spent.push(spent);
        family.access.clear();
        self.tokens(found)
    }

    pub(super) fn family(&mut self, client: Client) -> usize {
        let refresh = self.fresh(prefix(client).1);
        self.families.push(Family {
            client,
            revoked: false,
            refresh,
            spent: Vec::new(),
            access: BTreeMap::new(),
        });
        self.families.len() - 1
    }

    pub(super) fn access(&mut self, family: usize) -> String {
        let client = self.families[family].client;
        let mut access = self.fresh(prefix(client).0);
        match client {
            Client::Codex => {
                access = self.codex_jwt(&access);
                self.secrets.push(access.clone());
            }
            Client::Copilot => {
                let ends = now_s() + self.rules.clock_s + i64::try_from(self.rules.life.as_secs()).unwrap();
                access = format!("tid={access};exp={ends};proxy-ep={};sku=x", self.rules.copilot_host);
                self.secrets.push(access.clone());
            }
            _ => {}
        }
        let ends = Instant::now() + self.rules.life;
        self.families[family].access.insert(access.clone(), ends);
        access
    }

    fn codex_jwt(&self, unique: &str) -> String {
        let mut claims = json!({
            "jti": unique, "https://api.openai.com/profile": { "email": "person@example.com" },
            "https://api.openai.com/auth": { "chatgpt_plan_type": self.rules.plan },
        });
        if self.rules.has_account {
            claims["https://api.openai.com/auth"]["chatgpt_account_id"] = json!("account-1");
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({ "alg": "none" })), part(&claims))
    }

    /// The answer of a token endpoint.
    pub(super) fn tokens(&mut self, family: usize) -> Reply {
        let access = self.access(family);
        let Family { client, refresh, .. } = &self.families[family];
        let mut tokens = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.rules.life.as_secs(),
        });
        if *client == Client::GitHub {
            tokens["scope"] = json!("read:user");
        } else {
            tokens["refresh_token"] = json!(refresh);
        }
        if *client == Client::Anthropic {
            tokens["account"] = json!({ "email_address": "person@example.com" });
        }
        Reply::json(200, &tokens.to_string())
    }

    pub(super) fn is_live(&self, client: Client, access: &str) -> bool {
        self.families.iter().any(|family| {
            family.client == client
                && !family.revoked
                && family.access.get(access).is_some_and(|ends| *ends > Instant::now())
        })
    }
}

/// How access and refresh tokens begin.
fn prefix(client: Client) -> (&'static str, &'static str) {
    match client {
        Client::Anthropic => ("sk-ant-oat01-", "sk-ant-ort01-"),
        Client::Codex => ("jti-", "rt_"),
        Client::GitHub => ("ghu_", "unused-"),
        Client::Copilot => ("", "unused-"),
        Client::Xai => ("xat_", "xrt_"),
        Client::Kimi => ("kat_", "krt_"),
        Client::MetaIdentity => ("midt_", "unused-"),
        Client::Meta => ("mkey_", "unused-"),
        Client::OpenRouter => ("sk-or-v1-", "unused-"),
    }
}

pub(super) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}
