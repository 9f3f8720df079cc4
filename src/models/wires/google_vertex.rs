//! Vertex AI, Google's cloud: the Gemini API's requests and answers under other addresses, with an API key or with an
//! access token of an account.
//!
//! What it shares with the Gemini API is in `google.rs`. It must never send a key to a host that a variable names,
//! nor send as a key what only says that the credential is somewhere else.

use std::borrow::Cow;

use super::{Access, Decoder, HttpRequest, Wire, google};
use crate::catalog::Model;
use crate::models::message::Request;
use crate::models::{Category, Fault};

const PROJECT: &str = "GOOGLE_CLOUD_PROJECT";
const OLD_PROJECT: &str = "GCLOUD_PROJECT";
const QUOTA_PROJECT: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
const LOCATION: &str = "GOOGLE_CLOUD_LOCATION";

/// The host of API keys, and of the location `global`.
const GLOBAL: &str = "https://aiplatform.googleapis.com";
/// In a base URL, it says that the location decides.
const PLACE: &str = "{location}";
const VERSION: &str = "v1";
const MODELS: &str = "publishers/google/models/";

/// Characters of a project's or a location's name.
const MAX_NAME: usize = 100;

/// The wire `google-vertex`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "google-vertex"
    }

    fn variables(&self) -> &'static [&'static str] {
        &[PROJECT, OLD_PROJECT, QUOTA_PROJECT, LOCATION]
    }

    fn base_url<'a>(&self, request: &'a Request, model: &'a Model) -> Cow<'a, str> {
        match own_base(model) {
            Some(base) => base.into(),
            None => location(request).map_or(GLOBAL.into(), |location| host(location).into()),
        }
    }

    fn check(&self, request: &Request, model: &Model, access: Access) -> Result<(), Fault> {
        address(request, model, access).map(drop)
    }

    fn encode(&self, request: &Request, model: &Model, access: Access) -> HttpRequest {
        // `check` was asked before.
        let (base, folder) = address(request, model, access).unwrap_or_default();
        let mut encoded = google::request(google::url(&base, &folder, name(model)), request, model);
        let quota = request.variables.get(QUOTA_PROJECT).filter(|project| is_project(project));
        if let Some(project) = quota.filter(|_| access != Access::Key || model.auth_header) {
            encoded.headers.push(("x-goog-user-project", project.to_owned()));
        }
        encoded
    }

    /// Access tokens of Google, such as `gcloud auth print-access-token` prints, are sent as such.
    fn is_subscription(&self, key: &str) -> bool {
        google::is_access_token(key)
    }

    /// Words that other programs store where a key would be, to say that the account's own credentials are meant.
    fn is_placeholder(&self, key: &str) -> bool {
        let key = key.trim();
        let inside = key.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        key == "gcp-vertex-credentials" || inside.is_some_and(|inside| !inside.is_empty() && !inside.contains('>'))
    }

    fn decoder(&self, _model: &Model) -> Box<dyn Decoder> {
        google::decoder()
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        google::fault(status, body)
    }
}

/// The base URL, and what stands between it and the model's name.
fn address(request: &Request, model: &Model, access: Access) -> Result<(String, String), Fault> {
    let folder = if is_whole(name(model)) { "" } else { MODELS };
    if let Some(base) = own_base(model) {
        // A gateway knows its project itself.
        let version = if has_version(base) { String::new() } else { format!("{VERSION}/") };
        return Ok((base.to_owned(), format!("{version}{folder}")));
    }
    match access {
        Access::Key if !model.auth_header => Ok((GLOBAL.to_owned(), format!("{VERSION}/{folder}"))),
        Access::None => Err(refused("no credential for Vertex AI was found that can be sent", SIGN_IN)),
        Access::Key | Access::Bearer | Access::Subscription => {
            let location = location(request)?;
            let project = project(request)?;
            // A tuned model's name has its project in it.
            let project = if name(model).starts_with("projects/") {
                String::new()
            } else {
                format!("projects/{project}/locations/{location}/")
            };
            Ok((host(location), format!("{VERSION}/{project}{folder}")))
        }
    }
}

/// A base URL of the user's own.
fn own_base(model: &Model) -> Option<&str> {
    let base = model.base_url.trim();
    (!base.is_empty() && !base.contains(PLACE)).then_some(base)
}

/// Whether one of the path's segments is a version, such as `v1beta1`.
fn has_version(base: &str) -> bool {
    let path = base.split(['?', '#']).next().unwrap_or_default();
    path.split('/').skip(3).any(|segment| {
        let Some(rest) = segment.strip_prefix('v') else { return false };
        let tail = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let stage = tail.trim_end_matches(|c: char| c.is_ascii_digit());
        tail.len() < rest.len() && matches!(stage, "" | "alpha" | "beta")
    })
}

fn host(location: &str) -> String {
    match location {
        "global" => GLOBAL.to_owned(),
        "us" | "eu" => format!("https://aiplatform.{location}.rep.googleapis.com"),
        _ => format!("https://{location}-aiplatform.googleapis.com"),
    }
}

/// What the model is called behind its folder.
fn name(model: &Model) -> &str {
    let id = &*model.id;
    if is_whole(id) { id } else { id.strip_prefix("models/").or(id.strip_prefix("google/")).unwrap_or(id) }
}

/// Whether a model's id says where it is, too.
fn is_whole(id: &str) -> bool {
    id.starts_with("publishers/") || id.starts_with("projects/")
}

fn project(request: &Request) -> Result<&str, Fault> {
    let set = [PROJECT, OLD_PROJECT].iter().find_map(|name| Some((*name, request.variables.get(name)?)));
    match set {
        Some((_, project)) if is_project(project) => Ok(project),
        Some((name, _)) => {
            Err(refused(&format!("{name} is not the id of a project of Google Cloud"), SET_PROJECT))
        }
        None => Err(refused(&format!("{PROJECT} is not set, which Vertex AI needs with an access token"), SET_PROJECT)),
    }
}

fn location(request: &Request) -> Result<&str, Fault> {
    // It becomes a part of the host: nothing else may.
    let fits = |name: &str| {
        name.len() <= MAX_NAME
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !name.starts_with('-')
    };
    match request.variables.get(LOCATION) {
        Some(location) if fits(location) => Ok(location),
        Some(_) => Err(refused(&format!("{LOCATION} is not a location of Google Cloud"), SET_LOCATION)),
        None => Err(refused(&format!("{LOCATION} is not set, which Vertex AI needs with an access token"), SET_LOCATION)),
    }
}

fn is_project(project: &str) -> bool {
    project.len() <= MAX_NAME
        && project.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        && !project.bytes().all(|b| b == b'.')
}

const SIGN_IN: &str = "give an API key in GOOGLE_CLOUD_API_KEY, or an access token: \"!gcloud auth print-access-token\" as the key of google-vertex in auth.json; application default credentials are not found yet";
const SET_PROJECT: &str =
    "set GOOGLE_CLOUD_PROJECT in the environment, or in \"env\" of the provider's entry in auth.json";
const SET_LOCATION: &str = "set GOOGLE_CLOUD_LOCATION, to global or a region such as europe-west4, in the environment or in \"env\" of the provider's entry in auth.json";

fn refused(message: &str, hint: &str) -> Fault {
    Fault { hint: Some(hint.to_owned()), ..Fault::new(Category::Authentication, message) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::model;
    use super::*;
    use crate::models::message::Variables;
    use crate::models::wires::Auth;

    const TEMPLATE: &str = "https://{location}-aiplatform.googleapis.com";
    const TAIL: &str = ":streamGenerateContent?alt=sse";

    fn vertex(base_url: &str, id: &str) -> Model {
        let mut model = model("google-vertex", base_url);
        model.id = id.into();
        model.wire = Api.id().into();
        model
    }

    fn asking(variables: &[(&'static str, &str)]) -> Request {
        let variables: Variables =
            variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Request { variables, ..Request::default() }
    }

    #[track_caller]
    fn check(variables: &[(&'static str, &str)], base: &str, id: &str, access: Access, expected: &str) {
        let (request, model) = (asking(variables), vertex(base, id));
        assert_eq!(Api.check(&request, &model, access), Ok(()));
        assert_eq!(Api.encode(&request, &model, access).url, format!("{expected}{TAIL}"));
    }

    #[test]
    fn an_api_key_needs_no_place() {
        let expected = "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-3-pro";
        for id in ["gemini-3-pro", "google/gemini-3-pro", "models/gemini-3-pro", "publishers/google/models/gemini-3-pro"] {
            for base in [TEMPLATE, ""] {
                check(&[], base, id, Access::Key, expected);
                check(&[(LOCATION, "eu"), (PROJECT, "p")], base, id, Access::Key, expected);
            }
        }
        let model = vertex(TEMPLATE, "m");
        assert_eq!(Api.encode(&asking(&[(QUOTA_PROJECT, "q")]), &model, Access::Key).headers.len(), 2);
        assert_eq!(Api.encode(&asking(&[]), &model, Access::Key).auth, Auth::Header("x-goog-api-key"));
    }

    #[test]
    fn a_token_goes_to_its_project_and_location() {
        for (location, host) in [
            ("global", "https://aiplatform.googleapis.com"),
            ("us", "https://aiplatform.us.rep.googleapis.com"),
            ("eu", "https://aiplatform.eu.rep.googleapis.com"),
            ("us-central1", "https://us-central1-aiplatform.googleapis.com"),
        ] {
            for access in [Access::Bearer, Access::Subscription] {
                let expected = format!("{host}/v1/projects/p-1/locations/{location}/publishers/google/models/m");
                check(&[(LOCATION, location), (PROJECT, "p-1")], TEMPLATE, "m", access, &expected);
                check(&[(LOCATION, location), (OLD_PROJECT, "p-1"), (PROJECT, " ")], TEMPLATE, "m", access, &expected);
            }
        }
        let set = [(LOCATION, "eu"), (PROJECT, "example.com:p")];
        check(&set, TEMPLATE, "projects/1/locations/eu/endpoints/2", Access::Bearer, "https://aiplatform.eu.rep.googleapis.com/v1/projects/1/locations/eu/endpoints/2");
        // What a model's data sends as a token is one.
        let mut model = vertex(TEMPLATE, "m");
        model.auth_header = true;
        assert!(Api.encode(&asking(&set), &model, Access::Key).url.starts_with("https://aiplatform.eu.rep."));
        let set = [(LOCATION, "eu"), (PROJECT, "p"), (QUOTA_PROJECT, "q")];
        let headers = Api.encode(&asking(&set), &vertex(TEMPLATE, "m"), Access::Bearer).headers;
        assert_eq!(headers.last(), Some(&("x-goog-user-project", "q".to_owned())));
        assert_eq!(Api.base_url(&asking(&set), &vertex(TEMPLATE, "m")), "https://aiplatform.eu.rep.googleapis.com");
    }

    #[test]
    fn a_base_url_of_ones_own_is_kept() {
        for (base, expected) in [
            ("https://gate.test", "https://gate.test/v1/publishers/google/models/m"),
            ("https://gate.test/v1beta1/", "https://gate.test/v1beta1/publishers/google/models/m"),
            ("https://gate.test/v1/projects/p/locations/l", "https://gate.test/v1/projects/p/locations/l/publishers/google/models/m"),
            ("https://v1.test/vertex", "https://v1.test/vertex/v1/publishers/google/models/m"),
        ] {
            for access in [Access::Key, Access::Bearer, Access::None] {
                check(&[], base, "m", access, expected);
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let model = vertex(TEMPLATE, "m");
        let fault = |variables: &[(&'static str, &str)], access| Api.check(&asking(variables), &model, access).unwrap_err();
        for (variables, access, says) in [
            (&[][..], Access::None, "no credential"),
            (&[(PROJECT, "p")], Access::Bearer, "GOOGLE_CLOUD_LOCATION is not set"),
            (&[(LOCATION, "eu")], Access::Bearer, "GOOGLE_CLOUD_PROJECT is not set"),
            (&[(LOCATION, "evil.test/#"), (PROJECT, "p")], Access::Bearer, "GOOGLE_CLOUD_LOCATION is not a location"),
            (&[(LOCATION, "eu"), (OLD_PROJECT, "../x")], Access::Bearer, "GCLOUD_PROJECT is not the id"),
            (&[(LOCATION, "eu"), (PROJECT, "..")], Access::Bearer, "GOOGLE_CLOUD_PROJECT is not the id"),
        ] {
            let fault = fault(variables, access);
            assert!(fault.message.contains(says), "{fault:?}");
            assert!(!fault.message.contains("evil") && fault.hint.is_some(), "{fault:?}");
            assert_eq!(fault.category, Category::Authentication);
        }
    }

    #[test]
    fn words_for_other_credentials_are_no_keys() {
        for (key, is_placeholder) in [
            ("gcp-vertex-credentials", true),
            (" gcp-vertex-credentials\n", true),
            ("<authenticated>", true),
            ("<anything at all>", true),
            ("<>", false),
            ("AIzaSy0", false),
            ("ya29.x", false),
        ] {
            assert_eq!(Api.is_placeholder(key), is_placeholder, "{key}");
        }
        assert!(Api.is_subscription("ya29.a0Af") && !Api.is_subscription("AIzaSy0"));
    }
}
