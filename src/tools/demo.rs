//! The inert tool of the `demo` model: it can pretend to work and it can ask, and touches nothing.

use serde_json::Value;

use super::{
    Audience, Effect, FieldKind, Form, FormField, Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind,
    ToolOutcome,
};

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Demo;

impl Tool for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn description(&self) -> &'static str {
        "Pretends to do something, after asking for permission. With `question` it asks the person instead."
    }

    fn parameters(&self) -> &'static str {
        r#"{"type":"object","properties":{"note":{"type":"string"},"question":{"type":"string"},"harmless":{"type":"boolean"}}}"#
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Other
    }

    fn audience(&self) -> Audience {
        Audience::DemoModel
    }

    fn title(&self, arguments: &Value) -> String {
        match (text(arguments, "question"), text(arguments, "note")) {
            (Some(question), _) => format!("Ask: {question}"),
            (None, Some(note)) => format!("Pretend: {note}"),
            (None, None) => "Pretend to work".to_owned(),
        }
    }

    fn intent(&self, arguments: &Value, _: &Scope) -> Result<Intent, ToolOutcome> {
        let harmless = arguments.get("harmless").and_then(Value::as_bool) == Some(true);
        let is_asking = text(arguments, "question").is_some();
        let effects = if harmless || is_asking { Vec::new() } else { vec![Effect::Pretend] };
        Ok(Intent { effects })
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move {
            let Some(question) = text(&arguments, "question") else {
                let note = text(&arguments, "note").unwrap_or("nothing in particular");
                return ToolOutcome::done(format!("Pretended: {note}. Nothing was touched."));
            };
            let field = FormField {
                name: "answer".to_owned(),
                label: question.to_owned(),
                kind: FieldKind::Text,
                choices: Vec::new(),
                required: true,
            };
            let form = Form { message: question.to_owned(), fields: vec![field] };
            match context.ask(form).await.as_ref().and_then(|values| values.get("answer")) {
                Some(answer) => ToolOutcome::done(format!("The person answered: {answer}")),
                None => ToolOutcome::failed("Nobody answered."),
            }
        })
    }
}

fn text<'a>(arguments: &'a Value, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}
