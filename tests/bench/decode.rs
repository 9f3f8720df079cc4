//! What it costs to make deltas of what a provider sends, beside reading the same events into a tree of JSON.
//!
//! Both run in this process and thread, in turn, over the same events; nothing is sent anywhere.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use aside::catalog::{Cost, Model, Thinking};
use aside::models::Delta;
use aside::models::frames::Frames;
use aside::models::wires::{self, Framing};

use crate::measure::Bench;
use crate::report::{Report, least};

/// Text deltas of one answer.
const DELTAS: usize = 2_000;
/// Answers that are read each way; the fastest counts.
const ROUNDS: usize = 15;

/// A wire's event of one text delta, as its providers send it; `%` is where the text stands.
#[rustfmt::skip]
const EVENTS: &[(&str, &str)] = &[
    ("openai-completions", r#"data: {"id":"chatcmpl-Bx7Qk2Tn4vYc9","object":"chat.completion.chunk","created":1764000000,"model":"gpt-oss-120b","system_fingerprint":"fp_1a2b3c4d5e","choices":[{"index":0,"delta":{"content":"%"},"logprobs":null,"finish_reason":null}]}"#),
    ("anthropic-messages", r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%"}}"#),
    ("openai-responses", r#"event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":14,"item_id":"msg_68f0a1b2c3d4e5f60718293a4b5c6d7e","output_index":0,"content_index":0,"delta":"%","logprobs":[],"obfuscation":"k3JdP0aZ"}"#),
    ("google-generative-ai", r#"data: {"candidates": [{"content": {"parts": [{"text": "%"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 8,"candidatesTokenCount": 12,"totalTokenCount": 20,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 8}]},"modelVersion": "gemini-3-flash","responseId": "aBcDeFgHiJkLmN"}"#),
    ("mistral-conversations", r#"data: {"id":"8f14e45fceea167a5a36dedd4bea2543","object":"chat.completion.chunk","created":1764000000,"model":"mistral-large-latest","choices":[{"index":0,"delta":{"content":"%"},"finish_reason":null}]}"#),
];

/// Every wire with events of text that is spoken here.
pub(crate) fn decode(_: &Bench<'_>, report: &mut Report) -> Result<()> {
    for (name, event) in EVENTS {
        let wire = wires::wire(name);
        ensure!(wire.is_some(), "there is no wire {name}");
        let Some(wire) = wire else { continue };
        let events: Vec<Vec<u8>> = (0..DELTAS)
            .map(|count| format!("{}\n\n", event.replace('%', &format!(" word{count}"))).into_bytes())
            .collect();
        let model = model(name);
        let (mut ours, mut tree) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let mut frames = Frames::new(Framing::Sse, 1 << 20);
            let mut decoder = wire.decoder(&model);
            let (mut cut, mut deltas, mut texts) = (Vec::new(), Vec::new(), 0);
            for event in &events {
                frames.push(event, &mut cut)?;
                for frame in cut.drain(..) {
                    decoder.push(&frame, &mut deltas)?;
                }
                texts +=
                    deltas.drain(..).filter(|delta| matches!(black_box(delta), Delta::Text { .. })).count();
            }
            ours.push(Some(micros(begin)));
            ensure!(texts == DELTAS, "{name} made {texts} deltas of {DELTAS}");

            let begin = Instant::now();
            for event in &events {
                let at = event.windows(6).position(|window| window == b"data: ").map_or(0, |at| at + 6);
                black_box(serde_json::from_slice::<serde_json::Value>(&event[at..])?);
            }
            tree.push(Some(micros(begin)));
        }
        let (ours, tree) = (least(&ours), least(&tree));
        report.row(format!("decode {name}, us a delta (limit: a tree of JSON)"), ours, tree);
        report.rule(&format!("decoding {name} to reading it as a tree"), ours, tree, 1.0);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn micros(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e6 / DELTAS as f64
}

fn model(wire: &str) -> Model {
    Model {
        provider: "bench".into(),
        id: "m".into(),
        name: "M".into(),
        wire: wire.into(),
        base_url: "https://api.example/v1".into(),
        reasoning: true,
        thinking: Thinking::default(),
        takes_images: false,
        cost: Cost::default(),
        context_window: 100_000,
        max_output: 10_000,
        headers: Vec::new(),
        session_headers: Vec::new(),
        without_headers: Vec::new(),
        auth_header: false,
        compat: std::sync::Arc::default(),
    }
}
