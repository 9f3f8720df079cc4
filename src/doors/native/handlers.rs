//! One function a method. Each reads its params, hands an operation over or answers, and returns at once.

use std::collections::HashMap;
use std::sync::Arc;

use jsonrpsee::RpcModule;
use jsonrpsee::types::{ErrorCode, ErrorObjectOwned};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::drawn::Note;
use super::login::Logins;
use super::refresh::{Refreshes, refresh_models};
use super::{accounts, convert, review};
use crate::catalog::{Listed, LocalKind, Provider, ThinkingLevel};
use crate::doors::peer::RpcError;
use crate::doors::peer::classify::error;
use crate::doors::peer::writer::{Direct, Sink, append};
use crate::engine::item::cut;
use crate::engine::store::load::Access;
use crate::engine::{
    Asked, Changes, Client, ExportFormat, Failure, Handle, Op, Prompt, QueueAction, Ticket, WhenBusy, World,
};
use crate::models::Content;
use crate::settings::CacheRetention;
use aside_protocol as wire;
use aside_protocol::{METHODS, MessageKind, Request as _, Sender, Stage, method};

/// Sessions in one page of a list where the client does not say.
const PAGE: u32 = 50;
/// Patterns of one `listModels`; each is compared with every model.
const MAX_PATTERNS: usize = 64;

/// A request on its way to its handler.
pub(super) struct Call {
    pub(super) ticket: Ticket,
    pub(super) params: Option<Box<RawValue>>,
    pub(super) cancel: CancellationToken,
    pub(super) in_batch: bool,
}

/// What handlers work on. Owned by the dispatcher and lent to one handler at a time.
pub(super) struct Context {
    pub(super) engine: Handle,
    pub(super) sink: Sink,
    pub(super) world: Arc<World>,
    /// The folder of new sessions.
    pub(super) cwd: String,
    /// Whether `initialize` was answered: the client is an editor and not a pipe.
    pub(super) initialized: bool,
    /// The process whose death ends this one, as `initialize` named it.
    pub(super) client_process: Option<u32>,
    /// Logins and logouts under way.
    pub(super) logins: Logins,
    /// The refresh that runs.
    pub(super) refreshes: Refreshes,
    /// A `shutdown` that waits for its end.
    pub(super) shutdown: Option<Ticket>,
}

pub(super) type Handler = fn(&mut Context, Call) -> Result<(), (Ticket, ErrorObjectOwned)>;

/// Every method that works and its handler. A test holds it to the table of the contract.
pub(super) const HANDLERS: &[(&str, Handler)] = &[
    (method::Initialize::NAME, initialize),
    (method::Shutdown::NAME, shutdown),
    (method::ListProviders::NAME, list_providers),
    (method::ListModels::NAME, list_models),
    (method::RefreshModels::NAME, refresh_models),
    (method::Login::NAME, accounts::login),
    (method::Logout::NAME, accounts::logout),
    (method::AuthStatus::NAME, accounts::auth_status_handler),
    (method::NewSession::NAME, new_session),
    (method::OpenSession::NAME, open_session),
    (method::ListSessions::NAME, list_sessions),
    (method::ConfigureSession::NAME, configure_session),
    (method::CloseSession::NAME, close_session),
    (method::ForkSession::NAME, fork_session),
    (method::RenameSession::NAME, rename_session),
    (method::DeleteSession::NAME, delete_session),
    (method::ExportSession::NAME, export_session),
    (method::Prompt::NAME, prompt),
    (method::Cancel::NAME, cancel),
    (method::Steer::NAME, steer),
    (method::Queue::NAME, queue),
    (method::ReviewChange::NAME, review::review_change),
    (method::RunShell::NAME, run_shell),
    (method::ExplainPermission::NAME, explain_permission),
];

/// The method table. A method's callback puts its handler into the request's extensions, from where the
/// dispatcher, which owns the context, takes and runs it.
pub(super) fn module() -> RpcModule<()> {
    let mut module = RpcModule::new(());
    for (name, handler) in HANDLERS {
        let registered = module.register_method(name, move |_params, (), extensions| {
            if let Some(chosen) = extensions.get::<Chosen>() {
                chosen.set(*handler);
            }
        });
        // Only a name that stands twice is refused, and the test would have found it.
        debug_assert!(registered.is_ok(), "a method stands twice in the table");
    }
    module
}

/// The handler that the method table chose.
#[derive(Clone, Default)]
pub(super) struct Chosen(Arc<std::sync::OnceLock<Handler>>);

impl Chosen {
    fn set(&self, handler: Handler) {
        // A method is chosen once a request.
        let _ = self.0.set(handler);
    }

    pub(super) fn handler(&self) -> Option<Handler> {
        self.0.get().copied()
    }
}

/// The error for a method that is not in the table, or not built yet.
pub(super) fn unknown_method(name: &str) -> RpcError {
    let planned = METHODS.iter().any(|method| method.name == name && method.stage == Stage::Planned);
    let message = if planned {
        format!("{name} is part of the protocol but not of this version")
    } else {
        format!("no method {}", cut(name))
    };
    error(
        wire::METHOD_NOT_FOUND,
        wire::ErrorKind::MethodNotFound,
        message,
        Some("initialize answers with every method that works"),
    )
}

/// From the table's error vocabulary to an error on its way out.
pub(super) fn rpc_error(error: &ErrorObjectOwned) -> RpcError {
    let data = error.data().and_then(|data| serde_json::from_str(data.get()).ok());
    RpcError {
        code: error.code(),
        message: error.message().to_owned(),
        data: Box::new(data.unwrap_or(wire::ErrorData {
            kind: wire::ErrorKind::Internal,
            hint: None,
            path: None,
            retry_after_ms: None,
        })),
    }
}

fn invalid_params(path: &str, message: String) -> ErrorObjectOwned {
    let data = wire::ErrorData {
        kind: wire::ErrorKind::InvalidParams,
        hint: Some("docs/protocol.md and protocol/generated/aside.schema.json name every field".to_owned()),
        path: Some(path.to_owned()),
        retry_after_ms: None,
    };
    ErrorObjectOwned::owned(ErrorCode::InvalidParams.code(), message, Some(data))
}

/// Reads params. The path of a field that is wrong is a JSON Pointer.
pub(super) fn parse<T: DeserializeOwned>(call: &Call) -> Result<T, ErrorObjectOwned> {
    let text = call.params.as_ref().map_or("{}", |params| params.get());
    if !text.trim_start().starts_with('{') {
        return Err(invalid_params("", "params are named: an object".to_owned()));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let mut path = pointer(error.path());
        let message = error.inner().to_string();
        // The reader stands at the object when a field is missing; the pointer names the field.
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            path.push('/');
            path.push_str(field);
        }
        // Where in the text it stood is of no use: the text was the whole line.
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        let name = if path.is_empty() { "params" } else { &path };
        invalid_params(&path, format!("{name}: {message}"))
    })
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}

/// Parses, or gives the ticket back with the error.
macro_rules! params {
    ($call:ident) => {
        match parse(&$call) {
            Ok(params) => params,
            Err(error) => return Err(($call.ticket, error)),
        }
    };
}

/// Refuses what may not be started from a batch.
macro_rules! not_in_batch {
    ($call:ident) => {
        if $call.in_batch {
            return Err(($call.ticket, in_batch("sessions and turns are not started from a batch")));
        }
    };
}

/// The error of what may not be started from a batch.
pub(super) fn in_batch(message: &str) -> ErrorObjectOwned {
    let data = wire::ErrorData {
        kind: wire::ErrorKind::InvalidRequest,
        hint: Some("send it as a message of its own".to_owned()),
        path: None,
        retry_after_ms: None,
    };
    ErrorObjectOwned::owned(ErrorCode::InvalidRequest.code(), message, Some(data))
}

/// Turns a failure into the handler's error.
macro_rules! or_fail {
    ($call:ident, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(failure) => return Err(($call.ticket, object(&failure))),
        }
    };
}

pub(super) fn object(failure: &Failure) -> ErrorObjectOwned {
    let error = convert::rpc_error(failure);
    ErrorObjectOwned::owned(error.code, error.message, Some(error.data))
}

pub(super) fn answer(context: &Context, ticket: Ticket, result: &impl serde::Serialize) {
    let mut json = Vec::new();
    append(&mut json, result);
    context.sink.send(Direct::Answer { ticket, answer: Ok(json) });
}

fn initialize(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::InitializeParams = params!(call);
    if context.initialized {
        let failure = Failure::invalid("", "initialize was sent before");
        return Err((call.ticket, object(&failure)));
    }
    let capabilities = params.capabilities.unwrap_or_default();
    let client = Client {
        request_permission: capabilities.request_permission,
        prompt_user: capabilities.prompt_user,
        read_file: capabilities.read_file,
        apply_edit: capabilities.apply_edit,
        open_url: capabilities.open_url,
        show_device_code: capabilities.show_device_code,
        untrusted: params.workspace_trusted == Some(false),
    };
    let mut settings = match params.settings {
        None | Some(serde_json::Value::Null) => serde_json::Map::new(),
        Some(serde_json::Value::Object(settings)) => settings,
        Some(_) => {
            let failure = Failure::invalid("/settings", "settings are an object");
            return Err((call.ticket, object(&failure)));
        }
    };
    if let Some(proxy) = params.proxy {
        settings.entry("proxy").or_insert(serde_json::Value::String(proxy));
    }
    let settings = if settings.is_empty() { None } else { serde_json::value::to_raw_value(&settings).ok() };
    let system = context.world.system.with_environment(params.environment.unwrap_or_default());
    let world = Arc::new(context.world.changed(system, client, settings.as_deref()));
    context.engine.send(Op::World(Arc::clone(&world)));
    context.world = Arc::clone(&world);
    context.sink.set_max_message_bytes(world.settings.limits.max_message_bytes);
    context.initialized = true;
    context.client_process = params.process_id;
    if let Some(cwd) = params.cwd {
        context.cwd = cwd;
    }
    let methods = METHODS.iter().filter(|method| {
        method.sender == Sender::Client
            && method.kind == MessageKind::Request
            && method.stage == Stage::Working
    });
    let result = wire::InitializeResult {
        protocol_version: params
            .protocol_version
            .unwrap_or(wire::PROTOCOL_VERSION)
            .clamp(1, wire::PROTOCOL_VERSION),
        server_info: wire::Implementation {
            name: "aside".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        },
        capabilities: wire::ServerCapabilities {
            layouts: vec!["items".to_owned(), "lines".to_owned()],
            content: vec![
                "text".to_owned(),
                "image".to_owned(),
                "resource_link".to_owned(),
                "resource".to_owned(),
            ],
            max_message_bytes: world.settings.limits.max_message_bytes as u64,
            storage: if world.store.dir().is_some() { "disk" } else { "memory" }.to_owned(),
        },
        methods: methods.map(|method| method.name.to_owned()).collect(),
        diagnostics: world.diagnostics.iter().map(convert::diagnostic).collect(),
    };
    answer(context, call.ticket, &result);
    Ok(())
}

fn shutdown(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let _: wire::Empty = params!(call);
    context.shutdown = Some(call.ticket);
    Ok(())
}

/// What is wrong with the user's files.
pub fn diagnostics(world: &World) -> Vec<wire::Diagnostic> {
    let mut all = world.diagnostics.clone();
    all.extend(world.catalog.diagnostics());
    all.extend(world.accounts.diagnostics());
    all.iter().map(convert::diagnostic).collect()
}

fn list_providers(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let _: wire::ListProvidersParams = params!(call);
    context.world.look_around();
    answer(context, call.ticket, &providers(&context.world));
    Ok(())
}

/// Every provider.
pub fn providers(world: &World) -> wire::ListProvidersResult {
    let providers = world.catalog.providers();
    wire::ListProvidersResult {
        providers: providers
            .iter()
            .map(|provider| convert::provider_info(provider, &world.accounts, why_not(world, provider)))
            .collect(),
        diagnostics: diagnostics(world),
    }
}

/// Why none of the provider's models can be prompted now.
fn why_not(world: &World, provider: &Provider) -> Option<String> {
    let snapshot = world.catalog.snapshot();
    let mut models = snapshot.models_of(&provider.id).filter(|model| !model.is_retired()).peekable();
    let first = models.peek().copied();
    let is_mute = !models.any(|model| snapshot.speaks(&model));
    let no_wire = first.filter(|_| is_mute).map(|model| convert::missing_wire(model.wire()));
    let unlisted = || snapshot.unlisted(&provider.id).map(str::to_owned);
    no_wire.or_else(|| no_credential(world, provider)).or_else(unlisted)
}

/// What is missing before the provider can be called.
fn no_credential(world: &World, provider: &Provider) -> Option<String> {
    let status = world.accounts.status(provider);
    (!status.configured).then(|| convert::missing_key(provider, &status))
}

fn list_models(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::ListModelsParams = params!(call);
    // What is found is told by `modelsChanged`.
    context.world.look_around();
    let result = or_fail!(call, models(&context.world, &params));
    answer(context, call.ticket, &result);
    Ok(())
}

/// The models that were asked for.
pub fn models(world: &World, params: &wire::ListModelsParams) -> Result<wire::ListModelsResult, Failure> {
    let snapshot = world.catalog.snapshot();
    let providers = snapshot.providers();
    if let Some(id) = &params.provider
        && !providers.iter().any(|provider| *provider.id == **id)
        // A server that is not there now may be there later.
        && LocalKind::of_id(id).is_none()
    {
        let message = format!("no provider {}", cut(id));
        return Err(Failure {
            path: Some("/provider".to_owned()),
            ..Failure::not_found(message, Some("listProviders names them"))
        });
    }
    if params.patterns.as_ref().is_some_and(|patterns| patterns.len() > MAX_PATTERNS) {
        let message = format!("more than {MAX_PATTERNS} patterns");
        return Err(Failure::invalid("/patterns", message));
    }
    let only = params.provider.as_deref();
    // Asked once for each provider: the answer may cost a look at a file.
    let reasons: HashMap<&str, Option<String>> = providers
        .iter()
        .filter(|provider| only.is_none_or(|only| only == &*provider.id))
        .map(|provider| (&*provider.id, no_credential(world, provider)))
        .collect();
    // An account may have fewer models than its provider.
    let of_account: HashMap<&str, Vec<String>> = providers
        .iter()
        .filter_map(|provider| Some((&*provider.id, world.accounts.models_of_account(provider)?)))
        .collect();
    let with_all = params.retired == Some(true);
    let mut listed = Vec::new();
    let mut list = |model: Listed<'_>| {
        let Some(no_key) = reasons.get(model.provider()) else { return };
        let no_wire = (!snapshot.speaks(&model)).then(|| convert::missing_wire(model.wire()));
        let own = of_account.get(model.provider());
        let not_own = own.filter(|own| !own.iter().any(|id| id == model.id()));
        let not_own = not_own.map(|_| convert::not_of_account());
        let is_hidden = (not_own.is_some() && !with_all) || params.available == Some(true);
        let reason = no_wire.or_else(|| no_key.clone()).or(not_own);
        let is_hidden = is_hidden && reason.is_some();
        if !is_hidden {
            listed.push(convert::model_info(&model, reason));
        }
    };
    let mut warnings = Vec::new();
    if let Some(patterns) = &params.patterns {
        let selected = snapshot.select(patterns, |provider| world.is_available(provider));
        selected.models.iter().for_each(|(model, _)| list(snapshot.listed(model)));
        warnings = selected.warnings;
    } else {
        let models = providers.iter().flat_map(|provider| snapshot.models_of(&provider.id));
        models.filter(|model| with_all || !model.is_retired()).for_each(&mut list);
    }
    Ok(wire::ListModelsResult {
        models: listed,
        default_model: world.default_model(),
        warnings,
        diagnostics: diagnostics(world),
    })
}

fn thinking(level: Option<&str>) -> Result<Option<ThinkingLevel>, Failure> {
    let Some(level) = level else { return Ok(None) };
    level.parse().map(Some).map_err(|_| {
        Failure::invalid(
            "/thinking",
            format!("no thinking level {}: off, minimal, low, medium, high, xhigh or max", cut(level)),
        )
    })
}

fn cache_retention(retention: Option<&wire::CacheRetention>) -> Result<Option<CacheRetention>, Failure> {
    let Some(retention) = retention else { return Ok(None) };
    CacheRetention::named(retention.as_str()).map(Some).ok_or_else(|| {
        let message = format!("no cache retention {}: none, short or long", cut(retention.as_str()));
        Failure::invalid("/cacheRetention", message)
    })
}

fn permission_mode(
    mode: Option<&wire::PermissionMode>,
) -> Result<Option<crate::engine::PermissionMode>, Failure> {
    use crate::engine::PermissionMode;
    match mode {
        None => Ok(None),
        Some(wire::PermissionMode::Plan) => Ok(Some(PermissionMode::Plan)),
        Some(wire::PermissionMode::Ask) => Ok(Some(PermissionMode::Ask)),
        Some(wire::PermissionMode::AcceptEdits) => Ok(Some(PermissionMode::AcceptEdits)),
        Some(wire::PermissionMode::Full) => Ok(Some(PermissionMode::Full)),
        Some(wire::PermissionMode::Other(other)) => {
            Err(Failure::invalid("/permissionMode", format!("no permission mode {}", cut(other))))
        }
    }
}

/// What is noted on the ticket of a request that opens a session.
fn layout(layout: Option<&wire::Layout>) -> Result<Note, Failure> {
    match layout {
        None | Some(wire::Layout::Items) => Ok(Note::Items),
        Some(wire::Layout::Lines) => Ok(Note::Lines),
        Some(other @ wire::Layout::Other(_)) => {
            let message = format!("the layout {} is not part of this version", cut(other.as_str()));
            Err(Failure::invalid("/layout", message))
        }
    }
}

fn new_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::NewSessionParams = params!(call);
    let note = or_fail!(call, layout(params.layout.as_ref()));
    let changes = Changes {
        model: params.model,
        provider: None,
        thinking: or_fail!(call, thinking(params.thinking.as_deref())),
        permission_mode: or_fail!(call, permission_mode(params.permission_mode.as_ref())),
        account: params.account,
        folders: params.additional_directories,
    };
    let cwd = params.cwd.unwrap_or_else(|| context.cwd.clone());
    let ticket = note.on(call.ticket);
    context.engine.send(Op::NewSession { ticket, cwd, system: params.system, changes });
    Ok(())
}

fn open_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::OpenSessionParams = params!(call);
    let note = or_fail!(call, layout(params.layout.as_ref()));
    // Lines are sent whole: what a client has of them cannot be known.
    let after = params.after.filter(|_| note == Note::Items);
    context.engine.send(Op::Open {
        ticket: note.on(call.ticket),
        session: params.session_id,
        after: after.map(|after| (after.epoch, after.seq)),
        limit: params.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        access: if params.read_only == Some(true) { Access::Read } else { Access::Write },
    });
    Ok(())
}

fn list_sessions(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::ListSessionsParams = params!(call);
    context.engine.send(Op::List {
        ticket: call.ticket,
        cwd: params.cwd,
        cursor: params.cursor,
        limit: usize::try_from(params.limit.unwrap_or(PAGE)).unwrap_or(usize::MAX),
    });
    Ok(())
}

fn explain_permission(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::ExplainPermissionParams = params!(call);
    let asked = match (params.tool, params.item_id, params.question_id) {
        (Some(tool), None, None) => {
            Asked::Call { tool, arguments: params.arguments.unwrap_or_else(|| serde_json::json!({})) }
        }
        (None, item, question) if item.is_some() || question.is_some() => Asked::Past { item, question },
        _ => {
            let message = "name either a past call, by itemId or questionId, or one that might be made, by tool \
                           and arguments";
            return Err((call.ticket, object(&Failure::invalid("/itemId", message))));
        }
    };
    context.engine.send(Op::Explain { ticket: call.ticket, session: params.session_id, asked });
    Ok(())
}

fn configure_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::ConfigureSessionParams = params!(call);
    let changes = Changes {
        model: params.model,
        provider: None,
        thinking: or_fail!(call, thinking(params.thinking.as_deref())),
        permission_mode: or_fail!(call, permission_mode(params.permission_mode.as_ref())),
        account: params.account,
        folders: params.additional_directories,
    };
    context.engine.send(Op::Configure { ticket: call.ticket, session: params.session_id, changes });
    Ok(())
}

fn close_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::CloseSessionParams = params!(call);
    let ticket = Note::Forget(params.session_id.clone()).on(call.ticket);
    context.engine.send(Op::Close { ticket, session: params.session_id });
    Ok(())
}

fn fork_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::ForkSessionParams = params!(call);
    context.engine.send(Op::Fork { ticket: call.ticket, session: params.session_id, until: params.item_id });
    Ok(())
}

fn rename_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::RenameSessionParams = params!(call);
    context.engine.send(Op::Rename { ticket: call.ticket, session: params.session_id, title: params.title });
    Ok(())
}

fn delete_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::DeleteSessionParams = params!(call);
    let ticket = Note::Forget(params.session_id.clone()).on(call.ticket);
    context.engine.send(Op::Delete { ticket, session: params.session_id });
    Ok(())
}

fn export_session(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::ExportSessionParams = params!(call);
    let format = match params.format.as_str() {
        "markdown" => ExportFormat::Markdown,
        "json" => ExportFormat::Json,
        other => {
            let message = format!("no format {}: markdown or json", cut(other));
            return Err((call.ticket, object(&Failure::invalid("/format", message))));
        }
    };
    context.engine.send(Op::Export { ticket: call.ticket, session: params.session_id, format });
    Ok(())
}

fn prompt(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::PromptParams = params!(call);
    let content = or_fail!(call, content(params.text, params.content));
    let when_busy = match &params.when_busy {
        None | Some(wire::WhenBusy::Refuse) => WhenBusy::Refuse,
        Some(wire::WhenBusy::Queue) => WhenBusy::Queue,
        Some(wire::WhenBusy::Steer) => WhenBusy::Steer,
        Some(other) => {
            let message = format!("{} is not part of this version", cut(other.as_str()));
            return Err((call.ticket, object(&Failure::invalid("/whenBusy", message))));
        }
    };
    let prompt = Prompt {
        content,
        model: params.model,
        provider: params.provider,
        account: params.account,
        thinking: or_fail!(call, thinking(params.thinking.as_deref())),
        api_key: params.api_key.map(|key| key.0.into()),
        tools: params.tools,
        output_schema: params.output_schema.map(|schema| schema.to_string()),
        max_tokens: params.max_tokens,
        temperature: params.temperature,
        cache: or_fail!(call, cache_retention(params.cache_retention.as_ref())),
        idempotency: params.idempotency_id.map(Into::into),
        when_busy,
    };
    context.engine.send(Op::Prompt {
        ticket: call.ticket,
        session: params.session_id,
        cwd: params.cwd.unwrap_or_else(|| context.cwd.clone()),
        system: params.system,
        prompt: Box::new(prompt),
        cancel: call.cancel,
    });
    Ok(())
}

/// A prompt's pieces as a model takes them.
fn content(text: Option<String>, blocks: Option<Vec<wire::ContentBlock>>) -> Result<Vec<Content>, Failure> {
    let blocks = match (text, blocks) {
        (Some(_), Some(_)) => return Err(Failure::invalid("/content", "text or content, not both")),
        (Some(text), None) => vec![wire::ContentBlock::Text { text }],
        (None, Some(blocks)) => blocks,
        (None, None) => return Err(Failure::invalid("/text", "a prompt has text or content")),
    };
    let content: Result<Vec<Content>, Failure> = blocks
        .into_iter()
        .enumerate()
        .map(|(index, block)| {
            Ok(match block {
                wire::ContentBlock::Text { text } => Content::Text(text.into()),
                wire::ContentBlock::Image { data, mime_type, .. } => {
                    Content::Image { mime_type: mime_type.into(), data: data.into() }
                }
                wire::ContentBlock::ResourceLink { uri, name, .. } => {
                    Content::Text(format!("[{name}]({uri})").into())
                }
                wire::ContentBlock::Resource { resource } => match resource.text {
                    Some(text) => Content::Text(format!("{}:\n\n{text}", resource.uri).into()),
                    None => Content::Text(format!("[{}]", resource.uri).into()),
                },
                wire::ContentBlock::Audio { .. } => {
                    return Err(Failure::invalid(
                        &format!("/content/{index}"),
                        "sounds are not part of this version",
                    ));
                }
            })
        })
        .collect();
    let content = content?;
    let empty =
        content.iter().all(|content| matches!(content, Content::Text(text) if text.trim().is_empty()));
    if empty {
        return Err(Failure::invalid("/text", "the prompt is empty"));
    }
    Ok(content)
}

fn cancel(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    let params: wire::CancelParams = params!(call);
    context.engine.send(Op::Cancel {
        ticket: Some(call.ticket),
        session: params.session_id,
        item: params.item_id,
    });
    Ok(())
}

fn steer(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::SteerParams = params!(call);
    let content = or_fail!(call, content(None, Some(params.content)));
    context.engine.send(Op::Steer {
        ticket: call.ticket,
        session: params.session_id,
        content,
        turn: params.turn_id,
    });
    Ok(())
}

fn run_shell(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::RunShellParams = params!(call);
    context.engine.send(Op::Run {
        ticket: call.ticket,
        session: params.session_id,
        line: params.command,
        cancel: call.cancel,
    });
    Ok(())
}

fn queue(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    not_in_batch!(call);
    let params: wire::QueueParams = params!(call);
    let pieces = |blocks| {
        content(None, Some(blocks)).map_err(|failure| {
            let path = failure.path.map(|path| format!("/action{}", path.replace("/text", "/content")));
            Failure { path, ..failure }
        })
    };
    let action = match params.action {
        wire::QueueAction::List {} => QueueAction::List,
        wire::QueueAction::Add { content } => QueueAction::Add(or_fail!(call, pieces(content))),
        wire::QueueAction::Edit { id, content } => {
            QueueAction::Edit { id, content: or_fail!(call, pieces(content)) }
        }
        wire::QueueAction::Move { id, before } => QueueAction::Move { id, before },
        wire::QueueAction::Remove { id } => QueueAction::Remove { id },
    };
    context.engine.send(Op::Queue { ticket: call.ticket, session: params.session_id, action });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_working_method_has_one_handler() {
        let mut table: Vec<&str> = METHODS
            .iter()
            .filter(|method| {
                method.sender == Sender::Client
                    && method.kind == MessageKind::Request
                    && method.stage == Stage::Working
            })
            .map(|method| method.name)
            .collect();
        let module = module();
        let mut handled: Vec<&str> = module.method_names().collect();
        table.sort_unstable();
        handled.sort_unstable();
        assert_eq!(handled, table);
    }
}
