//! What errors mean: those that an answer's status says, and those that break an answer off.

use super::event::{Complaint, short};
use super::place;
use crate::models::wires::Refusal;
use crate::models::{Category, Fault, fault};

/// Errors that may come within an answer, and the status that they would have had before it.
const EXCEPTIONS: &[(&str, u16)] = &[
    ("accessDeniedException", 403),
    ("internalServerException", 500),
    ("modelErrorException", 424),
    ("modelNotReadyException", 429),
    ("modelTimeoutException", 408),
    ("resourceNotFoundException", 404),
    ("serviceUnavailableException", 503),
    ("throttlingException", 429),
    ("validationException", 400),
];

/// What an error answer means.
pub(super) fn fault(refusal: &Refusal<'_>) -> Fault {
    let complaint = Complaint::of(&String::from_utf8_lossy(refusal.body));
    let name = refusal.name.map(short).filter(|name| !name.is_empty()).unwrap_or(&complaint.name);
    let text = if complaint.text.is_empty() { name } else { &complaint.text };
    let mut fault = fault::refused(refusal.status, name, text);
    if let Some(hint) = hint(&fault, name, &complaint.text, refusal.url) {
        fault.hint = Some(hint);
    }
    fault
}

/// What an exception within an answer means. `data` is its payload.
pub(super) fn exception(name: &str, data: &str) -> Fault {
    let name = short(name);
    let complaint = Complaint::of(data);
    let known = EXCEPTIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    // One of the model's own says in its payload which it was.
    let status = known.map(|(_, status)| *status).or(complaint.status);
    let mut fault = fault::broken_off(status, name, &complaint.text);
    if let Some(hint) = hint(&fault, name, &complaint.text, "") {
        fault.hint = Some(hint);
    }
    fault
}

/// What to do, where more can be said than for any provider.
fn hint(fault: &Fault, name: &str, text: &str, url: &str) -> Option<String> {
    let said = text.to_ascii_lowercase();
    if matches!(fault.category, Category::ContextOverflow | Category::RateLimit) {
        return None;
    }
    if said.contains("data retention mode") {
        return Some(
            "the account's data retention mode does not allow this model: change it in the Bedrock console or \
             choose another model"
                .to_owned(),
        );
    }
    if said.contains("signature expired") || said.contains("signature not yet current") {
        return Some("set the clock of this machine: AWS takes a request within minutes of its time only".to_owned());
    }
    if fault.category == Category::Authentication {
        let renew = if name.starts_with("Expired") { "renew" } else { "check" };
        return Some(format!(
            "{renew} AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        ));
    }
    if said.contains("on-demand throughput") {
        return Some(
            "use the id of an inference profile: the model's id with the prefix of its regions (us., eu., apac., \
             global.), or an ARN"
                .to_owned(),
        );
    }
    let (id, region) = (called_model(url), place::region_of(url));
    if let (Some(id), Some(region)) = (id, region)
        && matches!(fault.status, Some(400 | 403 | 404))
    {
        if let Some((prefix, regions)) = place::misfit(id, region) {
            return Some(format!(
                "models whose id begins with {prefix} are called in {regions}, but this call went to {region}: set \
                 AWS_REGION, or use the id for that region"
            ));
        }
        if said.contains("model identifier is invalid") || fault.status == Some(404) {
            return Some(format!(
                "check the model's id, and that {region} offers it: AWS_REGION chooses the region"
            ));
        }
        if fault.status == Some(403) {
            return Some(format!(
                "check that the account has access to this model in {region}, and that its policy allows \
                 bedrock:InvokeModelWithResponseStream"
            ));
        }
    }
    None
}

/// The id of the model that was called, as it stands in the URL.
fn called_model(url: &str) -> Option<&str> {
    url.rsplit_once("/model/")?.1.split('/').next()
}
