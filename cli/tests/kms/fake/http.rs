//! Requests and answers on the wire, and what becomes of them on the way.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::clock;
use super::state::{Refusal, refuse};
use super::{ACCOUNT, Asked, Fake, Fault, HANG};

const JSON: &str = "application/x-amz-json-1.1";

impl Fake {
    pub(super) fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                match line.trim_end().split_once(':') {
                    Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
                    None => break,
                };
            }
            let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
            reader.read_exact(&mut body).ok()?;
            self.answer(&stream, &headers, &body)?;
        }
    }

    fn answer(&self, mut stream: &TcpStream, headers: &HashMap<String, String>, body: &[u8]) -> Option<()> {
        let operation = headers.get("x-amz-target")?.strip_prefix("TrentService.")?.to_owned();
        let credential = headers.get("authorization")?.split_once("Credential=")?.1;
        // KEY/DATE/REGION/kms/aws4_request
        let mut scope = credential.split('/');
        let (who, region) = (scope.next()?.to_owned(), scope.nth(1)?.to_owned());
        let mut state = self.state();
        state.calls.push(operation.clone());
        state.asked.push(Asked {
            operation: operation.clone(),
            region: region.clone(),
            invocation: headers.get("amz-sdk-invocation-id").cloned().unwrap_or_default(),
            at: Instant::now(),
        });
        if state.down.contains(&&*region) {
            return None;
        }
        state.region = region.clone();
        let fault = match &mut state.fault {
            Some((of, fault, times)) if (of.is_empty() || *of == operation) && *times > 0 => {
                *times -= 1;
                Some(*fault)
            }
            _ => None,
        };
        let request: Value = serde_json::from_slice(body).ok()?;
        let now = clock::now(state.clock_ahead);
        let mut answer = match clock::check(headers.get("x-amz-date"), now) {
            Ok(()) => state.answer(&operation, &request, &who),
            Err(refusal) => Err(refusal),
        };
        let date = (!state.hides_date).then(|| clock::http_date(now));
        drop(state);
        match fault {
            Some(Fault::Reset) => return None,
            Some(Fault::Hang) => {
                std::thread::sleep(HANG);
                return None;
            }
            Some(Fault::Endless) => {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: 100000000000\r\n\r\n"
                )
                .ok()?;
                loop {
                    stream.write_all(&[b' '; 65536]).ok()?;
                    self.state().sent_without_end += 65536;
                }
            }
            Some(Fault::Html) => {
                return send(stream, 200, "text/html", None, b"<html><body>Please log in</body></html>");
            }
            Some(Fault::Unavailable) => {
                return send(stream, 503, "text/html", None, b"<html>no server</html>");
            }
            Some(Fault::Empty) => return send(stream, 200, JSON, None, b"{}"),
            Some(Fault::HalfJson) => {
                let text = answer.unwrap_or_default().to_string();
                return send(stream, 200, JSON, None, &text.as_bytes()[..text.len() / 2]);
            }
            Some(Fault::Internal) => answer = Err(Refusal(500, "KMSInternalException".into(), String::new())),
            Some(Fault::Code(code)) => answer = Err(refuse(code, "a fault was asked for")),
            Some(Fault::WrongKey) => {
                let other =
                    format!("arn:aws:kms:{region}:{ACCOUNT}:key/ffffffff-0000-0000-0000-000000000000");
                answer.as_mut().ok()?["KeyId"] = other.into();
            }
            Some(Fault::NoKey) => drop(answer.as_mut().ok()?.as_object_mut()?.remove("KeyId")),
            Some(Fault::WrongMaterial) => answer.as_mut().ok()?["SourceKeyMaterialId"] = "other".into(),
            Some(Fault::PlaintextLength(length)) => {
                answer.as_mut().ok()?["Plaintext"] = Base64::encode_string(&vec![7; length]).into();
            }
            Some(Fault::Slow | Fault::Truncated) | None => {}
        }
        let (status, body) = match answer {
            Ok(answer) => (200, answer.to_string()),
            Err(Refusal(status, code, message)) => {
                (status, json!({ "__type": code, "message": message }).to_string())
            }
        };
        match fault {
            Some(Fault::Slow) => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
                for byte in body.bytes() {
                    stream.write_all(&[byte]).ok()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Some(())
            }
            Some(Fault::Truncated) => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
                stream.write_all(&body.as_bytes()[..body.len() / 2]).ok()?;
                None
            }
            _ => send(stream, status, JSON, date.as_deref(), body.as_bytes()),
        }
    }
}

fn send(mut stream: &TcpStream, status: u16, kind: &str, date: Option<&str>, body: &[u8]) -> Option<()> {
    let date = date.map(|date| format!("Date: {date}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nx-amzn-RequestId: \
         11111111-2222-3333-4444-555555555555\r\n{date}\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}
