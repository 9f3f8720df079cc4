//! What the documents of the providers say: written by hand, never derived from the catalog that it judges.
//!
//! One row for each provider and each API that it is reached by.

/// How a key stands in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The bare key in a header of this name.
    Key(&'static str),
    /// `Bearer KEY` in a header of this name.
    BearerIn(&'static str),
}

/// One way to one provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Its id, which is also its key in `auth.json`.
    pub(super) provider: &'static str,
    /// The variable that holds its key.
    pub(super) variable: &'static str,
    /// Other variables that its address is made of, and a value for each.
    pub(super) others: &'static [(&'static str, &'static str)],
    pub(super) wire: &'static str,
    /// One of its models.
    pub(super) model: &'static str,
    /// Where a prompt goes.
    pub(super) url: &'static str,
    pub(super) header: Header,
}

const COMPLETIONS: &str = "openai-completions";
const RESPONSES: &str = "openai-responses";
const ANTHROPIC: &str = "anthropic-messages";
const GOOGLE: &str = "google-generative-ai";

const BEARER: Header = Header::Bearer;
const X_API_KEY: Header = Header::Key("x-api-key");
const GATEWAY: Header = Header::BearerIn("cf-aig-authorization");

const ACCOUNT: (&str, &str) = ("CLOUDFLARE_ACCOUNT_ID", "acc0123");
const GATEWAY_ID: (&str, &str) = ("CLOUDFLARE_GATEWAY_ID", "gate-1");

const fn row(
    provider: &'static str,
    variable: &'static str,
    wire: &'static str,
    model: &'static str,
    url: &'static str,
    header: Header,
) -> Row {
    Row { provider, variable, others: &[], wire, model, url, header }
}

const fn with(row: Row, others: &'static [(&'static str, &'static str)]) -> Row {
    Row { others, ..row }
}

/// Every provider that takes a key.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("anthropic", "ANTHROPIC_API_KEY", ANTHROPIC, "claude-opus-4-8", "https://api.anthropic.com/v1/messages", X_API_KEY),
    row("openai", "OPENAI_API_KEY", RESPONSES, "gpt-5.5", "https://api.openai.com/v1/responses", BEARER),
    with(
        row("azure-openai-responses", "AZURE_OPENAI_API_KEY", "azure-openai-responses", "gpt-5.4", "https://res.openai.azure.com/openai/v1/responses?api-version=v1", Header::Key("api-key")),
        &[("AZURE_OPENAI_BASE_URL", "https://res.openai.azure.com")],
    ),
    row("github-copilot", "COPILOT_GITHUB_TOKEN", ANTHROPIC, "claude-opus-4.8", "https://api.individual.githubcopilot.com/v1/messages", BEARER),
    row("github-copilot", "COPILOT_GITHUB_TOKEN", COMPLETIONS, "gemini-3.8-flash", "https://api.individual.githubcopilot.com/chat/completions", BEARER),
    row("github-copilot", "COPILOT_GITHUB_TOKEN", RESPONSES, "gpt-5.4", "https://api.individual.githubcopilot.com/responses", BEARER),
    row("google", "GEMINI_API_KEY", GOOGLE, "gemini-3.1-pro-preview", "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.1-pro-preview:streamGenerateContent?alt=sse", Header::Key("x-goog-api-key")),
    row("google-vertex", "GOOGLE_CLOUD_API_KEY", "google-vertex", "gemini-2.5-flash", "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse", Header::Key("x-goog-api-key")),
    row("amazon-bedrock", "AWS_BEARER_TOKEN_BEDROCK", "bedrock-converse-stream", "us.anthropic.claude-opus-4-6-v1", "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-opus-4-6-v1/converse-stream", BEARER),
    with(
        row("cloudflare-ai-gateway", "CLOUDFLARE_API_KEY", ANTHROPIC, "claude-fable-5", "https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/anthropic/v1/messages", GATEWAY),
        &[ACCOUNT, GATEWAY_ID],
    ),
    with(
        row("cloudflare-ai-gateway", "CLOUDFLARE_API_KEY", RESPONSES, "gpt-4.1", "https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/openai/responses", GATEWAY),
        &[ACCOUNT, GATEWAY_ID],
    ),
    with(
        row("cloudflare-ai-gateway", "CLOUDFLARE_API_KEY", COMPLETIONS, "workers-ai/@cf/moonshotai/kimi-k2.6", "https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/compat/chat/completions", GATEWAY),
        &[ACCOUNT, GATEWAY_ID],
    ),
    with(
        row("cloudflare-workers-ai", "CLOUDFLARE_API_KEY", COMPLETIONS, "@cf/moonshotai/kimi-k2.6", "https://api.cloudflare.com/client/v4/accounts/acc0123/ai/v1/chat/completions", BEARER),
        &[ACCOUNT],
    ),
    row("deepseek", "DEEPSEEK_API_KEY", COMPLETIONS, "deepseek-v4-pro", "https://api.deepseek.com/chat/completions", BEARER),
    row("mistral", "MISTRAL_API_KEY", "mistral-conversations", "devstral-medium-latest", "https://api.mistral.ai/v1/chat/completions", BEARER),
    row("groq", "GROQ_API_KEY", COMPLETIONS, "openai/gpt-oss-120b", "https://api.groq.com/openai/v1/chat/completions", BEARER),
    row("cerebras", "CEREBRAS_API_KEY", COMPLETIONS, "gpt-oss-120b", "https://api.cerebras.ai/v1/chat/completions", BEARER),
    row("xai", "XAI_API_KEY", RESPONSES, "grok-4.7", "https://api.x.ai/v1/responses", BEARER),
    row("openrouter", "OPENROUTER_API_KEY", COMPLETIONS, "moonshotai/kimi-k2.6", "https://openrouter.ai/api/v1/chat/completions", BEARER),
    row("openrouter", "OPENROUTER_API_KEY", ANTHROPIC, "anthropic/claude-opus-4.5", "https://openrouter.ai/api/v1/messages", X_API_KEY),
    row("vercel-ai-gateway", "AI_GATEWAY_API_KEY", ANTHROPIC, "zai/glm-5.1", "https://ai-gateway.vercel.sh/v1/messages", X_API_KEY),
    row("zai", "ZAI_API_KEY", COMPLETIONS, "glm-5.3", "https://api.z.ai/api/coding/paas/v4/chat/completions", BEARER),
    row("zai-coding-cn", "ZAI_CODING_CN_API_KEY", COMPLETIONS, "glm-5.3", "https://open.bigmodel.cn/api/coding/paas/v4/chat/completions", BEARER),
    row("opencode", "OPENCODE_API_KEY", COMPLETIONS, "kimi-k2.6", "https://opencode.ai/zen/v1/chat/completions", BEARER),
    row("opencode", "OPENCODE_API_KEY", ANTHROPIC, "claude-fable-5", "https://opencode.ai/zen/v1/messages", X_API_KEY),
    row("opencode", "OPENCODE_API_KEY", RESPONSES, "gpt-5", "https://opencode.ai/zen/v1/responses", BEARER),
    row("opencode", "OPENCODE_API_KEY", GOOGLE, "gemini-3-flash", "https://opencode.ai/zen/v1/models/gemini-3-flash:streamGenerateContent?alt=sse", Header::Key("x-goog-api-key")),
    row("opencode-go", "OPENCODE_API_KEY", COMPLETIONS, "kimi-k2.6", "https://opencode.ai/zen/go/v1/chat/completions", BEARER),
    row("opencode-go", "OPENCODE_API_KEY", ANTHROPIC, "minimax-m3", "https://opencode.ai/zen/go/v1/messages", X_API_KEY),
    row("opencode-go", "OPENCODE_API_KEY", RESPONSES, "grok-4.6", "https://opencode.ai/zen/go/v1/responses", BEARER),
    row("huggingface", "HF_TOKEN", COMPLETIONS, "moonshotai/Kimi-K2.6", "https://router.huggingface.co/v1/chat/completions", BEARER),
    row("fireworks", "FIREWORKS_API_KEY", ANTHROPIC, "accounts/fireworks/models/kimi-k2p6", "https://api.fireworks.ai/inference/v1/messages", X_API_KEY),
    row("fireworks", "FIREWORKS_API_KEY", COMPLETIONS, "accounts/fireworks/models/glm-5p3", "https://api.fireworks.ai/inference/v1/chat/completions", BEARER),
    row("together", "TOGETHER_API_KEY", COMPLETIONS, "moonshotai/Kimi-K2.6", "https://api.together.ai/v1/chat/completions", BEARER),
    row("kimi-coding", "KIMI_API_KEY", ANTHROPIC, "kimi-for-coding", "https://api.kimi.com/coding/v1/messages", X_API_KEY),
    row("minimax", "MINIMAX_API_KEY", ANTHROPIC, "MiniMax-M2.7", "https://api.minimax.io/anthropic/v1/messages", X_API_KEY),
    row("minimax-cn", "MINIMAX_CN_API_KEY", ANTHROPIC, "MiniMax-M2.7", "https://api.minimaxi.com/anthropic/v1/messages", X_API_KEY),
    row("moonshotai", "MOONSHOT_API_KEY", COMPLETIONS, "kimi-k2.6", "https://api.moonshot.ai/v1/chat/completions", BEARER),
    row("moonshotai-cn", "MOONSHOT_API_KEY", COMPLETIONS, "kimi-k2.6", "https://api.moonshot.cn/v1/chat/completions", BEARER),
    row("xiaomi", "XIAOMI_API_KEY", COMPLETIONS, "mimo-v2.5-pro", "https://api.xiaomimimo.com/v1/chat/completions", BEARER),
    row("xiaomi-token-plan-cn", "XIAOMI_TOKEN_PLAN_CN_API_KEY", COMPLETIONS, "mimo-v2.5-pro", "https://token-plan-cn.xiaomimimo.com/v1/chat/completions", BEARER),
    row("xiaomi-token-plan-ams", "XIAOMI_TOKEN_PLAN_AMS_API_KEY", COMPLETIONS, "mimo-v2.5-pro", "https://token-plan-ams.xiaomimimo.com/v1/chat/completions", BEARER),
    row("xiaomi-token-plan-sgp", "XIAOMI_TOKEN_PLAN_SGP_API_KEY", COMPLETIONS, "mimo-v2.5-pro", "https://token-plan-sgp.xiaomimimo.com/v1/chat/completions", BEARER),
    row("ant-ling", "ANT_LING_API_KEY", COMPLETIONS, "Ring-2.6-1T", "https://api.ant-ling.com/v1/chat/completions", BEARER),
    row("baseten", "BASETEN_API_KEY", COMPLETIONS, "zai-org/GLM-5.2", "https://inference.baseten.co/v1/chat/completions", BEARER),
    row("meta", "META_API_KEY", RESPONSES, "muse-spark-1.3", "https://api.meta.ai/v1/responses", BEARER),
    row("nvidia", "NVIDIA_API_KEY", COMPLETIONS, "nvidia/nemotron-3-super-120b-a12b", "https://integrate.api.nvidia.com/v1/chat/completions", BEARER),
    row("qwen-token-plan", "QWEN_TOKEN_PLAN_API_KEY", COMPLETIONS, "qwen3.7-max", "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1/chat/completions", BEARER),
    row("qwen-token-plan-cn", "QWEN_TOKEN_PLAN_CN_API_KEY", COMPLETIONS, "qwen3.7-max", "https://token-plan.cn-beijing.maas.aliyuncs.com/compatible-mode/v1/chat/completions", BEARER),
    row("qwen-token-plan-individual", "QWEN_TOKEN_PLAN_API_KEY", COMPLETIONS, "qwen3.8-max", "https://token-plan.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1/chat/completions", BEARER),
];

/// Providers that are reached by no key, and why they are not in the table.
pub(super) const WITHOUT_KEY: &[&str] = &[
    // A subscription alone.
    "openai-codex",
    // Its own API, which is a gateway's of another program.
    "radius",
    // Needs nothing at all.
    "demo",
];
