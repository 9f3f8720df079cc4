//! Where a call goes: its region and its endpoint.
//!
//! A region comes from the environment and becomes part of a host's name, so anything that is not spelt like a
//! region is passed over: it must never lead a credential to a host of somebody else's choosing.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::catalog::Model;

/// A variable's value, where it is set.
pub(super) type Get<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// Where nothing names a region.
const DEFAULT_REGION: &str = "us-east-1";

/// Where one call goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The URL that paths are appended to.
    pub(super) base: String,
    /// The region that a signature is for.
    pub(super) region: String,
}

impl Place {
    /// Where calls of `model` go: the region of an ARN, else that of the environment, else that of the model's
    /// base URL; an endpoint of the environment, else a base URL that is nobody's standard one, else the
    /// region's own endpoint.
    pub(super) fn of(model: &Model, get: Get<'_>) -> Self {
        let own = Standard::of(&model.base_url);
        let set = |name| get(name).map(str::trim).filter(|value| is_region(value));
        let chosen = arn_region(&model.id).or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
        let region = chosen.or_else(|| region_of(&model.base_url)).unwrap_or(DEFAULT_REGION);
        let endpoint = ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"].into_iter().find_map(get);
        let base = match (endpoint, own, chosen) {
            (Some(endpoint), _, _) => endpoint.trim().to_owned(),
            (None, Some(own), Some(region)) => own.at(region),
            (None, _, _) => model.base_url.to_string(),
        };
        Self { base, region: region.to_owned() }
    }

    /// The URL to call the model `id` at. All of the id is one part of the path, as ARNs have `/` in them.
    pub(super) fn url(&self, id: &str) -> String {
        let (base, query) = self.base.find('?').map_or((&*self.base, ""), |at| self.base.split_at(at));
        format!("{}/model/{}/converse-stream{query}", base.trim_end_matches('/'), encoded(id))
    }

    /// Whether the model `id` is called in one of the regions of the US government.
    pub(super) fn is_gov_cloud(&self, id: &str) -> bool {
        self.region.starts_with("us-gov-") || id.starts_with("us-gov.") || id.starts_with("arn:aws-us-gov:")
    }
}

/// One of AWS's own endpoints, which exist for every region.
struct Standard {
    is_fips: bool,
}

impl Standard {
    /// `None` for any other URL.
    fn of(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("https://bedrock-runtime")?;
        let (is_fips, rest) = rest.strip_prefix("-fips").map_or((false, rest), |rest| (true, rest));
        let (region, domain) = rest.strip_prefix('.')?.split_once('.')?;
        let standard = matches!(domain.trim_end_matches('/'), "amazonaws.com" | "amazonaws.com.cn" | "amazonaws.eu");
        (standard && is_region(region)).then_some(Self { is_fips })
    }

    /// The same in `region`.
    fn at(&self, region: &str) -> String {
        let fips = if self.is_fips { "-fips" } else { "" };
        let domain = match region.split('-').next() {
            Some("cn") => "amazonaws.com.cn",
            Some("eusc") => "amazonaws.eu",
            _ => "amazonaws.com",
        };
        format!("https://bedrock-runtime{fips}.{region}.{domain}")
    }
}

/// The region in the host of `url`, also of a private endpoint, where it is one of AWS's.
pub(super) fn region_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split(['/', '?', '#', ':']).next()?;
    let mut labels = host.split('.').skip_while(|label| !label.starts_with("bedrock-runtime"));
    labels.next()?;
    labels.next().filter(|label| is_region(label) && host.contains(".amazonaws."))
}

/// The region that an ARN names: `arn:PARTITION:bedrock:REGION:...`.
fn arn_region(id: &str) -> Option<&str> {
    let mut parts = id.strip_prefix("arn:aws")?.split(':');
    let is_partition = parts.next().is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let is_bedrock = parts.next() == Some("bedrock");
    parts.next().filter(|region| is_partition && is_bedrock && is_region(region))
}

/// Whether `text` is spelt like a region: `us-east-1`.
fn is_region(text: &str) -> bool {
    text.len() <= 32
        && text.contains('-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// `text` with everything percent-encoded that AWS wants so in a path.
fn encoded(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}

/// What the prefix of an inference profile's id asks of the region, where `region` does not fit it.
pub(super) fn misfit(id: &str, region: &str) -> Option<(&'static str, &'static str)> {
    const PREFIXES: &[(&str, &str, &[&str])] = &[
        ("us-gov.", "us-gov-*", &["us-gov-"]),
        ("us.", "us-* and ca-*", &["us-", "ca-"]),
        ("eu.", "eu-*", &["eu-", "il-"]),
        ("apac.", "ap-*", &["ap-", "me-"]),
        ("au.", "ap-southeast-2, ap-southeast-4 and ap-southeast-6", &["ap-southeast-"]),
        ("jp.", "ap-northeast-1 and ap-northeast-3", &["ap-northeast-"]),
        ("in.", "ap-south-1 and ap-south-2", &["ap-south-"]),
        ("ca.", "ca-*", &["ca-", "us-"]),
    ];
    let (prefix, regions, starts) = PREFIXES.iter().find(|(prefix, _, _)| id.starts_with(prefix))?;
    let gov = *prefix != "us-gov." && region.starts_with("us-gov-");
    let fits = !gov && starts.iter().any(|start| region.starts_with(start));
    (!fits).then_some((prefix, regions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::wires::tests::model;

    const EAST: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";

    #[track_caller]
    fn check(base: &str, id: &str, variables: &[(&str, &'static str)], expected: (&str, &str)) {
        let mut model = model("amazon-bedrock", base);
        model.id = id.into();
        let get = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| *value);
        let place = Place::of(&model, &get);
        assert_eq!((&*place.base, &*place.region), expected);
    }

    #[test]
    fn regions_and_endpoints_follow_their_order() {
        let arn = "arn:aws:bedrock:eu-west-3:123456789012:application-inference-profile/abc";
        let west = ("AWS_REGION", "us-west-2");
        let frankfurt = "https://bedrock-runtime.eu-central-1.amazonaws.com";
        check(EAST, "m", &[], (EAST, "us-east-1"));
        check(frankfurt, "eu.m", &[], (frankfurt, "eu-central-1"));
        check(EAST, "m", &[west], ("https://bedrock-runtime.us-west-2.amazonaws.com", "us-west-2"));
        check(frankfurt, "eu.m", &[west], ("https://bedrock-runtime.us-west-2.amazonaws.com", "us-west-2"));
        let default = ("AWS_DEFAULT_REGION", "sa-east-1");
        check(EAST, "m", &[default], ("https://bedrock-runtime.sa-east-1.amazonaws.com", "sa-east-1"));
        check(EAST, "m", &[default, west], ("https://bedrock-runtime.us-west-2.amazonaws.com", "us-west-2"));
        check(EAST, arn, &[west], ("https://bedrock-runtime.eu-west-3.amazonaws.com", "eu-west-3"));
        check(EAST, "arn:aws:bedrock:::x", &[west], ("https://bedrock-runtime.us-west-2.amazonaws.com", "us-west-2"));
        let china = ("AWS_REGION", "cn-north-1");
        check(EAST, "m", &[china], ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"));
        let sovereign = ("AWS_REGION", "eusc-de-east-1");
        check(EAST, "m", &[sovereign], ("https://bedrock-runtime.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"));
        let fips = "https://bedrock-runtime-fips.us-east-1.amazonaws.com/";
        check(fips, "m", &[west], ("https://bedrock-runtime-fips.us-west-2.amazonaws.com", "us-west-2"));
    }

    #[test]
    fn endpoints_of_ones_own_are_kept() {
        let vpc = "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com";
        check(vpc, "m", &[], (vpc, "eu-west-1"));
        check(vpc, "m", &[("AWS_REGION", "us-west-2")], (vpc, "us-west-2"));
        let proxy = "http://localhost:4000/bedrock";
        check(proxy, "m", &[], (proxy, "us-east-1"));
        let any = ("AWS_ENDPOINT_URL", "https://any.test");
        let own = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", " https://own.test/b ");
        check(EAST, "m", &[any], ("https://any.test", "us-east-1"));
        check(proxy, "m", &[any, own], ("https://own.test/b", "us-east-1"));
    }

    #[test]
    fn what_is_no_region_leads_nowhere() {
        for bad in ["evil.test/#", "us-east-1.evil.test", "US-EAST-1", "-1", "us east 1", "a@b-1", "x"] {
            check(EAST, "m", &[("AWS_REGION", bad)], (EAST, "us-east-1"));
            check(EAST, &format!("arn:aws:bedrock:{bad}:1:x/y"), &[], (EAST, "us-east-1"));
        }
        check("https://bedrock-runtime.evil.test", "m", &[], ("https://bedrock-runtime.evil.test", "us-east-1"));
        let lookalike = "https://bedrock-runtime.us-west-2.amazonaws.com.evil.test";
        check(lookalike, "m", &[("AWS_REGION", "eu-west-1")], (lookalike, "eu-west-1"));
    }

    #[test]
    fn an_id_is_one_part_of_the_path() {
        let url = |base: &str, id: &str| Place { base: base.into(), region: String::new() }.url(id);
        assert_eq!(url("https://h/", "a.b-v1:0"), "https://h/model/a.b-v1%3A0/converse-stream");
        assert_eq!(
            url("https://h/p?q=1", "arn:aws:bedrock:us-east-1:1:inference-profile/a b~ü"),
            "https://h/p/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fa%20b~%C3%BC/converse-stream?q=1"
        );
        assert_eq!(url("https://h", "../../x"), "https://h/model/..%2F..%2Fx/converse-stream");
    }

    #[test]
    fn prefixes_belong_to_regions() {
        for (id, region, fits) in [
            ("us.anthropic.x", "us-east-1", true),
            ("us.anthropic.x", "eu-west-1", false),
            ("us.anthropic.x", "us-gov-west-1", false),
            ("us-gov.anthropic.x", "us-gov-west-1", true),
            ("eu.anthropic.x", "us-east-1", false),
            ("apac.anthropic.x", "ap-southeast-1", true),
            ("apac.anthropic.x", "eu-central-1", false),
            ("global.anthropic.x", "eu-central-1", true),
            ("anthropic.x", "eu-central-1", true),
        ] {
            assert_eq!(misfit(id, region).is_none(), fits, "{id} in {region}");
        }
    }
}
