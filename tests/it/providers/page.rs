//! Our page answers what users of the seed's page look for: each of its headings has one of ours, with what is said
//! there for this program, and every variable and model of its examples is named.

use std::collections::BTreeSet;
use std::path::Path;

use super::seed::{COMMANDS, EXPORTS};

/// The headings of the seed's page, and ours that answer them.
const ANSWERS: &[(&str, &str)] = &[
    ("Subscriptions", "Subscriptions"),
    ("OpenAI Codex", "OpenAI Codex"),
    ("Claude Pro/Max", "Claude Pro/Max"),
    ("GitHub Copilot", "GitHub Copilot"),
    ("API Keys", "Where keys come from"),
    ("Environment Variables or Auth File", "Signing in"),
    ("Auth File", "auth.json"),
    ("Key Resolution", "How keys and headers are written"),
    ("Cloud Providers", "Cloud providers"),
    ("Azure OpenAI", "Azure OpenAI"),
    ("Amazon Bedrock", "Amazon Bedrock"),
    ("Cloudflare AI Gateway", "Cloudflare AI Gateway"),
    ("Cloudflare Workers AI", "Cloudflare Workers AI"),
    ("Google Vertex AI", "Google Vertex AI"),
    ("Custom Providers", "Custom providers"),
    ("Resolution Order", "Where keys come from"),
];

fn page(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The headings of a page with what stands below each, up to the next.
fn sections(page: &str) -> Vec<(&str, String)> {
    let mut sections: Vec<(&str, String)> = Vec::new();
    let mut in_code = false;
    for line in page.lines() {
        in_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if !in_code && line.starts_with('#') && heading.starts_with(' ') {
            sections.push((heading.trim(), String::new()));
        } else if let Some((_, text)) = sections.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    sections
}

#[test]
fn every_heading_has_its_answer() {
    let ours = page("docs/providers.md").unwrap();
    let sections = sections(&ours);
    for (asked, heading) in ANSWERS {
        let mut found = sections.iter().filter(|(known, _)| known == heading);
        let (_, text) = found.next().unwrap_or_else(|| panic!("nothing answers {asked:?}"));
        assert!(found.next().is_none(), "{heading:?} is there twice");
        // A heading with others below it may leave the rest to them.
        let has_parts = ["Subscriptions", "Cloud providers"].contains(heading);
        assert!(has_parts || text.trim().len() > 100, "{heading:?} says nothing: {text:?}");
    }
    let Some(seed) = page("../shared/seed/providers.md") else { return };
    let asked: BTreeSet<&str> = self::sections(&seed)
        .into_iter()
        .map(|(heading, _)| heading)
        .filter(|heading| !["Providers", "Table of Contents"].contains(heading))
        .collect();
    assert_eq!(asked, ANSWERS.iter().map(|(asked, _)| *asked).collect());
}

#[test]
fn every_variable_and_model_of_the_examples_is_named() {
    let ours = page("docs/providers.md").unwrap();
    let names = EXPORTS.iter().map(|(name, _)| *name).filter(|name| *name != "AWS_PROFILE");
    let others = ["AZURE_OPENAI_RESOURCE_NAME", "GOOGLE_APPLICATION_CREDENTIALS", "cf-aig-authorization"];
    for name in names.chain(COMMANDS.iter().map(|(_, model)| *model)).chain(others) {
        assert!(ours.contains(name), "{name}");
    }
}

/// The fields of `models.json`: of a provider, of a model, and of what those hold.
const FIELDS: &[&str] = &[
    "name",
    "baseUrl",
    "apiKey",
    "api",
    "headers",
    "authHeader",
    "compat",
    "models",
    "modelOverrides",
    "oauth",
    "id",
    "reasoning",
    "thinkingLevelMap",
    "input",
    "cost",
    "contextWindow",
    "maxTokens",
    "promptCache",
    "inputLimits",
    "samplingParams",
    "output",
    "cacheRead",
    "cacheWrite",
    "tiers",
    "inputTokensAbove",
    "short",
    "long",
    "maxRequestBytes",
    "images",
    "maxPerMessage",
    "maxPerRequest",
    "resize",
    "maxWidth",
    "maxHeight",
    "maxBytes",
    "jpegQuality",
];

#[test]
fn every_field_of_the_file_of_models_is_explained() {
    let ours = page("docs/models-json.md").unwrap();
    for field in FIELDS {
        assert!(ours.contains(&format!("`{field}`")), "{field}");
    }
}
