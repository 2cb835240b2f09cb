//! Which way requests go: not through a proxy where they stay on this machine or its links, and nowhere in the clear.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::Output;
use std::sync::{Arc, Mutex};

use crate::Own;
use crate::place::{Place, text};
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("what_stays_on_this_machine_passes_no_proxy", what_stays_on_this_machine_passes_no_proxy),
    ("credentials_of_the_link_pass_no_proxy", credentials_of_the_link_pass_no_proxy),
    ("other_services_are_asked_through_the_proxy", other_services_are_asked_through_the_proxy),
    ("a_token_service_is_told_nothing_in_the_clear", a_token_service_is_told_nothing_in_the_clear),
];

/// Keeps the first bytes that each connection brings, and ends it.
struct Proxy {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut bytes = [0; 4096];
                let length = stream.unwrap().read(&mut bytes).unwrap_or(0);
                all.lock().unwrap().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        });
        Proxy { url, heard }
    }

    /// The command, in an environment that names this proxy in every way.
    fn run(&self, place: &Place<'_>, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = place.command(arguments);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, &self.url).env(name.to_lowercase(), &self.url);
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        command.envs(variables.iter().copied()).output().unwrap()
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn what_stays_on_this_machine_passes_no_proxy() {
    let (server, fake) = Server::fake();
    let (place, proxy) = (Place::new(&server), Proxy::start());
    let key = format!("aws:{}", server.key());
    for endpoint in [&*server.endpoint, &server.endpoint.replace("127.0.0.1", "localhost")] {
        fake.calls();
        let here = [("AWS_ENDPOINT_URL", endpoint)];
        let output = proxy.run(&place, &["create", "v", "--force", "--size", "1M", "--key", &key], &here);
        assert!(output.status.success(), "{endpoint}: {}", text(&output.stderr));
        assert!(fake.calls().contains(&"Decrypt".to_owned()));
        assert_eq!(proxy.heard(), [""; 0], "{endpoint}");
    }
    // Without TLS nobody answers there; what counts is who was asked.
    let tls = server.endpoint.replace("http:", "https:");
    let output = proxy.run(&place, &["key", "describe", &key], &[("AWS_ENDPOINT_URL", &tls)]);
    assert_eq!((output.status.code(), proxy.heard()), (Some(1), Vec::new()));
}

/// Nobody is there to answer, here: an error, and the proxy has heard nothing.
fn credentials_of_the_link_pass_no_proxy() {
    let (server, fake) = Server::fake();
    let (place, proxy) = (Place::new(&server), Proxy::start());
    let services: [&[(&str, &str)]; 3] = [
        &[("AWS_EC2_METADATA_DISABLED", "false")],
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")],
        &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")],
    ];
    for variables in services {
        let secret =
            [("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a secret")];
        let output =
            proxy.run(&place, &["key", "describe", "aws:alias/prod"], &[variables, &secret].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert_eq!(proxy.heard(), [""; 0], "{variables:?}");
    }
    assert!(fake.calls().is_empty());
}

/// So it is heeded where it may be.
fn other_services_are_asked_through_the_proxy() {
    let (server, _) = Server::fake();
    let (place, proxy) = (Place::new(&server), Proxy::start());
    let there = [("AWS_ENDPOINT_URL", "https://kms.example.org")];
    let output = proxy.run(&place, &["key", "describe", "aws:alias/prod"], &there);
    assert_eq!(output.status.code(), Some(1));
    let heard = proxy.heard();
    assert!(
        !heard.is_empty() && heard.iter().all(|line| line.starts_with("CONNECT kms.example.org:443 ")),
        "{heard:?}"
    );
}

fn a_token_service_is_told_nothing_in_the_clear() {
    let (server, fake) = Server::fake();
    let (place, proxy) = (Place::new(&server), Proxy::start());
    let config = place.path("config");
    let role = "[profile assumed]\nrole_arn = arn:aws:iam::111122223333:role/a\nsource_profile = default\n";
    std::fs::write(&config, role).unwrap();
    for endpoint in ["http://sts.example.org", "http://169.254.169.254"] {
        let variables = [
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_PROFILE", "assumed"),
            ("AWS_ENDPOINT_URL_STS", endpoint),
        ];
        let output = proxy.run(&place, &["key", "describe", "aws:alias/prod"], &variables);
        let line = text(&output.stderr);
        assert!(line.contains(endpoint) && line.contains("in the clear"), "{line}");
    }
    assert!(proxy.heard().is_empty() && fake.calls().is_empty());
}
