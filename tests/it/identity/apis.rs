//! What tokens are for: Copilot's and Meta's further ones, OpenRouter's key, and the models.

use super::*;

impl State {
    pub(super) fn copilot_token(&mut self, request: &Request) -> Reply {
        for (name, value) in [
            ("user-agent", "GitHubCopilotChat/0.35.0"),
            ("editor-version", "vscode/1.107.0"),
            ("editor-plugin-version", "copilot-chat/0.35.0"),
            ("copilot-integration-id", "vscode-chat"),
        ] {
            if request.header(name) != Some(value) {
                return self.violation(format!("copilot: {name} is missing"));
            }
        }
        let github = bearer(request).unwrap_or_default().to_owned();
        if !self.is_live(Client::GitHub, &github) {
            return Reply::json(401, r#"{"message":"Bad credentials"}"#);
        }
        if let Some((status, body)) = &self.rules.copilot_refusal {
            return Reply::json(*status, &body.to_string());
        }
        // Each is good until its end, however many there are.
        let known = self
            .families
            .iter()
            .position(|family| family.client == Client::Copilot && family.refresh == github);
        let family = known.unwrap_or_else(|| {
            let family = self.family(Client::Copilot);
            self.families[family].refresh = github;
            family
        });
        self.refreshes += usize::from(known.is_some());
        let token = self.access(family);
        let ends = now_s() + self.rules.clock_s + i64::try_from(self.rules.life.as_secs()).unwrap();
        Reply::json(200, &json!({ "token": token, "expires_at": ends, "refresh_in": 1500 }).to_string())
    }

    pub(super) fn meta_key(&mut self, request: &Request) -> Reply {
        if request.header("x-api-version") != Some("1.0.0") || request.body != b"{}" {
            return self.violation("meta: wrong request for a key");
        }
        let identity = bearer(request).unwrap_or_default().to_owned();
        if !self.is_live(Client::MetaIdentity, &identity) {
            return Reply::json(401, "{}");
        }
        if let Some((status, body)) = (!self.rules.failures.is_empty()).then(|| self.rules.failures.remove(0))
        {
            return Reply::json(status, &body);
        }
        let known = self.families.iter().position(|family| family.client == Client::Meta);
        self.refreshes += usize::from(known.is_some());
        let family = known.unwrap_or_else(|| self.family(Client::Meta));
        let key = self.access(family);
        Reply::json(200, &json!({ "api_key": key }).to_string())
    }

    pub(super) fn openrouter_key(&mut self, request: &Request) -> Reply {
        let Some(fields) = members(request) else { return self.violation("openrouter: no JSON") };
        for name in ["code", "code_verifier"] {
            self.note_secret(&fields.get(name).cloned().unwrap_or_default());
        }
        if fields.get("code_challenge_method").map(String::as_str) != Some("S256") {
            return self.violation("openrouter: no method");
        }
        let code = self.codes.get(&fields["code"]);
        let Some(code) = code.filter(|code| code.client == Client::OpenRouter && code.used.is_none()) else {
            return error(400, "invalid_grant", "no such code");
        };
        if super::grants::challenge_of(&fields["code_verifier"]) != code.challenge {
            return self.violation("openrouter: the verifier is not that of the challenge");
        }
        let family = self.family(Client::OpenRouter);
        if let Some(code) = self.codes.get_mut(&fields["code"]) {
            code.used = Some(family);
        }
        let key = self.access(family);
        Reply::json(200, &json!({ "key": key, "user_id": "user-1" }).to_string())
    }

    /// Calls of models: `None`, and so whatever is scripted, where the token is live.
    pub(super) fn api(&mut self, request: &Request, host: &str, path: &str) -> Option<Reply> {
        let client = match host {
            "api.anthropic.com" => Client::Anthropic,
            "chatgpt.com" => Client::Codex,
            "api.x.ai" => Client::Xai,
            "api.kimi.com" => Client::Kimi,
            "api.meta.ai" => Client::Meta,
            "openrouter.ai" => Client::OpenRouter,
            host if host.ends_with(".githubcopilot.com") || host.ends_with(self.rules.enterprise) => {
                Client::Copilot
            }
            _ => return None,
        };
        let token = bearer(request).unwrap_or_default().to_owned();
        if !self.is_live(client, &token) {
            let body = match client {
                Client::Anthropic => json!({
                    "type": "error",
                    "error": { "type": "authentication_error", "message": "OAuth token has expired" },
                }),
                _ => json!({ "error": { "code": "token_expired", "message": "the token has expired" } }),
            };
            return Some(Reply::json(401, &body.to_string()));
        }
        if client == Client::Codex && request.header("chatgpt-account-id") != Some("account-1") {
            return Some(self.violation("codex: no account"));
        }
        if client != Client::Copilot {
            return None;
        }
        if request.method == "GET" && path == "/models" {
            if request.header("x-github-api-version") != Some("2026-06-01") {
                return Some(self.violation("copilot: no version of the list"));
            }
            return Some(Reply::json(200, &json!({ "data": self.rules.models }).to_string()));
        }
        let model = path.strip_prefix("/models/")?.strip_suffix("/policy")?.to_owned();
        if self.rules.policy_too_many > 0 {
            self.rules.policy_too_many -= 1;
            return Some(Reply::json(429, "{}").header("retry-after", "1"));
        }
        if request.json() != json!({ "state": "enabled" })
            || request.header("openai-intent") != Some("chat-policy")
        {
            return Some(self.violation("copilot: a wrong consent"));
        }
        self.consents.push(model);
        Some(Reply::json(200, "{}"))
    }
}
