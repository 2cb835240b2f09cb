//! One number of the table, and how it is measured.

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use atrest::limit;
use atrest::xts::{Backend, Key};

use super::clock::Clock;

/// What a call gets, and what the data of all calls fills: small enough for a core's own cache.
const DATA: usize = 64 << 10;
/// Long beside the clock's steps, short beside a time slice.
const CHUNK: Duration = Duration::from_micros(100);

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
pub enum Work {
    /// Rounds of AES alone.
    Limit,
    /// Calls.
    Sectors {
        /// Bytes.
        sector_size: usize,
        /// Bytes that a call gets.
        call: usize,
    },
}

impl Work {
    pub const ALL: [Work; 5] = [
        Work::Limit,
        Work::Sectors { sector_size: 512, call: DATA },
        Work::Sectors { sector_size: 4096, call: DATA },
        Work::Sectors { sector_size: DATA, call: DATA },
        Work::Sectors { sector_size: 512, call: 512 },
    ];
}

/// A kind of work for one key in one direction, and what it took.
pub struct Cell {
    pub key: Rc<Key>,
    pub work: Work,
    pub decrypt: bool,
    data: Vec<u8>,
    /// Calls, or loops, that make a chunk; 0 before the first one.
    repeat: u64,
    /// Cycles a byte, of each chunk.
    chunks: Vec<f64>,
}

impl Cell {
    /// `None` for the limit of a backend that has none.
    pub fn new(key: &Rc<Key>, work: Work, decrypt: bool) -> Option<Cell> {
        if work == Work::Limit && limit::rounds(key.backend(), decrypt, 1).is_none() {
            return None;
        }
        let data = if work == Work::Limit { Vec::new() } else { vec![0x5a; DATA] };
        Some(Cell { key: Rc::clone(key), work, decrypt, data, repeat: 0, chunks: Vec::new() })
    }

    pub fn backend(&self) -> Backend {
        self.key.backend()
    }

    /// Measures chunks for so long, and one at least.
    pub fn measure(&mut self, clock: &mut Clock, time: Duration) {
        let start = Instant::now();
        // What ran before has left the caches and the branch predictor to itself.
        self.warm_up();
        loop {
            let mut bytes = 0.0;
            let cycles = clock.cycles(|| bytes = self.chunk());
            self.chunks.push(cycles / bytes);
            if start.elapsed() >= time {
                return;
            }
        }
    }

    fn warm_up(&mut self) {
        if self.repeat > 0 {
            self.chunk();
            return;
        }
        self.repeat = 1;
        loop {
            let start = Instant::now();
            self.chunk();
            if start.elapsed() >= CHUNK {
                return;
            }
            self.repeat *= 2;
        }
    }

    /// Works, and says on how many bytes; for the limit, how many would have gone through all rounds of the cipher.
    fn chunk(&mut self) -> f64 {
        match self.work {
            Work::Limit => {
                let rounds = if self.key.aes_bits() == 128 { 10 } else { 14 };
                let blocks = limit::rounds(self.backend(), self.decrypt, self.repeat).unwrap_or(0);
                (16 * blocks) as f64 / f64::from(rounds)
            }
            Work::Sectors { sector_size, call } => {
                let (mut first, mut at) = (1, 0);
                for _ in 0..self.repeat {
                    let data = black_box(&mut self.data[at..at + call]);
                    let done = match self.decrypt {
                        false => self.key.encrypt_sectors(first, sector_size, data),
                        true => self.key.decrypt_sectors(first, sector_size, data),
                    };
                    // The sizes are constants that fit.
                    debug_assert!(done.is_ok());
                    first += (call / sector_size) as u64;
                    at = (at + call) % DATA;
                }
                (self.repeat * call as u64) as f64
            }
        }
    }

    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Cycles a byte, undisturbed: what one chunk in ten stayed below. The best of all would be the luckiest.
    pub fn cycles(&self) -> f64 {
        self.quantile(0.1)
    }

    /// How much more the usual chunk takes than the undisturbed one, as a part of it.
    pub fn spread(&self) -> f64 {
        self.quantile(0.5) / self.cycles() - 1.0
    }

    fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.chunks.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[(part * sorted.len() as f64) as usize]
    }
}
