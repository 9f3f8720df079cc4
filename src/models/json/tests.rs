//! Tests of the repair of JSON.

use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(arguments(text), expected, "{text}");
}

#[test]
fn valid_objects_stay_as_they_are() {
    for text in ["{}", "{ \"b\": 1.0, \"a\": [1, {\"c\": \"\\ud83d\\ude00 \\n\"}] }"] {
        check(text, text);
    }
}

#[test]
fn whatever_is_no_object_becomes_an_empty_one() {
    for text in ["", "  ", "null", "[1]", "\"x\"", "12", "hello", "\\", "\u{0}", "}", "]", ":", ","] {
        check(text, "{}");
    }
}

#[test]
fn damaged_strings_are_repaired() {
    check("{\"a\":\"line\nbreak\tand\u{1}\"}", r#"{"a":"line\nbreak\tand\u0001"}"#);
    check(r#"{"a":"C:\dir \x"}"#, r#"{"a":"C:\\dir \\x"}"#);
    check(r#"{"a":"\u12"}"#, r#"{"a":"\\u12"}"#);
    check(r#"{"a":"\ud83d!"}"#, r#"{"a":"\ufffd!"}"#);
    check(r#"{"a":"\ude00\ud83d\ud83d\ude00"}"#, r#"{"a":"\ufffd\ufffd\ud83d\ude00"}"#);
}

#[test]
fn cut_objects_keep_what_is_complete() {
    check(r#"{"a":"x","b":"yz"#, r#"{"a":"x","b":"yz"}"#);
    check(r#"{"a":"x","b"#, r#"{"a":"x"}"#);
    check(r#"{"a":"x","b":"#, r#"{"a":"x"}"#);
    check(r#"{"a":[1,2,{"b":tru"#, r#"{"a":[1,2,{}]}"#);
    check(r#"{"a":12."#, r#"{"a":12}"#);
    check(r#"{"a":-"#, "{}");
    check(r#"{"a":"x\"#, r#"{"a":"x"}"#);
    check(r#"{"a":"x\u00"#, r#"{"a":"x"}"#);
    check(r#"{"a":[1,],"b":{"c":1,},}"#, r#"{"a":[1],"b":{"c":1}}"#);
    check(r#"{"a":1} trailing"#, r#"{"a":1}"#);
    check("{", "{}");
    check(r#"{"a":1,"b":1e999}"#, r#"{"a":1}"#);
}

#[test]
fn nesting_is_bounded() {
    let deep = "{\"a\":".repeat(100_000);
    assert!(is_object(&arguments(&deep)));
    assert!(is_object(&arguments(&format!("{{\"a\":{}", "[".repeat(100_000)))));
}

proptest::proptest! {
    #[test]
    fn every_start_of_an_object_gives_an_object(text in object(), cut in 0usize..400) {
        let cut = text.floor_char_boundary(cut);
        let result = arguments(&text[..cut]);
        proptest::prop_assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&result).is_ok(), "{result}");
    }

    #[test]
    fn anything_gives_an_object(text in "([{}\\[\\]\",:\\\\u0-9a-ftrue \u{0}\u{1f600}-]){0,80}") {
        let result = arguments(&text);
        proptest::prop_assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&result).is_ok(), "{result}");
    }
}

fn object() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("\\PC{0,6}", value, 1..5)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()).to_string())
}
