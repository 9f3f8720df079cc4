//! Azure OpenAI's Responses API: OpenAI's with another address, another place for the key, and deployments in
//! place of models. It must never send a key to a host that does not belong to the provider it is for.

use std::borrow::Cow;

use url::Url;

use super::openai_responses::{Dialect, decoder, encode};
use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire, error_body, openai};
use crate::catalog::Model;
use crate::models::message::Request;
use crate::models::{Category, Fault};

const PROVIDER: &str = "azure-openai-responses";
const BASE_URL: &str = "AZURE_OPENAI_BASE_URL";
const RESOURCE: &str = "AZURE_OPENAI_RESOURCE_NAME";
const VERSION: &str = "AZURE_OPENAI_API_VERSION";
const DEPLOYMENTS: &str = "AZURE_OPENAI_DEPLOYMENT_NAME_MAP";

const HINT: &str = "set AZURE_OPENAI_BASE_URL or AZURE_OPENAI_RESOURCE_NAME, in the environment or in \"env\" of the provider's entry in auth.json, or baseUrl in models.json";

/// Hosts whose paths are known.
const HOSTS: [&str; 3] = [".openai.azure.com", ".cognitiveservices.azure.com", ".ai.azure.com"];

/// The wire `azure-openai-responses`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        PROVIDER
    }

    fn variables(&self) -> &'static [&'static str] {
        &[BASE_URL, RESOURCE, VERSION, DEPLOYMENTS]
    }

    fn base_url<'a>(&self, request: &'a Request, model: &'a Model) -> Cow<'a, str> {
        base_url(request, model).unwrap_or_default().into()
    }

    fn check(&self, request: &Request, model: &Model, _access: Access) -> Result<(), Fault> {
        base_url(request, model).map(drop)
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        let base = self.base_url(request, model);
        let version = request.variables.get(VERSION).unwrap_or("v1");
        HttpRequest {
            method: "POST",
            url: with_version(openai::url(&base, "/responses"), version),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("accept", "text/event-stream".to_owned()),
            ],
            body: encode(request, model, deployment(request, model), Dialect::Azure),
            auth: Auth::Header("api-key"),
            framing: Framing::Sse,
        }
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        decoder(model, Dialect::Azure)
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        error_body::fault(status, body)
    }
}

/// Where the model is: as the variables say, else its own base URL. The variables are those of one provider, so
/// that they do not move another's.
fn base_url(request: &Request, model: &Model) -> Result<String, Fault> {
    let own = model.base_url.trim();
    let of_variables = &*model.provider == PROVIDER || own.is_empty();
    if let Some(base) = request.variables.get(BASE_URL).filter(|_| of_variables) {
        return normalise(base);
    }
    if let Some(name) = request.variables.get(RESOURCE).filter(|_| of_variables) {
        // Anything else could lead to another host.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(refused(format!("{RESOURCE} is not the name of a resource")));
        }
        return Ok(format!("https://{name}.openai.azure.com/openai/v1"));
    }
    if own.is_empty() {
        return Err(refused("it is not known where Azure OpenAI is to be reached".to_owned()));
    }
    normalise(own)
}

fn refused(message: String) -> Fault {
    Fault { hint: Some(HINT.to_owned()), ..Fault::new(Category::InvalidRequest, message) }
}

/// A base URL in the form that the API has: Azure's own hosts are often named without the path.
fn normalise(base: &str) -> Result<String, Fault> {
    let base = base.trim().trim_end_matches('/');
    let mut url =
        Url::parse(base).map_err(|error| refused(format!("the base url of Azure OpenAI is not one: {error}")))?;
    let is_azure = url.host_str().is_some_and(|host| HOSTS.iter().any(|known| host.ends_with(known)));
    let path = url.path().trim_end_matches('/');
    if is_azure && matches!(path, "" | "/openai" | "/openai/v1" | "/openai/v1/responses") {
        url.set_path("/openai/v1");
        url.set_query(None);
        return Ok(url.into());
    }
    Ok(base.to_owned())
}

fn with_version(url: String, version: &str) -> String {
    let query = url.split_once('?').map(|(_, query)| query);
    if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("api-version="))) {
        return url;
    }
    let version: String = url::form_urlencoded::byte_serialize(version.as_bytes()).collect();
    let separator = match query {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    format!("{url}{separator}api-version={version}")
}

/// What the model is called there.
fn deployment<'a>(request: &'a Request, model: &'a Model) -> &'a str {
    let map = request.variables.get(DEPLOYMENTS).unwrap_or_default();
    let entry = |entry: &'a str| {
        let mut parts = entry.split('=').map(str::trim);
        Some((parts.next()?, parts.next().filter(|name| !name.is_empty())?))
    };
    map.split(',').filter_map(entry).find(|(id, _)| *id == model.id.as_ref()).map_or(&model.id, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::super::openai_responses::tests::encode::check_schema;
    use super::super::tests::model;
    use super::*;
    use crate::models::message::{CacheRetention, Variables};

    fn azure(base_url: &str) -> Model {
        Model { wire: PROVIDER.into(), ..model(PROVIDER, base_url) }
    }

    fn asking(variables: &[(&'static str, &str)]) -> Request {
        let variables: Variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Request { variables, session: "s-1".to_owned(), ..Request::default() }
    }

    #[test]
    fn base_urls_are_completed() {
        let complete = "https://r.openai.azure.com/openai/v1";
        for (given, expected) in [
            ("https://r.openai.azure.com", complete),
            ("https://r.openai.azure.com/", complete),
            ("https://r.openai.azure.com/openai", complete),
            ("https://r.openai.azure.com/openai/", complete),
            (" https://R.OpenAI.azure.com//\n", complete),
            ("https://r.openai.azure.com/openai/v1/", complete),
            ("https://r.openai.azure.com/openai/v1/responses", complete),
            ("https://r.openai.azure.com/?api-version=2024-02-01", complete),
            ("https://r.cognitiveservices.azure.com?x=1", "https://r.cognitiveservices.azure.com/openai/v1"),
            (
                "https://r.services.ai.azure.com/openai/v1/responses",
                "https://r.services.ai.azure.com/openai/v1",
            ),
            ("https://r.openai.azure.com/openai/deployments/x", "https://r.openai.azure.com/openai/deployments/x"),
            ("https://proxy.corp/azure", "https://proxy.corp/azure"),
            ("https://proxy.corp/azure/?x=1", "https://proxy.corp/azure/?x=1"),
            ("https://evil-openai.azure.com.test", "https://evil-openai.azure.com.test"),
        ] {
            assert_eq!(normalise(given).unwrap(), expected, "{given}");
        }
        for bad in ["", "r.openai.azure.com", "https://"] {
            assert_eq!(normalise(bad).unwrap_err().category, Category::InvalidRequest, "{bad}");
        }
    }

    #[test]
    fn the_address_is_found_in_order() {
        let (none, own) = (azure(""), azure("https://own.openai.azure.com"));
        let both = asking(&[(BASE_URL, "https://base.openai.azure.com"), (RESOURCE, "res")]);
        let resource = asking(&[(BASE_URL, " "), (RESOURCE, "res")]);
        let nothing = asking(&[]);
        let at = |request: &Request, model: &Model| Api.base_url(request, model).into_owned();
        assert_eq!(at(&both, &own), "https://base.openai.azure.com/openai/v1");
        assert_eq!(at(&resource, &own), "https://res.openai.azure.com/openai/v1");
        assert_eq!(at(&nothing, &own), "https://own.openai.azure.com/openai/v1");
        assert!(Api.check(&nothing, &own, Access::Key).is_ok());
        let fault = Api.check(&nothing, &none, Access::Key).unwrap_err();
        assert_eq!(fault.message, "it is not known where Azure OpenAI is to be reached");
        assert!(fault.hint.unwrap().contains(RESOURCE));
        assert!(Api.check(&asking(&[(RESOURCE, "evil.test/#")]), &none, Access::Key).is_err());
        // Another provider's key does not go where the variables of this one lead.
        let mut other = own;
        other.provider = "corp".into();
        assert_eq!(at(&both, &other), "https://own.openai.azure.com/openai/v1");
        other.base_url = "".into();
        assert_eq!(at(&both, &other), "https://base.openai.azure.com/openai/v1");
    }

    #[test]
    fn the_version_stands_in_the_query() {
        let url = |base: &str, version: &str| Api.encode(&asking(&[(VERSION, version)]), &azure(base), Access::Key).url;
        assert_eq!(url("https://r.openai.azure.com", ""), "https://r.openai.azure.com/openai/v1/responses?api-version=v1");
        assert_eq!(
            url("https://proxy.corp/azure?x=1", "2025 a&b"),
            "https://proxy.corp/azure/responses?x=1&api-version=2025+a%26b"
        );
        assert_eq!(
            url("https://proxy.corp/azure?api-version=mine", "v1"),
            "https://proxy.corp/azure/responses?api-version=mine"
        );
    }

    #[test]
    fn models_are_called_by_their_deployments() {
        let name = |map: &str, id: &str| {
            let mut model = azure("https://r.openai.azure.com");
            model.id = id.into();
            deployment(&asking(&[(DEPLOYMENTS, map)]), &model).to_owned()
        };
        let map = "gpt-5 = my five ,bad,=x,gpt-4=,o3=three=3,,gpt-5=second";
        assert_eq!(name(map, "gpt-5"), "my five");
        assert_eq!(name(map, "gpt-4"), "gpt-4");
        assert_eq!(name(map, "o3"), "three");
        assert_eq!(name(map, "bad"), "bad");
        assert_eq!(name("", "gpt-5"), "gpt-5");
    }

    #[test]
    fn the_request_is_openais_with_another_key() {
        let mut request = asking(&[(DEPLOYMENTS, "m=mine")]);
        request.cache = CacheRetention::Long;
        let HttpRequest { auth, body, headers, .. } =
            Api.encode(&request, &azure("https://r.openai.azure.com"), Access::Key);
        assert_eq!(auth, Auth::Header("api-key"));
        assert_eq!(headers.len(), 2);
        expect_test::expect![[r#"{"model":"mine","input":[],"stream":true,"store":false,"prompt_cache_key":"s-1","include":["reasoning.encrypted_content"]}"#]].assert_eq(&String::from_utf8(body).unwrap());
        check_schema(|request, model| Api.encode(request, model, Access::Key).body);
    }
}
