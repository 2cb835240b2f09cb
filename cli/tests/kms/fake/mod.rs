//! A KMS for tests: JSON 1.1 over HTTP on a loopback port, strict where AWS documents that it is. One thread for each
//! connection; nothing is encrypted, since whoever holds a ciphertext here can only hand it back. All regions have one
//! address: a request is for the region that it is signed for.

mod clock;
mod grants;
mod http;
mod keys;
mod operations;
mod state;

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use state::State;

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-1";

/// For how long a request hangs: longer than any busy machine takes for what does not wait for it.
pub const HANG: Duration = Duration::from_secs(60);

/// What happens to a request instead of a proper answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without an answer.
    Reset,
    /// No answer comes, and after [`HANG`] the connection ends.
    Hang,
    /// The answer comes a byte at a time, slower than anybody waits.
    Slow,
    /// The answer ends in the middle.
    Truncated,
    /// The answer never ends.
    Endless,
    /// A page of some proxy's, with status 200.
    Html,
    /// `{}`, with status 200.
    Empty,
    /// An answer with half of its JSON.
    HalfJson,
    /// An error of the service's own.
    Internal,
    /// A page of a load balancer's, with status 503.
    Unavailable,
    /// An error with this code, and status 400.
    Code(&'static str),
    /// The right answer, from another key.
    WrongKey,
    /// The right answer with a plaintext of this length.
    PlaintextLength(usize),
    /// The right answer without a key.
    NoKey,
    /// The right answer, but for the material.
    WrongMaterial,
}

#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    pub endpoint: String,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub operation: String,
    /// The region that it was signed for.
    pub region: String,
    /// The same for all attempts of one request.
    pub invocation: String,
    pub at: Instant,
}

impl Fake {
    pub fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let fake = Fake { state: Arc::default(), endpoint };
        let server = fake.clone();
        // Both end with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The operations since the last time.
    pub fn calls(&self) -> Vec<String> {
        let state = &mut *self.state();
        state.asked.clear();
        std::mem::take(&mut state.calls)
    }

    /// The requests since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        let state = &mut *self.state();
        state.calls.clear();
        std::mem::take(&mut state.asked)
    }

    pub fn fault(&self, operation: &'static str, fault: Fault, times: usize) {
        self.state().fault = Some((operation, fault, times));
    }
}
