//! The account methods: what they are asked with, checked, and how accounts stand. `login.rs` does the work.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jsonrpsee::types::ErrorObjectOwned;

use super::convert;
use super::handlers::{Call, Context, answer, diagnostics, object, parse};
use super::login::{How, Job, Login, place};
use crate::accounts::oauth;
use crate::accounts::{Accounts, Field, Source, Standing};
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
            let mut job = job(context, call);
            if let Some(label) = &login.account {
                job.accounts = Arc::new(job.accounts.choosing(&login.provider.id, label));
            }
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
        client: context.world.client,
    }
}

/// The login that is asked for, if it makes sense.
fn checked(context: &Context, call: &Call) -> Result<Login, ErrorObjectOwned> {
    if call.in_batch {
        return Err(super::handlers::in_batch("a login is not started from a batch"));
    }
    let params: wire::LoginParams = parse(call)?;
    let login = prepared(&context.world, params).map_err(|failure| object(&failure))?;
    if login.how == How::Key && !login.fields.is_empty() && !context.world.client.prompt_user {
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
    let accounts = chosen(world, &provider, params.account.as_deref())?;
    let how = how(world, &provider, &params)?;
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
    Ok(Login { provider, account: params.account, key, env, fields, how, domain: params.domain })
}

/// By what somebody is to sign in.
fn how(world: &World, provider: &Provider, params: &wire::LoginParams) -> Result<How, Failure> {
    let flow = oauth::flow(&provider.id);
    let methods = convert::login_methods(provider);
    let known = methods.iter().map(wire::LoginMethod::as_str).collect::<Vec<_>>().join(" or ");
    let how = match (&params.method, methods.as_slice()) {
        (_, []) => {
            let message = format!("{} needs no key", provider.id);
            return Err(Failure::invalid("/provider", message));
        }
        (Some(method), methods) => {
            let Some(how) = How::of(method).filter(|_| methods.contains(method)) else {
                let message =
                    format!("{} is signed in to by {known}, not by {}", provider.id, cut(method.as_str()));
                return Err(Failure::invalid("/method", message));
            };
            how
        }
        (None, [only]) => How::of(only).unwrap_or(How::Key),
        (None, _) if params.api_key.is_some() => How::Key,
        (None, _) if world.client.prompt_user => How::Ask(methods.clone()),
        (None, _) if Accounts::takes_key(provider) => {
            let message = format!("there are several ways to sign in to {}: {known}", provider.id);
            let hint = "say which as method, or announce the capability promptUser in initialize";
            return Err(Failure { hint: Some(hint.to_owned()), ..Failure::invalid("/method", message) });
        }
        (None, _) => flow.and_then(|flow| How::usual(flow, place(&world.accounts))).unwrap_or(How::Key),
    };
    if params.api_key.is_some() && how != How::Key {
        let message = format!("a key of {} goes with the method apiKey", provider.id);
        return Err(Failure::invalid("/apiKey", message));
    }
    if params.domain.as_deref().is_some_and(|domain| !domain.is_empty())
        && !flow.is_some_and(oauth::Flow::has_domains)
    {
        return Err(Failure::invalid("/domain", format!("{} has no domains", provider.id)));
    }
    Ok(how)
}

/// `logout`.
pub(super) fn logout(context: &mut Context, call: Call) -> Handled {
    let params: wire::LogoutParams = match parse(&call) {
        Ok(params) => params,
        Err(error) => return Err((call.ticket, error)),
    };
    let world = Arc::clone(&context.world);
    let provider = world.catalog.provider(&params.provider);
    let checked = match &provider {
        // An entry whose provider is gone can still be removed.
        None if !world.accounts.stored_ids().contains(&params.provider) => {
            known(&world, &params.provider).map(|_| ())
        }
        _ => Ok(()),
    };
    if let Err(failure) = checked {
        return Err((call.ticket, object(&failure)));
    }
    let mut job = job(context, call);
    if let Some(label) = &params.account {
        // Any label, also one that nothing could be stored under.
        job.accounts = Arc::new(job.accounts.choosing(&params.provider, label));
    }
    context.logins.logout(job, params.provider, provider);
    Ok(())
}

/// The accounts, of which the one of this label is meant.
fn chosen<'w>(
    world: &'w World,
    provider: &Provider,
    label: Option<&str>,
) -> Result<Cow<'w, Accounts>, Failure> {
    match label {
        None => Ok(Cow::Borrowed(&*world.accounts)),
        Some(label) => {
            if !label.is_empty() {
                Accounts::fit_label(&provider.id, label).map_err(Failure::of_choice)?;
            }
            Ok(Cow::Owned(world.accounts.choosing(&provider.id, label)))
        }
    }
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
        .flat_map(|provider| of_provider(world, provider))
        .collect();
    let strange = world.accounts.stored_ids().into_iter().filter(|id| wanted(id));
    let is_of = |id: &str, provider: &Provider| {
        id.strip_prefix(&*provider.id).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    let strange = strange.filter(|id| !providers.iter().any(|provider| is_of(id, provider)));
    accounts.extend(strange.map(|id| convert::unknown_account(&id, Some(wire::CredentialSource::AuthFile))));
    match only {
        Some(id) if accounts.is_empty() => known(world, id).map(|_| ())?,
        _ => {}
    }
    Ok(wire::AuthStatusResult { accounts, diagnostics: diagnostics(world) })
}

/// The accounts of one provider; the one that it is called with stands first.
fn of_provider(world: &World, provider: &Provider) -> Vec<wire::AccountStatus> {
    let stored = world.accounts.stored_accounts(provider);
    let in_use = world.accounts.standing(provider);
    let others = stored.into_iter().filter(|label| stored_elsewhere(&in_use, label.as_ref()));
    let others: Vec<_> = others
        .map(|label| world.accounts.choosing(&provider.id, label.as_deref().unwrap_or_default()))
        .map(|accounts| convert::account(provider, &accounts.standing(provider)))
        .collect();
    std::iter::once(convert::account(provider, &in_use)).chain(others).collect()
}

/// Whether the account of this label is another one than `in_use`.
fn stored_elsewhere(in_use: &Standing, label: Option<&String>) -> bool {
    in_use.account.as_ref() != label || (label.is_none() && in_use.status.source != Source::Stored)
}

/// The provider of this id.
fn known(world: &World, id: &str) -> Result<Arc<Provider>, Failure> {
    world.catalog.provider(id).ok_or_else(|| Failure {
        path: Some("/provider".to_owned()),
        ..Failure::not_found(format!("no provider {}", cut(id)), Some("listProviders names them"))
    })
}
