//! The ways in which servers write an event stream, in every way in which a network cuts it.

use super::{ask, drain};
use crate::provider::completions::{DONE, STOP, text};
use crate::provider::{Provider, Reply};

/// What the answer says: characters of one to four bytes, and two that look like line ends and are none.
const SAID: &str = "aüß→🙂\u{2028}\u{85}z";

/// The name of each, and the stream.
fn dialects() -> Vec<(&'static str, String)> {
    let (said, stop) = (text(SAID), STOP);
    let plain = format!("data: {said}\n\ndata: {stop}\n\ndata: {DONE}\n\n");
    // JSON may have line feeds between its parts.
    let (head, tail) = said.split_once(',').unwrap();
    vec![
        ("a byte order mark", format!("\u{feff}{plain}")),
        ("CR LF", plain.replace('\n', "\r\n")),
        ("CR", plain.replace('\n', "\r")),
        ("no space", plain.replace("data: ", "data:")),
        ("comments", format!(": hello\n\n{}", plain.replace("\n\n", "\n: still here\n\n:\n\n"))),
        ("several data lines", plain.replace(&said, &format!("{head},\ndata: {tail}"))),
        (
            "id, retry and what nobody knows",
            plain.replace("data: ", "id: 7\nretry: 10\nevent: message\nx-y: z\nlonely\ndata: "),
        ),
        ("no last blank line", plain.trim_end_matches('\n').to_owned()),
    ]
}

/// The name of each way to cut, and the pieces.
fn cuts(stream: &[u8]) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let by = |size: usize| stream.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let lines = stream.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::to_vec).collect();
    let mut cuts = vec![
        ("whole", by(usize::MAX)),
        ("bytes", by(1)),
        ("sevens", by(7)),
        ("lines", lines),
        ("halves", by(stream.len().div_ceil(2))),
    ];
    // Within the character of four bytes.
    let wide = stream.windows(4).position(|bytes| bytes == "🙂".as_bytes()).unwrap();
    for (name, at) in [("after its 1st byte", 1), ("after its 2nd byte", 2), ("after its 3rd byte", 3)] {
        let (head, tail) = stream.split_at(wide + at);
        cuts.push((name, vec![head.to_vec(), tail.to_vec()]));
    }
    cuts
}

#[tokio::test]
async fn every_dialect_is_read_however_it_is_cut() {
    let provider = Provider::start().await;
    let asking = ask(&provider.url());
    let mut read = 0;
    for (dialect, stream) in dialects() {
        for (cut, pieces) in cuts(stream.as_bytes()) {
            let reply = pieces.into_iter().fold(Reply::stream(), Reply::chunk);
            provider.reply(reply);
            let outcome = drain(&mut asking.start()).await;
            assert_eq!(
                (outcome.text().as_str(), outcome.stopped(), outcome.fault),
                (SAID, true, None),
                "{dialect}, cut {cut}"
            );
            read += 1;
        }
    }
    assert_eq!(read, 8 * (5 + 3));
}
