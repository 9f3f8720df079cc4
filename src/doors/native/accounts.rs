//! The account methods: what they are asked with, checked, and how accounts stand. `login.rs` does the work.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonrpsee::types::ErrorObjectOwned;

use super::convert;
use super::handlers::{Call, Context, answer, diagnostics, object, parse};
use super::login::{Job, Login};
use crate::accounts::{Accounts, Field};
use crate::catalog::Provider;
use crate::engine::item::cut;
use crate::engine::{Failure, Ticket, World};
use aside_protocol as wire;

type Handled = Result<(), (Ticket, ErrorObjectOwned)>;

/// Variables that one login may store.
const MAX_VARIABLES: usize = 50;

/// `login`.
pub(super) fn login(context: &mut Context, call: Call) -> Handled {
    match checked(context, &call) {
        Err(error) => Err((call.ticket, error)),
        Ok(login) => {
            let job = job(context, call);
            context.logins.login(job, login).map_err(|(ticket, failure)| (ticket, object(&failure)))
        }
    }
}

fn job(context: &Context, call: Call) -> Job {
    Job {
        ticket: call.ticket,
        cancel: call.cancel,
        accounts: Arc::clone(&context.world.accounts),
        sink: context.sink.clone(),
    }
}

/// The login that is asked for, if it makes sense.
fn checked(context: &Context, call: &Call) -> Result<Login, ErrorObjectOwned> {
    if call.in_batch {
        return Err(super::handlers::in_batch("a login is not started from a batch"));
    }
    let params: wire::LoginParams = parse(call)?;
    let login = prepared(&context.world, params).map_err(|failure| object(&failure))?;
    if !login.fields.is_empty() && !context.world.client.prompt_user {
        if login.key.is_none() {
            let message = format!(
                "the key of {} is missing, and this client cannot be asked for it",
                login.provider.id
            );
            let hint = "send it as apiKey, or announce the capability promptUser in initialize";
            let failure = Failure { hint: Some(hint.to_owned()), ..Failure::invalid("/apiKey", message) };
            return Err(object(&failure));
        }
        // What else the provider needs may come from the environment later; the answer says what is missing.
        return Ok(Login { fields: Vec::new(), ..login });
    }
    Ok(login)
}

fn prepared(world: &World, params: wire::LoginParams) -> Result<Login, Failure> {
    let provider = known(world, &params.provider)?;
    one_account(params.account.as_deref())?;
    let accounts = &world.accounts;
    if !Accounts::takes_key(&provider) {
        let message = if provider.needs_key {
            let with = provider.sign_in.unwrap_or("an account of its own");
            format!("{} takes no key, and signing in with {with} is not part of this version", provider.id)
        } else {
            format!("{} needs no key", provider.id)
        };
        return Err(Failure::invalid("/provider", message));
    }
    if let Some(other) = params.method.filter(|method| *method != wire::LoginMethod::ApiKey) {
        let message = format!("{} is signed in to by apiKey, not by {}", provider.id, cut(other.as_str()));
        return Err(Failure::invalid("/method", message));
    }
    let key: Option<secrecy::SecretString> = params.api_key.map(|key| key.0.into());
    if let Some(key) = &key {
        accounts.fit_key(&provider, key).map_err(Failure::of_account)?;
    }
    let mut env = BTreeMap::new();
    for (name, value) in params.env.unwrap_or_default().into_iter().take(MAX_VARIABLES) {
        let value = value.trim().to_owned();
        env.insert(Accounts::variable_of(&provider, &name, &value), value);
    }
    Accounts::fit_variables(&provider, &env).map_err(|error| {
        let hint = error.hint;
        Failure { hint: Some(hint), ..Failure::invalid("/env", error.message) }
    })?;
    let mut fields = accounts.fields(&provider);
    fields.retain(|field| match field.name.as_str() {
        Field::KEY => key.is_none(),
        name => !env.contains_key(name),
    });
    Ok(Login { provider, key, env, fields })
}

/// `logout`.
pub(super) fn logout(context: &mut Context, call: Call) -> Handled {
    let params: wire::LogoutParams = match parse(&call) {
        Ok(params) => params,
        Err(error) => return Err((call.ticket, error)),
    };
    let world = Arc::clone(&context.world);
    let provider = world.catalog.provider(&params.provider);
    let checked = one_account(params.account.as_deref()).and_then(|()| match &provider {
        // An entry whose provider is gone can still be removed.
        None if !world.accounts.stored_ids().contains(&params.provider) => {
            known(&world, &params.provider).map(|_| ())
        }
        _ => Ok(()),
    });
    if let Err(failure) = checked {
        return Err((call.ticket, object(&failure)));
    }
    let job = job(context, call);
    context.logins.logout(job, params.provider, provider);
    Ok(())
}

/// `authStatus`: never runs a command and never waits for the network.
pub(super) fn auth_status_handler(context: &mut Context, call: Call) -> Handled {
    let params: wire::AuthStatusParams = match parse(&call) {
        Ok(params) => params,
        Err(error) => return Err((call.ticket, error)),
    };
    match auth_status(&context.world, params.provider.as_deref()) {
        Ok(result) => {
            answer(context, call.ticket, &result);
            Ok(())
        }
        Err(failure) => Err((call.ticket, object(&failure))),
    }
}

/// How every account stands, or one.
pub fn auth_status(world: &World, only: Option<&str>) -> Result<wire::AuthStatusResult, Failure> {
    let providers = world.catalog.providers();
    let wanted = |id: &str| only.is_none_or(|only| only == id);
    let mut accounts: Vec<wire::AccountStatus> = providers
        .iter()
        .filter(|provider| wanted(&provider.id))
        .map(|provider| convert::account(provider, &world.accounts.standing(provider)))
        .collect();
    let strange = world.accounts.stored_ids().into_iter().filter(|id| wanted(id));
    let strange = strange.filter(|id| !providers.iter().any(|provider| &*provider.id == id));
    accounts.extend(strange.map(|id| convert::unknown_account(&id, Some(wire::CredentialSource::AuthFile))));
    match only {
        Some(id) if accounts.is_empty() => known(world, id).map(|_| ())?,
        _ => {}
    }
    Ok(wire::AuthStatusResult { accounts, diagnostics: diagnostics(world) })
}

/// The provider of this id.
fn known(world: &World, id: &str) -> Result<Arc<Provider>, Failure> {
    world.catalog.provider(id).ok_or_else(|| Failure {
        path: Some("/provider".to_owned()),
        ..Failure::not_found(format!("no provider {}", cut(id)), Some("listProviders names them"))
    })
}

fn one_account(account: Option<&str>) -> Result<(), Failure> {
    if account.is_none() {
        return Ok(());
    }
    let message = "several accounts of one provider are not part of this version: leave account out";
    Err(Failure::invalid("/account", message))
}
