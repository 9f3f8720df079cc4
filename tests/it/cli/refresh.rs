//! `aside models --refresh`.

use serde_json::Value;

use super::Home;
use crate::provider::Reply;
use crate::providers::internet::Internet;

const LIST: &str = include_str!("../../fixtures/models-dev/api.json");

/// The program on a machine whose way to everywhere is `internet`.
fn run(home: &Home, internet: &Internet, arguments: &[&str]) -> super::Run {
    let mut command = home.command(arguments);
    command.env("HTTPS_PROXY", internet.proxy()).env("SSL_CERT_FILE", internet.authority());
    super::Run::of(command.output().unwrap())
}

#[test]
fn a_refresh_says_what_it_changed_and_the_next_run_has_it() {
    let (home, internet) = (Home::new(), Internet::start());
    internet.provider().reply(Reply::json(200, LIST).header("etag", "\"1\""));
    let refreshed = run(&home, &internet, &["models", "--refresh", "gpt-9"]);
    refreshed.ended(0);
    for said in
        ["6 new, 1 changed, 1 gone (facts of models.dev, 0 s old)", "gone: openai/gpt-4o", " and 1 more"]
    {
        assert!(refreshed.err.contains(said), "{}", refreshed.err);
    }
    assert!(
        refreshed.out.contains("openai/gpt-9") && refreshed.out.contains("opencode/gpt-9"),
        "{}",
        refreshed.out
    );
    // No animation goes into a pipe.
    assert!(!refreshed.err.contains('\u{1b}'), "{}", refreshed.err);

    let next = home.run(&["models", "--json", "gpt-9"]);
    let list: Value = serde_json::from_str(&next.ended(0).out).unwrap();
    assert_eq!(list["models"].as_array().unwrap().len(), 2);

    internet.provider().reply(Reply::status(304));
    let again = run(&home, &internet, &["models", "--refresh", "--json", "gpt-9"]);
    assert!(again.ended(0).err.contains("nothing new since the last refresh"), "{}", again.err);
    assert_eq!(again.out, next.out, "what is printed is the list and nothing else");
    assert_eq!(internet.provider().requests().len(), 2);
}

#[test]
fn a_refresh_that_fails_says_why_and_what_to_do() {
    let (home, internet) = (Home::new(), Internet::start());
    internet.provider().reply(Reply::status(404));
    let failed = run(&home, &internet, &["models", "--refresh"]);
    failed.ended(1);
    assert_eq!(failed.out, "");
    for said in
        ["aside: error: the models were not refreshed, what was known stays", "status 404", "try again later"]
    {
        assert!(failed.err.contains(said), "{}", failed.err);
    }
    assert!(home.run(&["models", "gpt-5.5"]).ended(0).out.contains("openai/gpt-5.5"));
    // Facts that are older than the built-in ones do not stand above them.
    let old = Reply::json(200, LIST).header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    internet.provider().reply(old);
    let refreshed = run(&home, &internet, &["models", "--refresh", "gpt-5.5"]);
    assert!(refreshed.ended(0).err.contains("older than those that are built in"), "{}", refreshed.err);
    assert!(refreshed.err.contains("6 new (facts"), "{}", refreshed.err);
}
