//! One login through a page in the browser: the page is opened, and whichever comes first is taken: the browser
//! that comes back, or the person who pastes where it ended.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use url::form_urlencoded;

use super::callback::{Back, Callback, Unbound};
use super::pkce::Pkce;
use super::{Asking, Exchange, Need, NotAnswered, OAuthError, OAuthErrorKind, Person, Shown};
use super::{paste, reply};

/// The whole login through the browser.
const LIMIT: Duration = Duration::from_mins(5);
/// Pastes that cannot be used.
const TRIES: usize = 10;

/// A page that is to be opened.
pub(super) struct Page<'p> {
    /// The provider's name.
    pub(super) name: &'p str,
    pub(super) url: String,
    pub(super) pkce: &'p Pkce,
    /// What the browser comes back to; `None` where it cannot.
    pub(super) callback: Option<Callback>,
    /// The path that it comes back to.
    pub(super) path: &'p str,
    /// Who says that it sent the browser, where it says so.
    pub(super) issuer: Option<&'p str>,
}

/// `begin` with a query.
pub(super) fn address(begin: &str, query: &[(&str, &str)]) -> String {
    let mut fields = form_urlencoded::Serializer::new(String::new());
    fields.extend_pairs(query);
    format!("{begin}?{}", fields.finish())
}

/// A server for the browser to come back to on the first free one of `ports`. Where there is none the person is
/// told and pastes.
pub(super) async fn callback(ports: &[u16], exchange: &Exchange, person: &dyn Person) -> Option<Callback> {
    let usual = ports.first().copied();
    match Callback::bind(ports, &exchange.system.env).await {
        Ok(callback) => {
            if let Some(usual) = usual.filter(|usual| *usual != callback.port()) {
                person.progress(&format!(
                    "port {usual} is in use by another program; port {} is used in its place",
                    callback.port()
                ));
            }
            Some(callback)
        }
        Err(unbound) => {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let what = match ports.as_slice() {
                [] => "a port".to_owned(),
                [port] => format!("port {port}"),
                ports => format!("ports {}", ports.join(" and ")),
            };
            let why = match unbound {
                Unbound::Busy if ports.len() > 1 => "are in use by other programs".to_owned(),
                Unbound::Busy => "is in use by another program".to_owned(),
                Unbound::Failed(why) => format!("cannot be opened: {why}"),
            };
            person.progress(&format!(
                "{what} {why}, so the browser cannot come back by itself: paste the address that it ends at"
            ));
            None
        }
    }
}

/// Leads through the page. Dropping the future closes the port.
pub(super) async fn code(page: Page<'_>, person: &dyn Person) -> Result<SecretString, OAuthError> {
    let led = tokio::time::timeout(LIMIT, Box::pin(lead(&page, person))).await;
    match led {
        Ok(Ok(Back::Code(code))) => Ok(code),
        Ok(Ok(Back::Refused { error, description })) => Err(reply::declined(page.name, &error, &description)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(OAuthError::new(
            OAuthErrorKind::Expired,
            format!(
                "the browser did not come back from {} within {} minutes",
                page.name,
                LIMIT.as_secs() / 60
            ),
            "begin again; where the browser is on another machine, paste the address that it ends at",
        )),
    }
}

async fn lead(page: &Page<'_>, person: &dyn Person) -> Result<Back, OAuthError> {
    let message = format!("Sign in to {}", page.name);
    let opened = async {
        person.open_url(&page.url, &message).await;
        std::future::pending::<()>().await;
    };
    let back = async {
        match &page.callback {
            Some(callback) => {
                callback.wait(page.path, page.pkce, page.issuer, |note| person.progress(note)).await
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        back = Box::pin(back) => Ok(back),
        () = opened => std::future::pending().await,
        pasted = Box::pin(pasted(page, person)) => pasted,
    }
}

/// Asks for what the browser ended at, until it can be used. Never ends where nobody pastes and the browser may
/// still come back.
async fn pasted(page: &Page<'_>, person: &dyn Person) -> Result<Back, OAuthError> {
    let mut complaint = None;
    for _ in 0..TRIES {
        let begin = match (&complaint, &page.callback) {
            (Some(complaint), _) => format!("{complaint}. "),
            (None, Some(_)) => format!(
                "Sign in to {} in the browser. If it cannot come back to this machine, that is enough to go on: ",
                page.name
            ),
            (None, None) => format!("Sign in to {} in the browser. ", page.name),
        };
        let question = Asking {
            message: format!("{begin}Paste the address that the browser ended at, or the code that it shows"),
            label: "Address or code".to_owned(),
            shown: Shown::No,
            need: Need::Required,
        };
        let answer = person.ask(&question).await;
        match (answer, &page.callback) {
            (Ok(text), _) => match paste::read(text.expose_secret(), page.pkce) {
                Ok(back) => return Ok(back),
                Err(unfit) => {
                    person.progress(unfit.words());
                    complaint = Some(capitalised(unfit.words()));
                }
            },
            // The browser may still come back.
            (Err(_), Some(_)) => return std::future::pending().await,
            (Err(NotAnswered::Closed), None) => return Err(OAuthError::cancelled(page.name)),
            (Err(NotAnswered::Nobody), None) => {
                return Err(OAuthError::new(
                    OAuthErrorKind::Port,
                    format!(
                        "the browser cannot come back from {}, because no port could be opened, and nobody can be \
                         asked to paste where it ended",
                        page.name
                    ),
                    reply::hint(OAuthErrorKind::Port),
                ));
            }
        }
    }
    Err(OAuthError::new(
        OAuthErrorKind::State,
        format!("nothing that was pasted belongs to this login to {}", page.name),
        reply::hint(OAuthErrorKind::State),
    ))
}

fn capitalised(words: &str) -> String {
    let mut words = words.to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
