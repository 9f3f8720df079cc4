//! What a long conversation costs: nothing that grows with it, per delta.

use super::*;

/// What a patch carries beside its own few words.
fn bytes(patches: &[Patch]) -> usize {
    let lines = |lines: &[String]| lines.iter().map(|line| line.len() + 3).sum::<usize>();
    let of = |patch: &Patch| match patch {
        Patch::Append { text, lines: new, .. } => 40 + text.len() + lines(new),
        Patch::Insert { lines: new, .. } | Patch::Replace { lines: new, .. } => 50 + lines(new),
        Patch::Mark(_) => 100,
        Patch::Unmark(_) => 40,
    };
    patches.iter().map(of).sum()
}

#[test]
fn a_delta_costs_the_same_at_the_end_of_a_long_text() {
    let mut play = Play::new();
    for turn in 0..10_000 {
        let id = play.start(text(), "", ItemStatus::InProgress);
        play.grow(id, &format!("answer {turn}\nmore"));
        play.complete(id, ItemStatus::Completed);
    }
    for (body, piece) in
        [(text(), "token "), (text(), "a\nb"), (thinking(), "x\n\ny"), (tool("$ x"), "out\n")]
    {
        let (mut document, _) = play.opened();
        let id = ItemId(20_000);
        let item = Item { id, status: ItemStatus::InProgress, body, ..Item::clone(&play.items[0]) };
        let mut patches = Vec::new();
        document
            .apply(&EventBody::ItemStarted(Arc::new(Item { text: piece.to_owned(), ..item })), &mut patches);
        let mut most = 0;
        for _ in 0..20_000 {
            patches.clear();
            let delta = EventBody::Delta { item: id, field: Field::Text, text: piece.to_owned() };
            document.apply(&delta, &mut patches);
            most = most.max(bytes(&patches));
            assert!(patches.len() <= 2, "{patches:?}");
        }
        assert!(most <= 160, "{piece:?}: {most} bytes");
    }
}

#[test]
fn an_item_of_16_mib_is_taken_in_pieces_and_whole() {
    let piece = "some words of a paragraph that has no end ".repeat(400);
    let mut play = Play::new();
    let id = play.start(text(), "", ItemStatus::InProgress);
    let mut sent = 0;
    let mut whole = String::new();
    while whole.len() < 16 << 20 {
        whole.push_str(&piece);
        play.patches.clear();
        let delta = EventBody::Delta { item: id, field: Field::Text, text: piece.clone() };
        play.document.apply(&delta, &mut play.patches);
        sent += bytes(&play.patches);
    }
    assert!(sent < whole.len() + whole.len() / 50, "{sent} bytes for {}", whole.len());
    play.patches.clear();
    let item = play.change(id, |item| {
        item.text = whole;
        item.status = ItemStatus::Completed;
    });
    play.document.apply(&EventBody::ItemCompleted(item), &mut play.patches);
    assert_eq!(play.patches, [], "what was streamed is not sent again");
    let (_, drawing) = play.opened();
    assert_eq!(drawing.lines.len(), play.document.len());
}

#[test]
fn calls_side_by_side_are_as_cheap() {
    let mut play = Play::new();
    let ids: Vec<ItemId> =
        (0..200).map(|n| play.start(tool(&format!("$ {n}")), "", ItemStatus::InProgress)).collect();
    for round in 0..40 {
        for id in &ids {
            play.grow(*id, &format!("{round}\n"));
            assert!(bytes(&play.patches) < 500, "{:?}", play.patches);
        }
    }
    play.check();
    for id in ids {
        play.complete(id, ItemStatus::Completed);
    }
    play.check();
}
