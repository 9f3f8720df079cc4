//! What the providers are called, where they are, and whose key they take: written by hand, not made of the data.

use super::*;

/// Id (as in `auth.json`), variables in order, name, wire, base URL of the default model, default model.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const C: &str = "openai-completions";
const R: &str = "openai-responses";
const A: &str = "anthropic-messages";

#[rustfmt::skip]
const PROVIDERS: &[Row] = &[
    ("anthropic", "ANTHROPIC_AUTH_TOKEN ANTHROPIC_OAUTH_TOKEN ANTHROPIC_API_KEY", "Anthropic", A, "https://api.anthropic.com", "claude-opus-4-8"),
    ("openai", "OPENAI_API_KEY", "OpenAI", R, "https://api.openai.com/v1", "gpt-5.5"),
    ("openai-codex", "", "ChatGPT Plus/Pro (Codex)", "openai-codex-responses", "https://chatgpt.com/backend-api", "gpt-5.5"),
    ("github-copilot", "COPILOT_GITHUB_TOKEN", "GitHub Copilot", R, "https://api.individual.githubcopilot.com", "gpt-5.4"),
    ("azure-openai-responses", "AZURE_OPENAI_API_KEY", "Azure OpenAI", "azure-openai-responses", "", "gpt-5.4"),
    ("amazon-bedrock", "AWS_BEARER_TOKEN_BEDROCK", "Amazon Bedrock", "bedrock-converse-stream", "https://bedrock-runtime.us-east-1.amazonaws.com", "us.anthropic.claude-opus-4-6-v1"),
    ("google", "GEMINI_API_KEY", "Google Gemini", "google-generative-ai", "https://generativelanguage.googleapis.com/v1beta", "gemini-3.1-pro-preview"),
    ("google-vertex", "GOOGLE_CLOUD_API_KEY", "Google Vertex AI", "google-vertex", "https://{location}-aiplatform.googleapis.com", "gemini-3.1-pro-preview"),
    ("cloudflare-ai-gateway", "CLOUDFLARE_API_KEY", "Cloudflare AI Gateway", C, "https://gateway.ai.cloudflare.com/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/compat", "workers-ai/@cf/moonshotai/kimi-k2.6"),
    ("cloudflare-workers-ai", "CLOUDFLARE_API_KEY", "Cloudflare Workers AI", C, "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1", "@cf/moonshotai/kimi-k2.6"),
    ("deepseek", "DEEPSEEK_API_KEY", "DeepSeek", C, "https://api.deepseek.com", "deepseek-v4-pro"),
    ("mistral", "MISTRAL_API_KEY", "Mistral", "mistral-conversations", "https://api.mistral.ai", "devstral-medium-latest"),
    ("groq", "GROQ_API_KEY", "Groq", C, "https://api.groq.com/openai/v1", "openai/gpt-oss-120b"),
    ("cerebras", "CEREBRAS_API_KEY", "Cerebras", C, "https://api.cerebras.ai/v1", "gpt-oss-120b"),
    ("xai", "XAI_API_KEY", "xAI", R, "https://api.x.ai/v1", "grok-4.7"),
    ("openrouter", "OPENROUTER_API_KEY", "OpenRouter", C, "https://openrouter.ai/api/v1", "moonshotai/kimi-k2.6"),
    ("vercel-ai-gateway", "AI_GATEWAY_API_KEY", "Vercel AI Gateway", A, "https://ai-gateway.vercel.sh", "zai/glm-5.1"),
    ("zai", "ZAI_API_KEY", "Z.AI", C, "https://api.z.ai/api/coding/paas/v4", "glm-5.3"),
    ("opencode", "OPENCODE_API_KEY", "OpenCode Zen", C, "https://opencode.ai/zen/v1", "kimi-k2.6"),
    ("opencode-go", "OPENCODE_API_KEY", "OpenCode Go", C, "https://opencode.ai/zen/go/v1", "kimi-k2.6"),
    ("huggingface", "HF_TOKEN", "Hugging Face", C, "https://router.huggingface.co/v1", "moonshotai/Kimi-K2.6"),
    ("fireworks", "FIREWORKS_API_KEY", "Fireworks", A, "https://api.fireworks.ai/inference", "accounts/fireworks/models/kimi-k2p6"),
    ("together", "TOGETHER_API_KEY", "Together AI", C, "https://api.together.ai/v1", "moonshotai/Kimi-K2.6"),
    ("kimi-coding", "KIMI_API_KEY", "Kimi For Coding", A, "https://api.kimi.com/coding", "kimi-for-coding"),
    ("minimax", "MINIMAX_API_KEY", "MiniMax", A, "https://api.minimax.io/anthropic", "MiniMax-M2.7"),
    ("minimax-cn", "MINIMAX_CN_API_KEY", "MiniMax (China)", A, "https://api.minimaxi.com/anthropic", "MiniMax-M2.7"),
    ("moonshotai", "MOONSHOT_API_KEY", "Moonshot AI", C, "https://api.moonshot.ai/v1", "kimi-k2.6"),
    ("moonshotai-cn", "MOONSHOT_API_KEY", "Moonshot AI (China)", C, "https://api.moonshot.cn/v1", "kimi-k2.6"),
    ("xiaomi", "XIAOMI_API_KEY", "Xiaomi MiMo", C, "https://api.xiaomimimo.com/v1", "mimo-v2.5-pro"),
    ("xiaomi-token-plan-cn", "XIAOMI_TOKEN_PLAN_CN_API_KEY", "Xiaomi MiMo Token Plan (China)", C, "https://token-plan-cn.xiaomimimo.com/v1", "mimo-v2.5-pro"),
    ("xiaomi-token-plan-ams", "XIAOMI_TOKEN_PLAN_AMS_API_KEY", "Xiaomi MiMo Token Plan (Amsterdam)", C, "https://token-plan-ams.xiaomimimo.com/v1", "mimo-v2.5-pro"),
    ("xiaomi-token-plan-sgp", "XIAOMI_TOKEN_PLAN_SGP_API_KEY", "Xiaomi MiMo Token Plan (Singapore)", C, "https://token-plan-sgp.xiaomimimo.com/v1", "mimo-v2.5-pro"),
    ("ant-ling", "ANT_LING_API_KEY", "Ant Ling", C, "https://api.ant-ling.com/v1", "Ring-2.6-1T"),
    ("baseten", "BASETEN_API_KEY", "Baseten", C, "https://inference.baseten.co/v1", "zai-org/GLM-5.2"),
    ("meta", "META_API_KEY", "Meta", R, "https://api.meta.ai/v1", "muse-spark-1.3"),
    ("nvidia", "NVIDIA_API_KEY", "NVIDIA", C, "https://integrate.api.nvidia.com/v1", "nvidia/nemotron-3-super-120b-a12b"),
    ("qwen-token-plan", "QWEN_TOKEN_PLAN_API_KEY", "Qwen Token Plan", C, "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "qwen3.7-max"),
    ("qwen-token-plan-cn", "QWEN_TOKEN_PLAN_CN_API_KEY", "Qwen Token Plan CN", C, "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1", "qwen3.7-max"),
    ("qwen-token-plan-individual", "QWEN_TOKEN_PLAN_API_KEY", "Qwen Token Plan Individual", C, "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1", "qwen3.8-max"),
    ("radius", "RADIUS_API_KEY", "Radius", "pi-messages", "https://radius.pi.dev/v1", "balanced"),
    ("zai-coding-cn", "ZAI_CODING_CN_API_KEY", "Z.AI Coding CN", C, "https://open.bigmodel.cn/api/coding/paas/v4", "glm-5.3"),
    ("demo", "", "Demo", "demo", "", "demo"),
];

/// Models of other APIs than the provider's own: provider, model, wire, base URL.
#[rustfmt::skip]
const OTHERS: &[(&str, &str, &str, &str)] = &[
    ("openrouter", "anthropic/claude-opus-4.7", A, "https://openrouter.ai/api"),
    ("opencode", "claude-opus-4-8", A, "https://opencode.ai/zen"),
    ("opencode", "gpt-5.5", R, "https://opencode.ai/zen/v1"),
    ("opencode", "gemini-3.1-pro", "google-generative-ai", "https://opencode.ai/zen/v1"),
    ("opencode-go", "minimax-m3", A, "https://opencode.ai/zen/go"),
    ("fireworks", "accounts/fireworks/models/glm-5p3", C, "https://api.fireworks.ai/inference/v1"),
    ("github-copilot", "claude-opus-4.8", A, "https://api.individual.githubcopilot.com"),
    ("github-copilot", "gemini-3.1-pro-preview", C, "https://api.individual.githubcopilot.com"),
    ("cloudflare-ai-gateway", "claude-opus-4.8", A, "https://gateway.ai.cloudflare.com/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/anthropic"),
    ("cloudflare-ai-gateway", "gpt-5.5", R, "https://gateway.ai.cloudflare.com/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/openai"),
    ("amazon-bedrock", "eu.anthropic.claude-opus-4-6-v1", "bedrock-converse-stream", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
];

#[test]
fn every_provider_is_where_it_says() {
    let (_home, catalog) = catalog("");
    for (id, variables, name, wire, base_url, default) in PROVIDERS {
        let provider = catalog.provider(id).unwrap_or_else(|| panic!("no {id}"));
        assert_eq!(provider.key_variables.join(" "), *variables, "{id}");
        assert_eq!(&*provider.name, *name);
        assert_eq!(provider.default_model.as_deref(), Some(*default), "{id}");
        let model = catalog.find(id, default).unwrap_or_else(|| panic!("no {id}/{default}"));
        assert_eq!((&*model.wire, &*model.base_url), (*wire, *base_url), "{id}");
    }
    assert_eq!(catalog.providers().len(), PROVIDERS.len(), "a provider is missing in this list");
    for (provider, id, wire, base_url) in OTHERS {
        let model = catalog.find(provider, id).unwrap_or_else(|| panic!("no {provider}/{id}"));
        assert_eq!((&*model.wire, &*model.base_url), (*wire, *base_url), "{provider}/{id}");
    }
}

#[test]
fn tokens_and_places_are_known() {
    let (_home, catalog) = catalog("");
    let of = |id: &str| catalog.provider(id).unwrap();
    let list = |names: &[Arc<str>]| names.join(" ");
    assert_eq!(list(&of("anthropic").bearer_variables), "ANTHROPIC_AUTH_TOKEN");
    assert_eq!(of("anthropic").usual_variable().map(|name| &**name), Some("ANTHROPIC_API_KEY"));
    assert_eq!(list(&of("github-copilot").bearer_variables), "COPILOT_GITHUB_TOKEN");
    assert_eq!(list(&of("amazon-bedrock").bearer_variables), "AWS_BEARER_TOKEN_BEDROCK");
    assert_eq!(
        list(&of("cloudflare-ai-gateway").url_variables),
        "CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_GATEWAY_ID"
    );
    assert_eq!(list(&of("cloudflare-workers-ai").url_variables), "CLOUDFLARE_ACCOUNT_ID");
    assert_eq!(list(&of("google-vertex").url_variables), "", "its place is the wire's to fill");
    let others = catalog.providers();
    let others = others.iter().filter(|provider| !provider.bearer_variables.is_empty());
    assert_eq!(others.count(), 3);
}

#[test]
fn headers_that_a_provider_wants_are_there() {
    let (_home, catalog) = catalog("");
    let headers = |provider: &str, id: &str| {
        let model = catalog.find(provider, id).unwrap();
        let set: Vec<_> = model.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (set.join(" "), model.session_headers.join(" "))
    };
    let none = (String::new(), String::new());
    assert_eq!(
        headers("nvidia", "nvidia/nemotron-3-super-120b-a12b"),
        ("NVCF-POLL-SECONDS=3600".into(), String::new())
    );
    let (copilot, _) = headers("github-copilot", "claude-opus-4.8");
    assert_eq!(copilot.split(' ').count(), 4, "{copilot}");
    assert!(copilot.contains("Copilot-Integration-Id=vscode-chat"));
    for (provider, id) in [("opencode", "gpt-5.5"), ("opencode-go", "kimi-k2.6")] {
        assert_eq!(headers(provider, id), ("x-opencode-client=aside".into(), "x-opencode-session".into()));
    }
    assert_eq!(headers("kimi-coding", "kimi-for-coding"), none);
    assert_eq!(headers("groq", "openai/gpt-oss-20b"), none);
}

/// What a model's data says of a switch.
#[track_caller]
fn switch(provider: &str, id: &str, name: &str) -> String {
    let (_home, catalog) = catalog("");
    let model = catalog.find(provider, id).unwrap_or_else(|| panic!("no {provider}/{id}"));
    model.compat.get(name).map_or("-".to_owned(), ToString::to_string).replace('"', "")
}

#[test]
fn servers_get_what_they_understand() {
    #[rustfmt::skip]
    let rows = [
        ("xiaomi", "mimo-v2.5-pro", "thinkingFormat", "deepseek"),
        ("xiaomi-token-plan-sgp", "mimo-v2.5-pro", "requiresReasoningContentOnAssistantMessages", "true"),
        ("moonshotai", "kimi-k2.6", "thinkingFormat", "deepseek"),
        ("moonshotai", "kimi-k2.6", "supportsReasoningEffort", "false"),
        ("moonshotai-cn", "kimi-k2.6", "maxTokensField", "max_tokens"),
        ("moonshotai", "kimi-k3", "thinkingFormat", "openai"),
        ("moonshotai", "kimi-k3", "requiresReasoningContentOnAssistantMessages", "true"),
        ("deepseek", "deepseek-v4-pro", "maxTokensField", "max_tokens"),
        ("deepseek", "deepseek-v4-pro", "requiresReasoningContentOnAssistantMessages", "true"),
        ("zai", "glm-5.3", "zaiToolStream", "true"),
        ("zai-coding-cn", "glm-5.3", "thinkingFormat", "zai"),
        ("zai", "glm-5.3", "maxTokensField", "max_tokens"),
        ("nvidia", "nvidia/nemotron-3-super-120b-a12b", "supportsStrictMode", "false"),
        ("nvidia", "nvidia/nemotron-3-super-120b-a12b", "maxTokensField", "max_tokens"),
        ("ant-ling", "Ring-2.6-1T", "thinkingFormat", "ant-ling"),
        ("together", "openai/gpt-oss-120b", "thinkingFormat", "openai"),
        ("together", "moonshotai/Kimi-K2.6", "thinkingFormat", "together"),
        ("together", "moonshotai/Kimi-K2.6", "supportsLongCacheRetention", "false"),
        ("qwen-token-plan", "qwen3.7-max", "thinkingFormat", "qwen"),
        ("huggingface", "moonshotai/Kimi-K2.6", "supportsDeveloperRole", "false"),
        ("opencode", "kimi-k2.6", "maxTokensField", "max_tokens"),
        ("opencode", "gpt-5.5", "sessionAffinityFormat", "openai-nosession"),
        ("cerebras", "gpt-oss-120b", "supportsStrictMode", "-"),
        ("groq", "openai/gpt-oss-120b", "supportsStrictMode", "true"),
        ("xai", "grok-4.7", "supportsLongCacheRetention", "false"),
        ("openrouter", "moonshotai/kimi-k2.6", "thinkingFormat", "openrouter"),
        ("openrouter", "moonshotai/kimi-k2.6", "supportsDeveloperRole", "false"),
        ("openrouter", "anthropic/claude-opus-4.7:batch", "cacheControlFormat", "anthropic"),
        ("fireworks", "accounts/fireworks/models/kimi-k2p6", "supportsCacheControlOnTools", "false"),
        ("fireworks", "accounts/fireworks/models/glm-5p3", "supportsStore", "false"),
        ("vercel-ai-gateway", "zai/glm-5.1", "allowEmptySignature", "true"),
        ("anthropic", "claude-opus-4-8", "supportsTemperature", "false"),
        ("anthropic", "claude-opus-4-8", "promptCache", "{long:3600,short:300}"),
        ("kimi-coding", "kimi-for-coding", "forceAdaptiveThinking", "true"),
        ("cloudflare-workers-ai", "@cf/moonshotai/kimi-k2.6", "sendSessionAffinityHeaders", "true"),
    ];
    for (provider, id, name, value) in rows {
        assert_eq!(switch(provider, id, name), value, "{provider}/{id} {name}");
    }
}

#[test]
fn levels_are_those_of_the_makers() {
    use ThinkingLevel::{High, Low, Max, Medium, Minimal, Off, Xhigh};
    let (_home, catalog) = catalog("");
    let rows: &[(&str, &str, &[ThinkingLevel])] = &[
        ("anthropic", "claude-opus-4-8", &[Off, Minimal, Low, Medium, High, Xhigh, Max]),
        ("anthropic", "claude-opus-5", &[Minimal, Low, Medium, High, Xhigh, Max]),
        ("openai", "gpt-5", &[Minimal, Low, Medium, High]),
        ("openai", "gpt-5-pro", &[High]),
        ("openai", "gpt-4.1", &[Off]),
        ("google", "gemini-3.1-pro-preview", &[Low, Medium, High]),
        ("deepseek", "deepseek-v4-pro", &[Off, High, Max]),
        ("groq", "openai/gpt-oss-120b", &[Low, Medium, High]),
    ];
    for (provider, id, levels) in rows {
        let model = catalog.find(provider, id).unwrap_or_else(|| panic!("no {provider}/{id}"));
        assert_eq!(model.thinking_levels(), *levels, "{provider}/{id}");
    }
    let qwen = catalog.find("groq", "qwen/qwen3.6-27b").unwrap();
    assert_eq!(qwen.thinking_value(High), Some("default"));
    assert_eq!(qwen.thinking_value(Off), Some("none"));
}
