-- Aside's native protocol. docs/protocol.md tells what goes when.
-- Generated, do not edit: UPDATE_GENERATED=1 cargo test --test it generated
--
-- A field that may be null is marked as optional: decode with `luanil`.
-- A class with a field `type` has a child per kind; ignore kinds that are not here.

--- The state of one account; never its secret.
---@class aside.AccountStatus
---@field provider string The provider's id.
---@field account? string The label that tells several accounts apart.
---@field source? aside.CredentialSource Where the credential comes from; null where there is none.
---@field variable? string The variable that holds it, for `environment`.
---@field identity? string Who is signed in, where the provider says so.
---@field expiresAtMs? integer When it ends, in milliseconds since the Unix epoch.
---@field hint? string What the person should know or do.

--- Accounts have changed; ask `authStatus`.
---@class aside.AccountsChanged
---@field providers string[] Ids of the providers concerned.

--- A change to be made in the editor.
---@class aside.ApplyEditParams
---@field sessionId string The conversation.
---@field itemId string The `fileChange` item.
---@field path string Absolute path.
---@field version? string The version that the edits are meant for.
---@field edits aside.TextEdit[] In descending order of position; they do not overlap.
---@field review boolean Whether this carries out a `reviewChange`: the person has decided, and nothing is to be asked.

--- What became of the change.
---@class aside.ApplyEditResult
---@field applied boolean Whether it was made.
---@field reason? string Why not.
---@field rejectedHunks? string[] Ids of hunks that the person rejected.

--- Whose state to tell.
---@class aside.AuthStatusParams
---@field provider? string A provider's id; all where it is missing.

--- The state of every account asked for.
---@class aside.AuthStatusResult
---@field accounts aside.AccountStatus[] One entry an account.
---@field diagnostics aside.Diagnostic[] Problems found in the user's files.

--- How long a provider should keep a prompt in its cache.
---@alias aside.CacheRetention
---| "none" # Not at all, as far as it lets itself be told.
---| "short" # For minutes, as most do.
---| "long" # For an hour or a day, where it can.
---| string # A value of a newer version.

--- Ends the turn that runs, and the prompts that wait behind it with their requests open. Entries of the queue stay, and none begins before a prompt or a new entry.
---@class aside.CancelParams
---@field sessionId string The conversation.
---@field itemId? string Ends only this tool call; the turn goes on.

--- Asks the server's own request to be forgotten, or the client's.
---@class aside.CancelRequestParams
---@field id any The request's id.

--- What was cancelled.
---@class aside.CancelResult
---@field cancelled boolean Whether anything ran.

--- What a rewind takes back.
---@alias aside.CheckpointScope
---| "conversation" # The conversation only.
---| "files" # The files only.
---| "both" # Both.
---| string # A value of a newer version.

--- What the server may ask this client. All false where it says nothing.
---@class aside.ClientCapabilities
---@field requestPermission? boolean Answers `requestPermission`.
---@field promptUser? boolean Answers `promptUser`.
---@field readFile? boolean Answers `readFile`.
---@field applyEdit? boolean Answers `applyEdit`.
---@field editorContext? boolean Answers `editorContext`.
---@field openUrl? boolean Answers `openUrl`.
---@field showDeviceCode? boolean Answers `showDeviceCode`.

--- Ends a conversation's work and forgets it; its file stays.
---@class aside.CloseSessionParams
---@field sessionId string Its id.

--- Shortens a conversation by a summary.
---@class aside.CompactParams
---@field sessionId string The conversation.
---@field instructions? string What the summary should keep.

--- Changes how a conversation goes on. What is missing stays.
---@class aside.ConfigureSessionParams
---@field sessionId string Its id.
---@field model? string A model pattern; used from the next model call on.
---@field account? string The label of an account of the model's provider, where it has several; empty for the one without a label.
---@field thinking? string How much to think.
---@field permissionMode? aside.PermissionMode What tools may do unasked.
---@field additionalDirectories? string[] All further folders that it works in from now on; an empty list leaves the working folder alone.

--- The conversation as it now is.
---@class aside.ConfigureSessionResult
---@field session aside.SessionInfo All about it.
---@field warnings string[] What the person should know, such as a model id that the catalog does not have.

--- One piece of a prompt.
---@class aside.ContentBlock
---@field type "text"|"image"|"audio"|"resource_link"|"resource"|string Its kind.

--- Plain text or Markdown.
---@class aside.ContentBlock.text: aside.ContentBlock
---@field type "text"
---@field text string The text.

--- A picture.
---@class aside.ContentBlock.image: aside.ContentBlock
---@field type "image"
---@field data string Base64.
---@field mimeType string Such as `image/png`.
---@field uri? string Where it came from.

--- A sound. No model of this version takes one.
---@class aside.ContentBlock.audio: aside.ContentBlock
---@field type "audio"
---@field data string Base64.
---@field mimeType string Such as `audio/wav`.

--- A file or page that the agent may read.
---@class aside.ContentBlock.resource_link: aside.ContentBlock
---@field type "resource_link"
---@field uri string Where it is.
---@field name string What to call it.
---@field mimeType? string The kind of its content.

--- The content of a file or page, embedded.
---@class aside.ContentBlock.resource: aside.ContentBlock
---@field type "resource"
---@field resource aside.EmbeddedResource The content.

--- Where a credential comes from.
---@alias aside.CredentialSource
---| "request" # Given with the request or on the command line.
---| "authFile" # `auth.json`.
---| "environment" # A variable of the environment.
---| "modelsFile" # `models.json`.
---| "notNeeded" # None is needed.
---| string # A value of a newer version.

--- Removes a conversation for good.
---@class aside.DeleteSessionParams
---@field sessionId string Its id.

--- A problem in one of the user's files. Its good parts are used.
---@class aside.Diagnostic
---@field path string The file.
---@field line integer 1-based; zero where the whole file is meant.
---@field column integer 1-based, in characters; zero where the whole line is meant.
---@field message string What is wrong.

--- What the person looks at.
---@class aside.EditorContextParams
---@field sessionId string The conversation.

--- What the person looks at.
---@class aside.EditorContextResult
---@field active? aside.Location The file in front.
---@field selection? string What is selected in it.
---@field openFiles? string[] Files that are open.
---@field diagnostics? string[] What the language servers complain about, one a line.

--- An embedded file or page: `text` or `blob`.
---@class aside.EmbeddedResource
---@field uri string Where it is.
---@field mimeType? string The kind of its content.
---@field text? string Its text.
---@field blob? string Its bytes in base64.

--- An object without fields.
---@class aside.Empty

--- `error.data` of every JSON-RPC error.
---@class aside.ErrorData
---@field kind aside.ErrorKind To branch on.
---@field hint? string What to do about it.
---@field path? string JSON Pointer of the field that is wrong, for `invalidParams`.
---@field retryAfterMs? integer Milliseconds after which to try again.

--- What an error is about, to branch on.
---@alias aside.ErrorKind
---| "parse" # The line could not be read as JSON.
---| "invalidRequest" # The message is not a request.
---| "methodNotFound" # No such method.
---| "invalidParams" # A field of `params` is missing or wrong.
---| "internal" # Aside failed.
---| "authRequired" # A provider needs a credential, or refused the one it got.
---| "overloaded" # The server, or the provider, has no capacity.
---| "notFound" # No such session, model or provider.
---| "busy" # The session is at work, or another process holds it.
---| "storage" # A file or folder could not be used.
---| "shuttingDown" # The server is ending.
---| "cancelled" # Cancelled.
---| "permissionDenied" # The credential may not do this.
---| "paymentRequired" # The provider wants money.
---| "rateLimited" # Too many requests.
---| "contextOverflow" # The conversation does not fit the model's context.
---| "providerRejected" # The provider did not accept the request.
---| "providerFailed" # The provider failed.
---| "timeout" # Nothing came for too long.
---| "network" # The connection could not be made or broke.
---| "tls" # The peer's certificate was not accepted.
---| "dns" # The host's name did not resolve.
---| "protocol" # The answer is not what the provider's API speaks.
---| "tooLarge" # An item grew beyond its limit.
---| "tooManyCalls" # The prompt caused more model calls than one turn may.
---| "loginDenied" # The person, or the provider, declined the sign-in.
---| "loginExpired" # The page or the code of a sign-in was used too late, or twice.
---| "loginMismatch" # What came back belongs to another sign-in.
---| "loginPort" # The port that a browser comes back to is in use, and nobody can paste.
---| "loginForbidden" # The workspace or organisation does not allow the sign-in.
---| "planMissing" # The account has no plan that includes this.
---| "clockOff" # This machine's clock is off.
---| "modelNotEnabled" # The account has the model, but it must be enabled first.
---| string # A value of a newer version.

--- Something that happened in a conversation.
---@class aside.Event
---@field sessionId string The conversation.
---@field epoch integer Rises each time the conversation is loaded.
---@field seq integer Rises with each event.
---@field fromSeq? integer Where the event stands for several merged ones: the first of them.
---@field type "turnStarted"|"itemStarted"|"delta"|"argumentsDelta"|"itemUpdated"|"itemCompleted"|"itemWithdrawn"|"questionAsked"|"questionResolved"|"usageChanged"|"retry"|"stalled"|"stateChanged"|"sessionChanged"|"queueChanged"|"turnEnded"|"layoutChanged"|string Its kind.

--- A turn began. The first event of a prompt: it ties request, session and turn together.
---@class aside.Event.turnStarted: aside.Event
---@field type "turnStarted"
---@field turnId string The turn.
---@field requestId? string The id of the `prompt` request, as JSON text; null where the turn was not asked for by one.
---@field idempotencyId? string As given with the prompt.

--- An item appeared.
---@class aside.Event.itemStarted: aside.Event
---@field type "itemStarted"
---@field item aside.Item As far as it is.

--- More of an item's `text`.
---@class aside.Event.delta: aside.Event
---@field type "delta"
---@field itemId string Which.
---@field text string What to append.

--- More of a tool call's arguments, as raw JSON text.
---@class aside.Event.argumentsDelta: aside.Event
---@field type "argumentsDelta"
---@field itemId string Which.
---@field text string What to append.

--- An item changed otherwise than by growing.
---@class aside.Event.itemUpdated: aside.Event
---@field type "itemUpdated"
---@field item aside.Item All of it.

--- An item is whole. What stands here holds, whatever the deltas added up to.
---@class aside.Event.itemCompleted: aside.Event
---@field type "itemCompleted"
---@field item aside.Item All of it.

--- An item does not count, and is not to be shown any more: the answer is begun anew. It is in no later snapshot, and deltas that are replayed for it are empty.
---@class aside.Event.itemWithdrawn: aside.Event
---@field type "itemWithdrawn"
---@field itemId string Which.

--- A question was put to the client.
---@class aside.Event.questionAsked: aside.Event
---@field type "questionAsked"
---@field question aside.PendingQuestion The question.

--- A question needs no answer any more.
---@class aside.Event.questionResolved: aside.Event
---@field type "questionResolved"
---@field questionId string Which.
---@field outcome string How it ended.

--- What the turn has used so far, and how full the context is.
---@class aside.Event.usageChanged: aside.Event
---@field type "usageChanged"
---@field usage aside.Usage By this turn.
---@field cost? aside.Money Its cost; null where the price is not known.
---@field contextTokens integer Tokens in the context now.
---@field contextWindow integer Tokens that it may have.

--- A model call failed and will be made again. What had come of its answer stays until the new one begins; then each of its items is withdrawn.
---@class aside.Event.retry: aside.Event
---@field type "retry"
---@field attempt integer Which request of this model call it will be: the first was 1.
---@field maxAttempts integer How many there will be at most, if they all fail like this.
---@field delayMs integer Milliseconds until then.
---@field retryAtMs integer The same as a time, in milliseconds since the Unix epoch.
---@field error aside.TurnError Why.

--- Nothing has come from the provider for a while.
---@class aside.Event.stalled: aside.Event
---@field type "stalled"
---@field sinceMs integer Milliseconds.
---@field waitingFor string What is waited for: `connection`, `firstEvent` or `event`.
---@field givesUpInMs integer When it will be given up, in milliseconds from now.

--- The session does something else now.
---@class aside.Event.stateChanged: aside.Event
---@field type "stateChanged"
---@field state aside.SessionState What.

--- Title, model or another property changed.
---@class aside.Event.sessionChanged: aside.Event
---@field type "sessionChanged"
---@field session aside.SessionInfo All about it.

--- What waits behind the turn changed.
---@class aside.Event.queueChanged: aside.Event
---@field type "queueChanged"
---@field queue aside.QueueEntry[] In order.

--- The last event of a turn; the answer to `prompt` follows it.
---@class aside.Event.turnEnded: aside.Event
---@field type "turnEnded"
---@field turnId string The turn.
---@field stopReason aside.StopReason Why it ended.
---@field error? aside.TurnError Why it failed.
---@field patches? aside.LayoutPatch[] The end of the turn in the drawn document, for `layout: "lines"`; absent otherwise.

--- Changes of the drawn document, for `layout: "lines"`.
---@class aside.Event.layoutChanged: aside.Event
---@field type "layoutChanged"
---@field patches aside.LayoutPatch[] In order, each for the document as those before it left it.
---@field item? aside.Item The change of a file that this draws, with its hunks; absent for everything else.

--- An event's place in its conversation.
---@class aside.EventPosition
---@field epoch integer Of the loading.
---@field seq integer Within it.

--- Why was this allowed, asked or denied, or what would be? Either a past call, by `itemId` or `questionId`, or a call that might be made, by `tool` and `arguments`: it is not made.
---@class aside.ExplainPermissionParams
---@field sessionId string The conversation.
---@field itemId? string A tool call of it.
---@field questionId? string A question that was asked in it.
---@field tool? string A tool's name.
---@field arguments? any What it would be called with.

--- The decision and everything that was said about it.
---@class aside.ExplainPermissionResult
---@field tool string The tool's name.
---@field decision aside.PermissionDecision What was decided.
---@field permissionMode aside.PermissionMode The mode that held.
---@field reasons aside.PermissionReason[] Every rule and guard that is about the call. The greatest decision among them holds.
---@field title string What the person is asked, in one line.
---@field detail string All of it.
---@field answer? string The option that the person took; null where nobody was asked, or nobody answered.
---@field warnings string[] Rules that are not understood, and what else is wrong with them.

--- Writes a conversation out.
---@class aside.ExportSessionParams
---@field sessionId string Its id.
---@field format string `markdown` or `json`.

--- The exported conversation.
---@class aside.ExportSessionResult
---@field text string Its text.

--- What a field of a form takes.
---@alias aside.FieldKind
---| "text" # A line.
---| "secret" # A line that is not shown.
---| "choice" # One of `choices`.
---| "boolean" # Yes or no.
---| string # A value of a newer version.

--- What became of a file.
---@alias aside.FileChangeKind
---| "add" # It is new.
---| "modify" # Its content changed.
---| "delete" # It is gone.
---| "move" # It has another path.
---| string # A value of a newer version.

--- Begins a conversation with the content of another.
---@class aside.ForkSessionParams
---@field sessionId string The other.
---@field itemId? string Only up to this item.

--- One question of a form.
---@class aside.FormField
---@field name string To be sent back.
---@field label string In words.
---@field kind aside.FieldKind What it takes.
---@field choices string[] For `choice`.
---@field required boolean Whether it must be answered.

--- A run of changed lines.
---@class aside.Hunk
---@field id string Stable within the item.
---@field oldStart integer First line before the change, 1-based.
---@field oldLines integer Lines before the change.
---@field newStart integer First line after the change, 1-based.
---@field newLines integer Lines after the change.
---@field lines string[] The lines with ` `, `-` or `+` before each, and `\` before the word that a last line has no end.
---@field decision aside.HunkDecision What the person said to it.

--- What the person said to a change.
---@alias aside.HunkDecision
---| "pending" # Nothing yet.
---| "accepted" # Keep it.
---| "rejected" # Take it back.
---| string # A value of a newer version.

--- What is said to one hunk.
---@class aside.HunkReview
---@field id string The hunk's id.
---@field decision aside.ReviewDecision What is to become of it.

--- A program and its version.
---@class aside.Implementation
---@field name string Its name.
---@field version? string Its version.

--- What an editor tells of itself.
---@class aside.InitializeParams
---@field protocolVersion? integer The newest version of this contract that the client knows.
---@field clientInfo? aside.Implementation Who the client is.
---@field processId? integer The process whose death ends the server.
---@field capabilities? aside.ClientCapabilities What the client can be asked for.
---@field settings? any Settings that stand above the user's `settings.json`.
---@field environment? table<string, string> Variables that stand above the process's environment.
---@field proxy? string The editor's own HTTP proxy.
---@field cwd? string The folder that is open.
---@field workspaceTrusted? boolean Whether the user trusts that folder. Where not, conversations begin, and come back, in the permission mode `plan`, until the client names another.

--- What the server is and can.
---@class aside.InitializeResult
---@field protocolVersion integer The version that both sides speak.
---@field serverInfo aside.Implementation The server.
---@field capabilities aside.ServerCapabilities What it can.
---@field methods string[] Every method that it answers.
---@field diagnostics aside.Diagnostic[] Problems found in the user's files.

--- A part of a conversation.
---@class aside.Item
---@field id string Stable within the conversation.
---@field turnId? string The turn it belongs to; null for one that belongs to none.
---@field status aside.ItemStatus How far it is.
---@field text string The whole of it as plain text, for a client that knows no better.
---@field createdAtMs integer Milliseconds since the Unix epoch.
---@field type "userMessage"|"assistantText"|"thinking"|"toolCall"|"fileChange"|"command"|"plan"|"notice"|"compaction"|string Its kind.

--- What the person said.
---@class aside.Item.userMessage: aside.Item
---@field type "userMessage"
---@field content aside.ContentBlock[] In pieces; pictures are shortened to their kind.

--- What the model said: `text` is Markdown.
---@class aside.Item.assistantText: aside.Item
---@field type "assistantText"
---@field model string `provider/id`.

--- What the model thought.
---@class aside.Item.thinking: aside.Item
---@field type "thinking"
---@field redacted boolean Whether only the provider can read it.

--- A tool that the model called: `text` is what it printed.
---@class aside.Item.toolCall: aside.Item
---@field type "toolCall"
---@field name string The tool's name.
---@field title string The call in a few words.
---@field kind aside.ToolKind What the tool does.
---@field arguments any Its arguments; null until they are whole.
---@field locations aside.Location[] Where it works.

--- A file that was changed: `text` is a unified diff.
---@class aside.Item.fileChange: aside.Item
---@field type "fileChange"
---@field toolCallId string The item of the tool call that changed it.
---@field path string Absolute path.
---@field oldPath? string Its path before, for a move.
---@field kind aside.FileChangeKind What became of it.
---@field hunks aside.Hunk[] The changed lines.

--- A command that the person ran: `text` is what it printed.
---@class aside.Item.command: aside.Item
---@field type "command"
---@field command string The command line.
---@field exitCode? integer Its exit status; null while it runs, and where it did not end by itself.

--- What the model intends to do.
---@class aside.Item.plan: aside.Item
---@field type "plan"
---@field entries aside.PlanEntry[] In order.

--- Something that the server has to say.
---@class aside.Item.notice: aside.Item
---@field type "notice"
---@field severity aside.Severity How serious it is.
---@field hint? string What to do about it.

--- A summary that stands for what was before it.
---@class aside.Item.compaction: aside.Item
---@field type "compaction"
---@field tokensBefore integer Tokens before.
---@field tokensAfter integer Tokens after.

--- How far an item is.
---@alias aside.ItemStatus
---| "inProgress" # It still grows.
---| "completed" # It is whole.
---| "failed" # It failed.
---| "cancelled" # It was cancelled.
---| "withdrawn" # It does not count: the answer was begun anew.
---| string # A value of a newer version.

--- How events are sent.
---@alias aside.Layout
---| "items" # Items and their deltas.
---| "lines" # Patches of a document of lines.
---| string # A value of a newer version.

--- A whole drawn document.
---@class aside.LayoutDocument
---@field lines string[] Its lines, without line ends.
---@field marks aside.LayoutMark[] Its marks.
---@field revision integer The `seq` of the newest event that is in it.

--- A named extent of the document.
---@class aside.LayoutMark
---@field id string Stable.
---@field kind aside.MarkKind What it is for.
---@field from integer The first line.
---@field to integer Behind the last line.
---@field name string The highlight group, what kind of part is folded, or the item's id (`<item>#<hunk>` for a part of a change).

--- One change of the document. Lines are 0-based and counted before the change.
---@class aside.LayoutPatch
---@field type "append"|"insert"|"replace"|"mark"|"unmark"|string Its kind.

--- At the end of a line. Marks with that line in them grow by the new lines; marks behind it move.
---@class aside.LayoutPatch.append: aside.LayoutPatch
---@field type "append"
---@field line integer Which line.
---@field text string What; without a line end.
---@field lines? string[] New lines directly behind it; absent where there are none.

--- New lines before a line. Marks that begin there or later move; marks that begin before it and end behind it grow.
---@class aside.LayoutPatch.insert: aside.LayoutPatch
---@field type "insert"
---@field line integer Before which; the number of lines means at the end.
---@field lines string[] What.

--- Other lines in the place of some. Marks that have no other line are gone; marks that have lines before or behind as well grow or shrink; marks behind move.
---@class aside.LayoutPatch.replace: aside.LayoutPatch
---@field type "replace"
---@field from integer The first.
---@field to integer Behind the last.
---@field lines string[] What.

--- A mark that is new, or is now like this.
---@class aside.LayoutPatch.mark: aside.LayoutPatch
---@field type "mark"
---@field mark aside.LayoutMark The mark.

--- A mark that is gone.
---@class aside.LayoutPatch.unmark: aside.LayoutPatch
---@field type "unmark"
---@field id string Its id.

--- Which models to list.
---@class aside.ListModelsParams
---@field provider? string Only this provider's.
---@field available? boolean Only those that a prompt could be sent to now.
---@field retired? boolean Also those that their providers have dropped.
---@field patterns? string[] Only those that one of these means, in this order: what `model` of a prompt may be, or a glob over `provider/id` or `id` such as `anthropic/*`. A person's favourites, for instance.

--- The models that are known now; `modelsChanged` tells of later ones.
---@class aside.ListModelsResult
---@field models aside.ModelInfo[] By provider, in the order in which a default is looked for.
---@field defaultModel? string What a prompt that names no model would use, as `provider/id`.
---@field warnings string[] What is odd about `patterns`.
---@field diagnostics aside.Diagnostic[] Problems found in the user's files.

--- Which providers to list.
---@class aside.ListProvidersParams

--- Every provider that is known.
---@class aside.ListProvidersResult
---@field providers aside.ProviderInfo[] In the order in which a default is looked for.
---@field diagnostics aside.Diagnostic[] Problems found in the user's files.

--- Which conversations to list.
---@class aside.ListSessionsParams
---@field cwd? string Only those about this folder.
---@field cursor? string Where the last page ended.
---@field limit? integer At most this many; 50 where it is missing.

--- One page.
---@class aside.ListSessionsResult
---@field sessions aside.SessionSummary[] The newest first.
---@field nextCursor? string For the next page; null at the end.

--- A place in a file.
---@class aside.Location
---@field path string Absolute path.
---@field line? integer 1-based.

--- A way to sign in.
---@alias aside.LoginMethod
---| "apiKey" # A key, pasted.
---| "browser" # A page in the browser.
---| "deviceCode" # A code typed on another device.
---| string # A value of a newer version.

--- Signs in. Stays open while the flow runs; the server asks back with `openUrl`, `showDeviceCode` and `promptUser`. Cancelling the request ends the flow.
---@class aside.LoginParams
---@field provider string A provider's id.
---@field method? aside.LoginMethod Which way, where there are several.
---@field account? string A label that tells several accounts of one provider apart.
---@field apiKey? string The key itself, for `apiKey`; asked for where it is missing.
---@field domain? string The company's own host, such as GitHub Enterprise's; empty for the provider's usual one. Asked for where it is missing and the client answers `promptUser`.
---@field env? table<string, string> Variables that are stored with the key and hold for this provider alone, such as an account id. What the provider needs besides its key is asked for where it is missing.

--- How a login goes on, tied to its request.
---@class aside.LoginProgress
---@field requestId string The id of the `login` request, as JSON text.
---@field provider string The provider's id.
---@field message string What happens now.

--- Signed in.
---@class aside.LoginResult
---@field account aside.AccountStatus The account as it now stands.

--- Removes what is stored for a provider. Nothing is revoked at the provider.
---@class aside.LogoutParams
---@field provider string A provider's id.
---@field account? string Which account, where there are several.

--- What was removed.
---@class aside.LogoutResult
---@field removed boolean Whether there was anything.
---@field account aside.AccountStatus The account as it now stands: another source may still make the provider available.

--- What a mark is for.
---@alias aside.MarkKind
---| "fold" # Lines that can be folded.
---| "highlight" # A highlight group.
---| "item" # The extent of an item.
---| string # A value of a newer version.

--- Prices in US dollars per million tokens.
---@class aside.ModelCost
---@field input number Input that was not cached.
---@field output number Output, reasoning included.
---@field cacheRead number Input read from the provider's cache.
---@field cacheWrite number Input written to the provider's cache.
---@field tiers aside.ModelCostTier[] Prices of long requests, the shortest first. A request that is longer than `inputAbove` is charged by the last tier for which that is so, and by it as a whole.

--- Prices of long requests.
---@class aside.ModelCostTier
---@field inputAbove integer Tokens of input, cached ones too.
---@field input number As above.
---@field output number As above.
---@field cacheRead number As above.
---@field cacheWrite number As above.

--- A model.
---@class aside.ModelInfo
---@field provider string The provider's id.
---@field id string The model's id.
---@field name string For people.
---@field api string The wire API that it is called over, such as `openai-responses`.
---@field contextWindow integer Tokens that a request and its answer may have together.
---@field maxOutput integer Tokens that an answer may have.
---@field cost aside.ModelCost Prices.
---@field thinkingLevels string[] What `thinking` may be.
---@field input string[] Kinds of content that it takes: `text`, `image`.
---@field retired boolean The provider has dropped it: it may still answer, but should not be offered.
---@field available boolean Whether a prompt could be sent now.
---@field reason? string Why not.

--- The list of models has changed; ask `listModels`. Model servers on this machine are looked for when a list or a default is first asked for, and what is found or gone is told by this to clients that sent `initialize`.
---@class aside.ModelsChanged

--- An amount of money.
---@class aside.Money
---@field amount number In units of the currency.
---@field currency string ISO 4217.

--- Begins a conversation.
---@class aside.NewSessionParams
---@field cwd? string The folder it is about; the client's where it is missing.
---@field additionalDirectories? string[] Further folders that it works in, by absolute paths; what lies in another one is left out.
---@field model? string A model pattern: `provider/id`, `id`, either with `:level`.
---@field account? string The label of an account of the model's provider, where it has several; empty for the one without a label.
---@field thinking? string How much to think: off, minimal, low, medium, high, xhigh, max.
---@field permissionMode? aside.PermissionMode What tools may do unasked.
---@field system? string A system prompt instead of Aside's own.
---@field layout? aside.Layout How its events are drawn.

--- The new conversation.
---@class aside.NewSessionResult
---@field sessionId string Its id, to be used from now on.
---@field session aside.SessionInfo All about it.
---@field document? aside.LayoutDocument The empty document, where it is drawn as lines.

--- Opens a conversation, or asks what was missed of an open one.
---@class aside.OpenSessionParams
---@field sessionId string Its id.
---@field after? aside.EventPosition The last event that the client has seen. What is drawn as lines is always sent whole.
---@field layout? aside.Layout How its events are drawn.
---@field limit? integer At most this many items of the snapshot, the newest.
---@field readOnly? boolean Read it even where another process holds it.

--- Either `events` or `snapshot`; the events that follow this answer have greater sequence numbers.
---@class aside.OpenSessionResult
---@field session aside.SessionInfo All about it.
---@field events? aside.Event[] Exactly the events after `after`.
---@field snapshot? aside.Snapshot The whole conversation, where the events are not to be had.
---@field document? aside.LayoutDocument The conversation as lines, where it is drawn so.

--- A page to be shown in the person's browser.
---@class aside.OpenUrlParams
---@field url string http or https.
---@field message string What it is for.

--- Whether it was shown.
---@class aside.OpenUrlResult
---@field opened boolean Whether it was shown.

--- A question that waits for the client.
---@class aside.PendingQuestion
---@field type "permission"|"form"|string Its kind.

--- As sent with `requestPermission`.
---@class aside.PendingQuestion.permission: aside.PendingQuestion
---@field type "permission"
---@field request aside.RequestPermissionParams The question.

--- As sent with `promptUser`.
---@class aside.PendingQuestion.form: aside.PendingQuestion
---@field type "form"
---@field request aside.PromptUserParams The question.

--- What is decided. Deny stands over ask, and ask over allow.
---@alias aside.PermissionDecision
---| "allow" # It runs.
---| "ask" # The person is asked.
---| "deny" # It does not run.
---| string # A value of a newer version.

--- Who says so.
---@alias aside.PermissionLayer
---| "builtIn" # Aside itself.
---| "managed" # The settings of whoever manages the machine.
---| "user" # The user's `settings.json`.
---| "client" # The client's `initialize.settings`.
---| "folder" # The settings of a folder that is worked on.
---| "session" # What the person answered in this session.
---| "mode" # The permission mode.
---| string # A value of a newer version.

--- What tools may do unasked.
---@alias aside.PermissionMode
---| "plan" # Nothing that has an effect.
---| "ask" # Reads inside the workspace; everything else asks.
---| "acceptEdits" # Edits inside the workspace too.
---| "full" # Everything. Needs a switch in the user's own settings.
---| string # A value of a newer version.

--- A possible answer.
---@class aside.PermissionOption
---@field id string To be sent back.
---@field label string What it means, in words; for a lasting one exactly what it allows.
---@field kind aside.PermissionOptionKind How long it holds.

--- How long a permission holds.
---@alias aside.PermissionOptionKind
---| "allowOnce" # This time.
---| "allowSession" # Until the session ends.
---| "allowAlways" # For good.
---| "rejectOnce" # Not this time.
---| "rejectAlways" # Never.
---| string # A value of a newer version.

--- One thing that is said about a call.
---@class aside.PermissionReason
---@field decision aside.PermissionDecision What it would decide alone.
---@field layer aside.PermissionLayer Who says it.
---@field rule string The rule as it is written, or in words.
---@field about string The part of the call that it is about: a path, a command.

--- A step of a plan.
---@class aside.PlanEntry
---@field text string What is to be done.
---@field status aside.PlanStatus How far it is.

--- How far a step of a plan is.
---@alias aside.PlanStatus
---| "pending" # Not begun.
---| "inProgress" # Under way.
---| "completed" # Done.
---| string # A value of a newer version.

--- Sends a prompt and answers when its turn has ended. Needs neither a handshake nor a session.
---@class aside.PromptParams
---@field text? string The prompt as plain text. This or `content`.
---@field content? aside.ContentBlock[] The prompt in pieces.
---@field sessionId? string The conversation it goes on with; a new one where it is missing.
---@field model? string A model pattern, from this prompt on.
---@field thinking? string How much to think, from this prompt on.
---@field provider? string A provider's id, where `model` names none.
---@field account? string The label of an account of the provider, from this prompt on; empty for the one without a label.
---@field apiKey? string A key for this prompt only; never stored, never shown.
---@field cwd? string The folder of a new conversation.
---@field system? string The system prompt of a new conversation.
---@field tools? string[] Names of the tools that may be used; all where it is missing.
---@field outputSchema? any JSON Schema that the answer must satisfy.
---@field maxTokens? integer Tokens that the answer may have.
---@field temperature? number Sampling temperature.
---@field cacheRetention? aside.CacheRetention How long the provider should keep the conversation cached, for this prompt; else the settings say.
---@field idempotencyId? string Made by the client: a second prompt with the same id gets the first one's answer.
---@field whenBusy? aside.WhenBusy What happens while the session is at work.

--- How a turn ended. A failed or cancelled one has this too.
---@class aside.PromptResult
---@field stopReason aside.StopReason Why it ended.
---@field text string What the model said in its last message.
---@field usage aside.Usage What all model calls of the turn used.
---@field cost? aside.Money What they cost; null where the price is not known.
---@field costNote? string What the person should know of the cost, such as that a subscription is billed per token for it; null where there is nothing to know.
---@field sessionId string The conversation.
---@field turnId string The turn.
---@field model? string `provider/id`; null where none was reached.
---@field error? aside.TurnError Why it failed.
---@field warnings string[] What the person should know, such as a model id that the catalog does not have.

--- A form for the person.
---@class aside.PromptUserParams
---@field sessionId? string The conversation; null where it belongs to a login.
---@field questionId string Stable; as in `questionAsked`.
---@field message string What it is about.
---@field fields aside.FormField[] What is asked.

--- The person's answers.
---@class aside.PromptUserResult
---@field values? table<string, string> By field; null where the form was closed.

--- A change of a file that has not been made. The file is changed only as it is shown here.
---@class aside.ProposedChange
---@field path string Absolute path.
---@field kind aside.FileChangeKind What would become of the file.
---@field hunks aside.Hunk[] The changed lines; the ids are also those of the `fileChange` item.

--- A provider.
---@class aside.ProviderInfo
---@field id string As in `auth.json` and `provider/model`.
---@field name string For people.
---@field available boolean Whether a prompt could be sent now.
---@field reason? string Why not.
---@field source? aside.CredentialSource Where its credential comes from.
---@field keyVariables string[] Environment variables that may hold its key.
---@field defaultModel? string Its default model.
---@field loginMethods aside.LoginMethod[] Ways to sign in.

--- A change of the queue.
---@class aside.QueueAction
---@field type "list"|"add"|"edit"|"move"|"remove"|string Its kind.

--- Only tell.
---@class aside.QueueAction.list: aside.QueueAction
---@field type "list"

--- At the end.
---@class aside.QueueAction.add: aside.QueueAction
---@field type "add"
---@field content aside.ContentBlock[] What it says.

--- Another text.
---@class aside.QueueAction.edit: aside.QueueAction
---@field type "edit"
---@field id string Which.
---@field content aside.ContentBlock[] What it says now.

--- Before another.
---@class aside.QueueAction.move: aside.QueueAction
---@field type "move"
---@field id string Which.
---@field before? string Before this one; at the end where it is missing.

--- Away.
---@class aside.QueueAction.remove: aside.QueueAction
---@field type "remove"
---@field id string Which.

--- A prompt that waits.
---@class aside.QueueEntry
---@field id string Its id.
---@field content aside.ContentBlock[] What it says.

--- Lists and changes what waits behind the running turn. An entry begins a turn of its own when the one before it has ended well; after one that was cancelled or failed, when the person says more. What waits is kept with the conversation.
---@class aside.QueueParams
---@field sessionId string The conversation.
---@field action aside.QueueAction What to do.

--- What waits now.
---@class aside.QueueResult
---@field queue aside.QueueEntry[] In order.

--- The text of a file as the editor has it, unsaved changes included.
---@class aside.ReadFileParams
---@field sessionId string The conversation.
---@field path string Absolute path.

--- The file.
---@class aside.ReadFileResult
---@field text? string Its text; null where the editor does not have it open.
---@field version? string The editor's own version of it, for `applyEdit`.

--- Fetches fresh model facts.
---@class aside.RefreshModelsParams

--- What a refresh brought. Models are named as `provider/id`.
---@class aside.RefreshModelsResult
---@field modified boolean Whether the source had anything newer than what was fetched before.
---@field added string[] Models that were not in the list before.
---@field changed string[] Models of which something else is said now: name, size, price, thinking, input.
---@field removed string[] Models that are gone, or that their provider has dropped.
---@field factsAtMs integer Since when the source says so, in milliseconds since the epoch. Facts that are older than the built-in ones only add models.
---@field checkedAtMs integer When it was asked, in milliseconds since the epoch.

--- A hunk that stays as it was.
---@class aside.RefusedHunk
---@field id string The hunk's id.
---@field reason string Why, for the person.

--- Names a conversation.
---@class aside.RenameSessionParams
---@field sessionId string Its id.
---@field title string Its new title.

--- May a tool do this?
---@class aside.RequestPermissionParams
---@field sessionId string The conversation.
---@field questionId string Stable; as in `questionAsked`.
---@field itemId string The tool call.
---@field tool string The tool's name.
---@field title string What it wants to do, in one line made by the server from the real arguments.
---@field detail string All of it; invisible characters are shown escaped.
---@field locations aside.Location[] Where it works.
---@field options aside.PermissionOption[] What may be answered.
---@field change? aside.ProposedChange What it would change; null where it changes no file, or that cannot be told before.

--- The person's answer. Cancelling the question, or an error, means no.
---@class aside.RequestPermissionResult
---@field optionId? string The option taken; null where the question was closed.
---@field reason? string What the model is told with a rejection, of all or of hunks.
---@field rejectedHunks? string[] Ids of hunks of `change` that are left out of what is allowed. With all of them, or one that is not there, nothing is done.

--- Keeps or takes back hunks of a file change that was made. The same decision twice changes nothing.
---@class aside.ReviewChangeParams
---@field sessionId string The conversation.
---@field itemId string The `fileChange` item.
---@field hunks? aside.HunkReview[] What is said to single hunks.
---@field decision? aside.ReviewDecision What is said to all that are not named; without it they stay as they are.

--- What became of it, once that is on the disk.
---@class aside.ReviewChangeResult
---@field item aside.Item The change with its hunks as they are now.
---@field refused aside.RefusedHunk[] Hunks that could not be taken back, or made again, and are as they were.

--- What is to become of a hunk.
---@alias aside.ReviewDecision
---| "accept" # It stays, or is made again.
---| "reject" # It is taken back.
---| string # A value of a newer version.

--- Goes back to before an item.
---@class aside.RewindParams
---@field sessionId string The conversation.
---@field itemId string The first item to be gone.
---@field scope aside.CheckpointScope What is taken back.

--- What can be undone again.
---@class aside.RewindResult
---@field undoItemId string Give this as `itemId` to undo the rewind.

--- Runs a command of the person's own in the session's folder; its output becomes part of the conversation, and the model sees it with its next request. Nothing is asked. `cancel` with its item, or cancelling the request, ends it.
---@class aside.RunShellParams
---@field sessionId string The conversation.
---@field command string The command line.

--- How a command ended.
---@class aside.RunShellResult
---@field itemId string The `command` item.
---@field exitCode? integer Its exit status; null where it did not end by itself.
---@field output string What it printed, shortened in the middle.

--- What the server can, beside its methods.
---@class aside.ServerCapabilities
---@field layouts string[] Layouts that `newSession` and `openSession` take.
---@field content string[] Kinds of content that `prompt` takes.
---@field maxMessageBytes integer Bytes that one incoming message may have.
---@field storage string Where conversations are kept: `disk` or `memory`.

--- A conversation, without its content.
---@class aside.SessionInfo
---@field sessionId string Its id.
---@field title? string Its title: given, or the first words of its first prompt.
---@field cwd string The folder it is about.
---@field additionalDirectories string[] Further folders that it works in.
---@field model? string `provider/id`, or null while none was needed.
---@field account? string The label of the account that was chosen; null leaves it to the settings. It counts while the model is of the same provider.
---@field thinking? string How much it thinks; null leaves it to the provider.
---@field permissionMode aside.PermissionMode What tools may do unasked.
---@field state aside.SessionState What it is doing.
---@field storage aside.Storage Where it is kept.
---@field readOnly boolean Whether it can only be read: another process holds it, or a newer version wrote it.
---@field epoch integer Rises each time it is loaded.
---@field seq integer The newest event.
---@field createdAtMs integer Milliseconds since the Unix epoch.
---@field updatedAtMs integer Milliseconds since the Unix epoch.
---@field usage aside.Usage Everything used so far.
---@field cost? aside.Money What all of it cost; null where a price is not known.

--- What a session is doing.
---@alias aside.SessionState
---| "idle" # Nothing.
---| "running" # A turn runs.
---| "waiting" # A turn waits for an answer of the client.
---| string # A value of a newer version.

--- A conversation in a list.
---@class aside.SessionSummary
---@field sessionId string Its id.
---@field title? string Its title: given, or the first words of its first prompt.
---@field cwd? string The folder it is about.
---@field updatedAtMs integer Milliseconds since the Unix epoch.
---@field open boolean Whether this process has it open.

--- How serious a notice is.
---@alias aside.Severity
---| "info" # Good to know.
---| "warning" # Something odd.
---| "error" # Something failed.
---| string # A value of a newer version.

--- A code to be typed on another device.
---@class aside.ShowDeviceCodeParams
---@field url string Where to type it.
---@field code string The code.
---@field expiresAtMs integer When it ends, in milliseconds since the Unix epoch.

--- A conversation as it stands.
---@class aside.Snapshot
---@field items aside.Item[] Its items in order, at most `limit` of them. Where it is drawn as lines, only the changes of files.
---@field omitted integer Items before the first of these.
---@field turnId? string The turn that runs.
---@field questions aside.PendingQuestion[] Questions that wait for the client.
---@field queue aside.QueueEntry[] Prompts that wait their turn.

--- Adds to the running turn: reaches the model before its next call, and keeps the turn going where the model had just said all. What a turn that is cancelled or fails did not take in stands in the conversation.
---@class aside.SteerParams
---@field sessionId string The conversation.
---@field content aside.ContentBlock[] What to say.
---@field turnId? string Refused where another turn runs.

--- Why a turn ended.
---@alias aside.StopReason
---| "endTurn" # The model had said all.
---| "maxTokens" # The model reached its output limit.
---| "refusal" # The model, or a filter of the provider, declined.
---| "cancelled" # Cancelled by the client.
---| "error" # Failed; `error` says how.
---| "interrupted" # The process ended before the turn did. Only in stored conversations.
---| string # A value of a newer version.

--- Where a conversation is kept.
---@alias aside.Storage
---| "disk" # In a file.
---| "memory" # In memory: no folder could be written. It ends with the process.
---| string # A value of a newer version.

--- One replacement. Lines are 0-based, characters are UTF-8 bytes.
---@class aside.TextEdit
---@field startLine integer First line.
---@field startByte integer Byte within it.
---@field endLine integer Last line.
---@field endByte integer Byte within it.
---@field text string What stands there afterwards.

--- What a tool does, for an icon.
---@alias aside.ToolKind
---| "read" # Reads.
---| "edit" # Changes files.
---| "delete" # Removes files.
---| "move" # Moves files.
---| "search" # Searches.
---| "execute" # Runs a command.
---| "think" # Thinks.
---| "fetch" # Fetches from the network.
---| string # A value of a newer version.

--- Why a turn ended with `stopReason: "error"`.
---@class aside.TurnError
---@field kind aside.ErrorKind To branch on.
---@field message string What happened, to what.
---@field hint? string What to do about it.
---@field provider? string The id of the provider that failed; null where it was none.
---@field status? integer The provider's HTTP status.
---@field code? string The provider's own code.
---@field retryAfterMs? integer The provider asked to wait this long, in milliseconds.

--- Token counts.
---@class aside.Usage
---@field inputTokens integer Input that was not cached.
---@field outputTokens integer Output, reasoning included.
---@field cacheReadTokens integer Input read from the provider's cache.
---@field cacheWriteTokens integer Input written to the provider's cache.
---@field reasoningTokens integer Part of the output.

--- What happens to a prompt while the session is at work.
---@alias aside.WhenBusy
---| "refuse" # It is refused with -32003.
---| "queue" # It waits its turn, in the queue, and is answered at the end of it.
---| "steer" # It reaches the model before its next call, and gets the answer of the turn that runs.
---| string # A value of a newer version.

local M = {}

--- The version of the contract, exchanged by `initialize`.
M.version = 1

--- What the client asks the server.
M.client_requests = {
  initialize = "initialize",
  shutdown = "shutdown",
  listProviders = "listProviders",
  login = "login",
  logout = "logout",
  authStatus = "authStatus",
  listModels = "listModels",
  refreshModels = "refreshModels",
  newSession = "newSession",
  openSession = "openSession",
  listSessions = "listSessions",
  configureSession = "configureSession",
  closeSession = "closeSession",
  forkSession = "forkSession",
  renameSession = "renameSession",
  deleteSession = "deleteSession",
  exportSession = "exportSession",
  prompt = "prompt",
  cancel = "cancel",
  steer = "steer",
  queue = "queue",
  reviewChange = "reviewChange",
  runShell = "runShell",
  explainPermission = "explainPermission",
  compact = "compact",
  rewind = "rewind",
}

--- What the client tells the server.
M.client_notifications = {
  cancelRequest = "$/cancelRequest",
  exit = "exit",
}

--- What the server asks the client.
M.server_requests = {
  requestPermission = "requestPermission",
  promptUser = "promptUser",
  readFile = "readFile",
  applyEdit = "applyEdit",
  openUrl = "openUrl",
  showDeviceCode = "showDeviceCode",
  editorContext = "editorContext",
}

--- What the server tells the client.
M.server_notifications = {
  loginProgress = "loginProgress",
  event = "event",
  accountsChanged = "accountsChanged",
  modelsChanged = "modelsChanged",
  cancelRequest = "$/cancelRequest",
}

return M
