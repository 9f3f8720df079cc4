//! Between the engine's types and the contract's. Nothing else.

use crate::accounts::oauth::{self, OAuthErrorKind, Way};
use crate::accounts::{Accounts, Source, Standing, Status};
use crate::catalog::{Listed, Provider};
use crate::doors::peer::RpcError;
use crate::engine::permissions::book::Explained;
use crate::engine::permissions::{Decision, Layer, Reason};
use crate::engine::store::format::{change_name, kind_name, mode_name};
use crate::engine::{
    Event, EventBody, Failure, FailureKind, Field, FileChangeItem, Item, ItemBody, ItemId, ItemStatus,
    PermissionOptionKind, PromptOutcome, Question, QuestionBody, QueueEntry, SessionId, SessionInfo,
    SessionState, SessionSummary, Severity, Storage, TurnEnd,
};
use crate::models::{Content, Usage};
use crate::settings::Diagnostic;
use crate::tools::context::EditorEdit;
use crate::tools::shown::{cut, show};
use crate::tools::{FieldKind, Hunk, HunkDecision};
use aside_protocol as wire;

/// Characters of the part of a call that a reason is about.
const MAX_ABOUT: usize = 2_000;

/// An event.
pub fn event(session: &SessionId, epoch: u64, event: &Event) -> wire::Event {
    wire::Event {
        session_id: session.to_string(),
        epoch,
        seq: event.seq,
        from_seq: (event.from_seq != event.seq).then_some(event.from_seq),
        body: event_body(session, &event.body),
    }
}

fn event_body(session: &SessionId, body: &EventBody) -> wire::EventBody {
    match body {
        EventBody::TurnStarted { turn, request, idempotency } => wire::EventBody::TurnStarted {
            turn_id: turn.to_string(),
            request_id: request.as_deref().map(str::to_owned),
            idempotency_id: idempotency.as_deref().map(str::to_owned),
        },
        EventBody::ItemStarted(started) => wire::EventBody::ItemStarted { item: item(started) },
        EventBody::Delta { item, field: Field::Text, text } => {
            wire::EventBody::Delta { item_id: item.to_string(), text: text.clone() }
        }
        EventBody::Delta { item, field: Field::Arguments, text } => {
            wire::EventBody::ArgumentsDelta { item_id: item.to_string(), text: text.clone() }
        }
        EventBody::ItemUpdated(updated) => wire::EventBody::ItemUpdated { item: item(updated) },
        EventBody::ItemCompleted(completed) => wire::EventBody::ItemCompleted { item: item(completed) },
        EventBody::ItemWithdrawn(id) => wire::EventBody::ItemWithdrawn { item_id: id.to_string() },
        EventBody::QuestionAsked(asked) => {
            wire::EventBody::QuestionAsked { question: question(session, asked) }
        }
        EventBody::QuestionResolved { question, outcome } => wire::EventBody::QuestionResolved {
            question_id: question.to_string(),
            outcome: (*outcome).to_owned(),
        },
        EventBody::UsageChanged { usage: used, cost, context_tokens, context_window } => {
            wire::EventBody::UsageChanged {
                usage: usage(used),
                cost: money(*cost),
                context_tokens: *context_tokens,
                context_window: *context_window,
            }
        }
        EventBody::Retry { attempt, max_attempts, delay_ms, retry_at_ms, failure } => {
            wire::EventBody::Retry {
                attempt: *attempt,
                max_attempts: *max_attempts,
                delay_ms: *delay_ms,
                retry_at_ms: *retry_at_ms,
                error: failed(failure),
            }
        }
        EventBody::Stalled { since_ms, waiting_for, gives_up_in_ms } => wire::EventBody::Stalled {
            since_ms: *since_ms,
            waiting_for: (*waiting_for).to_owned(),
            gives_up_in_ms: *gives_up_in_ms,
        },
        EventBody::StateChanged(state) => wire::EventBody::StateChanged { state: session_state(*state) },
        EventBody::SessionChanged(changed) => wire::EventBody::SessionChanged { session: info(changed) },
        EventBody::QueueChanged(queue) => {
            wire::EventBody::QueueChanged { queue: queue.iter().map(queue_entry).collect() }
        }
        EventBody::TurnEnded { turn, end } => wire::EventBody::TurnEnded {
            turn_id: turn.turn.to_string(),
            stop_reason: stop_reason(end),
            error: turn_error(end),
            patches: Vec::new(),
        },
    }
}

/// An item.
pub fn item(item: &Item) -> wire::Item {
    wire::Item {
        id: item.id.to_string(),
        turn_id: item.turn.map(|turn| turn.to_string()),
        status: match item.status {
            ItemStatus::InProgress => wire::ItemStatus::InProgress,
            ItemStatus::Completed => wire::ItemStatus::Completed,
            ItemStatus::Failed => wire::ItemStatus::Failed,
            ItemStatus::Cancelled => wire::ItemStatus::Cancelled,
            ItemStatus::Withdrawn => wire::ItemStatus::Withdrawn,
        },
        text: item.text.clone(),
        created_at_ms: item.created_at_ms,
        body: item_body(&item.body),
    }
}

fn item_body(body: &ItemBody) -> wire::ItemBody {
    match body {
        ItemBody::User { content } => {
            wire::ItemBody::UserMessage { content: content.iter().map(shown).collect() }
        }
        ItemBody::Text { origin, .. } => {
            wire::ItemBody::AssistantText { model: format!("{}/{}", origin.provider, origin.model) }
        }
        ItemBody::Thinking { redacted, .. } => wire::ItemBody::Thinking { redacted: redacted.is_some() },
        ItemBody::ToolCall(call) => wire::ItemBody::ToolCall {
            name: call.name.clone(),
            title: call.title.clone(),
            kind: kind_name(call.kind).into(),
            arguments: serde_json::from_str(&call.arguments).ok(),
            locations: Vec::new(),
        },
        ItemBody::FileChange(FileChangeItem { tool_call, change, .. }) => wire::ItemBody::FileChange {
            tool_call_id: tool_call.to_string(),
            path: change.path.display().to_string(),
            old_path: change.old_path.as_ref().map(|path| path.display().to_string()),
            kind: change_name(change.kind).into(),
            hunks: change.hunks.iter().map(hunk).collect(),
        },
        ItemBody::Command(command) => {
            wire::ItemBody::Command { command: command.line.clone(), exit_code: command.exit_code }
        }
        ItemBody::Notice { severity, hint, .. } => wire::ItemBody::Notice {
            severity: match severity {
                Severity::Info => wire::Severity::Info,
                Severity::Warning => wire::Severity::Warning,
                Severity::Error => wire::Severity::Error,
            },
            hint: hint.clone(),
        },
    }
}

/// A prompt that waits.
pub fn queue_entry(entry: &QueueEntry) -> wire::QueueEntry {
    wire::QueueEntry { id: entry.id.clone(), content: entry.content.iter().map(shown).collect() }
}

fn hunk(hunk: &Hunk) -> wire::Hunk {
    wire::Hunk {
        id: hunk.id.clone(),
        old_start: hunk.old_start,
        old_lines: hunk.old_lines,
        new_start: hunk.new_start,
        new_lines: hunk.new_lines,
        lines: hunk.lines.clone(),
        decision: match hunk.decision {
            HunkDecision::Pending => wire::HunkDecision::Pending,
            HunkDecision::Accepted => wire::HunkDecision::Accepted,
            HunkDecision::Rejected => wire::HunkDecision::Rejected,
        },
    }
}

/// A piece of a prompt as it is shown: a picture's bytes stay here.
fn shown(content: &Content) -> wire::ContentBlock {
    match content {
        Content::Text(text) => wire::ContentBlock::Text { text: text.to_string() },
        Content::Image { mime_type, .. } => {
            wire::ContentBlock::Image { data: String::new(), mime_type: mime_type.to_string(), uri: None }
        }
    }
}

/// Why something was decided.
pub fn explained(explained: &Explained) -> wire::ExplainPermissionResult {
    wire::ExplainPermissionResult {
        tool: explained.tool.clone(),
        decision: decision(explained.verdict.decision),
        permission_mode: mode_name(explained.verdict.mode).into(),
        reasons: explained.verdict.reasons.iter().map(reason).collect(),
        title: explained.title.clone(),
        detail: explained.detail.clone(),
        answer: explained.answer.clone(),
        warnings: explained.warnings.clone(),
    }
}

fn decision(decision: Decision) -> wire::PermissionDecision {
    match decision {
        Decision::Allow => wire::PermissionDecision::Allow,
        Decision::Ask => wire::PermissionDecision::Ask,
        Decision::Deny => wire::PermissionDecision::Deny,
    }
}

fn reason(reason: &Reason) -> wire::PermissionReason {
    wire::PermissionReason {
        decision: decision(reason.decision),
        layer: match reason.layer {
            Layer::BuiltIn => wire::PermissionLayer::BuiltIn,
            Layer::Managed => wire::PermissionLayer::Managed,
            Layer::User => wire::PermissionLayer::User,
            Layer::Client => wire::PermissionLayer::Client,
            Layer::Folder => wire::PermissionLayer::Folder,
            Layer::Session => wire::PermissionLayer::Session,
            Layer::Mode => wire::PermissionLayer::Mode,
        },
        rule: show(&reason.rule),
        about: cut(&show(&reason.about), MAX_ABOUT),
    }
}

/// A question.
pub fn question(session: &SessionId, question: &Question) -> wire::PendingQuestion {
    match &question.body {
        QuestionBody::Permission { item, tool, title, detail, locations, options, change } => {
            wire::PendingQuestion::Permission {
                request: wire::RequestPermissionParams {
                    session_id: session.to_string(),
                    question_id: question.id.to_string(),
                    item_id: item.to_string(),
                    tool: tool.clone(),
                    title: title.clone(),
                    detail: detail.clone(),
                    locations: locations
                        .iter()
                        .map(|path| wire::Location { path: path.display().to_string(), line: None })
                        .collect(),
                    change: change.as_ref().map(|change| wire::ProposedChange {
                        path: change.path.display().to_string(),
                        kind: change_name(change.kind).into(),
                        hunks: change.hunks.iter().map(hunk).collect(),
                    }),
                    options: options
                        .iter()
                        .map(|option| wire::PermissionOption {
                            id: option.id.to_owned(),
                            label: option.label.clone(),
                            kind: match option.kind {
                                PermissionOptionKind::AllowOnce => wire::PermissionOptionKind::AllowOnce,
                                PermissionOptionKind::AllowSession => {
                                    wire::PermissionOptionKind::AllowSession
                                }
                                PermissionOptionKind::AllowAlways => wire::PermissionOptionKind::AllowAlways,
                                PermissionOptionKind::RejectOnce => wire::PermissionOptionKind::RejectOnce,
                                PermissionOptionKind::RejectAlways => {
                                    wire::PermissionOptionKind::RejectAlways
                                }
                            },
                        })
                        .collect(),
                },
            }
        }
        QuestionBody::Form(form) => wire::PendingQuestion::Form {
            request: wire::PromptUserParams {
                session_id: Some(session.to_string()),
                question_id: question.id.to_string(),
                message: form.message.clone(),
                fields: form
                    .fields
                    .iter()
                    .map(|field| wire::FormField {
                        name: field.name.clone(),
                        label: field.label.clone(),
                        kind: match field.kind {
                            FieldKind::Text => wire::FieldKind::Text,
                            FieldKind::Secret => wire::FieldKind::Secret,
                            FieldKind::Choice => wire::FieldKind::Choice,
                            FieldKind::Boolean => wire::FieldKind::Boolean,
                        },
                        choices: field.choices.clone(),
                        required: field.required,
                    })
                    .collect(),
            },
        },
    }
}

/// A change that the editor is to make.
pub fn apply_edit(
    session: &SessionId,
    item: ItemId,
    path: &str,
    edit: &EditorEdit,
    is_review: bool,
) -> wire::ApplyEditParams {
    wire::ApplyEditParams {
        session_id: session.to_string(),
        item_id: item.to_string(),
        path: path.to_owned(),
        version: edit.version.clone(),
        edits: edit
            .edits
            .iter()
            .map(|edit| wire::TextEdit {
                start_line: edit.start_line,
                start_byte: edit.start_byte,
                end_line: edit.end_line,
                end_byte: edit.end_byte,
                text: edit.text.clone(),
            })
            .collect(),
        review: is_review,
    }
}

/// A session.
pub fn info(info: &SessionInfo) -> wire::SessionInfo {
    wire::SessionInfo {
        session_id: info.session.to_string(),
        title: info.title.clone(),
        cwd: info.cwd.clone(),
        additional_directories: info.folders.clone(),
        model: info.model.clone(),
        account: info.account.as_ref().map(|account| account.label.to_string()),
        thinking: info.thinking.map(|level| level.to_string()),
        permission_mode: mode_name(info.permission_mode).into(),
        state: session_state(info.state),
        storage: match info.storage {
            Storage::Disk => wire::Storage::Disk,
            Storage::Memory => wire::Storage::Memory,
        },
        read_only: info.read_only,
        epoch: info.epoch,
        seq: info.seq,
        created_at_ms: info.created_at_ms,
        updated_at_ms: info.updated_at_ms,
        usage: usage(&info.usage),
        cost: money(info.cost),
    }
}

fn session_state(state: SessionState) -> wire::SessionState {
    match state {
        SessionState::Idle => wire::SessionState::Idle,
        SessionState::Running => wire::SessionState::Running,
        SessionState::Waiting => wire::SessionState::Waiting,
    }
}

/// A session in a list.
pub fn summary(summary: &SessionSummary) -> wire::SessionSummary {
    wire::SessionSummary {
        session_id: summary.session.to_string(),
        title: summary.title.clone(),
        cwd: summary.cwd.clone(),
        updated_at_ms: summary.updated_at_ms,
        open: summary.open,
    }
}

fn usage(usage: &Usage) -> wire::Usage {
    wire::Usage {
        input_tokens: usage.input,
        output_tokens: usage.output,
        cache_read_tokens: usage.cache_read,
        cache_write_tokens: usage.cache_write,
        reasoning_tokens: usage.reasoning,
    }
}

fn money(amount: Option<f64>) -> Option<wire::Money> {
    amount.map(|amount| wire::Money { amount, currency: "USD".to_owned() })
}

/// Why a turn ended.
pub fn stop_reason(end: &TurnEnd) -> wire::StopReason {
    match end {
        TurnEnd::EndTurn => wire::StopReason::EndTurn,
        TurnEnd::MaxTokens => wire::StopReason::MaxTokens,
        TurnEnd::Refusal => wire::StopReason::Refusal,
        TurnEnd::Cancelled => wire::StopReason::Cancelled,
        TurnEnd::Failed(_) => wire::StopReason::Error,
        TurnEnd::Interrupted => wire::StopReason::Interrupted,
    }
}

/// Why a turn failed, where it did.
pub fn turn_error(end: &TurnEnd) -> Option<wire::TurnError> {
    match end {
        TurnEnd::Failed(failure) => Some(failed(failure)),
        TurnEnd::EndTurn
        | TurnEnd::MaxTokens
        | TurnEnd::Refusal
        | TurnEnd::Cancelled
        | TurnEnd::Interrupted => None,
    }
}

fn failed(failure: &Failure) -> wire::TurnError {
    let by = failure.by.as_deref();
    let text = |text: Option<&Box<str>>| text.map(ToString::to_string);
    wire::TurnError {
        kind: failure.kind.name().into(),
        message: failure.message.clone(),
        hint: failure.hint.clone(),
        provider: text(by.and_then(|by| by.provider.as_ref())),
        status: by.and_then(|by| by.status),
        code: text(by.and_then(|by| by.code.as_ref())),
        retry_after_ms: failure.retry_after_ms,
    }
}

/// The answer to a prompt.
pub fn prompt_result(outcome: &PromptOutcome) -> wire::PromptResult {
    wire::PromptResult {
        stop_reason: stop_reason(&outcome.end),
        text: outcome.text.clone(),
        usage: usage(&outcome.usage),
        cost: money(outcome.cost),
        cost_note: outcome.cost_note.map(str::to_owned),
        session_id: outcome.session.to_string(),
        turn_id: outcome.turn.to_string(),
        model: outcome.model.clone(),
        error: turn_error(&outcome.end),
        warnings: outcome.warnings.clone(),
    }
}

/// The error of a request that never became a turn.
pub fn rpc_error(failure: &Failure) -> RpcError {
    let code = match failure.kind {
        FailureKind::InvalidParams => wire::INVALID_PARAMS,
        FailureKind::Internal
        | FailureKind::TooLarge
        | FailureKind::TooManyCalls
        | FailureKind::ModelNotEnabled
        | FailureKind::Provider(_)
        | FailureKind::SignIn(OAuthErrorKind::Unreachable | OAuthErrorKind::Protocol) => wire::INTERNAL_ERROR,
        FailureKind::AuthRequired | FailureKind::SignIn(_) => wire::AUTH_REQUIRED,
        FailureKind::Overloaded => wire::OVERLOADED,
        FailureKind::NotFound => wire::NOT_FOUND,
        FailureKind::Busy => wire::BUSY,
        FailureKind::Storage => wire::STORAGE,
        FailureKind::Cancelled => wire::CANCELLED,
    };
    RpcError {
        code,
        message: failure.message.clone(),
        data: Box::new(wire::ErrorData {
            kind: failure.kind.name().into(),
            hint: failure.hint.clone(),
            path: failure.path.clone(),
            retry_after_ms: failure.retry_after_ms,
        }),
    }
}

/// A problem in one of the user's files.
pub fn diagnostic(diagnostic: &Diagnostic) -> wire::Diagnostic {
    wire::Diagnostic {
        path: diagnostic.path.display().to_string(),
        line: diagnostic.line,
        column: diagnostic.column,
        message: diagnostic.message.clone(),
    }
}

/// A provider in a list. `reason` is why it cannot be prompted now.
pub fn provider_info(provider: &Provider, accounts: &Accounts, reason: Option<String>) -> wire::ProviderInfo {
    wire::ProviderInfo {
        id: provider.id.to_string(),
        name: provider.name.to_string(),
        available: reason.is_none(),
        reason,
        source: source(&accounts.status(provider).source),
        key_variables: provider.key_variables.iter().map(ToString::to_string).collect(),
        default_model: provider.default_model.as_deref().map(str::to_owned),
        login_methods: login_methods(provider),
    }
}

/// Ways to sign in, the usual one first.
pub fn login_methods(provider: &Provider) -> Vec<wire::LoginMethod> {
    let ways = oauth::flow(&provider.id).map_or(&[][..], oauth::Flow::ways);
    let by_flow = ways.iter().map(|way| match way {
        Way::Browser => wire::LoginMethod::Browser,
        Way::DeviceCode => wire::LoginMethod::DeviceCode,
    });
    by_flow.chain(Accounts::takes_key(provider).then_some(wire::LoginMethod::ApiKey)).collect()
}

/// Why a provider's models cannot be prompted now.
pub fn missing_key(provider: &Provider, status: &Status) -> String {
    let login = format!("`aside login {}`", provider.id);
    if let (false, Some(name)) = (status.source == Source::Missing, &status.unset) {
        return format!("{name} is not set, which its address needs: {login} asks for it");
    }
    let variable = provider.usual_variable().map_or(String::new(), |name| format!(", or set {name}"));
    if Accounts::takes_key(provider) {
        let with = provider.sign_in.map_or(String::new(), |with| format!(" (a key, or {with})"));
        return format!("no key: {login}{with}{variable}");
    }
    let with = provider.sign_in.map_or(String::new(), |with| format!(" (with {with})"));
    format!("not signed in: {login}{with}{variable}")
}

/// An account as it stands.
pub fn account(provider: &Provider, standing: &Standing) -> wire::AccountStatus {
    wire::AccountStatus {
        provider: provider.id.to_string(),
        account: standing.account.clone(),
        source: source(&standing.status.source),
        variable: match &standing.status.source {
            Source::Environment(name) => Some(name.to_string()),
            Source::Missing
            | Source::NotNeeded
            | Source::Stored
            | Source::ModelsJson
            | Source::ModelsJsonCommand => None,
        },
        identity: standing.identity.clone(),
        expires_at_ms: standing.expires_at_ms,
        hint: standing.hint.clone(),
    }
}

/// An entry of `auth.json` whose provider nobody knows. `source` is where it still stands.
pub fn unknown_account(id: &str, source: Option<wire::CredentialSource>) -> wire::AccountStatus {
    wire::AccountStatus {
        provider: id.to_owned(),
        account: None,
        source,
        variable: None,
        identity: None,
        expires_at_ms: None,
        hint: Some("no provider of this id is known".to_owned()),
    }
}

fn source(source: &Source) -> Option<wire::CredentialSource> {
    match source {
        Source::Missing => None,
        Source::NotNeeded => Some(wire::CredentialSource::NotNeeded),
        Source::Stored => Some(wire::CredentialSource::AuthFile),
        Source::Environment(_) => Some(wire::CredentialSource::Environment),
        Source::ModelsJson | Source::ModelsJsonCommand => Some(wire::CredentialSource::ModelsFile),
    }
}

/// Why a model of a provider that is signed in to cannot be prompted.
pub fn not_of_account() -> String {
    "the account that is signed in does not have it".to_owned()
}

/// Why models of a wire API cannot be prompted.
pub fn missing_wire(wire: &str) -> String {
    format!("its API {wire} is not part of this version")
}

/// A model in a list. `reason` is why it cannot be prompted now.
pub fn model_info(model: &Listed<'_>, reason: Option<String>) -> wire::ModelInfo {
    let cost = model.cost();
    let mut input = vec!["text".to_owned()];
    if model.takes_images() {
        input.push("image".to_owned());
    }
    wire::ModelInfo {
        provider: model.provider().to_owned(),
        id: model.id().to_owned(),
        name: model.name().to_owned(),
        api: model.wire().to_owned(),
        context_window: model.context_window(),
        max_output: model.max_output(),
        cost: wire::ModelCost {
            input: cost.input,
            output: cost.output,
            cache_read: cost.cache_read,
            cache_write: cost.cache_write,
            tiers: cost
                .tiers
                .iter()
                .map(|tier| wire::ModelCostTier {
                    input_above: tier.input_above,
                    input: tier.input,
                    output: tier.output,
                    cache_read: tier.cache_read,
                    cache_write: tier.cache_write,
                })
                .collect(),
        },
        thinking_levels: model.thinking_levels().iter().map(ToString::to_string).collect(),
        input,
        retired: model.is_retired(),
        available: reason.is_none(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FailureKind;
    use crate::models::Category;

    #[test]
    fn every_kind_of_failure_is_in_the_contract() {
        let own = [
            FailureKind::InvalidParams,
            FailureKind::Internal,
            FailureKind::AuthRequired,
            FailureKind::Overloaded,
            FailureKind::NotFound,
            FailureKind::Busy,
            FailureKind::Storage,
            FailureKind::Cancelled,
            FailureKind::TooLarge,
            FailureKind::TooManyCalls,
            FailureKind::ModelNotEnabled,
        ];
        let of_sign_ins = [
            OAuthErrorKind::Denied,
            OAuthErrorKind::Expired,
            OAuthErrorKind::State,
            OAuthErrorKind::Port,
            OAuthErrorKind::Clock,
            OAuthErrorKind::NoPlan,
            OAuthErrorKind::Forbidden,
            OAuthErrorKind::Invalid,
            OAuthErrorKind::SignInAgain,
            OAuthErrorKind::Unreachable,
            OAuthErrorKind::Protocol,
            OAuthErrorKind::Cancelled,
        ];
        let of_providers = [
            Category::ContextOverflow,
            Category::Authentication,
            Category::Permission,
            Category::NotFound,
            Category::PaymentRequired,
            Category::RateLimit,
            Category::Overloaded,
            Category::InvalidRequest,
            Category::Server,
            Category::Timeout,
            Category::Network,
            Category::Tls,
            Category::Dns,
            Category::Protocol,
            Category::TooLarge,
            Category::Other,
        ];
        let all = own.into_iter().chain(of_providers.map(FailureKind::Provider));
        for kind in all.chain(of_sign_ins.map(FailureKind::SignIn)) {
            let named = wire::ErrorKind::from(kind.name());
            assert!(!matches!(named, wire::ErrorKind::Other(_)), "{kind:?}");
        }
    }
}
