//! A service on this machine that answers as a case says.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use serde_json::Value;

use crate::answer::{Answer, Keys, usual};

/// A request, and what was answered.
#[derive(Debug)]
pub struct Asked {
    pub operation: String,
    pub request: Value,
    /// Status and body, where it is certain that they are read so.
    pub answer: Option<(u16, Vec<u8>)>,
}

#[derive(Default)]
struct State {
    keys: Keys,
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
pub struct Service {
    state: Arc<Mutex<State>>,
    port: u16,
}

impl Service {
    pub fn start() -> Service {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let service = Service { state: Arc::default(), port };
        let answering = service.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let service = answering.clone();
                thread::spawn(move || service.serve(&stream));
            }
        });
        service
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }

    /// The next requests are of a case with these keys, and get these answers.
    pub fn begin(&self, keys: Keys, answers: Vec<Answer>) {
        *self.state() = State { keys, answers: answers.into(), asked: Vec::new() };
    }

    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    /// Until the connection ends. `None` when it did so by itself.
    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let _ = stream.set_nodelay(true);
        let mut reader = BufReader::new(stream);
        loop {
            let (mut operation, mut length) = (String::new(), 0);
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
            loop {
                line.clear();
                reader.read_line(&mut line).ok()?;
                let Some((name, value)) = line.trim_end().split_once(':') else { break };
                match name.to_ascii_lowercase().as_str() {
                    "x-amz-target" => operation = value.trim().strip_prefix("TrentService.")?.to_owned(),
                    "content-length" => length = value.trim().parse().ok()?,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let request = serde_json::from_slice(&body).ok()?;
            let sent = {
                let mut state = self.state();
                let sent = match state.answers.pop_front() {
                    Some(answer) => answer.send(&operation, &request, &state.keys),
                    None => usual(&operation, &request, &state.keys),
                };
                state.asked.push(Asked { operation, request, answer: sent.known });
                (sent.bytes, sent.goes_on)
            };
            stream.write_all(&sent.0).ok()?;
            if !sent.1 {
                return Some(());
            }
        }
    }
}
