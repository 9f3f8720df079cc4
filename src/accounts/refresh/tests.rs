//! Sign-ins that are renewed, by a flow that plays a provider whose refresh tokens are good for one use.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::accounts::oauth::{Exchange, Person, Way};
use crate::accounts::{Credential, Source};
use crate::system::files::{Files as _, RealFiles};
use crate::system::{Clock, Dirs, Env, System};

const NOW_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;

/// A provider that gives tokens and takes each refresh token once. What it does next can be set.
pub(crate) struct Issuer {
    id: &'static str,
    clock: Arc<AtomicU64>,
    lifetime_ms: u64,
    state: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    number: u64,
    /// Refresh tokens that were given and not used yet.
    live: HashSet<String>,
    refreshes: u64,
    replays: u64,
    /// What the next refreshes meet, the first first.
    next: Vec<Next>,
}

enum Next {
    /// This failure, with nothing spent.
    Fails(OAuthErrorKind),
    /// The token is spent and the answer lost.
    LosesAnswer,
    /// No answer for this many seconds.
    Takes(u64),
    /// Something happens before the answer.
    Meanwhile(Box<dyn FnOnce() + Send>),
    /// It panics.
    Panics,
}

impl Issuer {
    fn leaked(id: &'static str, clock: &Arc<AtomicU64>, lifetime_ms: u64) -> &'static Self {
        let state = Mutex::default();
        Box::leak(Box::new(Self { id, clock: Arc::clone(clock), lifetime_ms, state }))
    }

    fn issue(&self) -> Grant {
        let mut state = self.state.lock().unwrap();
        state.number += 1;
        let number = state.number;
        state.live.insert(format!("refresh-{}-{number}", self.id));
        Grant {
            access: format!("access-{}-{number}", self.id).into(),
            refresh: format!("refresh-{}-{number}", self.id).into(),
            expires_ms: self.clock.load(Ordering::Relaxed) + self.lifetime_ms,
            more: serde_json::Map::new(),
        }
    }

    fn next(&self, next: Next) {
        self.state.lock().unwrap().next.push(next);
    }

    fn counts(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        (state.refreshes, state.replays)
    }
}

/// As another process does.
fn write(path: &std::path::Path, text: &str) {
    RealFiles.replace(path, text.as_bytes()).unwrap();
}

fn error(kind: OAuthErrorKind) -> OAuthError {
    OAuthError { kind, message: "it said no".to_owned(), hint: "ask it".to_owned() }
}

impl Flow for Issuer {
    fn provider(&self) -> &'static str {
        self.id
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Browser]
    }

    fn note(&self) -> Option<&'static str> {
        Some("it costs extra")
    }

    fn login<'a>(
        &'a self,
        _wanted: &'a super::super::oauth::Wanted,
        _exchange: &'a Exchange,
        _person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        async { Ok(self.issue()) }.boxed()
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        _exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        async move {
            let next = {
                let mut state = self.state.lock().unwrap();
                if state.next.is_empty() { None } else { Some(state.next.remove(0)) }
            };
            let is_lost = matches!(next, Some(Next::LosesAnswer));
            match next {
                Some(Next::Fails(kind)) => return Err(error(kind)),
                Some(Next::Takes(seconds)) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                Some(Next::Panics) => panic!("a bug of the flow"),
                Some(Next::Meanwhile(act)) => act(),
                Some(Next::LosesAnswer) | None => {}
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
            {
                let mut state = self.state.lock().unwrap();
                state.refreshes += 1;
                if !state.live.remove(grant.refresh.expose_secret()) {
                    state.replays += 1;
                    return Err(error(OAuthErrorKind::SignInAgain));
                }
            }
            if is_lost {
                return Err(error(OAuthErrorKind::Unreachable));
            }
            Ok(Grant { more: grant.more.clone(), ..self.issue() })
        }
        .boxed()
    }
}

/// A process: accounts of its own over a folder that others share.
struct Process {
    accounts: Accounts,
    clock: Arc<AtomicU64>,
}

struct World {
    home: tempfile::TempDir,
    clock: Arc<AtomicU64>,
    flows: &'static [&'static dyn Flow],
    issuers: Vec<&'static Issuer>,
}

impl World {
    fn new(ids: &[&'static str], lifetime_ms: u64) -> Self {
        let clock = Arc::new(AtomicU64::new(NOW_MS));
        let issuers: Vec<_> = ids.iter().map(|id| Issuer::leaked(id, &clock, lifetime_ms)).collect();
        let flows: Vec<&'static dyn Flow> = issuers.iter().map(|issuer| *issuer as &dyn Flow).collect();
        Self { home: tempfile::tempdir().unwrap(), clock, flows: flows.leak(), issuers }
    }

    fn process(&self) -> Process {
        let mut system = System::real();
        system.dirs = Dirs::below(self.home.path());
        system.env = Env::default();
        system.clock = Clock::Fake(Arc::clone(&self.clock));
        let mut accounts = Accounts::new(system, Arc::default(), crate::net::Net::default());
        accounts.flows = self.flows;
        Process { accounts, clock: Arc::clone(&self.clock) }
    }

    fn text(&self) -> String {
        let text = RealFiles.read(&self.home.path().join(AUTH_FILE)).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn entry(&self, id: &str) -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(&self.text()).unwrap()[id].clone()
    }
}

fn provider(id: &str) -> Provider {
    Provider {
        id: id.into(),
        name: id.into(),
        key_variables: vec![format!("{id}_KEY").into()],
        bearer_variables: vec![],
        sign_in: None,
        default_model: None,
        api_key: None,
        needs_key: true,
        url_variables: Vec::new(),
        takes_aws_keys: false,
    }
}

impl Process {
    async fn log_in(&self, issuer: &Issuer) {
        let grant = issuer.issue();
        let cancel = CancellationToken::new();
        self.accounts.store_grant(&provider(issuer.id), &grant, &cancel).await.unwrap();
    }

    /// The token that a call goes out with.
    async fn token(&self, id: &str) -> Result<String, AccountError> {
        match self.accounts.resolve(&provider(id), None).await? {
            Credential::Bearer(token) => Ok(token.expose_secret().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    /// Whether another token is there after this one was refused.
    async fn renew(&self, id: &str, refused: &str) -> bool {
        self.accounts.renew(&provider(id), &[], &Credential::Bearer(refused.into()), &[]).await
    }

    fn pass(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_used_until_it_ends_and_is_renewed_once_for_all() {
    let world = World::new(&["p"], HOUR_MS);
    let (first, second) = (world.process(), world.process());
    first.log_in(world.issuers[0]).await;
    for process in [&first, &second] {
        assert_eq!(process.token("p").await.unwrap(), "access-p-1");
    }
    first.pass(HOUR_MS - EARLY_MS - JITTER_MS - 1);
    assert_eq!(first.token("p").await.unwrap(), "access-p-1");
    assert_eq!(world.issuers[0].counts(), (0, 0));
    // Five minutes before its end and up to one more, by fifty calls in two processes.
    first.pass(JITTER_MS + 1);
    let calls = (0..50).map(|n| if n % 2 == 0 { first.token("p") } else { second.token("p") });
    for token in futures_util::future::join_all(calls).await {
        assert_eq!(token.unwrap(), "access-p-2");
    }
    assert_eq!(world.issuers[0].counts(), (1, 0));
    assert_eq!(world.entry("p")["access"], "access-p-2");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_renewed_for_a_list() {
    let world = World::new(&["p"], HOUR_MS);
    let process = world.process();
    process.log_in(world.issuers[0]).await;
    process.pass(2 * HOUR_MS);
    let standing = process.accounts.standing(&provider("p"));
    assert_eq!((standing.status.configured, standing.status.source), (true, Source::Stored));
    assert_eq!(standing.expires_at_ms, Some(NOW_MS + HOUR_MS));
    let hint = "it has expired and is renewed at its next use; it costs extra";
    assert_eq!(standing.hint.as_deref(), Some(hint));
    assert_eq!(world.issuers[0].counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_cancelled_does_not_lose_the_tokens() {
    let world = World::new(&["p"], HOUR_MS);
    let process = world.process();
    process.log_in(world.issuers[0]).await;
    process.pass(2 * HOUR_MS);
    let mut prompt = Box::pin(process.token("p"));
    // Until the provider has been asked.
    assert!((&mut prompt).now_or_never().is_none());
    drop(prompt);
    process.accounts.settled().await;
    assert_eq!(world.entry("p")["refresh"], "refresh-p-2");
    assert_eq!(process.token("p").await.unwrap(), "access-p-2");
    assert_eq!(world.issuers[0].counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_else_stands_in_the_file_stays() {
    let world = World::new(&["p"], HOUR_MS);
    let text = "{ // mine\n  \"other\": {\"key\": \"k\"},\n  \"p\": {\"type\": \"oauth\", /* ! */ \"x\": [1.0], \"refresh\": \"refresh-p-1\",\n    \"access\": \"access-p-1\", \"expires\": 5, \"accountId\": \"acc\"},\n  \"z\": 7 }\n";
    world.issuers[0].issue();
    write(&world.home.path().join(AUTH_FILE), text);
    let process = world.process();
    let authorised = process.accounts.authorise(&provider("p"), None).await.unwrap();
    assert_eq!(authorised.variables.get("chatgpt_account_id").map(String::as_str), Some("acc"));
    let expected = text
        .replace("p-1", "p-2")
        .replace("\"expires\": 5", &format!("\"expires\": {}", NOW_MS + HOUR_MS))
        .replace("\"acc\"}", &format!("\"acc\",\n    \"refreshedAt\": {NOW_MS}}}"));
    assert_eq!(world.text(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_fails_removes_nothing_and_is_told() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    process.log_in(issuer).await;
    let before = world.text();
    // Still good: nobody is told, and it is not tried again at once.
    process.pass(HOUR_MS - 60_000);
    for next in [OAuthErrorKind::Unreachable, OAuthErrorKind::Unreachable] {
        issuer.next(Next::Fails(next));
    }
    for _ in 0..3 {
        assert_eq!(process.token("p").await.unwrap(), "access-p-1");
    }
    assert_eq!((issuer.counts(), world.text()), ((0, 0), before.clone()));
    // At its end it is asked twice.
    process.pass(60_000);
    for next in [OAuthErrorKind::Unreachable, OAuthErrorKind::Unreachable] {
        issuer.next(Next::Fails(next));
    }
    let told = process.token("p").await.unwrap_err();
    assert_eq!(
        (told.kind, told.message.as_str(), told.hint.as_str()),
        (AccountErrorKind::NotRenewed, "the sign-in to p could not be renewed: it said no", "ask it")
    );
    assert_eq!(world.text(), before);
    // And a passing failure passes.
    assert_eq!(process.token("p").await.unwrap(), "access-p-2");
}

#[tokio::test(start_paused = true)]
async fn a_slow_provider_is_not_waited_for_for_ever() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    process.log_in(issuer).await;
    process.pass(2 * HOUR_MS);
    issuer.next(Next::Takes(100));
    issuer.next(Next::Takes(100));
    let begun = tokio::time::Instant::now();
    let told = process.token("p").await.unwrap_err();
    assert!(told.message.ends_with("no answer within 10 s"), "{told}");
    let waited = begun.elapsed().as_millis();
    assert!((25_500..25_700).contains(&waited), "{waited} ms");
    // The answer to the first was lost, and the second came in time.
    issuer.next(Next::Takes(100));
    assert_eq!(process.token("p").await.unwrap(), "access-p-2");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_is_over_is_asked_for_once_and_named() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    process.log_in(issuer).await;
    process.pass(2 * HOUR_MS);
    // The token is spent, its answer is lost, and the provider takes it for a replay.
    issuer.next(Next::LosesAnswer);
    let before = world.text();
    for _ in 0..3 {
        let told = process.token("p").await.unwrap_err();
        assert_eq!(told.kind, AccountErrorKind::NeedsLogin);
        assert_eq!(told.hint, "sign in again: `aside login p`");
    }
    assert_eq!(issuer.counts(), (2, 1));
    assert_eq!(world.text(), before, "it is kept");
    let hint = process.accounts.standing(&provider("p")).hint.unwrap();
    assert!(hint.starts_with("the sign-in to p could not be renewed: it said no; sign in again"), "{hint}");
    // Another process signs in, which is seen at once.
    world.process().log_in(issuer).await;
    assert_eq!(process.token("p").await.unwrap(), "access-p-2");
    assert_eq!(process.accounts.standing(&provider("p")).hint.as_deref(), Some("it costs extra"));
}

#[tokio::test(start_paused = true)]
async fn who_signs_in_or_out_meanwhile_has_the_last_word() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    for is_out in [false, true] {
        process.log_in(issuer).await;
        process.pass(2 * HOUR_MS);
        let path = world.home.path().join(AUTH_FILE);
        let replaced = if is_out {
            "{}".to_owned()
        } else {
            let Grant { access, refresh, expires_ms, .. } = issuer.issue();
            serde_json::json!({"p": {"type": "oauth", "access": access.expose_secret(), "refresh": refresh.expose_secret(), "expires": expires_ms}}).to_string()
        };
        let text = replaced.clone();
        issuer.next(Next::Meanwhile(Box::new(move || write(&path, &text))));
        match process.token("p").await {
            Ok(token) => assert_eq!((token.as_str(), is_out), ("access-p-2", false)),
            Err(told) => {
                assert_eq!((told.message.as_str(), is_out), ("p was signed out of meanwhile", true));
            }
        }
        assert_eq!(world.text(), replaced);
    }
    assert_eq!(issuer.counts().1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    process.log_in(issuer).await;
    let calls = (0..10).map(|_| process.renew("p", "access-p-1"));
    let renewed = futures_util::future::join_all(calls).await;
    assert_eq!(issuer.counts(), (1, 0));
    assert!(renewed.iter().any(|renewed| *renewed));
    assert_eq!(process.token("p").await.unwrap(), "access-p-2");
    // An old call comes late.
    assert!(process.renew("p", "access-p-1").await);
    assert_eq!(issuer.counts(), (1, 0));
    // Another process was quicker.
    let other = world.process();
    assert!(other.renew("p", "access-p-2").await);
    assert!(process.renew("p", "access-p-2").await);
    assert_eq!(issuer.counts(), (2, 0));
    // A provider that cannot be reached now can be later; one that gives nothing is not asked again.
    for _ in 0..2 {
        issuer.next(Next::Fails(OAuthErrorKind::Unreachable));
    }
    assert!(!process.renew("p", "access-p-3").await);
    issuer.next(Next::Fails(OAuthErrorKind::SignInAgain));
    assert!(!process.renew("p", "access-p-3").await);
    assert!(!process.renew("p", "access-p-3").await);
    assert_eq!(issuer.counts(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn tokens_that_cannot_be_written_are_used_and_written_later() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    process.log_in(issuer).await;
    let path = world.home.path().join(AUTH_FILE);
    let before = world.text();
    for round in 2..4 {
        process.pass(2 * HOUR_MS);
        // Nobody else can write what cannot be read.
        let broken = path.clone();
        issuer.next(Next::Meanwhile(Box::new(move || write(&broken, "{"))));
        assert_eq!(process.token("p").await.unwrap(), format!("access-p-{round}"));
        write(&path, &before);
        assert_eq!(process.token("p").await.unwrap(), format!("access-p-{round}"));
        let hint = process.accounts.standing(&provider("p")).hint.unwrap();
        assert!(hint.starts_with("new tokens could not be written to auth.json"), "{hint}");
    }
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(process.token("p").await.unwrap(), "access-p-3");
    assert_eq!(world.entry("p")["refresh"], "refresh-p-3");
    assert_eq!(process.accounts.standing(&provider("p")).hint.as_deref(), Some("it costs extra"));
    assert_eq!(issuer.counts(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_panics_ends_its_call_and_no_other() {
    let world = World::new(&["p"], HOUR_MS);
    let (process, issuer) = (world.process(), world.issuers[0]);
    process.log_in(issuer).await;
    process.pass(2 * HOUR_MS);
    issuer.next(Next::Panics);
    assert_eq!(process.token("p").await.unwrap_err().kind, AccountErrorKind::NotRenewed);
    assert_eq!(process.token("p").await.unwrap(), "access-p-2");
}

#[tokio::test(start_paused = true)]
async fn no_token_gets_into_a_message() {
    struct Chatty;
    impl Flow for Chatty {
        fn provider(&self) -> &'static str {
            "p"
        }
        fn ways(&self) -> &'static [Way] {
            &[]
        }
        fn login<'a>(
            &'a self,
            _: &'a super::super::oauth::Wanted,
            _: &'a Exchange,
            _: &'a dyn Person,
        ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
            async { Err(error(OAuthErrorKind::Denied)) }.boxed()
        }
        fn refresh<'a>(
            &'a self,
            grant: &'a Grant,
            _: &'a Exchange,
        ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
            let all = format!("{} and {}", grant.access.expose_secret(), grant.refresh.expose_secret());
            let error = OAuthError { kind: OAuthErrorKind::Protocol, message: all.clone(), hint: all };
            async { Err(error) }.boxed()
        }
    }
    let world = World::new(&["p"], HOUR_MS);
    let mut process = world.process();
    process.log_in(world.issuers[0]).await;
    process.pass(2 * HOUR_MS);
    process.accounts.flows = &[&Chatty];
    let told = process.token("p").await.unwrap_err();
    assert_eq!(told.message, "the sign-in to p could not be renewed: *** and ***");
    assert_eq!(told.hint, "*** and ***");
    let file = process.accounts.auth_file();
    let Some(Stored::Grant(grant)) = file.entry("p") else { panic!("no grant") };
    let shown = format!(
        "{grant:?} {:?}",
        process.accounts.authorise(&provider("p"), Some("key-of-mine".into())).await
    );
    assert!(!shown.contains("-p-1") && !shown.contains("of-mine"), "{shown}");
}

#[test]
fn when_a_token_is_due() {
    let grant = |got: Option<u64>, expires_ms| {
        let mut grant =
            Grant { access: "a".into(), refresh: "r".into(), expires_ms, more: serde_json::Map::new() };
        grant.more.extend(got.map(|got| (GOT_AT.to_owned(), got.into())));
        grant
    };
    let minute = 60_000;
    for (got, expires_ms, due) in [
        // Of another program, which does not say when it got it.
        (None, NOW_MS + 6 * minute + 1, Due::No),
        (None, NOW_MS + 6 * minute, Due::Soon),
        (None, NOW_MS, Due::Now),
        (None, 0, Due::Now),
        (None, u64::MAX, Due::No),
        // One of five minutes is renewed in its last quarter.
        (Some(NOW_MS), NOW_MS + 5 * minute, Due::No),
        (Some(NOW_MS - 3 * minute), NOW_MS + 2 * minute, Due::No),
        (Some(NOW_MS - 4 * minute), NOW_MS + minute, Due::Soon),
        // One that is at its end when it is got is used all the same.
        (Some(NOW_MS), NOW_MS - 300_000, Due::No),
        (Some(NOW_MS - 5_000), NOW_MS - 300_000, Due::Now),
        // The clock was set back.
        (Some(NOW_MS + 2 * minute), NOW_MS + 600 * minute, Due::Now),
        (Some(NOW_MS + minute / 2), NOW_MS + 600 * minute, Due::No),
        (Some(u64::MAX), u64::MAX, Due::Now),
    ] {
        assert_eq!(grant(got, expires_ms).due(NOW_MS, minute), due, "{got:?} {expires_ms}");
    }
}

/// A day of twenty sessions with three providers whose tokens live for five minutes, in three processes; the machine
/// sleeps for eight hours, and its clock is set back by one.
#[tokio::test(start_paused = true)]
async fn a_day_with_sleep_and_a_clock_that_jumps() {
    let world = World::new(&["p", "q", "r"], 300_000);
    let processes: Vec<_> = (0..3).map(|_| world.process()).collect();
    for issuer in &world.issuers {
        processes[0].log_in(issuer).await;
    }
    // What the provider thinks of the time is not what the machine's clock says.
    let truth = Arc::new(AtomicU64::new(NOW_MS));
    let good_until: Mutex<std::collections::HashMap<String, u64>> = Mutex::default();
    let (mut prompts, mut refused, mut minute) = (0_u64, 0_u64, 0_u64);
    while minute < 24 * 60 {
        for session in 0..20_usize {
            let process = &processes[session % 3];
            let id = ["p", "q", "r"][(session / 3) % 3];
            let token = process.token(id).await.unwrap();
            // From its being given.
            let now = truth.load(Ordering::Relaxed);
            let ends = *good_until.lock().unwrap().entry(token).or_insert(now + 300_000);
            refused += u64::from(now >= ends);
            prompts += 1;
        }
        let (passed, jump): (u64, i64) = match minute {
            300 => (8 * 60, 0),
            1_200 => (1, -60),
            _ => (1, 0),
        };
        minute += passed;
        truth.fetch_add(passed * 60_000, Ordering::Relaxed);
        let clock = world.clock.load(Ordering::Relaxed);
        world.clock.store(
            clock.saturating_add(passed * 60_000).saturating_add_signed(jump * 60_000),
            Ordering::Relaxed,
        );
    }
    let counts: Vec<_> = world.issuers.iter().map(|issuer| issuer.counts()).collect();
    println!("{prompts} prompts, {refused} refused, (refreshes, replays) of each provider: {counts:?}");
    assert_eq!(refused, 0);
    for (refreshes, replays) in counts {
        assert_eq!(replays, 0);
        // Sixteen waking hours, a token every four minutes or so.
        assert!((190..=330).contains(&refreshes), "{refreshes}");
    }
}
