//! Codes that are typed on another device.

use super::grants::client_id;
use super::*;

impl Identity {
    /// The person types a code and allows it.
    pub(crate) fn type_code(&self, user_code: &str) {
        self.decide(user_code, Decision::Granted);
    }

    /// The person types a code and says no.
    pub(crate) fn refuse_code(&self, user_code: &str) {
        self.decide(user_code, Decision::Declined);
    }

    fn decide(&self, user_code: &str, decision: Decision) {
        let mut state = self.state();
        let device = state.devices.iter_mut().find(|device| device.user_code == user_code);
        device.expect("the code was issued").decision = decision;
    }
}

impl State {
    fn issue(&mut self, client: Client) -> usize {
        let device_code = self.fresh("device-");
        let number = self.devices.len();
        let now = Instant::now();
        self.devices.push(Device {
            client,
            secret: device_code,
            user_code: format!("WDJB-{number:04}"),
            interval: self.rules.device_interval,
            ends: now + self.rules.device_life,
            last: now,
            decision: Decision::Open,
            taken: false,
        });
        number
    }

    /// A device authorization endpoint by the standard.
    pub(super) fn device(&mut self, client: Client, request: &Request, page: &str) -> Reply {
        let Some(fields) = fields(request) else { return self.violation(format!("{client:?}: no form")) };
        if fields.get("client_id").map(String::as_str) != Some(client_id(client)) {
            return self.violation(format!("{client:?}: wrong client_id"));
        }
        let scope = match client {
            Client::GitHub => Some("read:user"),
            Client::Xai => Some("openid profile email offline_access grok-cli:access api:access"),
            _ => None,
        };
        if scope.is_some() && fields.get("scope").map(String::as_str) != scope {
            return self.violation(format!("{client:?}: wrong scope"));
        }
        let device = self.issue(client);
        let Device { secret, user_code, interval, .. } = &self.devices[device];
        let mut answer = json!({
            "device_code": secret, "user_code": user_code, "verification_uri": page,
            "expires_in": self.rules.device_life.as_secs(), "interval": interval.as_secs(),
        });
        if client == Client::Xai {
            answer["verification_uri_complete"] = json!(format!("{page}?user_code={user_code}"));
        }
        Reply::json(200, &answer.to_string())
    }

    /// A token endpoint by the standard: codes that were typed, and refresh tokens.
    pub(super) fn standard_token(&mut self, client: Client, request: &Request) -> Reply {
        let Some(fields) = fields(request) else { return self.violation(format!("{client:?}: no form")) };
        if fields.get("client_id").map(String::as_str) != Some(client_id(client)) {
            return self.violation(format!("{client:?}: wrong client_id"));
        }
        if let Some((status, body)) = (!self.rules.failures.is_empty()).then(|| self.rules.failures.remove(0))
        {
            return Reply::json(status, &body);
        }
        match fields.get("grant_type").map(String::as_str) {
            Some("refresh_token") if matches!(client, Client::Xai | Client::Kimi) => {
                self.refresh(client, &fields["refresh_token"])
            }
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                let polled = self.poll(client, &fields["device_code"]);
                // GitHub says 200 to everything.
                let status = if client == Client::GitHub { 200 } else { 400 };
                match polled {
                    Ok(_) => {
                        let family = self.family(client);
                        self.tokens(family)
                    }
                    Err(body) => Reply::json(status, &body.to_string()),
                }
            }
            other => self.violation(format!("{client:?}: grant_type {other:?}")),
        }
    }

    /// One poll: the number of the device, or the error.
    fn poll(&mut self, client: Client, device_code: &str) -> Result<usize, Value> {
        let found = self.devices.iter().position(|it| it.client == client && it.secret == device_code);
        let Some(found) = found else { return Err(json!({ "error": "bad_verification_code" })) };
        let now = Instant::now();
        let slow = self.rules.slow_downs > 0;
        self.rules.slow_downs = self.rules.slow_downs.saturating_sub(1);
        let device = &mut self.devices[found];
        // A timer may be early by what a clock's tick is long.
        let early = now + Duration::from_millis(50) < device.last + device.interval;
        device.last = now;
        if early || slow {
            if early {
                let late = format!("{client:?}: polled too early");
                self.violations.push(late);
            }
            device.interval += Duration::from_secs(1);
            return Err(json!({ "error": "slow_down", "interval": device.interval.as_secs() }));
        }
        if now >= device.ends || device.taken {
            return Err(json!({ "error": "expired_token" }));
        }
        match device.decision {
            Decision::Open => Err(json!({ "error": "authorization_pending" })),
            Decision::Declined => Err(json!({ "error": "access_denied" })),
            Decision::Granted => {
                device.taken = true;
                Ok(found)
            }
        }
    }

    pub(super) fn codex_device(&mut self, request: &Request) -> Reply {
        let Some(fields) = members(request) else { return self.violation("codex: no JSON") };
        if fields.get("client_id").map(String::as_str) != Some(client_id(Client::Codex)) {
            return self.violation("codex: wrong client_id");
        }
        if !self.rules.codex_devices {
            return Reply::json(404, "{}");
        }
        let device = self.issue(Client::Codex);
        // The first poll may come at once.
        let interval = self.devices[device].interval;
        self.devices[device].last -= interval;
        let Device { secret, user_code, interval, .. } = &self.devices[device];
        let answer = json!({
            "device_auth_id": secret, "user_code": user_code, "interval": interval.as_secs().to_string(),
        });
        Reply::json(200, &answer.to_string())
    }

    pub(super) fn codex_typed(&mut self, request: &Request) -> Reply {
        let Some(fields) = members(request) else { return self.violation("codex: no JSON") };
        let id = fields.get("device_auth_id").cloned().unwrap_or_default();
        match self.poll(Client::Codex, &id) {
            Err(body) if body["error"] == "authorization_pending" => {
                let body = json!({ "error": { "code": "deviceauth_authorization_pending" } });
                Reply::json(403, &body.to_string())
            }
            Err(body) => Reply::json(400, &body.to_string()),
            Ok(device) if fields.get("user_code") != Some(&self.devices[device].user_code) => {
                self.violation("codex: another user_code")
            }
            Ok(_) => {
                let (code, verifier) = (self.fresh("code-"), self.fresh("verifier-of-the-server-"));
                let redirect = "https://auth.openai.com/deviceauth/callback".to_owned();
                let challenge = super::grants::challenge_of(&verifier);
                let issued =
                    Code { client: Client::Codex, challenge, redirect, state: String::new(), used: None };
                self.codes.insert(code.clone(), issued);
                let answer = json!({ "authorization_code": code, "code_verifier": verifier });
                Reply::json(200, &answer.to_string())
            }
        }
    }
}
