//! Which way requests go, and how long answers may be: for KMS, for the security token service, and for the metadata services
//! that credentials come from. Nothing of the SDK gets another HTTP client than this one.
//!
//! | to | scheme | through a proxy that the environment names |
//! |---|---|---|
//! | this machine: a loopback address, `localhost` | any | never |
//! | link-local addresses: metadata of instances and containers | `https:`; `http:` for GET and PUT to those services | never |
//! | elsewhere | `https:` | if it says so |
//!
//! A proxy that is told of `HTTP_PROXY` would see root keys and credentials in the clear, and an instance's metadata are asked
//! for on its own link: through a proxy they would be somebody else's.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest answer, in bytes. Those of KMS to a request for one key have some 10 KiB at most.
const MOST: usize = 64 << 10;

/// The longest answer with a list, in bytes: a service without pages sends all at once.
const MOST_OF_A_LIST: usize = 1 << 20;

/// A request that was not let out.
#[derive(Debug, thiserror::Error)]
#[error(
    "the endpoint {0} is not https:, and not on this machine: keys would cross the network in the clear; give an \
     https: URL"
)]
pub struct InsecureEndpoint(String);

/// An answer of which no more was read.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {0} bytes, so that it comes from no such service; the rest was not read")]
pub struct TooLong(usize);

/// The HTTP client of everything here.
#[derive(Debug)]
pub struct Routes {
    /// For this machine and its links: no proxy, and no name is looked up.
    near: SharedHttpClient,
    elsewhere: SharedHttpClient,
}

impl Routes {
    pub fn new() -> Routes {
        let tls = Provider::Rustls(CryptoMode::AwsLc);
        let near = Builder::new().tls_provider(tls.clone()).build_with_resolver(OnlyLoopback);
        // As the SDK's own one, which reads the variables, too.
        let elsewhere = Builder::new().build_with_connector_fn(move |settings, components| {
            let mut builder = ConnectorBuilder::default().tls_provider(tls.clone());
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.set_proxy_config(Some(ProxyConfig::from_env()));
            builder.build()
        });
        Routes { near, elsewhere }
    }
}

impl HttpClient for Routes {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let of = |client: &SharedHttpClient| client.http_connector(settings, components);
        SharedHttpConnector::new(Connectors { near: of(&self.near), elsewhere: of(&self.elsewhere) })
    }
}

#[derive(Debug)]
struct Connectors {
    near: SharedHttpConnector,
    elsewhere: SharedHttpConnector,
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = match route(request.method(), request.uri()) {
            Some(Route::Near) => &self.near,
            Some(Route::Elsewhere) => &self.elsewhere,
            None => {
                let endpoint = request.uri().chars().take(200).collect();
                return HttpConnectorFuture::ready(Err(ConnectorError::user(
                    InsecureEndpoint(endpoint).into(),
                )));
            }
        };
        let most = match request.headers().get("x-amz-target") {
            Some(target) if target.contains(".List") => MOST_OF_A_LIST,
            _ => MOST,
        };
        let answer = connector.call(request);
        HttpConnectorFuture::new(async move { Ok(bounded(answer.await?, most)) })
    }
}

/// The answer, whose body ends with an error where it would be longer.
fn bounded(answer: HttpResponse, most: usize) -> HttpResponse {
    answer.map(|body| {
        let body = Limited::new(body, most);
        SdkBody::from_body_1_x(body.map_err(move |error| match error.is::<LengthLimitError>() {
            true => TooLong(most).into(),
            false => error,
        }))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Route {
    Near,
    Elsewhere,
}

/// The way of a request; `None` for one that neither TLS protects nor stays where it may be in the clear.
fn route(method: &str, url: &str) -> Option<Route> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    // Whoever writes a user name there gets no exception made: `127.0.0.1:1@example.org` is elsewhere.
    let host = match authority.strip_prefix('[') {
        _ if authority.contains('@') => "",
        Some(six) => six.split(']').next().unwrap_or(six),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let address: Option<IpAddr> = host.parse().ok();
    let loopback = is_localhost(host) || address.is_some_and(|ip| ip.is_loopback());
    let link_local = address.is_some_and(is_link_local);
    let tls = scheme.eq_ignore_ascii_case("https");
    // Root keys and requests for tokens are POSTed. Who asks for metadata says nothing that is secret to the link.
    let metadata = matches!(method, "GET" | "PUT") && address.is_some_and(|ip| METADATA.contains(&ip));
    match (loopback || link_local, tls) {
        (true, _) if tls || loopback || metadata => Some(Route::Near),
        (false, true) => Some(Route::Elsewhere),
        _ => None,
    }
}

/// Where credentials are to be had: instances, tasks of ECS, pods of EKS.
const METADATA: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];

/// Also AWS's unique local prefix for such services.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.segments()[..2] == [0xfd00, 0xec2],
    }
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

/// Takes nobody's word for where `localhost` is (RFC 6761, section 6.3).
#[derive(Clone, Debug)]
struct OnlyLoopback;

impl ResolveDns for OnlyLoopback {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(match is_localhost(name) {
            true => Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            false => Err(ResolveDnsError::new(format!("{name} is no name of this machine"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for url in [
            "http://127.0.0.1:5000/",
            "http://[::1]:5000/",
            "http://localhost/",
            "http://127.8.9.1?x",
            "HTTP://LOCALHOST:1",
            "https://127.0.0.1/",
            "https://localhost:4566",
            "https://169.254.1.1/",
        ] {
            assert_eq!(route("POST", url), Some(Route::Near), "{url}");
        }
        for url in ["https://kms.eu-west-1.amazonaws.com/", "HTTPS://x", "https://127.0.0.1:1@example.org/"] {
            assert_eq!(route("POST", url), Some(Route::Elsewhere), "{url}");
        }
        for url in [
            "http://kms.eu-west-1.amazonaws.com/",
            "http://10.0.0.1:80/",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.1:1@example.org/",
            "http://localhost.example.org",
            "http://example.org/?https://",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://169.254.1.1/",
            "ftp://127.0.0.2.3/",
            "127.0.0.1",
            "",
        ] {
            assert_eq!(route("POST", url), None, "{url}");
            assert_eq!(route("GET", url), None, "{url}");
        }
    }

    #[test]
    fn metadata_are_asked_for_on_the_link_alone() {
        for host in
            ["169.254.169.254", "169.254.170.2", "169.254.170.23:80", "[fd00:ec2::254]", "[fd00:ec2::23]:80"]
        {
            for method in ["GET", "PUT"] {
                assert_eq!(route(method, &format!("http://{host}/latest")), Some(Route::Near), "{host}");
            }
            // A token service there would be told secrets.
            assert_eq!(route("POST", &format!("http://{host}/")), None, "{host}");
        }
        assert_eq!(route("GET", "https://[fe80::1]/"), Some(Route::Near));
        assert_eq!(route("GET", "http://[fe80::1]/"), None);
    }

    #[test]
    fn an_answer_that_is_too_long_is_not_read() {
        let read = |len: usize| {
            let answer = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(vec![b' '; len]));
            atrest::keys::block_on(bounded(answer, 1000).into_body().collect())
        };
        assert_eq!(read(1000).unwrap().to_bytes().len(), 1000);
        assert_eq!(read(1001).unwrap_err().to_string(), TooLong(1000).to_string());
    }
}
