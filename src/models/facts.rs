//! Asks models.dev for its facts: one bounded request without any credential, over the same proxies and certificates
//! as a call. It must never run at start, and knows nothing of what the answer means.

use std::time::Duration;

use super::{Category, Fault, fault};
use crate::catalog::{FACTS_URL, FactsOrigin};
use crate::net::retry_after::http_date_ms;
use crate::net::{Ask, Net};
use crate::settings::Settings;
use crate::system::System;

/// Bytes of an answer, decompressed. Today it has some three million.
const MAX_BODY: usize = 32 << 20;
/// How long the whole may take, unless the settings are more impatient with providers.
const LIMIT: Duration = Duration::from_mins(2);
/// What the source is called in messages.
const SOURCE: &str = "models.dev";
/// What can be done about an answer that makes no sense.
const ODD: &str =
    "try again later; a proxy, or a page that wants a sign-in to the network, may answer in its place";

/// What came of asking.
#[derive(Debug)]
pub enum Answer {
    /// Nothing has changed since.
    Unchanged,
    /// The facts, unread, and what is known of their age.
    Facts { body: Vec<u8>, origin: FactsOrigin },
}

/// Asks once. `known` is what was answered before.
pub(super) async fn fetch(
    net: &Net,
    known: Option<&FactsOrigin>,
    settings: &Settings,
    system: &System,
) -> Result<Answer, Fault> {
    let limit = LIMIT.min(Duration::from_millis(settings.timeouts.first_event_ms));
    let mut ask = Ask::get(FACTS_URL).header("accept", "application/json").within(limit).at_most(MAX_BODY);
    let validators = [
        ("if-none-match", known.and_then(|known| known.etag.as_deref())),
        ("if-modified-since", known.and_then(|known| known.last_modified.as_deref())),
    ];
    let mut asks_for_changes = false;
    for (name, value) in validators {
        if let Some(value) = value {
            ask = ask.header(name, value);
            asks_for_changes = true;
        }
    }
    let answer = net.ask(ask, settings, system).await.map_err(|fault| match fault.category {
        // The address is not the user's to set.
        Category::Dns => hinted(fault, "check the network connection; behind a proxy set HTTPS_PROXY"),
        Category::TooLarge => hinted(fault, ODD),
        _ => fault,
    })?;
    match answer.status {
        200 => {}
        304 if asks_for_changes => return Ok(Answer::Unchanged),
        status => return Err(hinted(fault::refused(status, "", "").named(SOURCE), ODD)),
    }
    let is_page =
        answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    if is_page || answer.body.trim_ascii_start().first() == Some(&b'<') {
        let message = format!("{SOURCE} answered with a web page instead of model facts");
        return Err(hinted(Fault::new(Category::Protocol, message), ODD));
    }
    let now_ms = system.clock.now_ms();
    let (etag, last_modified) = (answer.header("etag"), answer.header("last-modified"));
    let changed_ms = last_modified.and_then(|date| http_date_ms(date.trim()));
    let origin = FactsOrigin::new(etag, last_modified, changed_ms.unwrap_or(now_ms), now_ms);
    Ok(Answer::Facts { origin, body: answer.body })
}

/// The answer is no list of facts.
pub fn unreadable(why: &str) -> Fault {
    let why = fault::clean(why);
    hinted(Fault::new(Category::Protocol, format!("the answer of {SOURCE} makes no sense: {why}")), ODD)
}

fn hinted(fault: Fault, hint: &str) -> Fault {
    Fault { hint: Some(hint.to_owned()), ..fault }
}
