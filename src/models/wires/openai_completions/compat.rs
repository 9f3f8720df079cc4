//! How servers differ that all claim to speak OpenAI's chat completions: detected by provider and base URL, then
//! overridden field by field by the model's own `compat`.

use serde_json::{Map, Value};

use crate::catalog::Model;

/// The name of the field that limits the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MaxTokens {
    MaxTokens,
    MaxCompletionTokens,
}

/// How thinking is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThinkingFormat {
    OpenAi,
    OpenRouter,
    DeepSeek,
    Zai,
    Qwen,
    QwenChatTemplate,
    ChatTemplate,
    Baseten,
    Together,
    StringThinking,
    AntLing,
}

/// Which headers keep a conversation on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Full,
    NoSession,
    Routed,
}

/// Everything that differs.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in models.json")]
pub(super) struct Compat<'a> {
    pub(super) store: bool,
    pub(super) developer_role: bool,
    pub(super) reasoning_effort: bool,
    pub(super) usage_in_streaming: bool,
    pub(super) finish_reason: bool,
    pub(super) max_tokens: MaxTokens,
    pub(super) tool_result_name: bool,
    pub(super) assistant_after_tool_result: bool,
    pub(super) thinking_as_text: bool,
    pub(super) reasoning_content_always: bool,
    pub(super) thinking_format: ThinkingFormat,
    pub(super) zai_tool_stream: bool,
    pub(super) strict: bool,
    /// Anthropic's cache markers.
    pub(super) cache_markers: bool,
    pub(super) send_affinity: bool,
    pub(super) affinity: Affinity,
    pub(super) long_cache: bool,
    pub(super) budget_field: Option<&'a str>,
    pub(super) priority: Option<i64>,
    pub(super) open_router_routing: Option<&'a Map<String, Value>>,
    pub(super) vercel_routing: Option<&'a Map<String, Value>>,
    pub(super) template_kwargs: Option<&'a Map<String, Value>>,
    pub(super) template_args: Option<&'a Map<String, Value>>,
    pub(super) sampling: Option<&'a Map<String, Value>>,
}

/// The servers whose ways are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    AntLing,
    Cerebras,
    Chutes,
    CloudflareGateway,
    CloudflareWorkers,
    DeepSeek,
    Moonshot,
    Nvidia,
    OpenAi,
    OpenCode,
    OpenRouter,
    Together,
    Xai,
    Zai,
    /// A server of which nothing is known, often one's own: it gets nothing that many of them refuse.
    Other,
}

/// Provider ids and parts of base URLs, the first that fits wins.
const HOSTS: &[(Host, &[&str], &[&str])] = &[
    (Host::OpenRouter, &["openrouter"], &["openrouter.ai"]),
    (Host::CloudflareGateway, &["cloudflare-ai-gateway"], &["gateway.ai.cloudflare.com"]),
    (Host::CloudflareWorkers, &["cloudflare-workers-ai"], &["api.cloudflare.com"]),
    (Host::AntLing, &["ant-ling"], &["api.ant-ling.com"]),
    (Host::Cerebras, &["cerebras"], &["cerebras.ai"]),
    (Host::Chutes, &["chutes"], &["chutes.ai"]),
    (Host::DeepSeek, &["deepseek"], &["deepseek.com"]),
    (Host::Moonshot, &["moonshot", "moonshotai", "moonshotai-cn"], &["api.moonshot."]),
    (Host::Nvidia, &["nvidia"], &["integrate.api.nvidia.com"]),
    (Host::OpenAi, &["openai"], &["api.openai.com", "openai.azure.com"]),
    (Host::OpenCode, &["opencode", "opencode-go"], &["opencode.ai"]),
    (Host::Together, &["together"], &["api.together.ai", "api.together.xyz"]),
    (Host::Xai, &["xai"], &["api.x.ai"]),
    (Host::Zai, &["zai", "zai-coding-cn"], &["api.z.ai", "open.bigmodel.cn"]),
];

fn host(model: &Model) -> Host {
    let base = model.base_url.to_ascii_lowercase();
    let by_provider = HOSTS.iter().find(|(_, ids, _)| ids.contains(&&*model.provider));
    by_provider
        .or_else(|| HOSTS.iter().find(|(_, _, parts)| parts.iter().any(|part| base.contains(part))))
        .map_or(Host::Other, |(host, ..)| *host)
}

impl<'a> Compat<'a> {
    /// What holds for `model`.
    pub(super) fn of(model: &'a Model) -> Self {
        let mut compat = Self::detected(model);
        compat.apply(&model.compat);
        compat
    }

    fn detected(model: &Model) -> Self {
        let host = host(model);
        let plain = matches!(host, Host::OpenAi | Host::OpenRouter);
        let gateway_anthropic = host == Host::OpenRouter && model.id.starts_with("anthropic/");
        Self {
            store: plain,
            developer_role: match host {
                // Only these two keep the role; other makers' templates do not know it.
                Host::OpenRouter => gateway_anthropic || model.id.starts_with("openai/"),
                _ => plain,
            },
            reasoning_effort: !matches!(
                host,
                Host::Xai
                    | Host::Zai
                    | Host::Moonshot
                    | Host::Together
                    | Host::CloudflareGateway
                    | Host::Nvidia
                    | Host::AntLing
            ),
            usage_in_streaming: true,
            finish_reason: true,
            max_tokens: match host {
                Host::Chutes
                | Host::Moonshot
                | Host::Together
                | Host::CloudflareGateway
                | Host::DeepSeek
                | Host::Zai
                | Host::Nvidia
                | Host::AntLing
                | Host::Other => MaxTokens::MaxTokens,
                _ => MaxTokens::MaxCompletionTokens,
            },
            tool_result_name: false,
            assistant_after_tool_result: false,
            thinking_as_text: false,
            reasoning_content_always: host == Host::DeepSeek,
            thinking_format: match host {
                Host::DeepSeek => ThinkingFormat::DeepSeek,
                Host::Zai => ThinkingFormat::Zai,
                Host::Together => ThinkingFormat::Together,
                Host::OpenRouter => ThinkingFormat::OpenRouter,
                Host::AntLing => ThinkingFormat::AntLing,
                _ => ThinkingFormat::OpenAi,
            },
            zai_tool_stream: false,
            strict: false,
            cache_markers: gateway_anthropic,
            send_affinity: host == Host::OpenRouter,
            affinity: match host {
                Host::OpenRouter => Affinity::Routed,
                Host::OpenCode => Affinity::NoSession,
                _ => Affinity::Full,
            },
            long_cache: !matches!(
                host,
                Host::Together
                    | Host::CloudflareWorkers
                    | Host::CloudflareGateway
                    | Host::Nvidia
                    | Host::AntLing
                    | Host::Other
            ),
            budget_field: None,
            priority: None,
            open_router_routing: None,
            vercel_routing: None,
            template_kwargs: None,
            template_args: None,
            sampling: None,
        }
    }

    /// Explicit fields win one by one. A value of the wrong type says nothing.
    fn apply(&mut self, explicit: &'a Map<String, Value>) {
        let flag = |name: &str, field: &mut bool| {
            if let Some(value) = explicit.get(name).and_then(Value::as_bool) {
                *field = value;
            }
        };
        flag("supportsStore", &mut self.store);
        flag("supportsDeveloperRole", &mut self.developer_role);
        flag("supportsReasoningEffort", &mut self.reasoning_effort);
        flag("supportsUsageInStreaming", &mut self.usage_in_streaming);
        flag("supportsFinishReason", &mut self.finish_reason);
        flag("requiresToolResultName", &mut self.tool_result_name);
        flag("requiresAssistantAfterToolResult", &mut self.assistant_after_tool_result);
        flag("requiresThinkingAsText", &mut self.thinking_as_text);
        flag("requiresReasoningContentOnAssistantMessages", &mut self.reasoning_content_always);
        flag("zaiToolStream", &mut self.zai_tool_stream);
        flag("supportsStrictMode", &mut self.strict);
        flag("supportsLongCacheRetention", &mut self.long_cache);
        flag("sendSessionAffinityHeaders", &mut self.send_affinity);
        let word = |name: &str| explicit.get(name).and_then(Value::as_str);
        match word("maxTokensField") {
            Some("max_tokens") => self.max_tokens = MaxTokens::MaxTokens,
            Some("max_completion_tokens") => self.max_tokens = MaxTokens::MaxCompletionTokens,
            _ => {}
        }
        self.thinking_format = match word("thinkingFormat") {
            Some("openai") => ThinkingFormat::OpenAi,
            Some("openrouter") => ThinkingFormat::OpenRouter,
            Some("deepseek") => ThinkingFormat::DeepSeek,
            Some("zai") => ThinkingFormat::Zai,
            Some("qwen") => ThinkingFormat::Qwen,
            Some("qwen-chat-template") => ThinkingFormat::QwenChatTemplate,
            Some("chat-template") => ThinkingFormat::ChatTemplate,
            Some("baseten") => ThinkingFormat::Baseten,
            Some("together") => ThinkingFormat::Together,
            Some("string-thinking") => ThinkingFormat::StringThinking,
            Some("ant-ling") => ThinkingFormat::AntLing,
            _ => self.thinking_format,
        };
        self.affinity = match word("sessionAffinityFormat") {
            Some("openai") => Affinity::Full,
            Some("openai-nosession") => Affinity::NoSession,
            Some("openrouter") => Affinity::Routed,
            _ => self.affinity,
        };
        if let Some(value) = explicit.get("cacheControlFormat") {
            self.cache_markers = value.as_str() == Some("anthropic");
        }
        self.budget_field = word("thinkingTokenBudgetField").filter(|name| !name.is_empty());
        if self.budget_field.is_none()
            && explicit.get("supportsThinkingTokenBudget").and_then(Value::as_bool) == Some(true)
        {
            self.budget_field = Some("thinking_token_budget");
        }
        self.priority = explicit.get("vllmPriority").and_then(Value::as_i64);
        let object = |name: &str| explicit.get(name).and_then(Value::as_object).filter(|map| !map.is_empty());
        self.open_router_routing = object("openRouterRouting");
        self.vercel_routing = object("vercelGatewayRouting");
        self.template_kwargs = object("chatTemplateKwargs");
        self.template_args = object("chatTemplateArgs");
        self.sampling = object("samplingParams");
    }
}
