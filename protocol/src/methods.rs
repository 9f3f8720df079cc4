//! The one table of methods. Dispatch, the published descriptions and the reference page follow from it.

// Clippy has nothing against globs in tests, so that there is nothing to expect there.
#[cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "the table names nearly every type of the contract")
)]
use crate::*;

/// Who may send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// Whether a message is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Yes.
    Request,
    /// No.
    Notification,
}

/// Whether a message works in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It works.
    Working,
    /// Its types are fixed; it is answered -32601 for now.
    Planned,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct MethodInfo {
    /// As on the wire.
    pub name: &'static str,
    /// Who sends it.
    pub sender: Sender,
    /// Whether it is answered.
    pub kind: MessageKind,
    /// Whether it works.
    pub stage: Stage,
    /// What it does.
    pub doc: &'static str,
    /// The type of its params.
    pub params: &'static str,
    /// The type of its result; empty for a notification.
    pub result: &'static str,
    /// Makes the schemas of params and result.
    #[cfg(feature = "schema")]
    pub schemas: fn(&mut schemars::SchemaGenerator) -> (schemars::Schema, Option<schemars::Schema>),
}

/// A request by its types.
pub trait Request {
    /// As on the wire.
    const NAME: &'static str;
    /// What it is asked with.
    type Params: serde::de::DeserializeOwned + serde::Serialize;
    /// What it is answered with.
    type Result: serde::de::DeserializeOwned + serde::Serialize;
}

/// A notification by its types.
pub trait Notification {
    /// As on the wire.
    const NAME: &'static str;
    /// What it carries.
    type Params: serde::de::DeserializeOwned + serde::Serialize;
}

macro_rules! methods {
    ($(
        $sender:ident $stage:ident {
            $(request $request:ident = $rname:literal ($rparams:ident) -> $result:ident: $rdoc:literal;)*
            $(notification $notification:ident = $nname:literal ($nparams:ident): $ndoc:literal;)*
        }
    )+) => {
        /// The requests and notifications as types.
        pub mod method {
            $(
                $(
                    #[doc = $rdoc]
                    #[derive(Clone, Copy, Debug)]
                    pub struct $request;
                    impl super::Request for $request {
                        const NAME: &'static str = $rname;
                        type Params = super::$rparams;
                        type Result = super::$result;
                    }
                )*
                $(
                    #[doc = $ndoc]
                    #[derive(Clone, Copy, Debug)]
                    pub struct $notification;
                    impl super::Notification for $notification {
                        const NAME: &'static str = $nname;
                        type Params = super::$nparams;
                    }
                )*
            )+
        }

        /// The table.
        pub static METHODS: &[MethodInfo] = &[$(
            $(MethodInfo {
                name: $rname,
                sender: Sender::$sender,
                kind: MessageKind::Request,
                stage: Stage::$stage,
                doc: $rdoc,
                params: stringify!($rparams),
                result: stringify!($result),
                #[cfg(feature = "schema")]
                schemas: |generator| (
                    generator.subschema_for::<$rparams>(),
                    Some(generator.subschema_for::<$result>()),
                ),
            },)*
            $(MethodInfo {
                name: $nname,
                sender: Sender::$sender,
                kind: MessageKind::Notification,
                stage: Stage::$stage,
                doc: $ndoc,
                params: stringify!($nparams),
                result: "",
                #[cfg(feature = "schema")]
                schemas: |generator| (generator.subschema_for::<$nparams>(), None),
            },)*
        )+];
    };
}

methods! {
    Client Working {
        request Initialize = "initialize" (InitializeParams) -> InitializeResult:
            "The handshake of an editor. May be left out by a script; may be sent once.";
        request Shutdown = "shutdown" (Empty) -> Empty:
            "Cancels every turn, flushes every conversation, answers last and ends the process.";
        request ListProviders = "listProviders" (ListProvidersParams) -> ListProvidersResult:
            "Every provider, and whether it could be used now.";
        request Login = "login" (LoginParams) -> LoginResult:
            "Signs in to a provider. Stays open while the flow runs.";
        request Logout = "logout" (LogoutParams) -> LogoutResult:
            "Removes what is stored for a provider.";
        request AuthStatus = "authStatus" (AuthStatusParams) -> AuthStatusResult:
            "Who is signed in where, from which source, until when.";
        request ListModels = "listModels" (ListModelsParams) -> ListModelsResult:
            "Every model with its price. Never runs a command and never waits for the network.";
        request RefreshModels = "refreshModels" (RefreshModelsParams) -> RefreshModelsResult:
            "Fetches fresh facts about models from models.dev. Only then; what is known stays when it fails.";
        request NewSession = "newSession" (NewSessionParams) -> NewSessionResult:
            "Begins a conversation.";
        request OpenSession = "openSession" (OpenSessionParams) -> OpenSessionResult:
            "Opens a conversation, or tells what was missed of an open one.";
        request ListSessions = "listSessions" (ListSessionsParams) -> ListSessionsResult:
            "The conversations that are kept, the newest first.";
        request ConfigureSession = "configureSession" (ConfigureSessionParams) -> ConfigureSessionResult:
            "Changes model, thinking level or permission mode, also while a turn runs.";
        request CloseSession = "closeSession" (CloseSessionParams) -> Empty:
            "Ends a conversation's work and forgets it. Its file stays.";
        request ForkSession = "forkSession" (ForkSessionParams) -> NewSessionResult:
            "Begins a conversation with the content of another.";
        request RenameSession = "renameSession" (RenameSessionParams) -> Empty:
            "Names a conversation.";
        request DeleteSession = "deleteSession" (DeleteSessionParams) -> Empty:
            "Removes a conversation for good.";
        request ExportSession = "exportSession" (ExportSessionParams) -> ExportSessionResult:
            "Writes a conversation out.";
        request Prompt = "prompt" (PromptParams) -> PromptResult:
            "Sends a prompt, streams `event` notifications and answers when the turn has ended.";
        request Cancel = "cancel" (CancelParams) -> CancelResult:
            "Ends the turn that runs. Its `prompt` is answered with `stopReason: \"cancelled\"`. May be sent as a notification.";
        request Steer = "steer" (SteerParams) -> Empty:
            "Adds to the running turn: reaches the model before its next call.";
        request Queue = "queue" (QueueParams) -> QueueResult:
            "Lists and changes what waits behind the running turn.";
        request ReviewChange = "reviewChange" (ReviewChangeParams) -> ReviewChangeResult:
            "Keeps or takes back hunks of a file change that was made, also while a turn runs. The model is told.";
        request RunShell = "runShell" (RunShellParams) -> RunShellResult:
            "Runs a command of the person's own, also while a turn runs. Stays open until the command has ended.";
        request ExplainPermission = "explainPermission" (ExplainPermissionParams) -> ExplainPermissionResult:
            "Why a tool call was allowed, asked about or denied, or what would be decided of one.";
        notification CancelRequest = "$/cancelRequest" (CancelRequestParams):
            "Cancels a request by its id. A cancelled request is still answered.";
        notification Exit = "exit" (Empty):
            "Ends the process as the end of input does.";
    }
    Client Planned {
        request Compact = "compact" (CompactParams) -> Empty:
            "Shortens a conversation by a summary.";
        request Rewind = "rewind" (RewindParams) -> RewindResult:
            "Goes back to before an item; can itself be undone.";
    }
    Server Working {
        request RequestPermission = "requestPermission" (RequestPermissionParams) -> RequestPermissionResult:
            "May a tool do this? No answer, an error or no capability means no.";
        request PromptUser = "promptUser" (PromptUserParams) -> PromptUserResult:
            "A form for the person. Without the capability the asker is told that nobody answered.";
        request ReadFile = "readFile" (ReadFileParams) -> ReadFileResult:
            "The text of a file as the editor has it. Without the capability the disk is read.";
        request ApplyEdit = "applyEdit" (ApplyEditParams) -> ApplyEditResult:
            "A change to be made in the editor. Without the capability it is made on disk.";
        request OpenUrl = "openUrl" (OpenUrlParams) -> OpenUrlResult:
            "A page to be shown in the person's browser. Without the capability a server on the person's own machine opens it.";
        request ShowDeviceCode = "showDeviceCode" (ShowDeviceCodeParams) -> Empty:
            "A code to be typed on another device. Taken back by `$/cancelRequest` when it was typed or has ended.";
        notification LoginProgressed = "loginProgress" (LoginProgress):
            "How a login goes on: also the page to be opened and the code to be typed, for whoever cannot be asked.";
        notification EventHappened = "event" (Event):
            "Something happened in a conversation.";
        notification AccountsHaveChanged = "accountsChanged" (AccountsChanged):
            "Accounts have changed.";
        notification ModelsHaveChanged = "modelsChanged" (ModelsChanged):
            "The list of models has changed.";
        notification CancelQuestion = "$/cancelRequest" (CancelRequestParams):
            "A question of the server needs no answer any more.";
    }
    Server Planned {
        request EditorContext = "editorContext" (EditorContextParams) -> EditorContextResult:
            "What the person looks at.";
    }
}
