//! Who is spoken to: a server that shows a certificate which the system trusts, and nobody else.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use atrest::keys::{ErrorClass, KeyProvider as _, block_on};
use atrest_aws_kms::AwsKms;

use crate::Own;
use crate::common::peers;
use crate::place::Place;
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("a_server_without_tls_gets_no_request", a_server_without_tls_gets_no_request),
    ("certificates_are_checked", certificates_are_checked),
];

fn a_server_without_tls_gets_no_request() {
    let (server, fake) = Server::fake();
    let mut options = server.options();
    options.attempts = 1;
    options.endpoint = Some(server.endpoint.replace("http:", "https:"));
    let error = block_on(AwsKms::new(options).unwrap().describe("alias/a")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unreachable, "{error}");
    assert!(fake.calls().is_empty());
}

/// `openssl s_server`, which prints what it receives and sends what it is given.
struct Tls {
    child: Child,
    certificate: PathBuf,
    endpoint: String,
    received: Arc<Mutex<String>>,
}

impl Tls {
    fn start(openssl: &Path, dir: &Path) -> Tls {
        let (key, certificate) = (dir.join("key"), dir.join("certificate"));
        let made = Command::new(openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(openssl)
            .args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")])
            .arg("-key")
            .arg(&key)
            .arg("-cert")
            .arg(&certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "openssl s_server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let received = Arc::new(Mutex::new(String::new()));
        let (mut from, mut to) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let text = received.clone();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut part) {
                let new = String::from_utf8_lossy(&part[..length]).into_owned();
                // An answer that KMS would not give, so that it is known.
                if new.to_lowercase().contains("trentservice") {
                    to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
                }
                text.lock().unwrap().push_str(&new);
            }
        });
        Tls { child, certificate, endpoint: format!("https://localhost:{port}"), received }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certificates_are_checked() {
    let Some(openssl) = peers::required("openssl") else { return };
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::start(&openssl, dir.path());
    let server = Server { endpoint: tls.endpoint.clone(), fake: None };
    let place = Place::new(&server);
    let describe = ["key", "describe", "aws:alias/prod"];
    place.fails(&describe, &["certificate", "check the network"]);
    assert_eq!(*tls.received.lock().unwrap(), "", "nothing is said to a stranger");
    // The same server, once the system trusts it: so it was the certificate.
    let output = place.command(&describe).env("SSL_CERT_FILE", &tls.certificate).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("it describes no key"), "{line}");
    assert!(tls.received.lock().unwrap().contains("TrentService.DescribeKey"));
    // Its name counts, too.
    let endpoint = tls.endpoint.replace("localhost", "127.0.0.1");
    let elsewhere = Server { endpoint, fake: None };
    let place = Place::new(&elsewhere);
    let output = place.command(&describe).env("SSL_CERT_FILE", &tls.certificate).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("certificate") && !line.contains("describes no key"), "{line}");
}
