//! What one session keeps of permissions: answers that last until it ends, and what was decided of its last calls,
//! so that it can be told why.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::grants::Grants;
use super::load::Rules;
use super::question::{
    ALLOW_ALWAYS, ALLOW_SESSION, QuestionText, REJECT_ALWAYS, decision_of, lasting_rules, question,
};
use super::{Circumstances, Decision, Prepared, Verdict, is_plain_path, judge};
use crate::engine::event::PermissionMode;
use crate::engine::item::{ItemId, QuestionId};
use crate::system::System;
use crate::tools::{Scope, Tool, ToolOutcome};

/// Decisions that are kept.
const MAX_PAST: usize = 256;

/// The permissions of a session.
#[derive(Debug, Default)]
pub struct Book {
    grants: Grants,
    past: VecDeque<Past>,
}

/// A call with the rules that held when it was looked up.
#[derive(Debug)]
pub struct Ready {
    pub call: Prepared,
    pub rules: Rules,
    /// The session's folders.
    pub roots: Vec<PathBuf>,
}

impl Ready {
    /// Looks up what a call would touch, and the rules that hold now. May take as long as the file system does.
    pub fn look_up(tool: &dyn Tool, arguments: Value, scope: &Scope) -> Result<Self, ToolOutcome> {
        let intent = tool.intent(&arguments, scope)?;
        let roots = scope.workspace.roots.clone();
        let rules = Rules::load(&scope.system, &scope.settings, &roots);
        // The shell follows links as the gate does, and nothing else is made of a name that has no special letters.
        let locate = |text: &str, folder: &Path| {
            let path = folder.join(text);
            let located = scope.workspace.locate(path.to_str()?).ok()?;
            Some(scope.workspace.place(&located))
        };
        let call = Prepared::new(tool.name(), arguments, intent, &locate);
        Ok(Self { call, rules, roots })
    }
}

/// A decision that was made.
#[derive(Clone, Debug)]
pub struct Past {
    item: ItemId,
    question: Option<QuestionId>,
    pub explained: Explained,
}

/// A decision with all that there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub tool: String,
    pub verdict: Verdict,
    pub title: String,
    pub detail: String,
    /// The option that the person took.
    pub answer: Option<String>,
    pub warnings: Vec<String>,
}

/// What is to be done about an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whether the call runs.
    pub decision: Decision,
    /// Rules that are to be written into the user's settings for the session's first folder.
    pub remember: Option<Vec<String>>,
}

impl Explained {
    /// The decision with its question, whether it is put or not. `title` is the tool's own.
    pub fn of(ready: &Ready, verdict: Verdict, title: &str) -> (Self, QuestionText) {
        let text = question(&ready.call, &verdict, title, &ready.roots);
        let explained = Self {
            tool: ready.call.tool.clone(),
            verdict,
            title: text.title.clone(),
            detail: text.detail.clone(),
            answer: None,
            warnings: ready.rules.warnings.clone(),
        };
        (explained, text)
    }
}

impl Book {
    /// Decides on a call.
    pub fn judge(&self, ready: &Ready, mode: PermissionMode, system: &System) -> Verdict {
        let around = Circumstances {
            mode,
            rules: &ready.rules,
            grants: &self.grants,
            roots: &ready.roots,
            config: system.dirs.config.as_deref(),
            is_plain_path: is_plain_path(system.env.get("PATH"), &ready.roots),
        };
        judge(&ready.call, &around)
    }

    /// Keeps what was decided of the call `item`.
    pub fn keep(&mut self, item: ItemId, explained: Explained) {
        if self.past.len() >= MAX_PAST {
            self.past.pop_front();
        }
        self.past.push_back(Past { item, question: None, explained });
    }

    /// Keeps which question was put about a call.
    pub fn asked(&mut self, item: ItemId, question: QuestionId) {
        if let Some(past) = self.past.iter_mut().rev().find(|past| past.item == item) {
            past.question = Some(question);
        }
    }

    /// Applies the option that the person took; `None` where the question was closed. An option that was not
    /// offered means no.
    pub fn answered(
        &mut self,
        item: ItemId,
        ready: &Ready,
        text: &QuestionText,
        option: Option<&str>,
    ) -> Answered {
        let option = option.filter(|taken| text.options.iter().any(|option| option.id == *taken));
        if let Some(past) = self.past.iter_mut().rev().find(|past| past.item == item) {
            past.explained.answer = option.map(str::to_owned);
        }
        let Some(option) = option else { return Answered { decision: Decision::Deny, remember: None } };
        match option {
            ALLOW_SESSION | ALLOW_ALWAYS => self.grants.allow(&ready.call),
            REJECT_ALWAYS => self.grants.refuse(&ready.call),
            _ => {}
        }
        let is_for_good = matches!(option, ALLOW_ALWAYS | REJECT_ALWAYS);
        let remember = if is_for_good { lasting_rules(&ready.call, &ready.roots) } else { None };
        Answered { decision: decision_of(option), remember }
    }

    /// What was decided of a call, or asked in a question, by their ids on the wire.
    pub fn past(&self, item: Option<&str>, question: Option<&str>) -> Option<&Explained> {
        let found = self.past.iter().rev().find(|past| {
            let same_item = item.is_none_or(|item| past.item.to_string() == item);
            let same_question =
                question.is_none_or(|question| past.question.is_some_and(|of| of.to_string() == question));
            same_item && same_question
        });
        found.map(|past| &past.explained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Effect, Intent};

    fn ready(line: &str) -> Ready {
        let effect = Effect::Run { line: line.to_owned(), folder: "/w".into(), background: false };
        let intent = Intent { effects: vec![effect] };
        let call = Prepared::new("shell", serde_json::json!({}), intent, &|_, _| None);
        Ready { call, rules: Rules::default(), roots: vec!["/w".into()] }
    }

    #[test]
    fn answers_do_what_they_say_and_what_was_not_offered_means_no() {
        let system = System::real();
        let mode = PermissionMode::Ask;
        for (option, decision, again, remembers) in [
            (Some("allowOnce"), Decision::Allow, Decision::Ask, false),
            (Some("allowSession"), Decision::Allow, Decision::Allow, false),
            (Some("allowAlways"), Decision::Allow, Decision::Allow, true),
            (Some("rejectOnce"), Decision::Deny, Decision::Ask, false),
            (Some("rejectAlways"), Decision::Deny, Decision::Deny, true),
            (Some("ALLOWONCE"), Decision::Deny, Decision::Ask, false),
            (Some(""), Decision::Deny, Decision::Ask, false),
            (None, Decision::Deny, Decision::Ask, false),
        ] {
            let mut book = Book::default();
            let ready = ready("make");
            let verdict = book.judge(&ready, mode, &system);
            assert_eq!(verdict.decision, Decision::Ask);
            let (explained, text) = Explained::of(&ready, verdict, "");
            book.keep(ItemId(3), explained);
            book.asked(ItemId(3), QuestionId(2));
            let answered = book.answered(ItemId(3), &ready, &text, option);
            assert_eq!((answered.decision, answered.remember.is_some()), (decision, remembers), "{option:?}");
            assert_eq!(book.judge(&ready, mode, &system).decision, again, "{option:?}");
            let past = book.past(Some(&ItemId(3).to_string()), None).unwrap();
            assert_eq!(
                past.answer.as_deref(),
                option.filter(|option| option.len() > 4 && *option != "ALLOWONCE")
            );
            assert!(book.past(None, Some(&QuestionId(2).to_string())).is_some());
            assert!(book.past(Some(&ItemId(4).to_string()), None).is_none());
        }
        let mut book = Book::default();
        let hidden = ready("make $X");
        let (_, text) = Explained::of(&hidden, book.judge(&hidden, mode, &system), "");
        let answered = book.answered(ItemId(1), &hidden, &text, Some("allowSession"));
        assert_eq!(answered, Answered { decision: Decision::Deny, remember: None });
    }

    #[test]
    fn only_the_last_decisions_are_kept() {
        let mut book = Book::default();
        let ready = ready("make");
        let verdict = book.judge(&ready, PermissionMode::Ask, &System::real());
        let (explained, _) = Explained::of(&ready, verdict, "");
        for item in 0..1_000 {
            book.keep(ItemId(item), explained.clone());
        }
        assert!(book.past(Some(&ItemId(1).to_string()), None).is_none());
        assert!(book.past(Some(&ItemId(999).to_string()), None).is_some());
        assert_eq!(book.past.len(), MAX_PAST);
    }
}
