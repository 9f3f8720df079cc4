//! `reviewChange`: from its params to the operation.

use jsonrpsee::types::ErrorObjectOwned;

use super::handlers::{Call, Context, in_batch, object, parse};
use crate::engine::item::cut;
use crate::engine::{Decisions, Failure, Op, Ticket};
use aside_protocol as wire;

pub(super) fn review_change(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    if call.in_batch {
        return Err((call.ticket, in_batch("files are not changed from a batch")));
    }
    let params: wire::ReviewChangeParams = match parse(&call) {
        Ok(params) => params,
        Err(error) => return Err((call.ticket, error)),
    };
    match decisions(params) {
        Ok((session, decisions)) => {
            context.engine.send(Op::Review { ticket: call.ticket, session, decisions });
            Ok(())
        }
        Err(failure) => Err((call.ticket, object(&failure))),
    }
}

fn decisions(params: wire::ReviewChangeParams) -> Result<(String, Decisions), Failure> {
    let rest = params.decision.map(|decision| is_kept(&decision, "/decision")).transpose()?;
    let hunks = params.hunks.into_iter().enumerate().map(|(at, hunk)| {
        let kept = is_kept(&hunk.decision, &format!("/hunks/{at}/decision"))?;
        Ok((hunk.id, kept))
    });
    let hunks = hunks.collect::<Result<_, Failure>>()?;
    Ok((params.session_id, Decisions { item: params.item_id, hunks, rest }))
}

fn is_kept(decision: &wire::ReviewDecision, path: &str) -> Result<bool, Failure> {
    match decision {
        wire::ReviewDecision::Accept => Ok(true),
        wire::ReviewDecision::Reject => Ok(false),
        wire::ReviewDecision::Other(other) => {
            Err(Failure::invalid(path, format!("no decision {}: accept or reject", cut(other))))
        }
    }
}
