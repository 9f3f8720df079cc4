//! Sign-ins under eight processes and under crashes: the real program, against a provider whose refresh tokens are
//! good for one use and which revokes a sign-in whose token comes twice.

use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::file::{Signer, entries};
use crate::identity::{Client, Identity};
use crate::login::browser::alone;
use crate::provider::speech;
use crate::providers::internet::Internet;

const PROCESSES: usize = 8;
/// With `ASIDE_SOAK=1`, an entry of its own that takes its time, and without.
const ROUNDS: [usize; 2] = [1_000, 25];
const KILLS: [usize; 2] = [1_000, 40];
/// The entry that all processes share.
const SHARED: &str = "anthropic";

fn count(of: [usize; 2]) -> usize {
    let [long, quick] = of;
    if std::env::var_os("ASIDE_SOAK").is_some_and(|value| value == "1") { long } else { quick }
}

/// A folder, and a provider that all processes reach at its production addresses.
struct Lab {
    home: tempfile::TempDir,
    identity: Identity,
    internet: Internet,
}

impl Lab {
    fn new() -> Self {
        let (identity, internet) = (Identity::new(), Internet::start());
        internet.provider().answer_with(identity.answering());
        internet.provider().always(speech::text("anthropic-messages", "o", "k"));
        // In memory where that can be had: it is the order that counts here, and a disk takes its time.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self { home, identity, internet }
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// The entry of a login that has been, which ends at `expires_ms`.
    fn granted(&self, expires_ms: u64) -> Value {
        let (access, refresh) = self.identity.granted(Client::Anthropic);
        json!({"type": "oauth", "access": access, "refresh": refresh, "expires": expires_ms})
    }

    fn write(&self, entries: &Value) {
        std::fs::write(self.path().join("auth.json"), entries.to_string()).unwrap();
    }

    fn process(&self) -> Signer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command.arg("serve");
        let environment =
            [("HTTPS_PROXY", self.internet.proxy()), ("SSL_CERT_FILE", self.internet.authority().to_owned())];
        let mut signer = Signer::with(command, self.path(), &environment);
        let capabilities = json!({"promptUser": true, "openUrl": true});
        let settings = json!({"localServers": false});
        signer.call("initialize", &json!({"capabilities": capabilities, "settings": settings}));
        signer
    }

    /// Whether the entry would be taken by the provider.
    fn is_good(&self, id: &str) -> bool {
        entries(self.path())
            .get(id)
            .is_some_and(|entry| self.identity.is_good(entry["refresh"].as_str().unwrap()))
    }

    #[track_caller]
    fn no_violations(&self) {
        assert_eq!(self.identity.violations(), [""; 0]);
    }
}

/// How a prompt ended: in an answer, or the kind and the message of its failure.
fn prompted(signer: &mut Signer, account: Option<&str>) -> Result<(), (String, String)> {
    let params = json!({"text": "hi", "provider": SHARED, "account": account});
    let answer = signer.call("prompt", &params);
    if answer["stopReason"] == "endTurn" {
        return Ok(());
    }
    let error = if answer["error"].is_object() { &answer["error"] } else { &answer };
    let kind = error.get("kind").or_else(|| error["data"].get("kind")).unwrap_or(&Value::Null);
    Err((
        kind.as_str().unwrap_or_default().to_owned(),
        error["message"].as_str().unwrap_or_default().to_owned(),
    ))
}

/// Begins to sign in; what the server asks is answered as a person would who pastes what the page showed.
fn begin_login(signer: &mut Signer, account: Option<&str>) {
    signer.ask("login", &json!({"provider": SHARED, "method": "browser", "account": account}));
}

/// Goes on until the login is answered; `None` where the process is gone.
fn end_login(signer: &mut Signer, identity: &Identity) -> Option<Value> {
    let mut pasted = String::new();
    loop {
        let message = signer.heard()?;
        if signer.is_answer(&message) {
            return Some(message.get("result").or_else(|| message.get("error")).unwrap().clone());
        }
        let id = &message["id"];
        match message["method"].as_str() {
            Some("openUrl") => {
                pasted = identity.allow(message["params"]["url"].as_str().unwrap());
                signer.say(&json!({"jsonrpc": "2.0", "id": id, "result": {"opened": true}}));
            }
            Some("promptUser") => {
                let values = json!({"answer": pasted});
                signer.say(&json!({"jsonrpc": "2.0", "id": id, "result": {"values": values}}));
            }
            _ => {}
        }
    }
}

fn log_in(signer: &mut Signer, identity: &Identity, account: Option<&str>) {
    begin_login(signer, account);
    let answer = end_login(signer, identity).expect("it runs");
    assert_eq!(answer["account"]["source"], "authFile", "{answer}");
}

#[test]
fn eight_processes_renew_once_and_lose_nothing() {
    let _ports = alone();
    let (lab, rounds) = (Lab::new(), count(ROUNDS));
    lab.write(&json!({"fixed": {"type": "api_key", "key": "stays"}, SHARED: lab.granted(u64::MAX >> 11)}));
    let (barrier, running) = (Barrier::new(PROCESSES + 1), AtomicBool::new(true));
    let (refused, lost, logins, logouts, reads) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for process in 0..PROCESSES {
            let (lab, barrier, refused, lost) = (&lab, &barrier, &refused, &lost);
            let (logins, logouts, reads) = (&logins, &logouts, &reads);
            scope.spawn(move || {
                let mut signer = lab.process();
                let label = format!("p{process}");
                let own = format!("{SHARED}:{label}");
                for round in 0..rounds {
                    // The tokens have ended, one way or another.
                    barrier.wait();
                    if let Err(told) = prompted(&mut signer, Some("")) {
                        println!("{told:?}");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    // Everybody has what was renewed before something else happens.
                    barrier.wait();
                    match (round + process) % 10 {
                        3 => {
                            log_in(&mut signer, &lab.identity, Some(&label));
                            logins.fetch_add(1, Ordering::Relaxed);
                            lost.fetch_add(
                                usize::from(!entries(lab.path()).contains_key(&own)),
                                Ordering::Relaxed,
                            );
                        }
                        8 => {
                            signer.call("logout", &json!({"provider": SHARED, "account": label}));
                            logouts.fetch_add(1, Ordering::Relaxed);
                            lost.fetch_add(
                                usize::from(entries(lab.path()).contains_key(&own)),
                                Ordering::Relaxed,
                            );
                        }
                        _ => {}
                    }
                    for _ in 0..5 {
                        assert_eq!(entries(lab.path())["fixed"]["key"], "stays");
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                    barrier.wait();
                }
                // Whoever has signed in last is signed in.
                log_in(&mut signer, &lab.identity, Some(&label));
                assert_eq!(prompted(&mut signer, Some(&label)), Ok(()));
                assert!(lab.is_good(&own));
            });
        }
        for round in 0..rounds {
            if round % 2 == 0 {
                // The provider does not take them any more, whatever they say of themselves.
                lab.identity.expire(Client::Anthropic);
            } else {
                let mut all = Value::Object(entries(lab.path()));
                all[SHARED]["expires"] = json!(1);
                all[SHARED]["refreshedAt"] = json!(0);
                lab.write(&all);
            }
            barrier.wait();
            barrier.wait();
            barrier.wait();
        }
        running.store(false, Ordering::Relaxed);
    });
    let of = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    let (refreshes, replays) = (lab.identity.refreshes(), lab.identity.replays());
    println!(
        "{PROCESSES} processes x {rounds} rounds in {:.1} s: {refreshes} refreshes for {rounds} expiries, {replays} \
         replays, {} logins, {} logouts, {} of them lost, {} prompts refused, 0 of {} reads torn",
        begun.elapsed().as_secs_f64(),
        of(&logins) + PROCESSES,
        of(&logouts),
        of(&lost),
        of(&refused),
        of(&reads),
    );
    assert_eq!((refreshes, replays, of(&lost), of(&refused)), (rounds, 0, 0, 0));
    assert!(of(&logins) > 0 && of(&logouts) > 0);
    assert!(lab.is_good(SHARED));
    lab.no_violations();
}

/// One less, when it is dropped.
struct Leaving<'l>(&'l AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn signing_in_and_out_of_one_account_at_once_ends_well() {
    let _ports = alone();
    let (lab, rounds) = (Lab::new(), count(ROUNDS));
    lab.write(&json!({"fixed": {"type": "api_key", "key": "stays"}}));
    let left = AtomicUsize::new(PROCESSES);
    let counts: Vec<AtomicUsize> = (0..4).map(|_| AtomicUsize::new(0)).collect();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for process in 0..PROCESSES {
            let (lab, left, counts) = (&lab, &left, &counts);
            scope.spawn(move || {
                // However it ends: the others wait for it.
                let _leaving = Leaving(left);
                let mut signer = lab.process();
                for round in 0..rounds {
                    let done = match (round * 7 + process * 3) % 10 {
                        0 | 5 => {
                            // Another may have signed out again before the answer is made.
                            begin_login(&mut signer, None);
                            end_login(&mut signer, &lab.identity).expect("it runs");
                            0
                        }
                        8 => {
                            signer.call("logout", &json!({"provider": SHARED}));
                            1
                        }
                        _ => match prompted(&mut signer, None) {
                            Ok(()) => 2,
                            // Signed out is signed out; nothing else may be in the way.
                            Err((kind, message)) => {
                                assert_eq!(kind, "authRequired", "{message}");
                                // Or a token has ended twice within one prompt, which is renewed once.
                                let known = ["no key was found", "signed out", "OAuth token has expired"];
                                assert!(known.iter().any(|known| message.contains(known)), "{message}");
                                3
                            }
                        },
                    };
                    counts[done].fetch_add(1, Ordering::Relaxed);
                    assert_eq!(entries(lab.path())["fixed"]["key"], "stays");
                }
            });
        }
        // Meanwhile tokens end all the time.
        while left.load(Ordering::Relaxed) > 0 {
            lab.identity.expire(Client::Anthropic);
            std::thread::park_timeout(Duration::from_millis(400));
        }
    });
    for _ in 0..PROCESSES {
        let mut signer = lab.process();
        log_in(&mut signer, &lab.identity, None);
        assert_eq!(prompted(&mut signer, None), Ok(()));
        // What ended while nobody was signed in was never renewed, so that all may have been.
        lab.identity.expire(Client::Anthropic);
        assert_eq!(prompted(&mut signer, None), Ok(()));
        assert!(lab.is_good(SHARED));
    }
    let of = |at: usize| counts[at].load(Ordering::Relaxed);
    println!(
        "{PROCESSES} processes x {rounds} rounds of one account in {:.1} s: {} logins, {} logouts, {} prompts answered, {} \
         while signed out, {} refreshes, {} replays",
        begun.elapsed().as_secs_f64(),
        of(0) + PROCESSES,
        of(1),
        of(2),
        of(3),
        lab.identity.refreshes(),
        lab.identity.replays(),
    );
    assert_eq!(lab.identity.replays(), 0);
    assert!((0..3).all(|at| of(at) > 0) && lab.identity.refreshes() >= PROCESSES);
    lab.no_violations();
}

#[test]
fn a_crash_while_tokens_are_got_leaves_a_sign_in_that_is_good_or_cleanly_gone() {
    let _ports = alone();
    let (lab, kills) = (Lab::new(), count(KILLS));
    let (mut good, mut gone, mut replaced) = (0, 0, 0);
    let mut seed = 88_172_645_463_325_252_u64;
    let begun = Instant::now();
    // How long one takes here, undisturbed; the first two are left alone.
    let mut typical = [Duration::ZERO; 2];
    for kill in 0..kills + 2 {
        let is_login = kill % 2 == 1;
        let before = lab.granted(1);
        lab.write(&json!({"fixed": {"type": "api_key", "key": "stays"}, SHARED: before.clone()}));
        let mut signer = lab.process();
        let asked = Instant::now();
        if is_login {
            begin_login(&mut signer, None);
        } else {
            signer.ask("prompt", &json!({"text": "hi", "provider": SHARED}));
        }
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let span = typical[usize::from(is_login)].mul_f64(1.2).as_micros();
        let within = if kill < 2 {
            Duration::from_mins(1)
        } else {
            Duration::from_micros(seed % u64::try_from(span).unwrap())
        };
        let moment = asked + within;
        let pid = rustix::process::Pid::from_child(&signer.child);
        std::thread::scope(|scope| {
            let killer = scope.spawn(move || {
                while Instant::now() < moment {
                    std::thread::park_timeout(moment.saturating_duration_since(Instant::now()));
                    if kill < 2 {
                        return;
                    }
                }
                // It may have ended.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            });
            if is_login {
                end_login(&mut signer, &lab.identity);
            } else {
                signer.answer();
            }
            killer.thread().unpark();
        });
        if kill < 2 {
            typical[usize::from(is_login)] = asked.elapsed();
        }
        drop(signer);
        let all = entries(lab.path());
        assert_eq!(all["fixed"]["key"], "stays");
        let after = &all[SHARED];
        assert_eq!(after["type"], "oauth");
        replaced += usize::from(after["refresh"] != before["refresh"]);
        if lab.is_good(SHARED) {
            good += 1;
        } else {
            gone += 1;
            assert!(!is_login, "a login that was not finished takes nothing away");
        }
        // Now and then the next process says how it stands; a lock that was left would keep it from that.
        if kill % 10 < 2 {
            let was_good = lab.is_good(SHARED);
            let mut next = lab.process();
            match prompted(&mut next, None) {
                Ok(()) => assert!(was_good),
                Err((kind, message)) => {
                    assert_eq!((kind.as_str(), was_good), ("authRequired", false), "{message}");
                    assert!(
                        message.starts_with("the sign-in to anthropic could not be renewed"),
                        "{message}"
                    );
                }
            }
        }
    }
    println!(
        "{kills} processes killed while they renewed or signed in, in {:.1} s: 0 files torn, {replaced} with new tokens, \
         {good} sign-ins good, {gone} cleanly gone",
        begun.elapsed().as_secs_f64()
    );
    assert!(good > 0 && replaced > 0);
    lab.no_violations();
}
