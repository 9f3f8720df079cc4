//! Holds a request that came over a socket against its signature, as AWS does at its end. Knows nothing of the
//! signer: it goes by what the request itself says was signed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use super::Request;

/// What a request claims of its signer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) access_key_id: String,
    /// `20150830`.
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) signed: Vec<String>,
}

/// The claims of a request that was signed with `secret`; what is wrong with any other.
pub(crate) fn verify(request: &Request, secret: &str) -> Result<Claims, String> {
    let header = |name: &str| request.header(name).ok_or(format!("no {name}"));
    let rest = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("another algorithm")?;
    let field = |name: &str| {
        let mut fields = rest.split(", ").filter_map(|field| field.split_once('='));
        fields.find(|(have, _)| *have == name).map(|(_, value)| value).ok_or(format!("no {name}"))
    };
    let credential: Vec<&str> = field("Credential")?.split('/').collect();
    let [id, date, region, service, "aws4_request"] = credential[..] else {
        return Err(format!("{credential:?} is no credential"));
    };
    let time = header("x-amz-date")?;
    if !time.starts_with(date) || time.len() != "20150830T123600Z".len() {
        return Err(format!("signed on {date}, dated {time}"));
    }
    let names = field("SignedHeaders")?;
    let signed: Vec<String> = names.split(';').map(str::to_owned).collect();
    for must in ["host", "x-amz-date", "content-type"] {
        if !signed.iter().any(|name| name == must) {
            return Err(format!("{must} is not signed"));
        }
    }
    if let Some((name, _)) =
        request.headers.iter().find(|(name, _)| name.starts_with("x-amz-") && !signed.contains(name))
    {
        return Err(format!("{name} is not signed"));
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if !query.is_empty() {
        return Err("no test has a query".to_owned());
    }
    // Every `%` of the path is encoded once more; its letters are plain already.
    let mut lines = vec![request.method.clone(), path.replace('%', "%25"), String::new()];
    for name in &signed {
        lines.push(format!("{name}:{}", header(name)?));
    }
    lines.extend([String::new(), names.to_owned(), hex(digest(&SHA256, &request.body).as_ref())]);
    let hashed = hex(digest(&SHA256, lines.join("\n").as_bytes()).as_ref());
    let text = ["AWS4-HMAC-SHA256", time, &credential[1..].join("/"), &hashed].join("\n");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, "aws4_request", &text] {
        key = sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    if hex(&key) != field("Signature")? {
        return Err(format!("the signature does not fit {lines:#?}"));
    }
    Ok(Claims {
        access_key_id: id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed,
    })
}

fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
