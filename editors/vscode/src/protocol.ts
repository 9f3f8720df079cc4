// Aside's native protocol. docs/protocol.md tells what goes when.
// Generated, do not edit: UPDATE_GENERATED=1 cargo test --test it generated
//
// Unions name the kinds of this version. Ignore an object whose `type` is not among them.

/** The version of the contract, exchanged by `initialize`. */
export const PROTOCOL_VERSION = 1;

/** The state of one account; never its secret. */
export interface AccountStatus {
  /** The provider's id. */
  provider: string;
  /** The label that tells several accounts apart. */
  account: string | null;
  /** Where the credential comes from; null where there is none. */
  source: CredentialSource | null;
  /** The variable that holds it, for `environment`. */
  variable: string | null;
  /** Who is signed in, where the provider says so. */
  identity: string | null;
  /** When it ends, in milliseconds since the Unix epoch. */
  expiresAtMs: number | null;
  /** What the person should know or do. */
  hint: string | null;
}

/** Accounts have changed; ask `authStatus`. */
export interface AccountsChanged {
  /** Ids of the providers concerned. */
  providers: string[];
}

/** A change to be made in the editor. */
export interface ApplyEditParams {
  /** The conversation. */
  sessionId: string;
  /** The `fileChange` item. */
  itemId: string;
  /** Absolute path. */
  path: string;
  /** The version that the edits are meant for. */
  version: string | null;
  /** In descending order of position; they do not overlap. */
  edits: TextEdit[];
  /** Whether this carries out a `reviewChange`: the person has decided, and nothing is to be asked. */
  review: boolean;
}

/** What became of the change. */
export interface ApplyEditResult {
  /** Whether it was made. */
  applied: boolean;
  /** Why not. */
  reason?: string | null;
  /** Ids of hunks that the person rejected. */
  rejectedHunks?: string[];
}

/** Whose state to tell. */
export interface AuthStatusParams {
  /** A provider's id; all where it is missing. */
  provider?: string | null;
}

/** The state of every account asked for. */
export interface AuthStatusResult {
  /** One entry an account. */
  accounts: AccountStatus[];
  /** Problems found in the user's files. */
  diagnostics: Diagnostic[];
}

/** How long a provider should keep a prompt in its cache. */
export type CacheRetention =
  /** Not at all, as far as it lets itself be told. */
  | "none"
  /** For minutes, as most do. */
  | "short"
  /** For an hour or a day, where it can. */
  | "long"
  | (string & {});

/** Ends the turn that runs, and the prompts that wait behind it with their requests open. Entries of the queue stay, and none begins before a prompt or a new entry. */
export interface CancelParams {
  /** The conversation. */
  sessionId: string;
  /** Ends only this tool call; the turn goes on. */
  itemId?: string | null;
}

/** Asks the server's own request to be forgotten, or the client's. */
export interface CancelRequestParams {
  /** The request's id. */
  id: unknown;
}

/** What was cancelled. */
export interface CancelResult {
  /** Whether anything ran. */
  cancelled: boolean;
}

/** What a rewind takes back. */
export type CheckpointScope =
  /** The conversation only. */
  | "conversation"
  /** The files only. */
  | "files"
  /** Both. */
  | "both"
  | (string & {});

/** What the server may ask this client. All false where it says nothing. */
export interface ClientCapabilities {
  /** Answers `requestPermission`. */
  requestPermission?: boolean;
  /** Answers `promptUser`. */
  promptUser?: boolean;
  /** Answers `readFile`. */
  readFile?: boolean;
  /** Answers `applyEdit`. */
  applyEdit?: boolean;
  /** Answers `editorContext`. */
  editorContext?: boolean;
  /** Answers `openUrl`. */
  openUrl?: boolean;
  /** Answers `showDeviceCode`. */
  showDeviceCode?: boolean;
}

/** Ends a conversation's work and forgets it; its file stays. */
export interface CloseSessionParams {
  /** Its id. */
  sessionId: string;
}

/** Shortens a conversation by a summary. */
export interface CompactParams {
  /** The conversation. */
  sessionId: string;
  /** What the summary should keep. */
  instructions?: string | null;
}

/** Changes how a conversation goes on. What is missing stays. */
export interface ConfigureSessionParams {
  /** Its id. */
  sessionId: string;
  /** A model pattern; used from the next model call on. */
  model?: string | null;
  /** The label of an account of the model's provider, where it has several; empty for the one without a label. */
  account?: string | null;
  /** How much to think. */
  thinking?: string | null;
  /** What tools may do unasked. */
  permissionMode?: PermissionMode | null;
  /** All further folders that it works in from now on; an empty list leaves the working folder alone. */
  additionalDirectories?: string[] | null;
}

/** The conversation as it now is. */
export interface ConfigureSessionResult {
  /** All about it. */
  session: SessionInfo;
  /** What the person should know, such as a model id that the catalog does not have. */
  warnings: string[];
}

/** One piece of a prompt. */
export type ContentBlock =
  | {
      /** Plain text or Markdown. */
      type: "text";
      /** The text. */
      text: string;
    }
  | {
      /** A picture. */
      type: "image";
      /** Base64. */
      data: string;
      /** Such as `image/png`. */
      mimeType: string;
      /** Where it came from. */
      uri?: string | null;
    }
  | {
      /** A sound. No model of this version takes one. */
      type: "audio";
      /** Base64. */
      data: string;
      /** Such as `audio/wav`. */
      mimeType: string;
    }
  | {
      /** A file or page that the agent may read. */
      type: "resource_link";
      /** Where it is. */
      uri: string;
      /** What to call it. */
      name: string;
      /** The kind of its content. */
      mimeType?: string | null;
    }
  | {
      /** The content of a file or page, embedded. */
      type: "resource";
      /** The content. */
      resource: EmbeddedResource;
    };

/** Where a credential comes from. */
export type CredentialSource =
  /** Given with the request or on the command line. */
  | "request"
  /** `auth.json`. */
  | "authFile"
  /** A variable of the environment. */
  | "environment"
  /** `models.json`. */
  | "modelsFile"
  /** None is needed. */
  | "notNeeded"
  | (string & {});

/** Removes a conversation for good. */
export interface DeleteSessionParams {
  /** Its id. */
  sessionId: string;
}

/** A problem in one of the user's files. Its good parts are used. */
export interface Diagnostic {
  /** The file. */
  path: string;
  /** 1-based; zero where the whole file is meant. */
  line: number;
  /** 1-based, in characters; zero where the whole line is meant. */
  column: number;
  /** What is wrong. */
  message: string;
}

/** What the person looks at. */
export interface EditorContextParams {
  /** The conversation. */
  sessionId: string;
}

/** What the person looks at. */
export interface EditorContextResult {
  /** The file in front. */
  active?: Location | null;
  /** What is selected in it. */
  selection?: string | null;
  /** Files that are open. */
  openFiles?: string[];
  /** What the language servers complain about, one a line. */
  diagnostics?: string[];
}

/** An embedded file or page: `text` or `blob`. */
export interface EmbeddedResource {
  /** Where it is. */
  uri: string;
  /** The kind of its content. */
  mimeType?: string | null;
  /** Its text. */
  text?: string | null;
  /** Its bytes in base64. */
  blob?: string | null;
}

/** An object without fields. */
export interface Empty {}

/** `error.data` of every JSON-RPC error. */
export interface ErrorData {
  /** To branch on. */
  kind: ErrorKind;
  /** What to do about it. */
  hint: string | null;
  /** JSON Pointer of the field that is wrong, for `invalidParams`. */
  path: string | null;
  /** Milliseconds after which to try again. */
  retryAfterMs: number | null;
}

/** What an error is about, to branch on. */
export type ErrorKind =
  /** The line could not be read as JSON. */
  | "parse"
  /** The message is not a request. */
  | "invalidRequest"
  /** No such method. */
  | "methodNotFound"
  /** A field of `params` is missing or wrong. */
  | "invalidParams"
  /** Aside failed. */
  | "internal"
  /** A provider needs a credential, or refused the one it got. */
  | "authRequired"
  /** The server, or the provider, has no capacity. */
  | "overloaded"
  /** No such session, model or provider. */
  | "notFound"
  /** The session is at work, or another process holds it. */
  | "busy"
  /** A file or folder could not be used. */
  | "storage"
  /** The server is ending. */
  | "shuttingDown"
  /** Cancelled. */
  | "cancelled"
  /** The credential may not do this. */
  | "permissionDenied"
  /** The provider wants money. */
  | "paymentRequired"
  /** Too many requests. */
  | "rateLimited"
  /** The conversation does not fit the model's context. */
  | "contextOverflow"
  /** The provider did not accept the request. */
  | "providerRejected"
  /** The provider failed. */
  | "providerFailed"
  /** Nothing came for too long. */
  | "timeout"
  /** The connection could not be made or broke. */
  | "network"
  /** The peer's certificate was not accepted. */
  | "tls"
  /** The host's name did not resolve. */
  | "dns"
  /** The answer is not what the provider's API speaks. */
  | "protocol"
  /** An item grew beyond its limit. */
  | "tooLarge"
  /** The prompt caused more model calls than one turn may. */
  | "tooManyCalls"
  /** The person, or the provider, declined the sign-in. */
  | "loginDenied"
  /** The page or the code of a sign-in was used too late, or twice. */
  | "loginExpired"
  /** What came back belongs to another sign-in. */
  | "loginMismatch"
  /** The port that a browser comes back to is in use, and nobody can paste. */
  | "loginPort"
  /** The workspace or organisation does not allow the sign-in. */
  | "loginForbidden"
  /** The account has no plan that includes this. */
  | "planMissing"
  /** This machine's clock is off. */
  | "clockOff"
  /** The account has the model, but it must be enabled first. */
  | "modelNotEnabled"
  | (string & {});

/** Something that happened in a conversation. */
export type Event = {
  /** The conversation. */
  sessionId: string;
  /** Rises each time the conversation is loaded. */
  epoch: number;
  /** Rises with each event. */
  seq: number;
  /** Where the event stands for several merged ones: the first of them. */
  fromSeq?: number | null;
} & EventBody;

/** What happened. Clients ignore kinds that they do not know. */
export type EventBody =
  | {
      /** A turn began. The first event of a prompt: it ties request, session and turn together. */
      type: "turnStarted";
      /** The turn. */
      turnId: string;
      /** The id of the `prompt` request, as JSON text; null where the turn was not asked for by one. */
      requestId: string | null;
      /** As given with the prompt. */
      idempotencyId: string | null;
    }
  | {
      /** An item appeared. */
      type: "itemStarted";
      /** As far as it is. */
      item: Item;
    }
  | {
      /** More of an item's `text`. */
      type: "delta";
      /** Which. */
      itemId: string;
      /** What to append. */
      text: string;
    }
  | {
      /** More of a tool call's arguments, as raw JSON text. */
      type: "argumentsDelta";
      /** Which. */
      itemId: string;
      /** What to append. */
      text: string;
    }
  | {
      /** An item changed otherwise than by growing. */
      type: "itemUpdated";
      /** All of it. */
      item: Item;
    }
  | {
      /** An item is whole. What stands here holds, whatever the deltas added up to. */
      type: "itemCompleted";
      /** All of it. */
      item: Item;
    }
  | {
      /** An item does not count, and is not to be shown any more: the answer is begun anew. It is in no later snapshot, and deltas that are replayed for it are empty. */
      type: "itemWithdrawn";
      /** Which. */
      itemId: string;
    }
  | {
      /** A question was put to the client. */
      type: "questionAsked";
      /** The question. */
      question: PendingQuestion;
    }
  | {
      /** A question needs no answer any more. */
      type: "questionResolved";
      /** Which. */
      questionId: string;
      /** How it ended. */
      outcome: string;
    }
  | {
      /** What the turn has used so far, and how full the context is. */
      type: "usageChanged";
      /** By this turn. */
      usage: Usage;
      /** Its cost; null where the price is not known. */
      cost: Money | null;
      /** Tokens in the context now. */
      contextTokens: number;
      /** Tokens that it may have. */
      contextWindow: number;
    }
  | {
      /** A model call failed and will be made again. What had come of its answer stays until the new one begins; then each of its items is withdrawn. */
      type: "retry";
      /** Which request of this model call it will be: the first was 1. */
      attempt: number;
      /** How many there will be at most, if they all fail like this. */
      maxAttempts: number;
      /** Milliseconds until then. */
      delayMs: number;
      /** The same as a time, in milliseconds since the Unix epoch. */
      retryAtMs: number;
      /** Why. */
      error: TurnError;
    }
  | {
      /** Nothing has come from the provider for a while. */
      type: "stalled";
      /** Milliseconds. */
      sinceMs: number;
      /** What is waited for: `connection`, `firstEvent` or `event`. */
      waitingFor: string;
      /** When it will be given up, in milliseconds from now. */
      givesUpInMs: number;
    }
  | {
      /** The session does something else now. */
      type: "stateChanged";
      /** What. */
      state: SessionState;
    }
  | {
      /** Title, model or another property changed. */
      type: "sessionChanged";
      /** All about it. */
      session: SessionInfo;
    }
  | {
      /** What waits behind the turn changed. */
      type: "queueChanged";
      /** In order. */
      queue: QueueEntry[];
    }
  | {
      /** The last event of a turn; the answer to `prompt` follows it. */
      type: "turnEnded";
      /** The turn. */
      turnId: string;
      /** Why it ended. */
      stopReason: StopReason;
      /** Why it failed. */
      error: TurnError | null;
      /** The end of the turn in the drawn document, for `layout: "lines"`; absent otherwise. */
      patches?: LayoutPatch[];
    }
  | {
      /** Changes of the drawn document, for `layout: "lines"`. */
      type: "layoutChanged";
      /** In order, each for the document as those before it left it. */
      patches: LayoutPatch[];
      /** The change of a file that this draws, with its hunks; absent for everything else. */
      item?: Item | null;
    };

/** An event's place in its conversation. */
export interface EventPosition {
  /** Of the loading. */
  epoch: number;
  /** Within it. */
  seq: number;
}

/** Why was this allowed, asked or denied, or what would be? Either a past call, by `itemId` or `questionId`, or a call that might be made, by `tool` and `arguments`: it is not made. */
export interface ExplainPermissionParams {
  /** The conversation. */
  sessionId: string;
  /** A tool call of it. */
  itemId?: string | null;
  /** A question that was asked in it. */
  questionId?: string | null;
  /** A tool's name. */
  tool?: string | null;
  /** What it would be called with. */
  arguments?: unknown;
}

/** The decision and everything that was said about it. */
export interface ExplainPermissionResult {
  /** The tool's name. */
  tool: string;
  /** What was decided. */
  decision: PermissionDecision;
  /** The mode that held. */
  permissionMode: PermissionMode;
  /** Every rule and guard that is about the call. The greatest decision among them holds. */
  reasons: PermissionReason[];
  /** What the person is asked, in one line. */
  title: string;
  /** All of it. */
  detail: string;
  /** The option that the person took; null where nobody was asked, or nobody answered. */
  answer: string | null;
  /** Rules that are not understood, and what else is wrong with them. */
  warnings: string[];
}

/** Writes a conversation out. */
export interface ExportSessionParams {
  /** Its id. */
  sessionId: string;
  /** `markdown` or `json`. */
  format: string;
}

/** The exported conversation. */
export interface ExportSessionResult {
  /** Its text. */
  text: string;
}

/** What a field of a form takes. */
export type FieldKind =
  /** A line. */
  | "text"
  /** A line that is not shown. */
  | "secret"
  /** One of `choices`. */
  | "choice"
  /** Yes or no. */
  | "boolean"
  | (string & {});

/** What became of a file. */
export type FileChangeKind =
  /** It is new. */
  | "add"
  /** Its content changed. */
  | "modify"
  /** It is gone. */
  | "delete"
  /** It has another path. */
  | "move"
  | (string & {});

/** Begins a conversation with the content of another. */
export interface ForkSessionParams {
  /** The other. */
  sessionId: string;
  /** Only up to this item. */
  itemId?: string | null;
}

/** One question of a form. */
export interface FormField {
  /** To be sent back. */
  name: string;
  /** In words. */
  label: string;
  /** What it takes. */
  kind: FieldKind;
  /** For `choice`. */
  choices: string[];
  /** Whether it must be answered. */
  required: boolean;
}

/** A run of changed lines. */
export interface Hunk {
  /** Stable within the item. */
  id: string;
  /** First line before the change, 1-based. */
  oldStart: number;
  /** Lines before the change. */
  oldLines: number;
  /** First line after the change, 1-based. */
  newStart: number;
  /** Lines after the change. */
  newLines: number;
  /** The lines with ` `, `-` or `+` before each, and `\` before the word that a last line has no end. */
  lines: string[];
  /** What the person said to it. */
  decision: HunkDecision;
}

/** What the person said to a change. */
export type HunkDecision =
  /** Nothing yet. */
  | "pending"
  /** Keep it. */
  | "accepted"
  /** Take it back. */
  | "rejected"
  | (string & {});

/** What is said to one hunk. */
export interface HunkReview {
  /** The hunk's id. */
  id: string;
  /** What is to become of it. */
  decision: ReviewDecision;
}

/** A program and its version. */
export interface Implementation {
  /** Its name. */
  name: string;
  /** Its version. */
  version?: string | null;
}

/** What an editor tells of itself. */
export interface InitializeParams {
  /** The newest version of this contract that the client knows. */
  protocolVersion?: number | null;
  /** Who the client is. */
  clientInfo?: Implementation | null;
  /** The process whose death ends the server. */
  processId?: number | null;
  /** What the client can be asked for. */
  capabilities?: ClientCapabilities | null;
  /** Settings that stand above the user's `settings.json`. */
  settings?: unknown;
  /** Variables that stand above the process's environment. */
  environment?: Record<string, string> | null;
  /** The editor's own HTTP proxy. */
  proxy?: string | null;
  /** The folder that is open. */
  cwd?: string | null;
  /** Whether the user trusts that folder. Where not, conversations begin, and come back, in the permission mode `plan`, until the client names another. */
  workspaceTrusted?: boolean | null;
}

/** What the server is and can. */
export interface InitializeResult {
  /** The version that both sides speak. */
  protocolVersion: number;
  /** The server. */
  serverInfo: Implementation;
  /** What it can. */
  capabilities: ServerCapabilities;
  /** Every method that it answers. */
  methods: string[];
  /** Problems found in the user's files. */
  diagnostics: Diagnostic[];
}

/** A part of a conversation. */
export type Item = {
  /** Stable within the conversation. */
  id: string;
  /** The turn it belongs to; null for one that belongs to none. */
  turnId: string | null;
  /** How far it is. */
  status: ItemStatus;
  /** The whole of it as plain text, for a client that knows no better. */
  text: string;
  /** Milliseconds since the Unix epoch. */
  createdAtMs: number;
} & ItemBody;

/** What an item is. */
export type ItemBody =
  | {
      /** What the person said. */
      type: "userMessage";
      /** In pieces; pictures are shortened to their kind. */
      content: ContentBlock[];
    }
  | {
      /** What the model said: `text` is Markdown. */
      type: "assistantText";
      /** `provider/id`. */
      model: string;
    }
  | {
      /** What the model thought. */
      type: "thinking";
      /** Whether only the provider can read it. */
      redacted: boolean;
    }
  | {
      /** A tool that the model called: `text` is what it printed. */
      type: "toolCall";
      /** The tool's name. */
      name: string;
      /** The call in a few words. */
      title: string;
      /** What the tool does. */
      kind: ToolKind;
      /** Its arguments; null until they are whole. */
      arguments: unknown;
      /** Where it works. */
      locations: Location[];
    }
  | {
      /** A file that was changed: `text` is a unified diff. */
      type: "fileChange";
      /** The item of the tool call that changed it. */
      toolCallId: string;
      /** Absolute path. */
      path: string;
      /** Its path before, for a move. */
      oldPath: string | null;
      /** What became of it. */
      kind: FileChangeKind;
      /** The changed lines. */
      hunks: Hunk[];
    }
  | {
      /** A command that the person ran: `text` is what it printed. */
      type: "command";
      /** The command line. */
      command: string;
      /** Its exit status; null while it runs, and where it did not end by itself. */
      exitCode: number | null;
    }
  | {
      /** What the model intends to do. */
      type: "plan";
      /** In order. */
      entries: PlanEntry[];
    }
  | {
      /** Something that the server has to say. */
      type: "notice";
      /** How serious it is. */
      severity: Severity;
      /** What to do about it. */
      hint: string | null;
    }
  | {
      /** A summary that stands for what was before it. */
      type: "compaction";
      /** Tokens before. */
      tokensBefore: number;
      /** Tokens after. */
      tokensAfter: number;
    };

/** How far an item is. */
export type ItemStatus =
  /** It still grows. */
  | "inProgress"
  /** It is whole. */
  | "completed"
  /** It failed. */
  | "failed"
  /** It was cancelled. */
  | "cancelled"
  /** It does not count: the answer was begun anew. */
  | "withdrawn"
  | (string & {});

/** How events are sent. */
export type Layout =
  /** Items and their deltas. */
  | "items"
  /** Patches of a document of lines. */
  | "lines"
  | (string & {});

/** A whole drawn document. */
export interface LayoutDocument {
  /** Its lines, without line ends. */
  lines: string[];
  /** Its marks. */
  marks: LayoutMark[];
  /** The `seq` of the newest event that is in it. */
  revision: number;
}

/** A named extent of the document. */
export interface LayoutMark {
  /** Stable. */
  id: string;
  /** What it is for. */
  kind: MarkKind;
  /** The first line. */
  from: number;
  /** Behind the last line. */
  to: number;
  /** The highlight group, what kind of part is folded, or the item's id (`<item>#<hunk>` for a part of a change). */
  name: string;
}

/** One change of the document. Lines are 0-based and counted before the change. */
export type LayoutPatch =
  | {
      /** At the end of a line. Marks with that line in them grow by the new lines; marks behind it move. */
      type: "append";
      /** Which line. */
      line: number;
      /** What; without a line end. */
      text: string;
      /** New lines directly behind it; absent where there are none. */
      lines?: string[];
    }
  | {
      /** New lines before a line. Marks that begin there or later move; marks that begin before it and end behind it grow. */
      type: "insert";
      /** Before which; the number of lines means at the end. */
      line: number;
      /** What. */
      lines: string[];
    }
  | {
      /** Other lines in the place of some. Marks that have no other line are gone; marks that have lines before or behind as well grow or shrink; marks behind move. */
      type: "replace";
      /** The first. */
      from: number;
      /** Behind the last. */
      to: number;
      /** What. */
      lines: string[];
    }
  | {
      /** A mark that is new, or is now like this. */
      type: "mark";
      /** The mark. */
      mark: LayoutMark;
    }
  | {
      /** A mark that is gone. */
      type: "unmark";
      /** Its id. */
      id: string;
    };

/** Which models to list. */
export interface ListModelsParams {
  /** Only this provider's. */
  provider?: string | null;
  /** Only those that a prompt could be sent to now. */
  available?: boolean | null;
  /** Also those that their providers have dropped. */
  retired?: boolean | null;
  /** Only those that one of these means, in this order: what `model` of a prompt may be, or a glob over `provider/id` or `id` such as `anthropic/*`. A person's favourites, for instance. */
  patterns?: string[] | null;
}

/** The models that are known now; `modelsChanged` tells of later ones. */
export interface ListModelsResult {
  /** By provider, in the order in which a default is looked for. */
  models: ModelInfo[];
  /** What a prompt that names no model would use, as `provider/id`. */
  defaultModel: string | null;
  /** What is odd about `patterns`. */
  warnings: string[];
  /** Problems found in the user's files. */
  diagnostics: Diagnostic[];
}

/** Which providers to list. */
export interface ListProvidersParams {}

/** Every provider that is known. */
export interface ListProvidersResult {
  /** In the order in which a default is looked for. */
  providers: ProviderInfo[];
  /** Problems found in the user's files. */
  diagnostics: Diagnostic[];
}

/** Which conversations to list. */
export interface ListSessionsParams {
  /** Only those about this folder. */
  cwd?: string | null;
  /** Where the last page ended. */
  cursor?: string | null;
  /** At most this many; 50 where it is missing. */
  limit?: number | null;
}

/** One page. */
export interface ListSessionsResult {
  /** The newest first. */
  sessions: SessionSummary[];
  /** For the next page; null at the end. */
  nextCursor: string | null;
}

/** A place in a file. */
export interface Location {
  /** Absolute path. */
  path: string;
  /** 1-based. */
  line?: number | null;
}

/** A way to sign in. */
export type LoginMethod =
  /** A key, pasted. */
  | "apiKey"
  /** A page in the browser. */
  | "browser"
  /** A code typed on another device. */
  | "deviceCode"
  | (string & {});

/** Signs in. Stays open while the flow runs; the server asks back with `openUrl`, `showDeviceCode` and `promptUser`. Cancelling the request ends the flow. */
export interface LoginParams {
  /** A provider's id. */
  provider: string;
  /** Which way, where there are several. */
  method?: LoginMethod | null;
  /** A label that tells several accounts of one provider apart. */
  account?: string | null;
  /** The key itself, for `apiKey`; asked for where it is missing. */
  apiKey?: string | null;
  /** The company's own host, such as GitHub Enterprise's; empty for the provider's usual one. Asked for where it is missing and the client answers `promptUser`. */
  domain?: string | null;
  /** Variables that are stored with the key and hold for this provider alone, such as an account id. What the provider needs besides its key is asked for where it is missing. */
  env?: Record<string, string> | null;
}

/** How a login goes on, tied to its request. */
export interface LoginProgress {
  /** The id of the `login` request, as JSON text. */
  requestId: string;
  /** The provider's id. */
  provider: string;
  /** What happens now. */
  message: string;
}

/** Signed in. */
export interface LoginResult {
  /** The account as it now stands. */
  account: AccountStatus;
}

/** Removes what is stored for a provider. Nothing is revoked at the provider. */
export interface LogoutParams {
  /** A provider's id. */
  provider: string;
  /** Which account, where there are several. */
  account?: string | null;
}

/** What was removed. */
export interface LogoutResult {
  /** Whether there was anything. */
  removed: boolean;
  /** The account as it now stands: another source may still make the provider available. */
  account: AccountStatus;
}

/** What a mark is for. */
export type MarkKind =
  /** Lines that can be folded. */
  | "fold"
  /** A highlight group. */
  | "highlight"
  /** The extent of an item. */
  | "item"
  | (string & {});

/** Prices in US dollars per million tokens. */
export interface ModelCost {
  /** Input that was not cached. */
  input: number;
  /** Output, reasoning included. */
  output: number;
  /** Input read from the provider's cache. */
  cacheRead: number;
  /** Input written to the provider's cache. */
  cacheWrite: number;
  /** Prices of long requests, the shortest first. A request that is longer than `inputAbove` is charged by the last tier for which that is so, and by it as a whole. */
  tiers: ModelCostTier[];
}

/** Prices of long requests. */
export interface ModelCostTier {
  /** Tokens of input, cached ones too. */
  inputAbove: number;
  /** As above. */
  input: number;
  /** As above. */
  output: number;
  /** As above. */
  cacheRead: number;
  /** As above. */
  cacheWrite: number;
}

/** A model. */
export interface ModelInfo {
  /** The provider's id. */
  provider: string;
  /** The model's id. */
  id: string;
  /** For people. */
  name: string;
  /** The wire API that it is called over, such as `openai-responses`. */
  api: string;
  /** Tokens that a request and its answer may have together. */
  contextWindow: number;
  /** Tokens that an answer may have. */
  maxOutput: number;
  /** Prices. */
  cost: ModelCost;
  /** What `thinking` may be. */
  thinkingLevels: string[];
  /** Kinds of content that it takes: `text`, `image`. */
  input: string[];
  /** The provider has dropped it: it may still answer, but should not be offered. */
  retired: boolean;
  /** Whether a prompt could be sent now. */
  available: boolean;
  /** Why not. */
  reason: string | null;
}

/** The list of models has changed; ask `listModels`. Model servers on this machine are looked for when a list or a default is first asked for, and what is found or gone is told by this to clients that sent `initialize`. */
export interface ModelsChanged {}

/** An amount of money. */
export interface Money {
  /** In units of the currency. */
  amount: number;
  /** ISO 4217. */
  currency: string;
}

/** Begins a conversation. */
export interface NewSessionParams {
  /** The folder it is about; the client's where it is missing. */
  cwd?: string | null;
  /** Further folders that it works in, by absolute paths; what lies in another one is left out. */
  additionalDirectories?: string[] | null;
  /** A model pattern: `provider/id`, `id`, either with `:level`. */
  model?: string | null;
  /** The label of an account of the model's provider, where it has several; empty for the one without a label. */
  account?: string | null;
  /** How much to think: off, minimal, low, medium, high, xhigh, max. */
  thinking?: string | null;
  /** What tools may do unasked. */
  permissionMode?: PermissionMode | null;
  /** A system prompt instead of Aside's own. */
  system?: string | null;
  /** How its events are drawn. */
  layout?: Layout | null;
}

/** The new conversation. */
export interface NewSessionResult {
  /** Its id, to be used from now on. */
  sessionId: string;
  /** All about it. */
  session: SessionInfo;
  /** The empty document, where it is drawn as lines. */
  document: LayoutDocument | null;
}

/** Opens a conversation, or asks what was missed of an open one. */
export interface OpenSessionParams {
  /** Its id. */
  sessionId: string;
  /** The last event that the client has seen. What is drawn as lines is always sent whole. */
  after?: EventPosition | null;
  /** How its events are drawn. */
  layout?: Layout | null;
  /** At most this many items of the snapshot, the newest. */
  limit?: number | null;
  /** Read it even where another process holds it. */
  readOnly?: boolean | null;
}

/** Either `events` or `snapshot`; the events that follow this answer have greater sequence numbers. */
export interface OpenSessionResult {
  /** All about it. */
  session: SessionInfo;
  /** Exactly the events after `after`. */
  events: Event[] | null;
  /** The whole conversation, where the events are not to be had. */
  snapshot: Snapshot | null;
  /** The conversation as lines, where it is drawn so. */
  document: LayoutDocument | null;
}

/** A page to be shown in the person's browser. */
export interface OpenUrlParams {
  /** http or https. */
  url: string;
  /** What it is for. */
  message: string;
}

/** Whether it was shown. */
export interface OpenUrlResult {
  /** Whether it was shown. */
  opened: boolean;
}

/** A question that waits for the client. */
export type PendingQuestion =
  | {
      /** As sent with `requestPermission`. */
      type: "permission";
      /** The question. */
      request: RequestPermissionParams;
    }
  | {
      /** As sent with `promptUser`. */
      type: "form";
      /** The question. */
      request: PromptUserParams;
    };

/** What is decided. Deny stands over ask, and ask over allow. */
export type PermissionDecision =
  /** It runs. */
  | "allow"
  /** The person is asked. */
  | "ask"
  /** It does not run. */
  | "deny"
  | (string & {});

/** Who says so. */
export type PermissionLayer =
  /** Aside itself. */
  | "builtIn"
  /** The settings of whoever manages the machine. */
  | "managed"
  /** The user's `settings.json`. */
  | "user"
  /** The client's `initialize.settings`. */
  | "client"
  /** The settings of a folder that is worked on. */
  | "folder"
  /** What the person answered in this session. */
  | "session"
  /** The permission mode. */
  | "mode"
  | (string & {});

/** What tools may do unasked. */
export type PermissionMode =
  /** Nothing that has an effect. */
  | "plan"
  /** Reads inside the workspace; everything else asks. */
  | "ask"
  /** Edits inside the workspace too. */
  | "acceptEdits"
  /** Everything. Needs a switch in the user's own settings. */
  | "full"
  | (string & {});

/** A possible answer. */
export interface PermissionOption {
  /** To be sent back. */
  id: string;
  /** What it means, in words; for a lasting one exactly what it allows. */
  label: string;
  /** How long it holds. */
  kind: PermissionOptionKind;
}

/** How long a permission holds. */
export type PermissionOptionKind =
  /** This time. */
  | "allowOnce"
  /** Until the session ends. */
  | "allowSession"
  /** For good. */
  | "allowAlways"
  /** Not this time. */
  | "rejectOnce"
  /** Never. */
  | "rejectAlways"
  | (string & {});

/** One thing that is said about a call. */
export interface PermissionReason {
  /** What it would decide alone. */
  decision: PermissionDecision;
  /** Who says it. */
  layer: PermissionLayer;
  /** The rule as it is written, or in words. */
  rule: string;
  /** The part of the call that it is about: a path, a command. */
  about: string;
}

/** A step of a plan. */
export interface PlanEntry {
  /** What is to be done. */
  text: string;
  /** How far it is. */
  status: PlanStatus;
}

/** How far a step of a plan is. */
export type PlanStatus =
  /** Not begun. */
  | "pending"
  /** Under way. */
  | "inProgress"
  /** Done. */
  | "completed"
  | (string & {});

/** Sends a prompt and answers when its turn has ended. Needs neither a handshake nor a session. */
export interface PromptParams {
  /** The prompt as plain text. This or `content`. */
  text?: string | null;
  /** The prompt in pieces. */
  content?: ContentBlock[] | null;
  /** The conversation it goes on with; a new one where it is missing. */
  sessionId?: string | null;
  /** A model pattern, from this prompt on. */
  model?: string | null;
  /** How much to think, from this prompt on. */
  thinking?: string | null;
  /** A provider's id, where `model` names none. */
  provider?: string | null;
  /** The label of an account of the provider, from this prompt on; empty for the one without a label. */
  account?: string | null;
  /** A key for this prompt only; never stored, never shown. */
  apiKey?: string | null;
  /** The folder of a new conversation. */
  cwd?: string | null;
  /** The system prompt of a new conversation. */
  system?: string | null;
  /** Names of the tools that may be used; all where it is missing. */
  tools?: string[] | null;
  /** JSON Schema that the answer must satisfy. */
  outputSchema?: unknown;
  /** Tokens that the answer may have. */
  maxTokens?: number | null;
  /** Sampling temperature. */
  temperature?: number | null;
  /** How long the provider should keep the conversation cached, for this prompt; else the settings say. */
  cacheRetention?: CacheRetention | null;
  /** Made by the client: a second prompt with the same id gets the first one's answer. */
  idempotencyId?: string | null;
  /** What happens while the session is at work. */
  whenBusy?: WhenBusy | null;
}

/** How a turn ended. A failed or cancelled one has this too. */
export interface PromptResult {
  /** Why it ended. */
  stopReason: StopReason;
  /** What the model said in its last message. */
  text: string;
  /** What all model calls of the turn used. */
  usage: Usage;
  /** What they cost; null where the price is not known. */
  cost: Money | null;
  /** What the person should know of the cost, such as that a subscription is billed per token for it; null where there is nothing to know. */
  costNote: string | null;
  /** The conversation. */
  sessionId: string;
  /** The turn. */
  turnId: string;
  /** `provider/id`; null where none was reached. */
  model: string | null;
  /** Why it failed. */
  error: TurnError | null;
  /** What the person should know, such as a model id that the catalog does not have. */
  warnings: string[];
}

/** A form for the person. */
export interface PromptUserParams {
  /** The conversation; null where it belongs to a login. */
  sessionId: string | null;
  /** Stable; as in `questionAsked`. */
  questionId: string;
  /** What it is about. */
  message: string;
  /** What is asked. */
  fields: FormField[];
}

/** The person's answers. */
export interface PromptUserResult {
  /** By field; null where the form was closed. */
  values?: Record<string, string> | null;
}

/** A change of a file that has not been made. The file is changed only as it is shown here. */
export interface ProposedChange {
  /** Absolute path. */
  path: string;
  /** What would become of the file. */
  kind: FileChangeKind;
  /** The changed lines; the ids are also those of the `fileChange` item. */
  hunks: Hunk[];
}

/** A provider. */
export interface ProviderInfo {
  /** As in `auth.json` and `provider/model`. */
  id: string;
  /** For people. */
  name: string;
  /** Whether a prompt could be sent now. */
  available: boolean;
  /** Why not. */
  reason: string | null;
  /** Where its credential comes from. */
  source: CredentialSource | null;
  /** Environment variables that may hold its key. */
  keyVariables: string[];
  /** Its default model. */
  defaultModel: string | null;
  /** Ways to sign in. */
  loginMethods: LoginMethod[];
}

/** A change of the queue. */
export type QueueAction =
  | {
      /** Only tell. */
      type: "list";
    }
  | {
      /** At the end. */
      type: "add";
      /** What it says. */
      content: ContentBlock[];
    }
  | {
      /** Another text. */
      type: "edit";
      /** Which. */
      id: string;
      /** What it says now. */
      content: ContentBlock[];
    }
  | {
      /** Before another. */
      type: "move";
      /** Which. */
      id: string;
      /** Before this one; at the end where it is missing. */
      before?: string | null;
    }
  | {
      /** Away. */
      type: "remove";
      /** Which. */
      id: string;
    };

/** A prompt that waits. */
export interface QueueEntry {
  /** Its id. */
  id: string;
  /** What it says. */
  content: ContentBlock[];
}

/** Lists and changes what waits behind the running turn. An entry begins a turn of its own when the one before it has ended well; after one that was cancelled or failed, when the person says more. What waits is kept with the conversation. */
export interface QueueParams {
  /** The conversation. */
  sessionId: string;
  /** What to do. */
  action: QueueAction;
}

/** What waits now. */
export interface QueueResult {
  /** In order. */
  queue: QueueEntry[];
}

/** The text of a file as the editor has it, unsaved changes included. */
export interface ReadFileParams {
  /** The conversation. */
  sessionId: string;
  /** Absolute path. */
  path: string;
}

/** The file. */
export interface ReadFileResult {
  /** Its text; null where the editor does not have it open. */
  text?: string | null;
  /** The editor's own version of it, for `applyEdit`. */
  version?: string | null;
}

/** Fetches fresh model facts. */
export interface RefreshModelsParams {}

/** What a refresh brought. Models are named as `provider/id`. */
export interface RefreshModelsResult {
  /** Whether the source had anything newer than what was fetched before. */
  modified: boolean;
  /** Models that were not in the list before. */
  added: string[];
  /** Models of which something else is said now: name, size, price, thinking, input. */
  changed: string[];
  /** Models that are gone, or that their provider has dropped. */
  removed: string[];
  /** Since when the source says so, in milliseconds since the epoch. Facts that are older than the built-in ones only add models. */
  factsAtMs: number;
  /** When it was asked, in milliseconds since the epoch. */
  checkedAtMs: number;
}

/** A hunk that stays as it was. */
export interface RefusedHunk {
  /** The hunk's id. */
  id: string;
  /** Why, for the person. */
  reason: string;
}

/** Names a conversation. */
export interface RenameSessionParams {
  /** Its id. */
  sessionId: string;
  /** Its new title. */
  title: string;
}

/** May a tool do this? */
export interface RequestPermissionParams {
  /** The conversation. */
  sessionId: string;
  /** Stable; as in `questionAsked`. */
  questionId: string;
  /** The tool call. */
  itemId: string;
  /** The tool's name. */
  tool: string;
  /** What it wants to do, in one line made by the server from the real arguments. */
  title: string;
  /** All of it; invisible characters are shown escaped. */
  detail: string;
  /** Where it works. */
  locations: Location[];
  /** What may be answered. */
  options: PermissionOption[];
  /** What it would change; null where it changes no file, or that cannot be told before. */
  change: ProposedChange | null;
}

/** The person's answer. Cancelling the question, or an error, means no. */
export interface RequestPermissionResult {
  /** The option taken; null where the question was closed. */
  optionId?: string | null;
  /** What the model is told with a rejection, of all or of hunks. */
  reason?: string | null;
  /** Ids of hunks of `change` that are left out of what is allowed. With all of them, or one that is not there, nothing is done. */
  rejectedHunks?: string[];
}

/** Keeps or takes back hunks of a file change that was made. The same decision twice changes nothing. */
export interface ReviewChangeParams {
  /** The conversation. */
  sessionId: string;
  /** The `fileChange` item. */
  itemId: string;
  /** What is said to single hunks. */
  hunks?: HunkReview[];
  /** What is said to all that are not named; without it they stay as they are. */
  decision?: ReviewDecision | null;
}

/** What became of it, once that is on the disk. */
export interface ReviewChangeResult {
  /** The change with its hunks as they are now. */
  item: Item;
  /** Hunks that could not be taken back, or made again, and are as they were. */
  refused: RefusedHunk[];
}

/** What is to become of a hunk. */
export type ReviewDecision =
  /** It stays, or is made again. */
  | "accept"
  /** It is taken back. */
  | "reject"
  | (string & {});

/** Goes back to before an item. */
export interface RewindParams {
  /** The conversation. */
  sessionId: string;
  /** The first item to be gone. */
  itemId: string;
  /** What is taken back. */
  scope: CheckpointScope;
}

/** What can be undone again. */
export interface RewindResult {
  /** Give this as `itemId` to undo the rewind. */
  undoItemId: string;
}

/** Runs a command of the person's own in the session's folder; its output becomes part of the conversation, and the model sees it with its next request. Nothing is asked. `cancel` with its item, or cancelling the request, ends it. */
export interface RunShellParams {
  /** The conversation. */
  sessionId: string;
  /** The command line. */
  command: string;
}

/** How a command ended. */
export interface RunShellResult {
  /** The `command` item. */
  itemId: string;
  /** Its exit status; null where it did not end by itself. */
  exitCode: number | null;
  /** What it printed, shortened in the middle. */
  output: string;
}

/** What the server can, beside its methods. */
export interface ServerCapabilities {
  /** Layouts that `newSession` and `openSession` take. */
  layouts: string[];
  /** Kinds of content that `prompt` takes. */
  content: string[];
  /** Bytes that one incoming message may have. */
  maxMessageBytes: number;
  /** Where conversations are kept: `disk` or `memory`. */
  storage: string;
}

/** A conversation, without its content. */
export interface SessionInfo {
  /** Its id. */
  sessionId: string;
  /** Its title: given, or the first words of its first prompt. */
  title: string | null;
  /** The folder it is about. */
  cwd: string;
  /** Further folders that it works in. */
  additionalDirectories: string[];
  /** `provider/id`, or null while none was needed. */
  model: string | null;
  /** The label of the account that was chosen; null leaves it to the settings. It counts while the model is of the same provider. */
  account: string | null;
  /** How much it thinks; null leaves it to the provider. */
  thinking: string | null;
  /** What tools may do unasked. */
  permissionMode: PermissionMode;
  /** What it is doing. */
  state: SessionState;
  /** Where it is kept. */
  storage: Storage;
  /** Whether it can only be read: another process holds it, or a newer version wrote it. */
  readOnly: boolean;
  /** Rises each time it is loaded. */
  epoch: number;
  /** The newest event. */
  seq: number;
  /** Milliseconds since the Unix epoch. */
  createdAtMs: number;
  /** Milliseconds since the Unix epoch. */
  updatedAtMs: number;
  /** Everything used so far. */
  usage: Usage;
  /** What all of it cost; null where a price is not known. */
  cost: Money | null;
}

/** What a session is doing. */
export type SessionState =
  /** Nothing. */
  | "idle"
  /** A turn runs. */
  | "running"
  /** A turn waits for an answer of the client. */
  | "waiting"
  | (string & {});

/** A conversation in a list. */
export interface SessionSummary {
  /** Its id. */
  sessionId: string;
  /** Its title: given, or the first words of its first prompt. */
  title: string | null;
  /** The folder it is about. */
  cwd: string | null;
  /** Milliseconds since the Unix epoch. */
  updatedAtMs: number;
  /** Whether this process has it open. */
  open: boolean;
}

/** How serious a notice is. */
export type Severity =
  /** Good to know. */
  | "info"
  /** Something odd. */
  | "warning"
  /** Something failed. */
  | "error"
  | (string & {});

/** A code to be typed on another device. */
export interface ShowDeviceCodeParams {
  /** Where to type it. */
  url: string;
  /** The code. */
  code: string;
  /** When it ends, in milliseconds since the Unix epoch. */
  expiresAtMs: number;
}

/** A conversation as it stands. */
export interface Snapshot {
  /** Its items in order, at most `limit` of them. Where it is drawn as lines, only the changes of files. */
  items: Item[];
  /** Items before the first of these. */
  omitted: number;
  /** The turn that runs. */
  turnId: string | null;
  /** Questions that wait for the client. */
  questions: PendingQuestion[];
  /** Prompts that wait their turn. */
  queue: QueueEntry[];
}

/** Adds to the running turn: reaches the model before its next call, and keeps the turn going where the model had just said all. What a turn that is cancelled or fails did not take in stands in the conversation. */
export interface SteerParams {
  /** The conversation. */
  sessionId: string;
  /** What to say. */
  content: ContentBlock[];
  /** Refused where another turn runs. */
  turnId?: string | null;
}

/** Why a turn ended. */
export type StopReason =
  /** The model had said all. */
  | "endTurn"
  /** The model reached its output limit. */
  | "maxTokens"
  /** The model, or a filter of the provider, declined. */
  | "refusal"
  /** Cancelled by the client. */
  | "cancelled"
  /** Failed; `error` says how. */
  | "error"
  /** The process ended before the turn did. Only in stored conversations. */
  | "interrupted"
  | (string & {});

/** Where a conversation is kept. */
export type Storage =
  /** In a file. */
  | "disk"
  /** In memory: no folder could be written. It ends with the process. */
  | "memory"
  | (string & {});

/** One replacement. Lines are 0-based, characters are UTF-8 bytes. */
export interface TextEdit {
  /** First line. */
  startLine: number;
  /** Byte within it. */
  startByte: number;
  /** Last line. */
  endLine: number;
  /** Byte within it. */
  endByte: number;
  /** What stands there afterwards. */
  text: string;
}

/** What a tool does, for an icon. */
export type ToolKind =
  /** Reads. */
  | "read"
  /** Changes files. */
  | "edit"
  /** Removes files. */
  | "delete"
  /** Moves files. */
  | "move"
  /** Searches. */
  | "search"
  /** Runs a command. */
  | "execute"
  /** Thinks. */
  | "think"
  /** Fetches from the network. */
  | "fetch"
  | (string & {});

/** Why a turn ended with `stopReason: "error"`. */
export interface TurnError {
  /** To branch on. */
  kind: ErrorKind;
  /** What happened, to what. */
  message: string;
  /** What to do about it. */
  hint: string | null;
  /** The id of the provider that failed; null where it was none. */
  provider: string | null;
  /** The provider's HTTP status. */
  status: number | null;
  /** The provider's own code. */
  code: string | null;
  /** The provider asked to wait this long, in milliseconds. */
  retryAfterMs: number | null;
}

/** Token counts. */
export interface Usage {
  /** Input that was not cached. */
  inputTokens: number;
  /** Output, reasoning included. */
  outputTokens: number;
  /** Input read from the provider's cache. */
  cacheReadTokens: number;
  /** Input written to the provider's cache. */
  cacheWriteTokens: number;
  /** Part of the output. */
  reasoningTokens: number;
}

/** What happens to a prompt while the session is at work. */
export type WhenBusy =
  /** It is refused with -32003. */
  | "refuse"
  /** It waits its turn, in the queue, and is answered at the end of it. */
  | "queue"
  /** It reaches the model before its next call, and gets the answer of the turn that runs. */
  | "steer"
  | (string & {});

/** What the client asks the server. */
export interface ClientRequests {
  /** The handshake of an editor. May be left out by a script; may be sent once. */
  initialize: { params: InitializeParams; result: InitializeResult };
  /** Cancels every turn, flushes every conversation, answers last and ends the process. */
  shutdown: { params: Empty; result: Empty };
  /** Every provider, and whether it could be used now. */
  listProviders: { params: ListProvidersParams; result: ListProvidersResult };
  /** Signs in to a provider. Stays open while the flow runs. */
  login: { params: LoginParams; result: LoginResult };
  /** Removes what is stored for a provider. */
  logout: { params: LogoutParams; result: LogoutResult };
  /** Who is signed in where, from which source, until when. */
  authStatus: { params: AuthStatusParams; result: AuthStatusResult };
  /** Every model with its price. Never runs a command and never waits for the network. */
  listModels: { params: ListModelsParams; result: ListModelsResult };
  /** Fetches fresh facts about models from models.dev. Only then; what is known stays when it fails. */
  refreshModels: { params: RefreshModelsParams; result: RefreshModelsResult };
  /** Begins a conversation. */
  newSession: { params: NewSessionParams; result: NewSessionResult };
  /** Opens a conversation, or tells what was missed of an open one. */
  openSession: { params: OpenSessionParams; result: OpenSessionResult };
  /** The conversations that are kept, the newest first. */
  listSessions: { params: ListSessionsParams; result: ListSessionsResult };
  /** Changes model, thinking level or permission mode, also while a turn runs. */
  configureSession: { params: ConfigureSessionParams; result: ConfigureSessionResult };
  /** Ends a conversation's work and forgets it. Its file stays. */
  closeSession: { params: CloseSessionParams; result: Empty };
  /** Begins a conversation with the content of another. */
  forkSession: { params: ForkSessionParams; result: NewSessionResult };
  /** Names a conversation. */
  renameSession: { params: RenameSessionParams; result: Empty };
  /** Removes a conversation for good. */
  deleteSession: { params: DeleteSessionParams; result: Empty };
  /** Writes a conversation out. */
  exportSession: { params: ExportSessionParams; result: ExportSessionResult };
  /** Sends a prompt, streams `event` notifications and answers when the turn has ended. */
  prompt: { params: PromptParams; result: PromptResult };
  /** Ends the turn that runs. Its `prompt` is answered with `stopReason: "cancelled"`. May be sent as a notification. */
  cancel: { params: CancelParams; result: CancelResult };
  /** Adds to the running turn: reaches the model before its next call. */
  steer: { params: SteerParams; result: Empty };
  /** Lists and changes what waits behind the running turn. */
  queue: { params: QueueParams; result: QueueResult };
  /** Keeps or takes back hunks of a file change that was made, also while a turn runs. The model is told. */
  reviewChange: { params: ReviewChangeParams; result: ReviewChangeResult };
  /** Runs a command of the person's own, also while a turn runs. Stays open until the command has ended. */
  runShell: { params: RunShellParams; result: RunShellResult };
  /** Why a tool call was allowed, asked about or denied, or what would be decided of one. */
  explainPermission: { params: ExplainPermissionParams; result: ExplainPermissionResult };
  /** Planned. Shortens a conversation by a summary. */
  compact: { params: CompactParams; result: Empty };
  /** Planned. Goes back to before an item; can itself be undone. */
  rewind: { params: RewindParams; result: RewindResult };
}

/** What the client tells the server. */
export interface ClientNotifications {
  /** Cancels a request by its id. A cancelled request is still answered. */
  "$/cancelRequest": { params: CancelRequestParams };
  /** Ends the process as the end of input does. */
  exit: { params: Empty };
}

/** What the server asks the client. */
export interface ServerRequests {
  /** May a tool do this? No answer, an error or no capability means no. */
  requestPermission: { params: RequestPermissionParams; result: RequestPermissionResult };
  /** A form for the person. Without the capability the asker is told that nobody answered. */
  promptUser: { params: PromptUserParams; result: PromptUserResult };
  /** The text of a file as the editor has it. Without the capability the disk is read. */
  readFile: { params: ReadFileParams; result: ReadFileResult };
  /** A change to be made in the editor. Without the capability it is made on disk. */
  applyEdit: { params: ApplyEditParams; result: ApplyEditResult };
  /** A page to be shown in the person's browser. Without the capability a server on the person's own machine opens it. */
  openUrl: { params: OpenUrlParams; result: OpenUrlResult };
  /** A code to be typed on another device. Taken back by `$/cancelRequest` when it was typed or has ended. */
  showDeviceCode: { params: ShowDeviceCodeParams; result: Empty };
  /** Planned. What the person looks at. */
  editorContext: { params: EditorContextParams; result: EditorContextResult };
}

/** What the server tells the client. */
export interface ServerNotifications {
  /** How a login goes on: also the page to be opened and the code to be typed, for whoever cannot be asked. */
  loginProgress: { params: LoginProgress };
  /** Something happened in a conversation. */
  event: { params: Event };
  /** Accounts have changed. */
  accountsChanged: { params: AccountsChanged };
  /** The list of models has changed. */
  modelsChanged: { params: ModelsChanged };
  /** A question of the server needs no answer any more. */
  "$/cancelRequest": { params: CancelRequestParams };
}
