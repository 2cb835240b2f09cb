//! The two services that the tests talk to, and requests to them past our own code.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use atrest_aws_kms::{AwsKms, KmsOptions};
use serde_json::{Value, json};

use crate::fake::{Fake, REGION};

/// A service, and the keys that a test has in it.
#[derive(Clone)]
pub struct Server {
    pub endpoint: String,
    /// For what only the project's own can do.
    pub fake: Option<Fake>,
}

impl Server {
    /// One of its own for each test.
    pub fn fake() -> (Server, Fake) {
        let fake = Fake::start();
        (Server { endpoint: fake.endpoint.clone(), fake: Some(fake.clone()) }, fake)
    }

    /// One for all tests: it takes a second to start. `None` where it is not installed.
    pub fn moto() -> Option<Server> {
        moto().as_ref().map(|moto| Server { endpoint: moto.endpoint.clone(), fake: None })
    }

    /// Sends a request, as the keys' owner, and gives the answer.
    pub fn call(&self, operation: &str, request: &Value) -> Value {
        self.call_in(REGION, operation, request)
    }

    pub fn call_in(&self, region: &str, operation: &str, request: &Value) -> Value {
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let body = request.to_string();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nX-Amz-Target: TrentService.{operation}\r\nContent-Type: \
             application/x-amz-json-1.1\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=owner/20260101/{region}/kms/aws4_request, SignedHeaders=host, Signature=0\r\nConnection: \
             close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        // Ours keeps the connection: read to the length that it says.
        let mut part = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length = head.to_lowercase();
                let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if rest.len() >= length.parse().unwrap() {
                    return serde_json::from_str(rest).unwrap_or(Value::Null);
                }
            }
            let read = stream.read(&mut part).unwrap();
            assert!(read > 0, "{operation}: {text}");
            answer.extend_from_slice(&part[..read]);
        }
    }

    /// A new key of this spec and usage, as an ARN.
    pub fn key_of(&self, spec: &str, usage: &str) -> String {
        let answer = self.call("CreateKey", &json!({ "KeySpec": spec, "KeyUsage": usage }));
        answer["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    /// A new key that wraps.
    pub fn key(&self) -> String {
        self.key_of("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    }

    /// A new key that wraps, in another region.
    pub fn key_in(&self, region: &str) -> String {
        let answer = self.call_in(region, "CreateKey", &json!({}));
        answer["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    /// A new alias for a key, with a name that no other test has.
    pub fn alias(&self, key: &str) -> String {
        let id = key.rsplit('/').next().unwrap();
        let name = format!("alias/test-{id}");
        self.call("CreateAlias", &json!({ "AliasName": name, "TargetKeyId": id }));
        name
    }

    pub fn options(&self) -> KmsOptions {
        let mut options = KmsOptions::default();
        options.endpoint = Some(self.endpoint.clone());
        options.region = Some(REGION.to_owned());
        options
    }

    /// Short times and one attempt, so that tests of faults are short.
    pub fn hasty(&self) -> KmsOptions {
        let mut options = self.options();
        options.connect_timeout = Duration::from_millis(300);
        options.attempt_timeout = Duration::from_millis(400);
        options.timeout = Duration::from_millis(1500);
        options.attempts = 1;
        options
    }

    pub fn provider(&self) -> AwsKms {
        AwsKms::new(self.options()).unwrap()
    }
}

pub struct Moto {
    endpoint: String,
    child: Child,
}

static MOTO: OnceLock<Option<Moto>> = OnceLock::new();

fn moto() -> &'static Option<Moto> {
    MOTO.get_or_init(|| {
        let program = moto_server()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "moto does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Moto { endpoint: format!("http://127.0.0.1:{port}"), child })
    })
}

/// Where tests/run puts it: beside the build.
fn moto_server() -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap();
    program.ancestors().map(|dir| dir.join("tools/moto-venv/bin/moto_server")).find(|path| path.is_file())
}

/// Ends it; without that it would outlive the tests.
pub fn stop_moto() {
    if let Some(Some(moto)) = MOTO.get() {
        // SIGKILL by the process id: the child cannot be had mutably from a static.
        let pid = rustix::process::Pid::from_child(&moto.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
}
